"""What editors are still to be told: kept until each has it, whatever fails, ends or begins anew.

An event is put down once, with who has it already. What the provider does not take is tried again
at later looks, in the order of events, for a day.
"""

import datetime as dt
import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

import msgspec
import structlog

from digest.documents import learn_types
from digest.errors import Conflict, DigestError, HeldElsewhere, StoreError
from digest.model.deliveries import Accepted, Outcome, Refused, Unknown, Unsent
from digest.model.editions import Edition, EditionState
from digest.model.notices import Event, NoticeKind
from digest.periods import send_at
from digest.ports import Marks, Store
from digest.services.guards import STANDING
from digest.settings import ScheduleSettings, Settings

LONGEST = dt.timedelta(days=1)  # what is older is no news
NEXT_TRY = dt.timedelta(minutes=5)
MOST_UNSURE = 2
"""How many mails about one event an editor may get while nobody knows whether the first came:
twice is better than never."""

log = structlog.get_logger(__name__)

Tell = Callable[[Event, Edition | None, int], Outcome]
"""Hands a mail about an event, and its edition as it is now, to the editor with that number."""


@dataclass(frozen=True, kw_only=True)
class _Untold:
    """An event that some editors do not know of yet, as it is stored.

    `number` orders what happened at one instant. `told` holds the numbers of the editors who have
    it, or never will. `unsure` counts by editor the mails of which nobody knows whether they went.
    """

    event: Event
    edition: str
    number: int
    told: tuple[int, ...] = ()
    unsure: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Item:
    """What stands under a mark, and as it stands there."""

    name: str
    value: str
    untold: _Untold


