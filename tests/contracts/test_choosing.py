"""The promises about what readers choose, on every database that `digest` runs on."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from digest.model.deliveries import Audience
from digest.model.subscribers import Frequency, Subscriber, SuppressionReason
from digest.ports import CHANGEABLE
from digest.storage.choices import SqlChoices
from digest.storage.database import Database
from digest.storage.events import SqlEvents
from digest.storage.ledger import SqlLedger
from digest.storage.store import SqlStore
from digest.storage.subscribers import SqlSubscribers
from digest.testing.contracts.events import Stores
from digest.testing.contracts.planning import add_readers, approve, plan, reader, suppress
from digest.testing.factories import NOON, make_period

SECOND = dt.timedelta(seconds=1)
HOUR = dt.timedelta(hours=1)
CHOSEN = {
    "topics": ("Games", "Privacy"),
    "frequency": Frequency.MONTHLY,
    "language": "de",
    "is_uncounted": True,
}


@pytest.fixture
def stores(database: Database) -> Stores:
    return Stores(
        SqlStore(database), SqlLedger(database), SqlSubscribers(database), SqlEvents(database)
    )


@pytest.fixture
def choices(database: Database) -> SqlChoices:
    return SqlChoices(database)


def stored(stores: Stores, number: int) -> Subscriber:
    found = stores.subscribers.subscriber_by_id(number)
    assert found is not None
    return found


def test_reader_gets_what_they_chose(stores: Stores, choices: SqlChoices) -> None:
    [number] = add_readers(stores, 1)
    before = stored(stores, number)
    assert choices.choose(number, **CHOSEN)  # type: ignore[arg-type]
    assert stored(stores, number) == replace(before, **CHOSEN)  # type: ignore[arg-type]
    assert choices.choose(number, **(CHOSEN | {"topics": ()}))  # type: ignore[arg-type]
    assert stored(stores, number).topics == ()


def test_who_has_left_or_is_unknown_chooses_nothing(stores: Stores, choices: SqlChoices) -> None:
    [number] = add_readers(stores, 1)
    choices.leave(number, 7, by="page", now=NOON)
    before = stored(stores, number)
    for one in (number, number + 1):
        assert not choices.choose(one, **CHOSEN)  # type: ignore[arg-type]
        assert not choices.pause(one, NOON)
        assert not choices.leave(one, 8, by="one-click", now=NOON + HOUR)
    assert not choices.say_why(number + 1, "too often")
    assert not choices.come_back(number + 1, since=NOON)
    assert stored(stores, number) == before


def test_import_changes_nothing_that_only_readers_say(stores: Stores, choices: SqlChoices) -> None:
    numbers = add_readers(stores, 2)
    choices.pause(numbers[0], NOON + HOUR)
    choices.choose(numbers[0], **CHOSEN)  # type: ignore[arg-type]
    choices.leave(numbers[1], 7, by="page", now=NOON)
    choices.say_why(numbers[1], "too often")
    before = [stored(stores, number) for number in numbers]
    again = [reader(number, first_name="New") for number in (1, 2)]
    added = stores.subscribers.add_subscribers(again, changing=CHANGEABLE)
    assert (added.updated, added.left) == (1, 1)
    changed = {name: getattr(again[0], name) for name in CHANGEABLE}
    assert stored(stores, numbers[0]) == replace(before[0], **changed)
    assert stored(stores, numbers[1]) == before[1]


# Pausing


def test_paused_reader_is_left_out_until_the_pause_is_over(
    stores: Stores, choices: SqlChoices
) -> None:
    numbers = add_readers(stores, 5)
    end = make_period().end
    for number, until in zip(numbers, (end + SECOND, end, end - SECOND), strict=False):
        assert choices.pause(number, until)
    assert choices.pause(numbers[3], end + HOUR)
    assert choices.pause(numbers[3], None)
    edition = approve(stores)
    expected = Audience(planned=4, excluded={"paused": 1})
    assert stores.ledger.audience(edition, is_monthly=True) == expected
    assert plan(stores, edition) == expected
    report = stores.ledger.report(edition)
    assert (report.is_balanced, report.candidates, report.excluded) == (True, 5, {"paused": 1})
    [line] = stores.subscribers.history(numbers[0])
    assert (line["state"], line["reason"]) == ("excluded", "paused")
    assert plan(stores, approve(stores, week=1)) == Audience(planned=5, excluded={})


@pytest.mark.parametrize("is_monthly", [True, False])
def test_who_is_left_out_for_several_reasons_is_counted_once(
    stores: Stores, choices: SqlChoices, is_monthly: bool
) -> None:
    numbers = add_readers(stores, 4, frequency=Frequency.MONTHLY)
    for number in numbers[:3]:
        choices.pause(number, make_period().end + HOUR)
    suppress(stores, 1, SuppressionReason.BOUNCED)
    choices.leave(numbers[1], 7, by="page", now=NOON)
    excluded = {"bounced": 1, "left": 1, "paused": 1}
    expected = Audience(planned=1, excluded=excluded)
    if not is_monthly:
        expected = Audience(planned=0, excluded=excluded | {"not this week": 1})
    edition = approve(stores)
    assert stores.ledger.audience(edition, is_monthly=is_monthly) == expected
    assert plan(stores, edition, is_monthly=is_monthly) == expected
    assert stores.ledger.report(edition).is_balanced


# Leaving


def test_of_fifty_clicks_at_once_one_makes_the_reader_leave(
    stores: Stores, choices: SqlChoices
) -> None:
    [number] = add_readers(stores, 1)

    def click(edition: int) -> bool:
        return choices.leave(number, edition, by="one-click", now=NOON + edition * SECOND)

    with ThreadPoolExecutor(50) as pool:
        new = list(pool.map(click, range(1, 51)))
    assert new.count(True) == 1
    left = stored(stores, number)
    edition = 1 + new.index(True)
    assert (left.state, left.left_by, left.left_edition_id) == ("left", "one-click", edition)
    assert left.left_at == NOON + edition * SECOND


def test_link_of_a_letter_is_of_no_edition(stores: Stores, choices: SqlChoices) -> None:
    [number] = add_readers(stores, 1)
    assert choices.leave(number, 0, by="page", now=NOON)
    assert stored(stores, number).left_edition_id is None


def test_only_who_left_says_why(stores: Stores, choices: SqlChoices) -> None:
    [number] = add_readers(stores, 1)
    assert not choices.say_why(number, "too often")
    choices.leave(number, 7, by="page", now=NOON)
    assert choices.say_why(number, "too often")
    assert stored(stores, number).left_why == "too often"


@pytest.mark.parametrize("by", ["page", "one-click"])
def test_leaving_can_be_undone_for_a_while(stores: Stores, choices: SqlChoices, by: str) -> None:
    [number] = add_readers(stores, 1)
    choices.choose(number, **CHOSEN)  # type: ignore[arg-type]
    before = stored(stores, number)
    choices.leave(number, 7, by=by, now=NOON)
    choices.say_why(number, "too often")
    assert not choices.come_back(number, since=NOON + SECOND)
    assert choices.come_back(number, since=NOON)
    assert stored(stores, number) == before
    assert not choices.come_back(number, since=NOON)


def test_nobody_undoes_what_others_did(stores: Stores, choices: SqlChoices) -> None:
    [number] = add_readers(stores, 1)
    stores.subscribers.set_left(number, by="admin", now=NOON)
    assert not choices.come_back(number, since=NOON)
    assert stored(stores, number).left_by == "admin"
