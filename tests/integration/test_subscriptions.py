"""Readers one by one, erasure to the last trace, and the provider's own list."""

import datetime as dt
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from digest.clocks import FixedClock
from digest.errors import Conflict, TransportError, UsageError
from digest.model.letters import Letter, LetterKind
from digest.model.subscribers import Frequency, Subscriber, Suppression, SuppressionReason
from digest.ports import CHANGEABLE, Added
from digest.services.columns import choose_columns
from digest.services.importing import Consent, Importer, Watcher
from digest.services.subscriptions import OVERLAP, Choices, SubscriptionService
from digest.storage.database import Database, open_database
from digest.storage.events import SqlEvents
from digest.storage.letters import SqlLetters
from digest.storage.subscribers import SqlSubscribers
from digest.testing.contracts.subscribers import make_subscriber, make_suppression
from digest.testing.factories import NOON
from digest.testing.transports import MemoryTransport
from digest.tokens import KeyRing

HOUR = dt.timedelta(hours=1)
KEYS = KeyRing({1: bytes(range(32))}, bytes(range(32)))


@dataclass
class Lists:
    """The services on one database."""

    path: Path
    database: Database
    store: SqlSubscribers
    service: SubscriptionService
    importer: Importer

    def take(self, *addresses: str) -> object:
        """Import a list of addresses."""
        return self.take_rows((row, [address], "") for row, address in enumerate(addresses, 2))

    def take_rows(self, rows: Iterable[tuple[int, list[str], str]]) -> object:
        """Import rows of a list with addresses and nothing else."""
        consent = Consent(newsletter="app-news-weekly", origin="a list", now=NOON)
        return self.importer.run(rows, choose_columns(["email"], {}, ()), consent, Watcher())

    def reader(self, address: str) -> Subscriber:
        """Return the reader."""
        found = self.service.find(address)
        assert found is not None
        return found


@pytest.fixture
def lists(tmp_path: Path) -> Iterator[Lists]:
    path = tmp_path / "digest.db"
    database = open_database(f"sqlite:///{path}")
    store = SqlSubscribers(database)
    service = SubscriptionService(store, "app-news-weekly", KEYS.hash_address)
    yield Lists(path, database, store, service, Importer(store, KEYS.hash_address))
    database.close()


def add(lists: Lists, address: str, **choices: object) -> Added:
    chosen = Choices(**choices, changing=frozenset(choices))  # type: ignore[arg-type]
    return lists.service.add(address, chosen, origin="a form", now=NOON)


def test_adding_changes_only_what_is_named(lists: Lists) -> None:
    assert add(lists, "Ada@Example.com", first_name="Ada", topics=("Games", "Privacy")).new == 1
    assert add(lists, "ada@example.com").seen == 1
    assert add(lists, "ada@example.com", frequency=Frequency.MONTHLY).updated == 1
    ada = lists.reader("ADA@example.com")
    assert (ada.address, ada.first_name) == ("Ada@example.com", "Ada")
    assert (ada.topics, ada.frequency) == (("Games", "Privacy"), Frequency.MONTHLY)
    add(lists, "bo@example.com", topics=("games",))
    assert lists.reader("bo@example.com").topics == ("Games",)
    assert set(CHANGEABLE) >= {"first_name", "topics", "frequency", "language"}


def test_reader_who_left_is_suppressed_or_was_erased_is_not_brought_back(lists: Lists) -> None:
    lists.take("left@example.com", "hard@example.com", "gone@example.com")
    assert lists.service.remove("left@example.com", now=NOON)
    assert not lists.service.remove("left@example.com", now=NOON)
    assert lists.service.suppress("hard@example.com", SuppressionReason.MANUAL, now=NOON)
    assert lists.service.erase("Gone@example.com", now=NOON) == 1
    for address, words in {"left": "has left", "hard": "suppressed", "gone": "erased"}.items():
        with pytest.raises(UsageError, match=words):
            add(lists, f"{address}@example.com", first_name="Back")
    assert lists.reader("left@example.com").left_by == "admin"
    assert lists.service.find("gone@example.com") is None
    assert lists.service.unsuppress("hard@example.com")
    assert add(lists, "hard@example.com").seen == 1


@pytest.mark.parametrize(
    "choices",
    [{"first_name": "www.example.com"}, {"topics": ("x" * 101,)}, {"language": "?"}],
)
def test_what_cannot_be_stored_is_refused(lists: Lists, choices: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="Nothing was changed"):
        add(lists, "ada@example.com", **choices)
    assert lists.service.find("ada@example.com") is None