class Telling:
    """Tells the editors of one newsletter, once each, from any number of processes.

    Args:
        marks: Where it is put down what they are still to be told.
        store: Finds editions, and keeps two processes apart.
        settings: The newsletter's.
        editors: Returns the editors' numbers.
        tell: Writes to one of them.
    """

    def __init__(
        self,
        marks: Marks,
        store: Store,
        settings: Settings,
        *,
        editors: Callable[[], Sequence[int]],
        tell: Tell,
    ) -> None:
        learn_types([_Untold])
        self._marks, self._store = marks, store
        self._slug, self._schedule = settings.newsletter.slug, settings.schedule
        self._editors, self._tell = editors, tell
        self._numbers = itertools.count()
        self._tried_at: dt.datetime | None = None
        self._noted: set[str] = set()

    def add(self, name: str, event: Event, *, edition: str = "") -> None:
        """Put down an event that is to be told, if none of its name ever was.

        Args:
            name: What makes two events one.
            event: What happened.
            edition: The label of the edition it is about, "" for none.
        """
        start = f"{self._slug}/{edition}" if edition else f"{STANDING}{self._slug}"
        untold = _Untold(event=event, edition=edition, number=next(self._numbers))
        self._marks.claim(f"{start}/{name}", event.at, value=_written(untold))

    def hand_over(self, *, now: dt.datetime, stop: threading.Event, is_standing: bool) -> None:
        """Hand over what is still to be told; end early, between two mails, when `stop` is set.

        After a failure nothing is tried for some minutes. What fails is logged.

        Args:
            now: Aware UTC.
            stop: Ends it.
            is_standing: Whether the schedule stands still. Then that alone is told: the rest may
                be another machine's to tell, or of a time that is over.
        """
        tried_at, self._tried_at = self._tried_at, None
        if tried_at is not None and dt.timedelta() <= now - tried_at < NEXT_TRY:
            self._tried_at = tried_at
            return
        start = f"{STANDING}{self._slug}/" if is_standing else f"{self._slug}/"
        if self._marks.valued(start):
            # Who has it already, or has just been told otherwise, goes on with it.
            with suppress(HeldElsewhere, Conflict), self._store.hold(f"notices-{self._slug}"):
                self._go_through(start, now, stop)

    def _go_through(self, start: str, now: dt.datetime, stop: threading.Event) -> None:
        behind: set[int] = set()  # editors who have not got an earlier one yet
        for item in self._items(start):
            untold = item.untold
            label = untold.edition
            edition = self._store.edition(self._slug, label) if label else None
            if abs(now - untold.event.at) > LONGEST:
                log.error("notice_not_sent", **_about(untold), reason="A day of tries failed.")
                self._settle(item)
            elif label and not (
                edition and is_news(untold.event.kind, edition, self._schedule, now)
            ):
                log.info("notice_dropped", **_about(untold))
                self._settle(item)
            else:
                try:
                    self._tell_editors(item, edition, behind, now, stop)
                except StoreError:
                    raise
                except DigestError as error:  # the mail cannot be made, so no later one can
                    self._put_off(item, error.message, now)
                    return

    def _items(self, start: str) -> list[_Item]:
        """Return what is put down under names that begin with `start`, in the order of events."""
        found = []
        for name, value in self._marks.valued(start):
            try:
                found.append(_Item(name, value, msgspec.json.decode(value, type=_Untold)))
            except msgspec.DecodeError:  # of another version of this program
                log.error("notice_not_sent", reason="It cannot be read.")
                self._marks.change(name, was=value, value="")
        return sorted(found, key=lambda item: (item.untold.event.at, item.untold.number))

    def _tell_editors(
        self,
        item: _Item,
        edition: Edition | None,
        behind: set[int],
        now: dt.datetime,
        stop: threading.Event,
    ) -> None:
        editors = self._editors()
        for number in editors:
            if number in behind or number in item.untold.told:
                continue
            if stop.is_set():
                return
            item, failed = self._mail(item, edition, number)
            if failed:
                behind.add(number)
                self._put_off(item, failed, now)
        if set(editors) <= set(item.untold.told):
            log.info("editors_told", **_about(item.untold), editors=len(editors))
            self._settle(item)

    def _mail(self, item: _Item, edition: Edition | None, number: int) -> tuple[_Item, str]:
        """Hand one mail over; return what is put down then, and why it is to be tried again.

        It is counted before, so that a process that is killed meanwhile leaves a trace.

        Raises:
            Conflict: Another process tells the editors.
            DigestError: The mail cannot be made.
        """
        before = item.untold
        known = before.unsure.get(number, 0)
        rest = {other: count for other, count in before.unsure.items() if other != number}
        told = replace(before, told=(*before.told, number), unsure=rest)
        if known >= MOST_UNSURE:
            return self._change(item, told), ""
        item = self._change(item, replace(before, unsure=rest | {number: known + 1}))
        try:
            outcome = self._tell(before.event, edition, number)
        except DigestError:
            self._change(item, before)
            raise
        match outcome:
            case Accepted():
                return self._change(item, told), ""
            case Refused(reason=reason):
                log.error("notice_not_sent", **_about(before), reason=reason)
                return self._change(item, told), ""
            case Unknown(reason=reason):
                return item, reason
            case Unsent():
                return self._change(item, before), "It was not handed over."
        return self._change(item, before), outcome.reason

    def _change(self, item: _Item, untold: _Untold) -> _Item:
        value = _written(untold)
        if not self._marks.change(item.name, was=item.value, value=value):
            raise Conflict("Another process tells the editors; it is left to that one.")
        return _Item(item.name, value, untold)

    def _settle(self, item: _Item) -> None:
        self._noted.discard(item.name)
        self._marks.change(item.name, was=item.value, value="")

    def _put_off(self, item: _Item, reason: str, now: dt.datetime) -> None:
        """Let it be tried again later; log the first time alone."""
        self._tried_at = now
        if item.name not in self._noted:
            self._noted.add(item.name)
            log.warning("notice_put_off", **_about(item.untold), reason=reason)


def is_news(
    kind: NoticeKind, edition: Edition, schedule: ScheduleSettings, now: dt.datetime
) -> bool:
    """Tell whether what asks editors to act on an edition, as it is now, still does.

    What happened is news for a day; `NoticeService` says what became of it since.
    """
    if kind not in (NoticeKind.DRAFTED, NoticeKind.WAITING):
        return True
    if now >= send_at(edition.period, schedule):
        return False
    if edition.state is EditionState.APPROVED:
        return kind is NoticeKind.DRAFTED
    return edition.state in (EditionState.DRAFT, EditionState.FROZEN) and edition.held_at is None


def _written(untold: _Untold) -> str:
    return msgspec.json.encode(untold).decode()


def _about(untold: _Untold) -> dict[str, str]:
    return {"kind": str(untold.event.kind), "edition": untold.edition}
