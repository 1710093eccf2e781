"""A clock for tests."""

import datetime as dt


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
