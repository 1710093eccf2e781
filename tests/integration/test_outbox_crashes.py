"""Whatever ends a hand-over to the outbox, and whenever: each reader's mail is there once."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from digest.model.deliveries import Accepted, Evidence
from digest.testing.factories import NOON, make_handover
from digest.transports.outbox import CONTENTS, OutboxTransport

READERS = 5
WHOLE = sorted([*(f"{number}.eml" for number in range(1, READERS + 1)), CONTENTS])

# Forks once for each step of a hand-over, kills the child at that step with SIGKILL, and says of
# every folder what an observer finds there.
KILLED = """
import json, os, signal, sys
from pathlib import Path
from digest.model.deliveries import Accepted
from digest.testing.factories import NOON, make_handover
from digest.transports.outbox import OutboxTransport

WATCHED = ("open", "os.mkdir", "os.rename", "os.rmdir", "os.remove", "tempfile.mkdtemp")

def hand_over(folder, step):
    steps = 0
    def count(event, arguments):
        nonlocal steps
        if event in WATCHED:
            steps += 1
            if steps == step:
                os.kill(os.getpid(), signal.SIGKILL)
    handover = make_handover(int(sys.argv[2]), may_send=lambda: True)
    sys.addaudithook(count)
    outcome = OutboxTransport(folder).submit(handover, now=NOON)
    os._exit(0 if isinstance(outcome, Accepted) else 1)

step, codes = 0, []
while not codes or codes[-1] == -signal.SIGKILL:
    step += 1
    child = os.fork()
    if not child:
        hand_over(Path(sys.argv[1]) / str(step), step)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(json.dumps(codes))
"""

# No file may grow beyond some bytes, as on a disk that is full.
FULL = """
import json, resource, sys
from pathlib import Path
from digest.testing.factories import NOON, make_handover
from digest.transports.outbox import OutboxTransport

outbox = OutboxTransport(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (500, resource.RLIM_INFINITY))
outcome = outbox.submit(make_handover(3), now=NOON)
print(json.dumps([type(outcome).__name__, outcome.needs_person, outcome.reason]))
"""


def run(code: str, *arguments: str) -> list[object]:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, check=True, text=True
    )
    found = json.loads(done.stdout)
    assert isinstance(found, list)
    return found


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_killed_at_any_step_a_batch_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    *killed, last = run(KILLED, str(tmp_path), str(READERS))
    assert last == 0
    assert len(killed) > 2 * READERS
    handover = make_handover(READERS)
    found = set()
    for step in range(1, len(killed) + 2):
        edition = tmp_path / str(step) / "2026-W48"
        outbox = OutboxTransport(tmp_path / str(step))
        evidence = outbox.find(handover, now=NOON)
        found.add(evidence)
        is_there = (edition / "batch-1").exists()
        assert evidence is (Evidence.ACCEPTED if is_there else Evidence.NOT_ACCEPTED)
        assert isinstance(outbox.submit(handover, now=NOON), Accepted)
        assert names(edition) == ["batch-1"]
        assert names(edition / "batch-1") == WHOLE
    assert found == {Evidence.ACCEPTED, Evidence.NOT_ACCEPTED}


def test_a_full_disk_needs_a_person_and_leaves_nothing_half(tmp_path: Path) -> None:
    kind, needs_person, reason = run(FULL, str(tmp_path / "outbox"))
    assert (kind, needs_person) == ("Unavailable", True)
    assert "File too large" in str(reason)
    assert [path for path in (tmp_path / "outbox").rglob("*") if path.name != "2026-W48"] == []
    outbox = OutboxTransport(tmp_path / "outbox")
    assert outbox.find(make_handover(3), now=NOON) is Evidence.NOT_ACCEPTED
    assert isinstance(outbox.submit(make_handover(3), now=NOON), Accepted)


def test_two_who_hand_over_one_batch_write_it_once(tmp_path: Path) -> None:
    """The ledger lets only one do so; a process that slept through its lease may be the other."""
    for number in range(20):
        folder = tmp_path / str(number)
        barrier = Barrier(3)

        def submit(folder: Path = folder, barrier: Barrier = barrier) -> object:
            barrier.wait()
            return OutboxTransport(folder).submit(make_handover(READERS), now=NOON)

        with ThreadPoolExecutor(3) as pool:
            outcomes = [found.result() for found in [pool.submit(submit) for _ in range(3)]]
        edition = folder / "2026-W48"
        if any(isinstance(outcome, Accepted) for outcome in outcomes):
            assert names(edition / "batch-1") == WHOLE
        assert isinstance(submit_again(folder), Accepted)
        assert names(edition) == ["batch-1"]
        assert names(edition / "batch-1") == WHOLE


def submit_again(folder: Path) -> object:
    return OutboxTransport(folder).submit(make_handover(READERS), now=NOON)
