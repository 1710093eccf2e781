"""Plays scenes: `python -m tests.kills SCENES PLAYED FOLDER [POSTGRES]`, from JSON to JSON."""

import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import structlog

from digest.model.editions import EditionState
from tests.kills.provider import BEFORE_WAVES, START, Provider, SteppedClock
from tests.kills.scenes import Kill, Played, Scene
from tests.kills.sender import HELD, Sender
from tests.kills.stage import ENDED, LEASE, Stage, Stages

MOST = 60  # senders of one scene; faults that stop it for a person need one more each
LATER = 4_000.0  # seconds, after which the provider has sent whatever it held


class Play:
    """One scene: senders come one after the other, or two at a time, until all is settled."""

    def __init__(self, scene: Scene, seed: int, stage: Stage) -> None:
        self._scene = scene
        self._stage = stage
        self._clock = SteppedClock(BEFORE_WAVES if scene.waves else START)
        self._provider = Provider(self._clock, scene, seed)
        self._running: dict[int, Sender] = {}
        self._asleep: list[Sender] = []
        self._kills = list(scene.kills)
        self._started = 0
        self._killed: list[str] = []
        self._points: list[str] = []
        self._wrong: list[str] = []
        self._is_over = False

    def play(self, seconds: float) -> Played:
        """Play it; `seconds` is what a whole send takes."""
        try:
            while self._asleep or self._running or not (self._is_over or self._wrong):
                self._start(seconds)
                self._end_one()
                if not self._running and (self._is_over or self._wrong):
                    self._wake()
            played = self._judged()
            if not played.wrong:  # else somebody will want to look at it
                self._stage.drop()
            return played
        finally:
            self._provider.close()

    def _start(self, seconds: float) -> None:
        while len(self._running) < self._scene.senders and not (self._is_over or self._wrong):
            self._started += 1
            if self._started > MOST:
                self._wrong.append("it does not come to its end")
                return
            kill = self._kills.pop(0) if self._kills else Kill()
            told = self._stage.folder / f"sender-{self._started}"
            sender = Sender(self._scene, self._stage.url, self._provider, self._clock, kill, told)
            self._running[sender.pid] = sender
            if kill.share:
                time.sleep(kill.share * seconds)
                os.kill(sender.pid, signal.SIGKILL)

    def _end_one(self) -> None:
        """Wait until a sender ends, is killed, or sleeps; see what it left."""
        if not self._running:
            return
        pid, status = os.waitpid(-1, os.WUNTRACED)
        sender = self._running.pop(pid)
        if os.WIFSTOPPED(status):
            self._asleep.append(sender)
            self._stage.cut_off()
        code = 0 if os.WIFSTOPPED(status) else os.waitstatus_to_exitcode(status)
        is_gone = os.WIFSTOPPED(status) or code == -signal.SIGKILL
        if is_gone:
            self._killed.append(sender.killed_at() or "some instant")
        elif code == HELD and self._asleep:
            self._wake()
        elif code not in (0, HELD):
            self._wrong.append(f"a sender ended with {code}")
        self._look(sender)
        if is_gone or not self._running:  # what it claimed is taken over when its lease is over
            self._clock.step(LEASE.total_seconds() + 1)

    def _look(self, sender: Sender) -> None:
        state, rows = self._stage.state()
        if state is EditionState.APPROVED and rows:
            self._wrong.append(f"half a plan of {rows} rows was kept")
        self._is_over = state in ENDED
        self._points = sender.points()

    def _wake(self) -> None:
        """Let those who sleep go on to their end, which may be an error: others did their work."""
        while self._asleep:
            sender = self._asleep.pop()
            os.kill(sender.pid, signal.SIGCONT)
            os.waitpid(sender.pid, 0)
            self._look(sender)

    def _judged(self) -> Played:
        self._clock.step(LATER)
        copies, requests = self._provider.ask("accepted"), self._provider.ask("requests")
        report, wrong = self._stage.judged(self._scene, copies, requests)
        return Played(
            scene=self._scene,
            wrong=[*self._wrong, *wrong],
            killed=self._killed,
            points=self._points,
            senders=self._started,
            accepted=report.accepted,
            unknown=report.unknown,
            refused=sum(report.refused.values()),
            copies=sum(copies.values()),
            waves=len(report.waves),
            tries=len(requests),
        )


def plays(scene: Scene, stages: Stages) -> Iterator[Played]:
    """Play a scene for each seed, and where that is asked for at each point of its last sender."""
    for seed in scene.seeds:
        one = msgspec.structs.replace(scene, seeds=(seed,))
        begun = time.monotonic()
        if scene.every or any(kill.share for kill in scene.kills):
            whole = msgspec.structs.replace(
                one, kills=tuple(kill for kill in scene.kills if kill.at)
            )
            played = Play(whole, seed, stages.fresh(scene)).play(0)
            yield played
        seconds = time.monotonic() - begun
        if not scene.every:
            yield Play(one, seed, stages.fresh(scene)).play(seconds)
            continue
        for at in range(1, len(played.points) + 1, scene.every):
            killed = msgspec.structs.replace(one, kills=(*scene.kills, Kill(at=at)))
            yield Play(killed, seed, stages.fresh(scene)).play(seconds)


def main() -> int:
    asked, answered, folder, postgres = sys.argv[1:]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    Path(folder).mkdir(parents=True)
    stages = Stages(Path(folder), postgres)
    scenes = msgspec.json.decode(Path(asked).read_bytes(), type=list[Scene])
    played = [each for scene in scenes for each in plays(scene, stages)]
    Path(answered).write_bytes(msgspec.json.encode(played))
    return 0


if __name__ == "__main__":
    sys.exit(main())
