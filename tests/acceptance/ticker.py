"""A schedule in a process of its own, that a test hears and ends: see `tests.ticking`."""

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.ticking import SharedClock

ROOT = Path(__file__).parents[2]
FAR = 120.0  # seconds after which a process is taken for hanging


class Ticker:
    """The process. What it logs goes into a file, which fills however much that is.

    Args:
        project: The folder of the project.
        clock: Which clock it has.
        words: What the statement has at which it stops.
    """

    def __init__(self, project: Path, clock: SharedClock, *words: str) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("DIGEST_")}
        self._log = (project / f"ticker-{time.monotonic_ns()}.log").open("w+")
        self._heard = b""
        self.child = subprocess.Popen(
            [sys.executable, "-m", "tests.ticking", str(project), clock.as_text(), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=ROOT,
            env=environment | {"PYTHONFAULTHANDLER": "1"},
        )

    def hear(self, word: str) -> None:
        """Wait until it says the word."""
        assert self.child.stdout is not None
        until = time.monotonic() + FAR
        while word.encode() not in self._heard.split():
            left = max(until - time.monotonic(), 0)
            is_ready, _, _ = select.select([self.child.stdout], [], [], left)
            found = os.read(self.child.stdout.fileno(), 1_000) if is_ready else b""
            assert found, f"it did not say {word!r}:\n{self.told()}"
            self._heard += found

    def release(self) -> None:
        """Let it go on where it stopped."""
        assert self.child.stdin is not None
        self.child.stdin.close()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; one that it can hear only when it hears."""
        if number is not signal.SIGKILL:
            self.hear("ticking")
        self.child.send_signal(number)

    def ended(self) -> int:
        """Wait for its end, and return the exit code."""
        try:
            return self.child.wait(FAR)
        except subprocess.TimeoutExpired:
            self.child.send_signal(signal.SIGABRT)  # it tells the lines of all its threads
            self.child.wait(FAR)
            raise AssertionError(f"it hangs:\n{self.told()}") from None

    def end(self) -> None:
        """End it as an operator does, which must go well."""
        self.send(signal.SIGTERM)
        assert self.ended() == 0, self.told()
        assert "Traceback" not in self.told()

    def told(self) -> str:
        """Return what it logged."""
        self._log.seek(0)
        return self._log.read()

    def close(self) -> None:
        """Kill what is left of it."""
        self.child.kill()
        self.child.wait()
        for pipe in (self.child.stdin, self.child.stdout, self._log):
            if pipe is not None:
                pipe.close()
