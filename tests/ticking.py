"""A process whose schedule has a test's clock: `python -m tests.ticking PROJECT CLOCK [WORD…]`.

It is `digest schedule run` but for the clock, and for ticks that come much faster. It says
"ticking" on standard output when signals are heard, and "ending" when one came. With words it stops
at the first statement, in whichever tick, that has them all: it says "there" and waits until its
input ends.
"""

import datetime as dt
import os
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from digest.app import App
from digest.cli.logs import start_logging
from digest.cli.signals import ending
from digest.project import load
from digest.scheduler import folded, scheduled, ticking

OFTEN = 0.1  # seconds


@dataclass(frozen=True)
class SharedClock:
    """A clock that goes so many times as fast as the machine's, alike in all processes."""

    moment: dt.datetime
    speed: float = 1
    began: float = field(default_factory=time.monotonic)

    def now(self) -> dt.datetime:
        passed = time.monotonic() - self.began
        return self.moment + dt.timedelta(seconds=passed * self.speed)

    def as_text(self) -> str:
        return " ".join(str(value) for value in astuple(self))


def clock_of(text: str) -> SharedClock:
    day, of_day, speed, began = text.split()
    moment = dt.datetime.fromisoformat(f"{day} {of_day}")
    return SharedClock(moment, float(speed), float(began))


def say(word: str) -> None:
    os.write(1, f"{word}\n".encode())


def stop_at(app: App, words: Sequence[str]) -> None:
    """Stop once, in the transaction of the first statement that has all the words."""
    is_there = threading.Lock()

    def look(*arguments: Any) -> None:
        text = f"{arguments[2]} {arguments[3]}"
        if all(word in text for word in words) and is_there.acquire(blocking=False):
            say("there")
            sys.stdin.read()

    sa.event.listen(app.database.engine, "after_cursor_execute", look)


def main(project: str, clock: str, *words: str) -> None:
    start_logging(1)
    over = threading.Event()
    with (
        App(load(Path(project), os.environ), clock_of(clock)) as app,
        ending(over, told=lambda: say("ending")),
    ):
        ticks = [*scheduled([app], over), *folded(app)]
        if words:
            stop_at(app, words)
        with ticking([replace(tick, every=OFTEN) for tick in ticks]):
            say("ticking")
            over.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
