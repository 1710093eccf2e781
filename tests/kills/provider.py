"""The provider as a process of its own, and the clock that it shares with those who send."""

import datetime as dt
import json
import mmap
import os
import signal
import struct
import time
import urllib.request
from typing import Any

from digest.testing.sendgrid import Fault, SendgridStandIn
from tests.kills.scenes import Scene

START = dt.datetime(2026, 12, 1, 9, tzinfo=dt.UTC)
BEFORE_WAVES = dt.datetime(2026, 11, 30, 0, 15, tzinfo=dt.UTC)


class SteppedClock:
    """The machine's pace from one instant on, and steps ahead that all forked processes share."""

    def __init__(self, start: dt.datetime = START) -> None:
        self._start = start
        self._steps = mmap.mmap(-1, 8)
        self._begun = time.monotonic()

    def now(self) -> dt.datetime:
        (steps,) = struct.unpack_from("d", self._steps)
        return self._start + dt.timedelta(seconds=time.monotonic() - self._begun + steps)

    def step(self, seconds: float) -> None:
        """Step ahead: what a sender does where it would wait."""
        (steps,) = struct.unpack_from("d", self._steps)
        struct.pack_into("d", self._steps, 0, steps + seconds)


class Provider:
    """The stand-in that a scene asks for, with a book of its own, until it is closed."""

    def __init__(self, clock: SteppedClock, scene: Scene, seed: int) -> None:
        reading, writing = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            faults = [Fault(**fault) for fault in scene.faults]
            standin = SendgridStandIn(faults=faults, seed=seed, now=clock.now, holds=scene.holds)
            serve(standin, writing)
        os.close(writing)
        with os.fdopen(reading) as said:
            self.url, self.api_key = json.loads(said.readline())

    def ask(self, what: str) -> Any:
        with urllib.request.urlopen(f"{self.url}/_standin/{what}", timeout=60) as answer:
            return json.load(answer)

    def close(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)


def serve(standin: SendgridStandIn, writing: int) -> None:
    """Serve in this process until it is killed, or its parent is gone."""
    parent = os.getppid()
    with standin:
        os.write(writing, json.dumps([standin.url, standin.api_key]).encode() + b"\n")
        os.close(writing)
        while os.getppid() == parent:
            time.sleep(1)
    os._exit(0)
