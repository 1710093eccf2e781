"""A process whose schedule runs on a fast clock: `python -m tests.ticking PROJECT MOMENT SPEED`.

It is `digest schedule run` but for the clock, and for ticks that come as much faster.
"""

import datetime as dt
import os
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

from digest.app import App
from digest.cli.logs import start_logging
from digest.project import load
from digest.scheduler import folded, scheduled, ticking
from digest.testing.clock import FastClock

OFTEN = 0.1  # seconds


def main(project: str, moment: str, speed: str) -> None:
    start_logging(1)
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    clock = FastClock(dt.datetime.fromisoformat(moment), speed=float(speed))
    with App(load(Path(project), os.environ), clock) as app:
        ticks = [*scheduled([app], over), *folded(app)]
        with ticking([replace(tick, every=OFTEN) for tick in ticks]):
            over.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
