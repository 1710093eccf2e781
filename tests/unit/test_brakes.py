"""The brakes: alarms from the provider's events, and the warm-up of a new address."""

import datetime as dt
import itertools
from collections.abc import Mapping
from typing import Any, cast

import pytest

from digest.errors import ConfigError
from digest.model.editions import EditionState
from digest.ports import Ledger
from digest.services.brakes import Brakes, alarm, largest_batch, warm_up_limit
from digest.settings import DeliverySettings
from digest.testing.clock import FrozenClock
from digest.testing.factories import NOON
from tests.sending import MORNING, Desk, open_desk

DAY, SECOND = dt.timedelta(days=1), dt.timedelta(seconds=1)
WARM = DeliverySettings(warm_up_from="2026-11-24")  # the day of NOON


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ({}, ""),
        ({"bounced": 499}, ""),
        ({"delivered": 950, "bounced": 50}, ""),
        ({"delivered": 949, "bounced": 51}, "51 of 1,000 mails bounced; more than 5% is too many."),
        ({"delivered": 900, "bounced": 30, "dropped": 30}, "60 of 960 mails bounced"),
        ({"delivered": 999, "complained": 1}, ""),
        ({"delivered": 998, "complained": 2}, "2 readers of 1,000 complained; more than 0.1%"),
        ({"delivered": 300, "deferred": 195, "complained": 5}, "5 readers of 500 complained"),
    ],
)
def test_alarm_is_raised_above_the_limits_only(events: Mapping[str, int], words: str) -> None:
    told = alarm(events)
    assert words in told
    assert bool(told) is bool(words)


def test_warm_up_grows_by_one_factor_from_200_to_200000() -> None:
    limits = [warm_up_limit(day) for day in range(42)]
    assert (limits[0], limits[-1]) == (200, 200_000)
    known = [limit for limit in limits if limit is not None]
    factors = [after / before for before, after in itertools.pairwise(known)]
    assert len(known) == 42
    assert max(factors) - min(factors) < 0.01
    assert (warm_up_limit(-1), warm_up_limit(42)) == (0, None)


@pytest.mark.parametrize(
    ("days", "size"), [(0, 50), (1, 59), (20, 1000), (41, 1000), (42, 1000), (400, 1000)]
)
def test_batches_of_the_warm_up_are_a_quarter_of_its_day(days: int, size: int) -> None:
    assert largest_batch(WARM, NOON + days * DAY) == size
    assert largest_batch(DeliverySettings(), NOON) == 1000


class Counts:
    """A ledger whose events a test writes."""

    def __init__(self, **events: int) -> None:
        self.events = events
        self.looks = 0

    def event_counts(self, _edition_id: int) -> Mapping[str, int]:
        self.looks += 1
        return dict(self.events)


def brakes(counts: Counts, clock: FrozenClock) -> Brakes:
    return Brakes(cast("Ledger", counts), clock, DeliverySettings())


def test_events_are_looked_at_every_ten_seconds() -> None:
    counts, clock = Counts(), FrozenClock(NOON)
    watch = brakes(counts, clock)
    for _ in range(40):
        assert watch.alarm(1) == ""
        clock.move(SECOND)
    assert counts.looks == 4


def test_who_goes_on_after_an_alarm_is_stopped_by_new_bad_signs_only() -> None:
    counts, clock = Counts(delivered=900, bounced=100), FrozenClock(NOON)
    watch = brakes(counts, clock)
    for events, is_alarm in (
        ({"delivered": 900, "bounced": 100}, False),
        ({"delivered": 1800, "bounced": 145}, False),
        ({"delivered": 1800, "bounced": 160}, True),
    ):
        counts.events = events
        assert bool(watch.alarm(1)) is is_alarm
        clock.move(11 * SECOND)


# In a run


def events(desk: Desk, **numbers: int) -> None:
    """Write what the provider reported of so many deliveries."""
    ranks = ["deferred", "delivered", "dropped", "bounced", "complained"]
    values: list[dict[str, Any]] = []
    for state, number in numbers.items():
        for _ in range(number):
            values.append({"s": len(values), "rank": ranks.index(state), "at": 0})
    with desk.database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM outcomes")
        connection.exec_driver_sql(
            "INSERT INTO outcomes (edition_id, subscriber_id, rank, at) VALUES (1, :s, :rank, :at)",
            values,
        )


def test_run_pauses_on_an_alarm_and_goes_on_when_a_person_says_so() -> None:
    desk = open_desk()
    desk.plan(30)

    def bounce(_handover: object) -> None:
        desk.clock.move(11 * SECOND)
        events(desk, delivered=900, bounced=100)

    desk.provider.answer = bounce
    told = desk.run()
    assert told is not None
    assert (told.kind, desk.edition().state) == ("alarm", "paused")
    assert told.reason == "100 of 1,000 mails bounced; more than 5% is too many."
    assert desk.states() == ["accepted", "planned", "planned"]
    assert desk.run() is None
    desk.assert_once_each(30)
    desk.database.close()


@pytest.mark.parametrize("in_flight", [1, 4])
def test_warm_up_spreads_a_list_over_days_and_loses_nobody(in_flight: int) -> None:
    desk = open_desk(batch_size=1000, in_flight=in_flight, warm_up_from="2026-11-30")
    desk.plan(500)
    before = 0
    for limit in (200, 237):
        told = desk.run()
        assert told is not None
        assert (told.kind, told.hint) == ("warm-up", "Go on tomorrow.")
        today = len(desk.provider.copies()) - before
        assert limit - 50 <= today <= limit
        before += today
        assert desk.run() is not None
        assert len(desk.provider.copies()) == before
        desk.clock.move(dt.timedelta(hours=18, minutes=1))  # just after midnight
        desk.clock.move(dt.timedelta(hours=5, minutes=59))
    assert desk.run() is None
    desk.assert_once_each(500)
    desk.database.close()


def test_list_that_just_fits_into_the_day_is_done() -> None:
    desk = open_desk(warm_up_from="2026-11-30", batch_size=50)
    desk.plan(200)
    assert desk.run() is None
    desk.assert_once_each(200)
    desk.database.close()


def test_nothing_is_sent_before_the_warm_up_begins() -> None:
    desk = open_desk(warm_up_from="2026-12-01", batch_size=50)
    with pytest.raises(ConfigError, match="begins on 2026-12-01"):
        desk.plan(2)
    assert desk.edition().state is EditionState.APPROVED
    desk.clock.move(MORNING + DAY - desk.clock.now())
    desk.service().plan(desk.edition(), release_at=None)
    assert desk.run() is None
    desk.assert_once_each(2)
    desk.database.close()
