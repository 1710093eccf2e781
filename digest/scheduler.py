"""The ticker: calls what is due to be looked at, again and again. It has no state of its own.

What is due is found in the database (`digest.services.schedule`), so a tick that comes late, twice
or in several processes does no harm, and none has to be remembered.
"""

import datetime as dt
import logging
import platform
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from digest.afterwards import home, is_current, keep_last, note_run
from digest.app import SCHEDULE, App
from digest.errors import DigestError
from digest.model.deliveries import Outcome
from digest.model.editions import Edition
from digest.model.notices import Event, NoticeKind
from digest.services.guards import Guards
from digest.services.schedule import Parts, ScheduleService
from digest.services.telling import Telling
from digest.sources.links import dead_link

DAY = 86_400.0  # seconds

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Tick:
    """Something to look at every so many seconds."""

    name: str
    every: float
    look: Callable[[], object]


def scheduled(apps: Sequence[App], stop: threading.Event) -> list[Tick]:
    """Return the ticks of the apps' newsletters; a send under way ends soon after `stop` is set.

    Raises:
        ConfigError: A newsletter's mail cannot be handed over as the settings are; better it is
            said at once than when the first edition is due.
    """
    found = []
    for app in apps:
        assert app.transport.name  # noqa: S101  # opens it
        schedule, slug = (
            open_schedule(app.acting_as(SCHEDULE)),
            app.project.settings.newsletter.slug,
        )
        found += [
            Tick(f"collect {slug}", 30, schedule.collect),
            Tick(f"prepare {slug}", 15, schedule.prepare),
            Tick(f"send {slug}", 10, partial(schedule.send, stop)),
            Tick(f"settle {slug}", 60, schedule.settle),
            Tick(f"tell {slug}", 15, partial(schedule.tell, stop)),
        ]
    return found


def folded(app: App) -> list[Tick]:
    """Return the ticks of what the provider reports, which all newsletters of a project share."""
    return [
        Tick("fold", 2, lambda: app.events.drain(limit=100)),
        Tick("tidy", DAY, app.events.tidy),
        Tick("tidy letters", DAY, lambda: app.letters.tidy(now=app.clock.now())),
    ]


@contextmanager
def ticking(ticks: Sequence[Tick]) -> Iterator[None]:
    """Tick while the context is open; at its end, wait for what is under way.

    A tick that takes longer than its interval is not started twice, and those that were missed
    meanwhile, or while the machine slept, come once.
    """
    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # a skipped tick is nothing to tell
    scheduler = BackgroundScheduler(
        timezone="UTC",
        # Each has a thread of its own, so that a long send keeps nothing else waiting.
        executors={"default": ThreadPoolExecutor(len(ticks))},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )
    scheduler.start()
    for tick in ticks:
        scheduler.add_job(
            _guarded(tick),
            "interval",
            seconds=tick.every,
            id=tick.name,
            next_run_time=dt.datetime.now(dt.UTC),
        )
    try:
        yield
    finally:
        scheduler.shutdown(wait=True)


def _guarded(tick: Tick) -> Callable[[], None]:
    """Return the tick as something that never fails: the next one tries again."""

    def look() -> None:
        try:
            tick.look()
        except DigestError as error:
            log.error("tick_failed", tick=tick.name, reason=error.message)
        except Exception as error:  # noqa: BLE001  # the others go on
            log.error("tick_failed", tick=tick.name, reason=type(error).__name__)

    return look


def open_schedule(app: App) -> ScheduleService:
    """Return the schedule of the app's newsletter."""
    telling = Telling(
        app.marks,
        app.store,
        app.project.settings,
        editors=lambda: app.notices.editors(),
        tell=partial(_tell, app),
    )

    def stands_still(key: str, reason: str) -> None:
        # A copy must not be taken for what it is a copy of.
        here = f"This is {app.project.root.resolve()} on {platform.node() or 'a machine'}."
        kind, at = NoticeKind.STANDS_STILL, app.clock.now()
        telling.add(key, Event(kind=kind, at=at, reason=f"{reason} {here}"))

    parts = Parts(
        store=app.store,
        ledger=app.ledger,
        marks=app.marks,
        editions=app.editions,
        freezing=app.freezing,
        sending=app.sending,
        guards=Guards(
            app.marks,
            app.clock,
            home=home(app),
            is_current=lambda: is_current(app),
            note=lambda: keep_last(app),
            tell=stands_still,
        ),
        telling=telling,
        collect=lambda: _collect(app),
        dead_link=lambda url: dead_link(app.open_client(), url, now=app.clock.now()),
        done=lambda edition, report: note_run(app, edition, report),
    )
    return ScheduleService(parts, app.project.settings, app.clock)


def _collect(app: App) -> None:
    reports = app.collect() if app.sources else []
    failed = sum(report.failed for report in reports)
    new = sum(report.new for report in reports)
    log.info("sources_read", sources=len(reports), failed=failed, new=new)


def _tell(app: App, event: Event, edition: Edition | None, number: int) -> Outcome:
    now, report = app.clock.now(), None
    if edition is None:
        slug = app.project.settings.newsletter.slug
        edition = Edition(newsletter=slug, period=app.editions.period("", now=now))
    elif event.kind in (NoticeKind.SENT, NoticeKind.STOPPED):
        report = app.ledger.report(edition)
    return app.notices.tell(event, edition, number, now=now, report=report)
