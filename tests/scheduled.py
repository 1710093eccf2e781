"""A newsletter whose schedule runs on a clock that a test moves: real database, real mails."""

import datetime as dt
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from digest.model.deliveries import Accepted, DeliveryReport, Outcome
from digest.model.editions import Edition, EditionState
from digest.model.notices import Event, NoticeKind
from digest.services.collection import JOB as COLLECTING
from digest.services.editions import EditionService
from digest.services.guards import Guards
from digest.services.schedule import Parts, ScheduleService
from digest.services.sending import SendingService
from digest.services.telling import Telling
from digest.settings import (
    EditionSettings,
    NewsletterSettings,
    ScheduleSettings,
    SendgridSettings,
    Settings,
)
from digest.storage.audit import Audit
from digest.storage.database import Database
from digest.storage.ledger import SqlLedger
from digest.storage.marks import SqlMarks
from digest.storage.store import SqlStore
from digest.testing.clock import FrozenClock
from digest.testing.transports import MemoryTransport
from digest.tokens import KeyRing, Tokens
from tests.editing import add, freezing, rated

HOUR, MINUTE = dt.timedelta(hours=1), dt.timedelta(minutes=1)
SLUG = "app-news-weekly"
KEYS = KeyRing({1: b"k" * 32}, b"a" * 32)
# Newsletters' zones: their clocks change by half an hour, by night or day, by law at short notice,
# never, or across the date line.
ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "America/Sao_Paulo",
    "Pacific/Apia",
    "Asia/Tehran",
    "America/Havana",
    "Asia/Gaza",
    "Pacific/Chatham",
    "UTC",
)


@dataclass
class World:
    """A database, a provider, sources and editors; processes come and go in it."""

    database: Database
    clock: FrozenClock
    rules: dict[str, Any] = field(default_factory=dict)
    timezone: str = "Europe/Berlin"
    edition: dict[str, Any] = field(default_factory=dict)
    hold_minutes: int = 0
    sources: Callable[[dt.datetime], int] = lambda _now: 1
    told: list[tuple[str, str]] = field(default_factory=list)
    articles: int = 0
    dead: dict[str, str] = field(default_factory=dict)
    kept: str | None = None

    def __post_init__(self) -> None:
        self.provider = MemoryTransport(self.clock, can_hold=self.hold_minutes > 0)
        self.audit = Audit(self.database, self.clock, "schedule")
        self.store = SqlStore(self.database, self.audit)
        self.marks = SqlMarks(self.database)

    def settings(self) -> Settings:
        stories: dict[str, Any] = {"stories": 5, "minimum_stories": 1, "max_per_source": 50}
        return Settings(
            newsletter=NewsletterSettings(timezone=self.timezone),
            schedule=ScheduleSettings(**self.rules),
            edition=EditionSettings(**(stories | self.edition)),
            sendgrid=SendgridSettings(hold_minutes=self.hold_minutes),
        )

    def process(self, home: str = "here") -> ScheduleService:
        """Return the schedule as a process that starts now has it."""
        settings, ledger = self.settings(), SqlLedger(self.database, self.audit)
        telling = Telling(self.marks, self.store, settings, editors=lambda: (1,), tell=self._tell)
        editions = EditionService(self.store, settings)
        freezer = freezing(self.store, editions)
        parts = Parts(
            store=self.store,
            ledger=ledger,
            marks=self.marks,
            editions=editions,
            freezing=freezer,
            sending=SendingService(
                self.store,
                ledger,
                self.provider,
                Tokens(KEYS),
                self.clock,
                settings,
                frozen=freezer.require_approved,
            ),
            guards=Guards(
                self.marks,
                self.clock,
                home=home,
                is_current=lambda: not self.kept or self.audit.has(self.kept),
                note=self._keep,
                tell=lambda key, reason: telling.add(
                    key,
                    Event(kind=NoticeKind.STANDS_STILL, at=self.clock.now(), reason=reason),
                ),
            ),
            telling=telling,
            collect=self._collect,
            dead_link=lambda url: self.dead.get(url, ""),
            done=self._note,
        )
        return ScheduleService(parts, settings, self.clock)

    def desk(self) -> tuple[EditionService, Any]:
        """Return what an editor works with."""
        editions = EditionService(self.store, self.settings())
        return editions, freezing(self.store, editions)

    def approve(self, label: str, *, by: str = "Ana") -> None:
        """Freeze and approve an edition, as an editor does."""
        _, freezer = self.desk()
        freezer.freeze(label, now=self.clock.now())
        freezer.approve(label, by=by, now=self.clock.now())

    def editions(self) -> dict[str, Edition]:
        """Return the editions by label, oldest first."""
        return {e.period.label: e for e in reversed(self.store.editions(SLUG))}

    def states(self) -> dict[str, str]:
        """Return where each edition stands, oldest first."""
        return {label: str(edition.state) for label, edition in self.editions().items()}

    def until(self, when: str, *services: ScheduleService, step: dt.timedelta = 2 * HOUR) -> None:
        """Let time pass up to `when` (UTC), each service looking once a step."""
        end = dt.datetime.fromisoformat(when).replace(tzinfo=dt.UTC)
        while self.clock.now() < end:
            self.clock.move(min(step, end - self.clock.now()))
            for service in services:
                service.tick(threading.Event())

    def copies(self) -> Counter[str]:
        """Return how many mails each edition has at the provider, of one reader."""
        return Counter(
            {label: number for (label, _), number in self.provider.copies().items() if number}
        )

    def mentioned(self) -> Counter[int]:
        """Return how often each article is a story of an edition that readers have."""
        gone = (EditionState.DONE, EditionState.SENDING, EditionState.ATTENTION)
        return Counter(
            story.article_id
            for edition in self.editions().values()
            if edition.state in gone
            for story in edition.stories
        )

    def _collect(self) -> None:
        now = self.clock.now()
        with self.store.hold(COLLECTING):
            for _ in range(self.sources(now)):
                self.articles += 1
                add(self.store, rated(self.articles, rating=None, published_at=now), at=now)

    def _tell(self, event: Event, edition: Edition | None, _editor: int) -> Outcome:
        self.told.append((str(event.kind), edition.period.label if edition else ""))
        return Accepted()

    def _note(self, edition: Edition, _report: DeliveryReport) -> None:
        self.audit.note(SLUG, edition.period.label, "handed over")
        self._keep()

    def _keep(self) -> None:
        self.kept = self.audit.last()
