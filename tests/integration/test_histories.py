"""What a reader was sent, and what came of it: told from the rows of the deliveries."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.model.deliveries import Accepted, Refused
from digest.storage.database import open_database
from digest.storage.events import SqlEvents
from digest.storage.ledger import SqlLedger
from digest.storage.store import SqlStore
from digest.storage.subscribers import SqlSubscribers
from digest.testing.contracts.events import Sent, Stores, send
from digest.testing.factories import NOON


@pytest.fixture
def sent(tmp_path: Path) -> Iterator[Sent]:
    database = open_database(f"sqlite:///{tmp_path}/digest.db")
    store, subscribers = SqlStore(database), SqlSubscribers(database)
    yield send(Stores(store, SqlLedger(database), subscribers, SqlEvents(database)))
    database.close()


def told(sent: Sent, number: int) -> list[tuple[object, ...]]:
    """Return the history of a reader as tuples."""
    names = ("edition", "state", "reason", "reported")
    found = sent.stores.subscribers.history(sent.readers[number])
    return [tuple(line[name] for name in names) for line in found]


def test_history_follows_the_delivery(sent: Sent) -> None:
    assert told(sent, 0) == [("2026-W48", "claimed", "", "")]
    sent.stores.ledger.record(sent.claim, Accepted(), now=NOON)
    assert told(sent, 0) == [("2026-W48", "accepted", "", "")]
    event = sent.event("bounced")
    sent.fold(event)
    [bounced] = [number for number in range(4) if told(sent, number)[0][3]]
    assert told(sent, bounced) == [("2026-W48", "accepted", "", "bounced")]
    [line] = sent.stores.subscribers.history(sent.readers[bounced])
    assert line["reported_at"] == event.at
    [report] = sent.stores.subscribers.reports(sent.readers[bounced])
    assert (report["edition"], report["kind"], report["at"]) == ("2026-W48", "bounced", event.at)


def test_newest_edition_comes_first_with_who_was_left_out(sent: Sent) -> None:
    sent.stores.subscribers.set_left(sent.readers[1], by="page", now=NOON)
    later = send(sent.stores, week=1)
    assert later.readers == [number for number in sent.readers if number != sent.readers[1]]
    assert told(sent, 1) == [("2026-W49", "excluded", "left", ""), ("2026-W48", "claimed", "", "")]
    assert [line[0] for line in told(sent, 0)] == ["2026-W49", "2026-W48"]


def test_split_batch_is_told_as_its_halves(sent: Sent) -> None:
    assert sent.stores.ledger.split(sent.claim, Refused(reason="too large"), now=NOON)
    assert told(sent, 0) == told(sent, 3) == [("2026-W48", "planned", "", "")]


def test_reader_who_left_between_plan_and_hand_over_is_told_as_withdrawn(sent: Sent) -> None:
    sent.stores.ledger.split(sent.claim, Refused(reason="too large"), now=NOON)
    sent.stores.subscribers.set_left(sent.readers[0], by="page", now=NOON)
    assert sent.edition.id is not None
    for _ in range(2):
        claim = sent.stores.ledger.claim(
            sent.edition.id,
            holder="test",
            reservation="",
            release_at=None,
            now=NOON,
            lease=dt.timedelta(minutes=2),
        )
        assert claim is not None
        sent.stores.ledger.record(claim, Accepted(), now=NOON)
    assert told(sent, 0) == [("2026-W48", "accepted", "left", "")]
    assert told(sent, 1) == [("2026-W48", "accepted", "", "")]
