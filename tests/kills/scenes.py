"""What is played and what came of it; a test has it played in a process of its own.

That process forks providers and senders, so it must have one thread only, which a test's own
process has not.
"""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec


class Kill(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a sender ends early: at its nth point, or after a share of the time a whole send takes.

    With `point` only the points of that name count. One that `stops` only sleeps, until another
    sender has had its turn.
    """

    at: int = 0
    point: str = ""
    share: float = 0.0
    stops: bool = False


class Scene(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A send from the approved edition to its end, by one sender after the other.

    `kills` are those of the first senders; the later ones live. With two `senders` both try at
    once. `faults` are those of the provider (`digest.testing.sendgrid.Fault`), and `holds` is how
    many cancelled batches it keeps; `read` is how many seconds a sender waits for an answer.
    `seeds` is how often the scene is played, with other faults by chance each time. With `every`
    it is played once more with a kill at each nth point of the sender that would live. With `waves`
    the readers are in three zones, each with as many batches, and get it at their own time; a
    sender that `stays` waits for the next wave as `digest send` does, another one looks again
    when it begins, as a schedule does.
    """

    hold: bool = True
    batches: int = 3
    in_flight: int = 1
    senders: int = 1
    kills: tuple[Kill, ...] = ()
    faults: tuple[Mapping[str, Any], ...] = ()
    read: float = 30.0
    holds: int = 10
    seeds: tuple[int, ...] = (0,)
    every: int = 0
    waves: bool = False
    stays: bool = False


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a scene: `wrong` is empty when each promise was kept. The rest counts readers.

    `killed` names the points at which senders were killed or stopped, and `points` those that the
    last sender passed. `copies` is what the provider sent, `tries` how many requests with mail
    reached it. `waves` is how many waves the report tells of.
    """

    scene: Scene
    wrong: Sequence[str]
    killed: Sequence[str]
    points: Sequence[str]
    senders: int
    accepted: int
    unknown: int
    refused: int
    copies: int
    tries: int
    waves: int


def play(folder: Path, *scenes: Scene, postgres: str = "") -> list[Played]:
    """Play the scenes in a process of its own, and return what came of each of them, in order."""
    asked, answered = folder / "scenes.json", folder / "played.json"
    asked.write_bytes(msgspec.json.encode(scenes))
    files = [str(path) for path in (asked, answered, folder / "stage")]
    subprocess.run(
        [sys.executable, "-m", "tests.kills", *files, postgres], check=True, timeout=1_800
    )
    return msgspec.json.decode(answered.read_bytes(), type=list[Played])


def broken(played: Sequence[Played]) -> list[str]:
    """Return in words each promise that was not kept, and where."""
    return [
        f"{wrong} — killed at {list(each.killed) or 'no point'}, hold {each.scene.hold}, "
        f"seed {each.scene.seeds}"
        for each in played
        for wrong in each.wrong
    ]
