"""A project with two editors, whose schedule runs on a clock that a test moves: real mails."""

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from digest.app import App
from digest.model.deliveries import Accepted, Handover, Outcome, Unavailable
from digest.model.editions import Edition
from digest.scheduler import open_schedule
from digest.services.schedule import ScheduleService
from digest.testing.clock import FrozenClock
from digest.testing.transports import MemoryTransport
from tests.desks import HOUR, JO, MARIA, open_project
from tests.editing import add_readers

MINUTE = dt.timedelta(minutes=1)
SUNDAY = dt.datetime(2026, 11, 29, 17, tzinfo=dt.UTC)  # the week ends
MONDAY = dt.datetime(2026, 11, 30, 6, tzinfo=dt.UTC)  # the edition's send time
MARIAS, JOS = "maria@example.com", "jo@example.org"
DOWN = Unavailable(reason="the provider is down")


class Provider(MemoryTransport):
    """A provider that answers each notice as a test says; `answer` gets the editor's address."""

    answer: Callable[[str], Outcome] = staticmethod(lambda _address: Accepted())

    def submit(self, handover: Handover, *, now: dt.datetime) -> Outcome:
        """Take the mail, or answer as the test says."""
        if handover.mail.is_notice:
            self.script(self.answer(handover.readers[0].address))
        return super().submit(handover, now=now)

    def told(self, address: str) -> list[str]:
        """Return the subjects of the notices that somebody has, in order."""
        return [
            kept.handover.mail.subject
            for kept in self.sent()
            if kept.handover.mail.is_notice and kept.handover.readers[0].address == address
        ]


class Newsroom:
    """A project whose draft was made when its week ended, and whose clock a test moves."""

    def __init__(self, app: App) -> None:
        assert isinstance(app.clock, FrozenClock)
        self.app, self.clock = app, app.clock
        self.provider = Provider(self.clock)
        add_readers(app.database, [()])
        app.__dict__["transport"] = self.provider
        app.marks.put("collected", SUNDAY + 300 * HOUR)  # its sources are on the internet
        self.schedule = self.process()

    @property
    def edition(self) -> Edition:
        """The edition as it is stored."""
        [found] = self.app.editions.all()
        return found

    def process(self) -> ScheduleService:
        """Return the schedule as a process that starts now has it."""
        return open_schedule(self.app.acting_as("schedule"))

    def tick(self, at: dt.datetime, *schedules: ScheduleService) -> None:
        """Let it be `at`, and let each look once."""
        self.clock.move(at - self.clock.now())
        for schedule in schedules or (self.schedule,):
            schedule.tick(threading.Event())

    def tell(self, at: dt.datetime, *schedules: ScheduleService) -> None:
        """Let it be `at`, and let each tell what is still to be told, and do nothing else."""
        self.clock.move(at - self.clock.now())
        for schedule in schedules or (self.schedule,):
            schedule.tell(threading.Event())

    def told(self) -> tuple[list[str], list[str]]:
        """Return the subjects that Maria has, and those that Jo has."""
        return self.provider.told(MARIAS), self.provider.told(JOS)


@contextmanager
def newsroom(root: Path, rules: str = "") -> Iterator[Newsroom]:
    """Open a new project in `root` with two editors, a reader and a draft."""
    with open_project(root, f"[schedule]\n{rules}" + MARIA + JO) as app:
        yield Newsroom(app)
