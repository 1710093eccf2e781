"""The schedule at work: what is due is found in the database and done, by whoever looks first.

Nothing here remembers anything: every method looks at what is stored, so that it may be called at
any time, from any number of processes, after any time away. What two of them find at once, one
does; the other finds it done.
"""

import datetime as dt
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from digest.errors import (
    Conflict,
    DigestError,
    HeldElsewhere,
    NothingToSend,
    StoreError,
    UsageError,
)
from digest.model.deliveries import DeliveryReport
from digest.model.editions import Edition, EditionState, Period
from digest.model.notices import Event, NoticeKind
from digest.periods import period_containing, send_at
from digest.ports import Clock, Ledger, Marks, Store
from digest.scheduling import Due, Step, due, is_missed_whole
from digest.services.brakes import Stopped
from digest.services.collection import JOB as COLLECTING
from digest.services.editions import EditionService
from digest.services.freezing import FreezingService
from digest.services.guards import Guards
from digest.services.sending import SendingService
from digest.services.telling import Telling
from digest.settings import Settings

PREPARING = "schedule"  # the name under which one process at a time drafts
RULE = "the schedule, as nobody objected"
LAST_LOOK = dt.timedelta(minutes=10)  # before the week ends the sources are read once more
MOST_LEADS = 3  # so many links are tried
AGAIN = frozenset(
    {NoticeKind.HELD, NoticeKind.SKIPPED, NoticeKind.LEAD_CHANGED, NoticeKind.STOPPED}
)
NEW_LEAD = "The page of its lead is gone, and another story leads; nobody has approved that."
NOT_TAKEN = "The provider certainly did not take some of it: digest send --resume goes on."
NEXT_TRY = dt.timedelta(minutes=5)  # after a failure that nobody here can mend
OPEN = (EditionState.DRAFT, EditionState.FROZEN)
UNDER_WAY = (EditionState.PLANNED, EditionState.SENDING)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the schedule sets in motion.

    `collect` reads the sources of all newsletters. `dead_link` returns why a link leads to its
    story no more, or "". `done` keeps the account of a run that ended.
    """

    store: Store
    ledger: Ledger
    marks: Marks
    editions: EditionService
    freezing: FreezingService
    sending: SendingService
    guards: Guards
    telling: Telling
    collect: Callable[[], object]
    dead_link: Callable[[str], str]
    done: Callable[[Edition, DeliveryReport], object]


class ScheduleService:
    """Does for one newsletter what is due.

    Args:
        parts: What it sets in motion.
        settings: The project's.
        clock: Tells the time.
    """

    def __init__(self, parts: Parts, settings: Settings, clock: Clock) -> None:
        self._parts = parts
        self._settings, self._schedule = settings, settings.schedule
        self._slug = settings.newsletter.slug
        self._clock = clock
        self._again_at: dict[int | None, dt.datetime] = {}

    def objection(self) -> str:
        """Return why nothing is done now, in words, or "" if nothing is in the way."""
        return self._parts.guards.objection(self._clock.now())

    def tick(self, stop: threading.Event) -> None:
        """Do all that is due now, in order; end early, between two things, when `stop` is set."""

        def tell() -> None:
            self.tell(stop)

        for work in (self.collect, self.prepare, tell, lambda: self.send(stop), self.settle, tell):
            if not stop.is_set():
                work()

    def tell(self, stop: threading.Event) -> None:
        """Tell editors what they do not know yet; end early when `stop` is set. It never raises."""
        now = self._clock.now()
        try:
            is_standing = bool(self._parts.guards.objection(now))
            self._parts.telling.hand_over(now=now, stop=stop, is_standing=is_standing)
        except Exception as error:  # noqa: BLE001  # readers get theirs all the same
            log.error("telling_failed", reason=getattr(error, "message", type(error).__name__))

    # Collecting

    def collect(self) -> bool:
        """Read the sources if that is due: by the interval, and once more before the week ends.

        Returns:
            Whether this call did.
        """
        now = self._clock.now()
        if self._parts.guards.objection(now):
            return False
        every = interval(self._schedule.collect)
        running = self._period_at(now, [e.period for e in self._parts.editions.standings()])
        if running.end - now <= LAST_LOOK:
            every = min(every, LAST_LOOK)
        if not self._parts.marks.claim("collected", now, every=every):
            return False
        try:
            self._parts.collect()
        except HeldElsewhere:  # somebody drafts right now, or collects by hand
            self._parts.marks.put("collected", now - every)
            return False
        return True

    # Drafting, reminding, holding

    def prepare(self) -> None:
        """Draft the editions whose weeks have ended, remind editors, and hold what is too late."""
        now = self._clock.now()
        if self._parts.guards.objection(now):
            return
        store = self._parts.store
        # While sources are read, an article of the old week may still be on its way into the store.
        with suppress(HeldElsewhere), store.hold(PREPARING), store.hold(COLLECTING):
            self._draft_ended(now)
            for edition in self._parts.editions.standings(*OPEN, EditionState.APPROVED):
                self._look_after(edition, now)

    def _draft_ended(self, now: dt.datetime) -> None:
        name = f"{self._slug}/walked"
        since = self._parts.marks.get(name)
        ended, running = self._walk(since[0] if since else None, now)
        for period in ended:
            late = now - send_at(period, self._schedule)
            newest = period.end == running.start
            if is_missed_whole(self._schedule, is_newest=newest, late=late):
                self._skip_missed(period)
            else:
                self._draft(period.label, now)
        if since is None or since[0] != running.start:
            self._parts.marks.put(name, running.start)
        for edition in self._parts.editions.standings(EditionState.DRAFT):
            drafted_at = edition.drafted_at
            # A draft from the future is of a clock that was wrong.
            is_due = drafted_at is None or drafted_at < edition.period.end or drafted_at > now
            if is_due and edition.period.end <= now:
                self._draft(edition.period.label, now)

    def _walk(self, since: dt.datetime | None, now: dt.datetime) -> tuple[list[Period], Period]:
        """Return the weeks that ended since then without an edition, and the running one.

        The first look of all, which has no `since`, begins with the week that is due.
        """
        known = [edition.period for edition in self._parts.editions.standings()]
        first = since or self._parts.editions.period("", now=now).start
        ended, period = [], self._period_at(first, known)
        while period.end <= now:
            if period not in known:
                ended.append(period)
            period = self._period_at(period.end, known)
        return ended, period

    def _period_at(self, at: dt.datetime, known: Sequence[Period]) -> Period:
        zone = self._settings.newsletter.timezone
        return period_containing(at, self._schedule, zone, known=known)

    def _skip_missed(self, period: Period) -> None:
        how = (
            "missed editions do not go"
            if self._schedule.missed == "none"
            else "only the latest of several missed editions goes"
        )
        reason = f"Nothing ran when its week ended, and {how}."
        missed = Edition(
            newsletter=self._slug, period=period, state=EditionState.SKIPPED, reason=reason
        )
        with suppress(Conflict):
            self._tell_once(NoticeKind.SKIPPED, self._parts.store.save_edition(missed), reason)

    def _draft(self, label: str, now: dt.datetime) -> None:
        editions = self._parts.editions
        with suppress(Conflict):  # somebody changes it right now; the next look drafts it
            edition = editions.draft(label, now=now)
            try:
                editions.require_enough(edition)
            except NothingToSend:
                need = self._settings.edition.minimum_stories
                reason = f"It has {len(edition.stories)} stories, and it needs {need}."
                is_skipped = self._settings.edition.thin_week == "skip"
                step = Step.SKIP if is_skipped else Step.HOLD
                self._aside(edition, Due(step=step, reason=reason), now)
            else:
                self._tell_once(NoticeKind.DRAFTED, self._with_live_lead(edition, now))

    def _look_after(self, edition: Edition, now: dt.datetime) -> None:
        """Hold or skip what the rules say, and remind of what waits for people."""
        if edition.period.end > now:
            return
        decided = self._due(edition, now)
        if decided.step in (Step.HOLD, Step.SKIP):
            self._aside(edition, decided, now)
            return
        left = send_at(edition.period, self._schedule) - now
        is_waiting = edition.state in OPEN and edition.held_at is None
        if is_waiting and left <= dt.timedelta(hours=self._schedule.remind_hours):
            self._tell_once(NoticeKind.WAITING, edition)

    def _due(self, edition: Edition, now: dt.datetime) -> Due:
        return due(edition, self._schedule, now=now, ahead=self._parts.sending.ahead(edition))

    def _aside(self, edition: Edition, decided: Due, now: dt.datetime) -> None:
        move = self._parts.editions.skip if decided.step is Step.SKIP else self._parts.editions.hold
        with suppress(Conflict):
            saved = move(edition.period.label, reason=decided.reason, now=now)
            self._tell_once(NoticeKind(saved.state), saved, decided.reason)

    def _tell_once(self, kind: NoticeKind, edition: Edition, reason: str = "") -> None:
        """Have editors told of something, once for each edition and kind."""
        name = f"{kind}/{edition.revision}" if kind in AGAIN else str(kind)  # it may happen again
        event = Event(kind=kind, at=self._clock.now(), reason=reason)
        self._parts.telling.add(name, event, edition=edition.period.label)

    # Sending

    def send(self, stop: threading.Event) -> None:
        """Hand over the editions that are due, one after the other; go on with those under way."""
        standings = self._parts.editions.standings(*OPEN, EditionState.APPROVED, *UNDER_WAY)
        for label in [edition.period.label for edition in reversed(standings)]:
            now = self._clock.now()
            if stop.is_set() or self._parts.guards.objection(now):
                return
            edition = self._parts.store.edition(self._slug, label)
            if edition is None or now < self._again_at.get(edition.id, now):
                continue
            if edition.period.end > now and edition.state not in UNDER_WAY:
                continue
            step = self._due(edition, now).step
            if step in (Step.SEND, Step.APPROVE):
                self._send(edition, step, stop)

    def _send(self, edition: Edition, step: Step, stop: threading.Event) -> None:
        now = self._clock.now()
        try:
            if edition.state not in UNDER_WAY:
                changed = self._with_live_lead(edition, now)
                latest = self._parts.store.edition(self._slug, edition.period.label)
                if latest is None or latest.revision != changed.revision:
                    return None  # somebody decided meanwhile; the next look sees it
                is_theirs = self._schedule.unattended == "hold" or edition.held_at is not None
                if changed is not edition and is_theirs:
                    return self._aside(changed, Due(step=Step.HOLD, reason=NEW_LEAD), now)
                step = step if changed is edition else Step.APPROVE
                edition = changed
            if step is Step.APPROVE:
                edition = self._approve(edition, now)
            if edition.state is EditionState.APPROVED:
                edition = self._plan(edition)
            stopped = self._parts.sending.run(
                edition,
                stop=stop,
                wait=stop.wait,
                progress=lambda _readers: None,
                stays=False,
            )
            self._ended_run(edition, stopped)
        except (HeldElsewhere, Conflict) as error:
            log.info("send_left_to_others", edition=edition.period.label, reason=error.message)
        except StoreError as error:  # the database may be back at the next look
            log.error("send_put_off", edition=edition.period.label, reason=error.message)
        except DigestError as error:
            self._give_up(edition.period.label, error, now)

    def _with_live_lead(self, edition: Edition, now: dt.datetime) -> Edition:
        """Return the edition, with the next best lead if the page of this one is gone.

        Then it is a draft again, as after every change, and editors are told.
        """
        for _ in range(MOST_LEADS):
            lead = edition.stories[0] if edition.stories else None
            fault = self._parts.dead_link(lead.url) if lead else ""
            if lead is None or not fault:
                break
            label = edition.period.label
            edition = self._parts.editions.hide(label, str(lead.article_id), now=now)
            log.warning("lead_changed", edition=label, article=lead.article_id, reason=fault)
            self._tell_once(NoticeKind.LEAD_CHANGED, edition, f"{lead.headline}: {fault}")
        return edition

    def _approve(self, edition: Edition, now: dt.datetime) -> Edition:
        label = edition.period.label
        if edition.state is EditionState.DRAFT:
            # An article may have gone out meanwhile in an edition that was held before.
            drafted = self._parts.editions.draft(label, now=now)
            if drafted.state is not EditionState.DRAFT:
                raise _decided(label)
            frozen = self._parts.freezing.freeze(label, now=now)
            if frozen.revision != drafted.revision + 1:
                raise _decided(label)
        return self._parts.freezing.approve(label, by=RULE, now=now)

    def _plan(self, edition: Edition) -> Edition:
        sending = self._parts.sending
        self._parts.freezing.require_approved(edition)
        sending.plan(edition, release_at=sending.release_at(edition, may_hold=True))
        self._parts.guards.remember()
        planned = self._parts.store.edition(self._slug, edition.period.label)
        return planned or edition

    def _ended_run(self, edition: Edition, stopped: Stopped | None) -> None:
        report = self._parts.ledger.report(edition)
        self._parts.done(edition, report)
        if stopped is None:
            self._tell_once(NoticeKind.SENT, edition)
        elif stopped.until_at is not None:  # a later wave, or what people decide meanwhile
            self._again_at[edition.id] = min(stopped.until_at, self._clock.now() + NEXT_TRY)
        elif stopped.kind != "interrupted":
            log.warning("send_stopped", edition=edition.period.label, reason=stopped.reason)
            self._again_at[edition.id] = self._clock.now() + NEXT_TRY
            if stopped.kind != "warm-up":
                self._tell_once(NoticeKind.STOPPED, edition, stopped.reason)

    def _give_up(self, label: str, error: DigestError, now: dt.datetime) -> None:
        """Leave an edition that cannot go to people."""
        edition = self._parts.store.edition(self._slug, label)
        log.error("send_failed", edition=label, reason=error.message)
        if edition is None:
            return
        reason = f"It could not go: {error.message}"
        try:
            self._aside(edition, Due(step=Step.HOLD, reason=reason), now)
        except UsageError:  # it is planned already, so its batches wait
            self._again_at[edition.id] = now + NEXT_TRY
            self._tell_once(NoticeKind.STOPPED, edition, reason)

    # Afterwards

    def accept(self) -> None:
        """Take this clock, this place and this database for the right ones from now on.

        What a clock that was ahead left behind is put right.
        """
        now, marks = self._clock.now(), self._parts.marks
        known = [e.period for e in self._parts.editions.standings() if e.period.start <= now]
        for name, at in (
            (f"{self._slug}/walked", self._period_at(now, known).start),
            ("collected", now - interval(self._schedule.collect)),
        ):
            found = marks.get(name)
            if found is not None and found[0] > now:
                marks.put(name, at)
        self._parts.guards.accept()

    def settle(self) -> None:
        """Look for evidence about the batches of editions that need attention."""
        for edition in self._parts.editions.standings(EditionState.ATTENTION):
            now = self._clock.now()
            if self._parts.guards.objection(now):
                return
            if now >= self._again_at.get(edition.id, now):
                self._again_at[edition.id] = now + NEXT_TRY
                with suppress(DigestError):
                    self._parts.sending.ask(edition)
                    found = self._parts.store.edition(self._slug, edition.period.label)
                    if found is not None and found.state is EditionState.PAUSED:
                        self._tell_once(NoticeKind.STOPPED, found, NOT_TAKEN)


def _decided(label: str) -> Conflict:
    return Conflict(f"Somebody decided about {label} meanwhile; it is left to them.")


def interval(text: str) -> dt.timedelta:
    """Return the time that "every 30m" or "every 4h" names."""
    number = int(text.removeprefix("every ")[:-1])
    return dt.timedelta(minutes=number if text.endswith("m") else 60 * number)
