"""A person's data: all that is stored about them in one copy, and gone when they want it gone."""

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from digest.errors import NotFound
from digest.model.letters import Letter, LetterKind
from digest.model.votes import Vote
from digest.services.subscriptions import SubscriptionService
from digest.storage.choices import SqlChoices
from digest.storage.database import Database, open_database
from digest.storage.events import SqlEvents
from digest.storage.ledger import SqlLedger
from digest.storage.letters import SqlLetters
from digest.storage.store import SqlStore
from digest.storage.subscribers import SqlSubscribers
from digest.storage.tables import metadata
from digest.storage.votes import SqlVotes
from digest.testing.contracts.events import Sent, Stores, send
from digest.testing.contracts.store import STATE, placed
from digest.testing.contracts.subscribers import make_suppression
from digest.testing.factories import NOON, make_article
from digest.tokens import KeyRing

SECOND, WEEK = dt.timedelta(seconds=1), dt.timedelta(weeks=1)
KEYS = KeyRing({1: bytes(range(32))}, bytes(range(32)))
NETWORK = "0123456789abcdef"


@dataclass
class Person:
    """A reader of an edition who did all that a reader can do."""

    database: Database
    service: SubscriptionService
    sent: Sent
    number: int
    key: str


@pytest.fixture
def person(tmp_path: Path) -> Iterator[Person]:
    database = open_database(f"sqlite:///{tmp_path}/digest.db")
    store, subscribers = SqlStore(database), SqlSubscribers(database)
    sent = send(Stores(store, SqlLedger(database), subscribers, SqlEvents(database)))
    number = sent.readers[0]
    reader = subscribers.subscriber_by_id(number)
    assert reader is not None
    store.record_fetch(STATE, placed(make_article(5)), now=NOON)
    votes, choices = SqlVotes(database), SqlChoices(database)
    for second, stars in enumerate((2, 5)):
        vote = Vote(
            newsletter=reader.newsletter,
            edition_id=sent.edition.id or 0,
            article_id=1,
            subscriber_id=number,
            stars=stars,
            at=NOON + second * SECOND,
            network=NETWORK,
        )
        assert votes.vote(vote, at_most=9, since=NOON)
    letter = Letter(
        newsletter=reader.newsletter,
        kind=LetterKind.LINKS,
        address=reader.address,
        key=reader.key,
        asked_at=NOON,
        network=NETWORK,
    )
    SqlLetters(database).ask(letter)
    sent.fold(sent.event("deferred"))
    subscribers.add_subscribers([replace(reader, newsletter="other")])
    subscribers.suppress([replace(make_suppression(), key=reader.key, address=reader.address)])
    choices.pause(number, NOON + WEEK)
    choices.leave(number, sent.edition.id or 0, by="page", now=NOON)
    choices.say_why(number, "too often")
    service = SubscriptionService(subscribers, reader.newsletter, KEYS.hash_address)
    yield Person(database, service, sent, number, reader.key)
    database.close()


def rows(person: Person) -> str:
    """Return every row of every table, as text."""
    with person.database.reading() as connection:
        tables = [connection.execute(table.select()).all() for table in metadata.sorted_tables]
    return repr(tables)


def test_copy_has_every_row_about_the_person_and_no_hash(person: Person) -> None:
    text = json.dumps(person.service.data(person.number))
    data: dict[str, Any] = json.loads(text)
    reader = data["subscriber"]
    assert (reader["left_edition"], reader["left_why"]) == ("2026-W48", "too often")
    assert (reader["paused_until_at"], reader["is_uncounted"]) == (
        "2026-12-01T12:00:00+00:00",
        False,
    )
    assert (reader["state"], reader["suppressed"]) == ("left", "bounced")
    assert data["suppression"]["reason"] == "bounced"
    assert [line["edition"] for line in data["history"]] == ["2026-W48"]
    assert [line["kind"] for line in data["reports"]] == ["deferred"]
    assert [(vote["stars"], vote["at"]) for vote in data["votes"]] == [
        (2, "2026-11-24T12:00:00+00:00"),
        (5, "2026-11-24T12:00:01+00:00"),
    ]
    assert data["votes"][0]["title"] == make_article(5).title
    assert [letter["kind"] for letter in data["letters"]] == ["links"]
    [other] = data["other_newsletters"]
    assert (other["newsletter"], other["subscriber"]["state"]) == ("other", "active")
    assert NETWORK not in text
    assert NETWORK in rows(person)
    assert person.service.data_about(reader["address"]) == person.service.data(person.number)


def test_nothing_of_an_erased_person_stays_but_what_nobody_can_lead_back_to_them(
    person: Person,
) -> None:
    assert person.key in rows(person)
    address = str(person.service.data(person.number)["letters"][0]["address"])  # type: ignore[index]
    assert person.service.erase(address, now=NOON) == 2
    assert person.key not in rows(person).casefold()
    with pytest.raises(NotFound):
        person.service.data(person.number)
    assert not any(person.service.data_about(address).values())


def test_copy_about_a_stranger_is_empty(person: Person) -> None:
    assert not any(person.service.data_about("stranger@example.com").values())
