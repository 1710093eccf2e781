"""The pace: pauses that grow, and a rate that all senders share."""

import datetime as dt
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.services.pacing import Pace
from digest.settings import DeliverySettings
from digest.storage.database import open_database
from digest.storage.ledger import SqlLedger
from digest.testing.factories import NOON

SECOND, MINUTE = dt.timedelta(seconds=1), dt.timedelta(minutes=1)


@pytest.fixture(scope="module")
def empty() -> Iterator[SqlLedger]:
    database = open_database("sqlite://")
    yield SqlLedger(database)
    database.close()


@pytest.fixture
def ledger() -> Iterator[SqlLedger]:
    database = open_database("sqlite://")
    yield SqlLedger(database)
    database.close()


def test_without_a_rate_a_batch_starts_at_once(ledger: SqlLedger) -> None:
    pace = Pace(ledger, DeliverySettings())
    assert all(pace.book(NOON) for _ in range(100))
    assert pace.next_start(NOON) == NOON


def test_rate_is_kept_by_all_who_share_the_ledger(ledger: SqlLedger) -> None:
    settings = DeliverySettings(batch_size=100, readers_per_second=400)
    senders = [Pace(ledger, settings) for _ in range(3)]
    started = [0] * 60
    for tick in range(600):  # a minute in tenths of a second
        now = NOON + tick * SECOND / 10
        for sender in senders:
            while sender.book(now):
                started[tick // 10] += 100
    assert max(started) <= 500  # one batch may start on the edge of a second
    assert sum(started) == pytest.approx(400 * 60, rel=0.02)


def test_slot_that_is_booked_is_waited_for_and_kept(ledger: SqlLedger) -> None:
    pace = Pace(ledger, DeliverySettings(batch_size=100, readers_per_second=10))
    assert pace.book(NOON)
    assert not pace.book(NOON)
    assert pace.next_start(NOON) == NOON + 10 * SECOND
    assert not pace.book(NOON + 9 * SECOND)
    assert pace.book(NOON + 10 * SECOND)
    assert pace.next_start(NOON + 11 * SECOND) == NOON + 11 * SECOND


@given(failures=st.integers(1, 12))
def test_pauses_double_up_to_a_minute(empty: SqlLedger, failures: int) -> None:
    pace = Pace(empty, DeliverySettings())
    now = NOON
    for number in range(failures):
        until = pace.failed(now)
        longest = min(60.0, 2.0**number)
        assert longest / 2 <= (until - now).total_seconds() <= longest
        assert not pace.book(until - dt.timedelta(milliseconds=1))
        assert pace.next_start(now) == until
        now = until
    pace.succeeded()
    assert pace.failed(now) - now <= SECOND


@pytest.mark.parametrize("rate", [0, 1000])
def test_senders_that_come_later_wait_as_the_provider_asked(ledger: SqlLedger, rate: float) -> None:
    settings = DeliverySettings(readers_per_second=rate)
    free_at = NOON + 5 * MINUTE
    assert Pace(ledger, settings).failed(NOON, retry_at=free_at) == free_at
    later = Pace(ledger, settings)
    assert not later.book(NOON + MINUTE)
    assert later.next_start(NOON + MINUTE) == free_at
    assert later.book(free_at)


def test_instant_that_is_past_makes_nobody_wait_less(ledger: SqlLedger) -> None:
    pace = Pace(ledger, DeliverySettings())
    until = pace.failed(NOON, retry_at=NOON - MINUTE)
    assert until > NOON
    assert not pace.book(NOON)


def test_only_half_an_hour_of_nothing_is_hopeless(ledger: SqlLedger) -> None:
    pace = Pace(ledger, DeliverySettings())
    assert not pace.is_hopeless(NOON)
    pace.failed(NOON)
    pace.failed(NOON + 29 * MINUTE)
    assert not pace.is_hopeless(NOON + 30 * MINUTE)
    assert pace.is_hopeless(NOON + 30 * MINUTE + SECOND)
    pace.succeeded()
    assert not pace.is_hopeless(NOON + 31 * MINUTE)
    pace.failed(NOON + 32 * MINUTE)
    assert not pace.is_hopeless(NOON + 60 * MINUTE)
