"""What tests of sending share: a planned edition, a provider, and a clock that steps."""

import datetime as dt
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from digest.model.deliveries import DeliveryReport, Handover, Outcome
from digest.model.editions import WHOLE, Edition, EditionState, FrozenVariant, Variant
from digest.services.brakes import Stopped
from digest.services.sending import SendingService
from digest.settings import DeliverySettings, ScheduleSettings, SendgridSettings, Settings
from digest.storage.database import Database, open_database
from digest.storage.ledger import SqlLedger
from digest.storage.store import SqlStore
from digest.testing.clock import FrozenClock
from digest.testing.factories import make_edition
from digest.testing.transports import MemoryTransport
from digest.tokens import KeyRing, Tokens
from tests.editing import add_readers

MORNING = dt.datetime(2026, 11, 30, 6, tzinfo=dt.UTC)  # when the edition is due
SECOND, MINUTE, HOUR = dt.timedelta(seconds=1), dt.timedelta(minutes=1), dt.timedelta(hours=1)
LABEL = "2026-W48"
VARIANT = Variant(subject="S", preheader="", html="<p>", text="t", tokens={}, sha256="0" * 64)
MOST_WAITS = 3_000  # a run that waits more often goes round in circles


class Crash(BaseException):
    """The process ends here, as far as a test in one process can have that."""


@dataclass
class Provider:
    """A provider whose answers a test decides; what it says None to, it takes as always.

    It is its own object so that a new run after a crash finds what the last one left.
    """

    clock: FrozenClock
    can_hold: bool = False
    can_find: bool = True
    answer: Callable[[Handover], Outcome | None] = lambda _handover: None
    after: Callable[[Handover], None] = lambda _handover: None
    seen: list[Handover] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.book = MemoryTransport(self.clock, can_hold=self.can_hold, can_find=self.can_find)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.book, name)

    def submit(self, handover: Handover, *, now: dt.datetime) -> Outcome:
        """Take it, unless `answer` has another idea."""
        self.seen.append(handover)
        outcome = self.answer(handover)
        if outcome is None:
            outcome = self.book.submit(handover, now=now)
        self.after(handover)
        return outcome

    def copies(self) -> Counter[str]:
        """Return how many mails each address has got or will get."""
        return Counter(
            {address: number for (_, address), number in self.book.copies().items() if number}
        )


@dataclass
class Desk:
    """A database, a provider and a service that sends; nothing of it survives but the first two."""

    database: Database
    clock: FrozenClock
    provider: Provider
    rules: dict[str, Any] = field(default_factory=dict)
    hold_minutes: int = 20
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    stop: threading.Event = field(default_factory=threading.Event)
    waits: list[float] = field(default_factory=list)
    progress: list[int] = field(default_factory=list)
    on_wait: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.store = SqlStore(self.database)
        self.ledger = SqlLedger(self.database)

    def service(self, ledger: Any = None) -> SendingService:
        """Return the service as a new process would make it."""
        rules: dict[str, Any] = {"batch_size": 10, "in_flight": 1} | self.rules
        settings = Settings(
            schedule=self.schedule,
            delivery=DeliverySettings(**rules),
            sendgrid=SendgridSettings(hold_minutes=self.hold_minutes),
        )
        tokens = Tokens(KeyRing({1: b"k" * 32}, b"a" * 32))
        ledger = ledger or self.ledger
        return SendingService(
            self.store,
            ledger,
            self.provider,
            tokens,
            self.clock,
            settings,
            frozen=lambda edition: self.store.variants(edition.id or 0),
        )

    def approve(self, readers: int) -> Edition:
        """Store readers and an approved edition."""
        if readers:
            add_readers(self.database, [()] * readers)
        draft = make_edition(0, state=EditionState.APPROVED, sha256="0" * 64)
        return self.store.freeze(draft, [FrozenVariant(key=WHOLE, variant=VARIANT)])

    def plan(self, readers: int = 30) -> Edition:
        """Store readers, and an approved edition, and plan it."""
        edition = self.approve(readers)
        service = self.service()
        service.plan(edition, release_at=service.release_at(edition, may_hold=True))
        return self.edition()

    def pause(self) -> bool:
        """Pause the edition, as a person does; tell whether it was under way."""
        running = {EditionState.PLANNED, EditionState.SENDING}
        return self.ledger.change_state(self.edition().id or 0, running, EditionState.PAUSED)

    def edition(self) -> Edition:
        """Return the edition as stored."""
        found = self.store.edition("app-news-weekly", LABEL)
        assert found is not None
        return found

    def run(self, *, ledger: Any = None) -> Stopped | None:
        """Hand over what is planned."""
        return self.service(ledger).run(
            self.edition(), stop=self.stop, wait=self.wait, progress=self.progress.append
        )

    def wait(self, seconds: float) -> None:
        """Let the time pass at once."""
        self.waits.append(seconds)
        assert len(self.waits) < MOST_WAITS, "the run goes round in circles"
        self.clock.move(dt.timedelta(seconds=seconds))
        self.on_wait()

    def report(self) -> DeliveryReport:
        """Return the edition's account, which must balance."""
        report = self.ledger.report(self.edition())
        assert report.is_balanced
        return report

    def states(self) -> list[str]:
        """Return the states of the batches, in their order."""
        return [str(line["state"]) for line in self.report().batches]

    def assert_once_each(self, readers: int) -> None:
        """Assert that so many readers got it, each once, and that the account says so."""
        copies = self.provider.copies()
        assert (len(copies), set(copies.values())) == (readers, {1})
        report = self.report()
        assert (report.accepted, report.unknown, report.state) == (readers, 0, "done")


def open_desk(
    url: str = "sqlite://", *, can_hold: bool = False, can_find: bool = True, **rules: Any
) -> Desk:
    """Return a desk on the database at `url`."""
    clock = FrozenClock(MORNING)
    provider = Provider(clock, can_hold=can_hold, can_find=can_find)
    return Desk(open_database(url), clock, provider, rules)


def address(number: int) -> str:
    """Return the address of the reader with this number."""
    return f"reader-{number}@example.com"
