"""Whole years of schedules: one edition a week, each article in one of them, come what may."""

import datetime as dt
import itertools
import random
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from digest.auditing import broken_at
from digest.model.editions import EditionState, Period
from digest.scheduling import grace
from digest.storage.database import open_database
from digest.testing.clock import FrozenClock
from digest.timetable import timetable
from tests.editing import add_readers
from tests.scheduled import HOUR, MINUTE, SLUG, ZONES, World

# At the edges of a day, and where clocks change: in many zones 02:30 is skipped or comes twice.
TIMES = (
    {"period_ends": "sun 18:00", "send": "mon 07:00"},
    {"period_ends": "sun 02:30", "send": "sun 02:30"},
    {"period_ends": "mon 00:00", "send": "mon 00:00"},
    {"period_ends": "sat 23:59", "send": "sun 00:30"},
)
DAY = dt.timedelta(days=1)


class Life:
    """One newsletter over a stretch of time, driven by one seed."""

    def __init__(self, folder: Path, seed: int, start: dt.datetime, **given: Any) -> None:
        self.rng = random.Random(seed)
        self.database = open_database(f"sqlite:///{folder}/{seed}.db")
        add_readers(self.database, [()])
        self.world = World(self.database, FrozenClock(start), **given)
        self.world.sources = lambda _now: self.rng.choice([0, 0, 1, 2])
        self.seen: dict[int, dt.datetime] = {}
        self.services = [self.world.process() for _ in range(2)]

    def live(self, days: int, *, outages: float = 0.0) -> None:
        """Let the time pass in steps of uneven length, with restarts and times when nothing runs.

        Args:
            days: How long.
            outages: How likely a step is a time of up to five days when nothing runs.
        """
        end = self.world.clock.now() + days * DAY
        while self.world.clock.now() < end:
            self.world.clock.move(self._step(outages))
            if self.rng.random() < 0.2:
                self.services[self.rng.randrange(2)] = self.world.process()
            known = self.world.articles
            for service in self.rng.sample(self.services, self.rng.choice([1, 2])):
                service.tick(threading.Event())
            now = self.world.clock.now()
            self.seen |= dict.fromkeys(range(known + 1, self.world.articles + 1), now)

    def _step(self, outages: float) -> dt.timedelta:
        now, settings = self.world.clock.now(), self.world.settings()
        if self.rng.random() < outages:
            return self.rng.uniform(12, 120) * HOUR
        slots = timetable(now, settings.schedule, self.world.timezone)
        events = [at for s in itertools.islice(slots, 2) for at in (s.period.end, s.send_at)]
        ahead = [at - now for at in events if at > now]
        step = min([*ahead, self.rng.uniform(4, 20) * HOUR])
        return step + self.rng.choice([dt.timedelta(), MINUTE, -MINUTE * (step > 2 * MINUTE)])

    def periods(self) -> dict[str, Period]:
        """Return the weeks that have ended since the beginning, as the timetable promised them."""
        world = self.world
        first = next(iter(world.editions().values())).period
        slots = timetable(first.start, world.settings().schedule, world.timezone)
        ended = itertools.takewhile(lambda s: s.period.end <= world.clock.now(), slots)
        found = {slot.period.label: slot.period for slot in ended}
        return {label: period for label, period in found.items() if period.end > first.start}

    def check(self) -> None:
        """Assert what holds whatever happened."""
        world = self.world
        editions = world.editions()
        assert list(editions) == list(self.periods())
        assert [e.period for e in editions.values()] == list(self.periods().values())
        for edition in editions.values():
            gone = edition.state in (EditionState.DONE, EditionState.DRAFT, EditionState.APPROVED)
            assert gone or (edition.state in ("held", "skipped") and edition.reason), edition.state
        assert all(number == 1 for number in world.mentioned().values())
        mails = Counter(
            label for (label, _), n in world.provider.copies().items() for _ in range(n)
        )
        assert all(number == 1 for number in mails.values())
        assert sum(mails.values()) == sum(e.state == "done" for e in editions.values())
        count, broken, _ = broken_at(world.audit.entries())
        assert broken is None
        told = Counter(
            entry.edition for entry in world.audit.entries() if entry.action == "planned"
        )
        assert set(told.values()) <= {1}
        assert set(told) == {label for label, e in editions.items() if e.state == "done"}
        assert count >= len(editions)

    def check_articles(self) -> None:
        """Assert that each article was a candidate of exactly the edition of its week."""
        for edition in self.world.editions().values():
            inside = [
                number
                for number, at in self.seen.items()
                if edition.period.start <= at < edition.period.end
            ]
            assert edition.candidates == len(inside), edition.period.label
            assert {s.article_id for s in edition.stories} <= set(inside)


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("Europe/Berlin", "2027-03-10T12:00"),
        pytest.param("Australia/Lord_Howe", "2027-09-14T12:00", marks=pytest.mark.long),
        pytest.param("America/New_York", "2026-12-22T12:00", marks=pytest.mark.long),
    ],
)
def test_weeks_around_changes_of_clocks_and_years_each_have_their_edition(
    tmp_path: Path, zone: str, start: str
) -> None:
    moment = dt.datetime.fromisoformat(start).replace(tzinfo=dt.UTC)
    rules = {"unattended": "send", **TIMES[1]}
    life = Life(tmp_path, 1, moment, timezone=zone, rules=rules)
    life.live(35)
    life.check()
    life.check_articles()
    assert set(life.world.states().values()) == {"done"}