def test_erased_address_is_in_no_table_no_file_and_no_later_import(lists: Lists) -> None:
    address = "Erased.Reader@example.com"
    lists.take(address, *(f"reader{number}@example.com" for number in range(50)))
    lists.service.suppress(address, SuppressionReason.COMPLAINED, now=NOON)
    letter = Letter(
        newsletter="app-news-weekly",
        kind=LetterKind.LINKS,
        address=address,
        key=address.casefold(),
        asked_at=NOON,
    )
    SqlLetters(lists.database).ask(letter)
    events = SqlEvents(lists.database)
    events.take(b'[{"email": "erased.reader@EXAMPLE.com"}]', now=NOON)
    events.take(b'[{"email": "reader1@example.com"}]', now=NOON)
    events.mark_dead(1, "test")
    assert lists.service.erase(address, now=NOON) == 1
    assert lists.service.is_erased("erased.reader@example.com")
    lists.take(address, "erased.reader@EXAMPLE.com", "reader1@example.com")
    sync = MemoryTransport(FixedClock(NOON))
    sync.suppressions = [make_suppression(1, address=address, key=address.casefold())]
    assert lists.service.sync(sync, now=NOON) == 0
    with pytest.raises(UsageError, match="erased"):
        lists.service.suppress(address, SuppressionReason.MANUAL, now=NOON)
    lists.database.close()
    with sqlite3.connect(lists.path) as connection:
        dump = "\n".join(connection.iterdump())
        assert connection.execute("SELECT count(*) FROM inbox").fetchone() == (1,)
    connection.close()
    assert "reader1@example.com" in dump
    assert "erased.reader" not in dump.casefold()
    assert b"erased.reader" not in lists.path.read_bytes().lower()


def test_erased_rows_of_a_list_are_counted(lists: Lists) -> None:
    lists.service.erase("gone@example.com", now=NOON)
    report = lists.take("GONE@example.com", "ada@example.com", "no address")
    assert "erased=1, refused=1" in str(report)
    assert [one.key for one in lists.store.subscribers("app-news-weekly")] == ["ada@example.com"]


def test_address_that_is_erased_while_a_list_is_read_does_not_come_back(lists: Lists) -> None:
    lists.take("gone@example.com")

    def rows() -> Iterator[tuple[int, list[str], str]]:
        yield 2, ["gone@example.com"], ""
        lists.service.erase("gone@example.com", now=NOON)
        yield 3, ["ada@example.com"], ""

    with pytest.raises(Conflict, match="nobody was added"):
        lists.take_rows(rows())
    assert list(lists.store.subscribers("app-news-weekly")) == []


def test_sync_asks_for_what_is_new_with_an_hour_to_spare(lists: Lists) -> None:
    provider = MemoryTransport(FixedClock(NOON))
    provider.suppressions = [make_suppression(1, since_at=NOON - 9 * HOUR)]
    assert lists.service.sync(provider, now=NOON) == 1
    late = make_suppression(2, since_at=NOON - OVERLAP)
    unseen = make_suppression(3, since_at=NOON - OVERLAP - HOUR)
    provider.suppressions += [late, unseen]
    assert lists.service.sync(provider, now=NOON + HOUR) == 1
    assert lists.store.suppression(late.key) == late
    assert lists.store.suppression(unseen.key) is None
    assert lists.service.sync(provider, now=NOON + HOUR, is_whole=True) == 1
    assert lists.store.last_sync() == NOON + HOUR


class Breaking(MemoryTransport):
    """Tells of one address, and fails then."""

    def suppressed(self, since: dt.datetime | None) -> Iterator[Suppression]:
        """Yield one, and fail."""
        yield from (make_suppression(number) for number in range(1_001))
        raise TransportError("The provider went away.")


def test_sync_that_breaks_off_begins_there_again_next_time(lists: Lists) -> None:
    with pytest.raises(TransportError):
        lists.service.sync(Breaking(FixedClock(NOON)), now=NOON)
    assert lists.store.last_sync() is None
    kept = len(list(lists.store.suppressions()))
    assert kept == 1_000
    whole = MemoryTransport(FixedClock(NOON))
    whole.suppressions = [make_suppression(number) for number in range(1_001)]
    assert lists.service.sync(whole, now=NOON) == 1


def test_others_can_write_while_a_list_is_read(lists: Lists) -> None:
    def readers() -> Iterator[Subscriber]:
        yield make_subscriber(1)
        other = open_database(f"sqlite:///{lists.path}")
        SqlSubscribers(other).suppress([make_suppression(2)])
        other.close()
        yield make_subscriber(2)

    assert lists.store.add_subscribers(readers()) == Added(new=1, suppressed=1)
