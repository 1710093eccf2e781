"""The stand-in's own clock: it may run faster than the machine's, and be moved on."""

import datetime as dt
import threading
import time


class RunningClock:
    """Runs from `start` at `speed` times the machine's pace. Safe to use from several threads."""

    def __init__(self, start: dt.datetime | None = None, *, speed: float = 1.0) -> None:
        self._lock = threading.Lock()
        self._start = start or dt.datetime.now(dt.UTC)
        self._speed = speed
        self._begun = time.monotonic()

    def now(self) -> dt.datetime:
        """Return its time, aware UTC."""
        with self._lock:
            passed = (time.monotonic() - self._begun) * self._speed
            return self._start + dt.timedelta(seconds=passed)

    def move(self, by: dt.timedelta) -> None:
        """Move it on by `by`."""
        with self._lock:
            self._start += by
