"""A clock for tests."""

import datetime as dt
import time


class FrozenClock:
    """Stands still until it is moved."""

    def __init__(self, moment: dt.datetime) -> None:
        self._moment = moment

    def now(self) -> dt.datetime:
        """Return the moment it stands at, aware UTC."""
        return self._moment

    def move(self, by: dt.timedelta) -> None:
        """Move it on by `by`."""
        self._moment += by


class FastClock:
    """Goes on from a moment, faster than the machine's clock."""

    def __init__(self, moment: dt.datetime, *, speed: float) -> None:
        self._moment, self._speed = moment, speed
        self._began = time.monotonic()

    def now(self) -> dt.datetime:
        """Return the moment and `speed` times the time since then, aware UTC."""
        passed = time.monotonic() - self._began
        return self._moment + dt.timedelta(seconds=passed * self._speed)
