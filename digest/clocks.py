"""The clocks that a process can have."""

import datetime as dt
import time


class SystemClock:
    """The machine's clock."""

    def now(self) -> dt.datetime:
        """Return the current instant, aware UTC."""
        return dt.datetime.now(dt.UTC)


class FixedClock:
    """A clock that stands still, for `--now`."""

    def __init__(self, moment: dt.datetime) -> None:
        self._moment = moment

    def now(self) -> dt.datetime:
        """Return the moment it was set to, aware UTC."""
        return self._moment


class MovedClock:
    """A clock that was set and goes on from there, for `--now` where something waits."""

    def __init__(self, moment: dt.datetime) -> None:
        self._moment = moment
        self._began = time.monotonic()

    def now(self) -> dt.datetime:
        """Return the moment it was set to and the time since then, aware UTC."""
        return self._moment + dt.timedelta(seconds=time.monotonic() - self._began)
