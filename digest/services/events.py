"""Events: the provider's reports, taken at once and folded a little later."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace

import structlog

from digest.errors import HeldElsewhere
from digest.model.deliveries import Report
from digest.ports import Clock, EventStore

CHUNK = 250
"""Events in one transaction: a run that hands over waits no longer than that for its own."""

PAGE = 20  # reports in memory at a time

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """What one round of folding did: reports and their events, new and of no use, and the dead."""

    reports: int = 0
    events: int = 0
    new: int = 0
    others: int = 0
    dead: int = 0


class EventService:
    """Takes and folds the reports of one project. Safe to use from several threads.

    Args:
        store: Where reports and states are.
        read: Makes events of a report's body.
        hold: Holds a name, so that one process at a time folds; see `Store.hold`.
        clock: Tells the time.
    """

    def __init__(
        self,
        store: EventStore,
        read: Callable[[bytes], Report],
        hold: Callable[[str], AbstractContextManager[bool]],
        clock: Clock,
    ) -> None:
        self._store = store
        self._read = read
        self._hold = hold
        self._clock = clock

    def take(self, body: bytes) -> bool:
        """Keep a report whose signature was verified, to be folded later; tell whether it is new.

        Raises:
            StoreError: The database failed; the provider should send it again.
        """
        return self._store.take(body, now=self._clock.now())

    def drain(self, *, limit: int = 1000) -> Drained:
        """Fold up to `limit` of the waiting reports; nothing while another process does so.

        A report that cannot be read is set aside. What an event says of a delivery, its batch and
        its reader is stored with the event, so a crash leaves no half of it.

        Raises:
            StoreError: The database failed; the rest goes on waiting.
        """
        done = Drained()
        if not self._store.waiting(limit=1):
            return done
        try:
            with self._hold("events"):
                while done.reports < limit:
                    page = self._store.waiting(limit=min(PAGE, limit - done.reports))
                    if not page:
                        break
                    for inbox_id, body in page:
                        done = self._folded(inbox_id, body, done)
        except HeldElsewhere:
            return done
        log.info("events_folded", **asdict(done))
        return done

    def tidy(self) -> None:
        """Delete raw reports of 14 days ago and events of 90 days ago; what they said stays."""
        self._store.tidy(now=self._clock.now())

    def _folded(self, inbox_id: int, body: bytes, done: Drained) -> Drained:
        """Fold one report; return `done` with it."""
        report = self._read(body)
        if report.fault:
            self._store.mark_dead(inbox_id, report.fault)
            log.warning("report_set_aside", report=inbox_id, reason=report.fault)
            return replace(done, reports=done.reports + 1, dead=done.dead + 1)
        new, count, now = 0, len(report.events), self._clock.now()
        for start in range(0, max(count, 1), CHUNK):
            chunk = report.events[start : start + CHUNK]
            is_last = start + CHUNK >= count
            new += self._store.fold(inbox_id, chunk, now=now, is_last=is_last)
        return replace(
            done,
            reports=done.reports + 1,
            events=done.events + count,
            new=done.new + new,
            others=done.others + report.others,
        )
