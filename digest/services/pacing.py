"""The pace of handing over: the rate limit, and waiting longer and longer while it fails."""

import datetime as dt
import random

from digest.ports import Ledger
from digest.settings import DeliverySettings

LONGEST_PAUSE = 60.0  # seconds between two tries
LONGEST_RETRY = dt.timedelta(hours=1)
GIVE_UP = dt.timedelta(minutes=30)


class Pace:
    """Knows when the next batch may start.

    The rate limit is one row in the database that all senders book, so it holds for all of them
    together. Used by one thread.
    """

    def __init__(self, ledger: Ledger, settings: DeliverySettings) -> None:
        self._ledger = ledger
        self._settings = settings
        self._random = random.Random()  # noqa: S311  # spreads tries, keeps no secret
        self._slot_at: dt.datetime | None = None
        self._has_looked = False
        self._pause_until: dt.datetime | None = None
        self._failures = 0
        self._failing_since: dt.datetime | None = None

    def next_start(self, now: dt.datetime) -> dt.datetime:
        """Return from when on a batch may start; books nothing, and is `now` if nothing waits."""
        return max(self._pause_until or now, self._slot_at or now, now)

    def book(self, now: dt.datetime) -> bool:
        """Return whether a batch may start now; books the shared rate limit where there is one."""
        if self._pause_until is not None and self._pause_until > now:
            return False
        rate = self._settings.readers_per_second
        if self._slot_at is None and (rate or not self._has_looked):
            # Without a rate one look is enough: an earlier run may have been asked to wait.
            size = self._settings.batch_size if rate else 0
            self._slot_at = self._ledger.take_slot(size, rate=rate or 1, now=now)
            self._has_looked = True
        if self._slot_at is not None and self._slot_at > now:
            return False
        self._slot_at = None
        return True

    def succeeded(self) -> None:
        """Note that the provider took a batch."""
        self._failures, self._failing_since = 0, None

    def failed(self, now: dt.datetime, *, retry_at: dt.datetime | None = None) -> dt.datetime:
        """Note that it did not; return when to try again.

        The pause doubles from one second up to a minute, with a random part, so that several
        senders do not come back at once. `retry_at`, where the provider names it, is kept at least,
        by every sender.
        """
        self._failing_since = self._failing_since or now
        pause = min(LONGEST_PAUSE, 2.0**self._failures) * self._random.uniform(0.5, 1.0)
        self._failures += 1
        if retry_at is not None:  # a provider's clock may be wrong by days
            retry_at = min(retry_at, now + LONGEST_RETRY)
        until = max(now + dt.timedelta(seconds=pause), retry_at or now)
        if retry_at is not None:
            self._ledger.delay_slot(until)
        self._pause_until = max(until, self._pause_until or until)
        return until

    @property
    def is_failing(self) -> bool:
        """Whether nothing was accepted since the last failure."""
        return self._failing_since is not None

    def is_hopeless(self, now: dt.datetime) -> bool:
        """Tell whether nothing was accepted for half an hour of trying."""
        return self._failing_since is not None and now - self._failing_since > GIVE_UP