@pytest.mark.long
@pytest.mark.parametrize("zone", ZONES)
def test_whole_year_has_one_edition_a_week(tmp_path: Path, zone: str) -> None:
    """Restarts at any time, two schedulers, and no time away that is longer than allowed."""
    times = TIMES[ZONES.index(zone) % len(TIMES)]
    moment = dt.datetime(2026, 12, 22, 12, tzinfo=dt.UTC)
    rules = {"unattended": "send", **times}
    life = Life(tmp_path, 2, moment, timezone=zone, rules=rules)
    life.live(370)
    life.check()
    life.check_articles()
    assert set(life.world.states().values()) == {"done"}
    assert len(life.world.states()) >= 52


@pytest.mark.parametrize(
    "policy", ["latest", *(pytest.param(p, marks=pytest.mark.long) for p in ("all", "none"))]
)
def test_with_times_when_nothing_runs_each_week_is_still_accounted_for(
    tmp_path: Path, policy: str
) -> None:
    rules = {"unattended": "send", "missed": policy, "catch_up_hours": 12}
    moment = dt.datetime(2026, 12, 22, 12, tzinfo=dt.UTC)
    life = Life(tmp_path, 3, moment, rules=rules)
    life.live(60, outages=0.15)
    life.check()
    states = Counter(life.world.states().values())
    assert states["done"] > 1
    assert states["held"] + states["skipped"] > 0


@pytest.mark.long
@pytest.mark.parametrize("seed", range(8))
def test_years_with_times_when_nothing_runs_and_an_editor_who_sometimes_acts(
    tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    rules = {
        "unattended": rng.choice(["send", "hold"]),
        "missed": rng.choice(["latest", "all", "none"]),
        "catch_up_hours": rng.choice([0, 12, 24, 144]),
        **rng.choice(TIMES),
    }
    moment = dt.datetime(2027, 1, 5, 12, tzinfo=dt.UTC)
    life = Life(tmp_path, seed, moment, timezone=rng.choice(ZONES), rules=rules)
    for _ in range(60):
        life.live(6, outages=0.03)
        _act(life, rng)
    life.check()
    for edition in life.world.editions().values():
        if edition.state == "done":
            planned = [
                e.at
                for e in life.world.audit.entries(SLUG, edition.period.label)
                if e.action == "planned"
            ]
            decided = max(edition.approved_at or planned[0], edition.period.end)
            latest = decided + 7 * DAY + grace(life.world.settings().schedule)
            assert planned[0] <= latest


def _act(life: Life, rng: random.Random) -> None:
    """Let the editor do something, or nothing, as editors do."""
    open_ones = [
        label for label, state in life.world.states().items() if state in ("draft", "held")
    ]
    if not open_ones or rng.random() < 0.4:
        return
    editions, _ = life.world.desk()
    label, now = open_ones[-1], life.world.clock.now()
    stories = life.world.editions()[label].stories
    choice = rng.random()
    if choice < 0.1:
        editions.hold(label, reason="Wait for me.", now=now)
    elif choice < 0.2:
        editions.skip(label, reason="A holiday.", now=now)
    elif stories and choice < 0.5:
        editions.lead(label, str(rng.choice(stories).article_id), now=now)
    elif stories and editions.draft(label, now=now).stories:
        life.world.approve(label)
