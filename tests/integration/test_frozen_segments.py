"""Segments with a real store, renderer and ledger: each reader gets the mail of their topics."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from digest.curation import NUMBERS, stories_for
from digest.merging import compile_variant
from digest.model.editions import WHOLE, Edition
from digest.services.editions import EditionService
from digest.storage import delivery_tables
from digest.storage.database import Database, open_database
from digest.storage.ledger import SqlLedger
from digest.storage.store import SqlStore
from digest.testing.factories import NOON
from tests.editing import TOPICS, add_readers, add_topics, approved, freezing, service


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(f"sqlite:///{tmp_path}/digest.db")
    yield database
    database.close()


@pytest.fixture
def store(database: Database) -> SqlStore:
    return SqlStore(database)


@pytest.fixture
def editions(store: SqlStore) -> EditionService:
    return service(store, minimum_stories=3, stories=12)


def titles(html: str, edition: Edition) -> list[int]:
    """Return which of the edition's articles a filled mail shows."""
    return [s.article_id for s in edition.stories if f"{s.headline}</a>" in html]


def test_every_planned_reader_gets_exactly_the_stories_of_their_topics(
    database: Database, store: SqlStore, editions: EditionService
) -> None:
    add_topics(store)
    rng = random.Random(2026)
    readers = [tuple(sorted(rng.sample(TOPICS, rng.randint(0, 3)))) for _ in range(200)]
    add_readers(database, readers)
    choices = [(topics, readers.count(topics)) for topics in sorted(set(readers))]
    edition = approved(store, editions, lambda: choices)
    ledger = SqlLedger(database)
    ledger.plan(edition, is_monthly=False, size=7, release_at=None)
    deliveries, batches = delivery_tables.deliveries, delivery_tables.batches
    query = sa.select(deliveries.c.subscriber_id, batches.c.variant).join(
        batches, batches.c.planned == deliveries.c.planned
    )
    with database.reading() as connection:
        planned = {row.subscriber_id: row.variant for row in connection.execute(query)}
    service = freezing(store, editions)
    mails = {frozen.key: frozen.variant for frozen in service.require_approved(edition)}
    assert len(mails) > 3
    assert planned.keys() == set(range(1, len(readers) + 1))
    for number, topics in enumerate(readers, 1):
        kept = stories_for(edition.stories, topics, minimum=3)
        wanted = range(len(edition.stories)) if kept is None else kept
        html, _text = compile_variant(mails[planned[number]]).whole()
        assert titles(html, edition) == [edition.stories[index].article_id for index in wanted]
        assert service.mail_for(edition, topics)[1].key == planned[number]


def test_draft_shows_a_reader_the_mail_that_freezing_makes_for_them(
    store: SqlStore, editions: EditionService
) -> None:
    add_topics(store)
    choices = [(("Games",), 3), (("Apps",), 1)]
    service = freezing(store, editions, lambda: choices)
    drafted = editions.draft("", now=NOON)
    before = {topics: service.mail_for(drafted, topics) for topics, _ in choices}
    frozen = service.freeze("", now=NOON)
    assert len({shown.variant.sha256 for _, shown in before.values()} | {frozen.sha256}) == 3
    for topics, (narrow, shown) in before.items():
        narrow_later, shown_later = service.mail_for(frozen, topics)
        assert shown_later.variant == shown.variant
        assert narrow_later.stories == narrow.stories
        more = NUMBERS[len(narrow.stories) - 1]
        assert shown.variant.subject == f"Article number 1, and {more} more"


def test_choice_that_came_after_freezing_gets_the_whole_mail(
    store: SqlStore, editions: EditionService
) -> None:
    add_topics(store)
    frozen = freezing(store, editions).freeze("", now=NOON)
    narrow, shown = freezing(store, editions, lambda: [(("Games",), 3)]).mail_for(
        frozen, ("Games",)
    )
    assert (narrow, shown.key) == (frozen, WHOLE)
