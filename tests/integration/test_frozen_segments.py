"""Segments with a real store, renderer and ledger: each reader gets the mail of their topics."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from digest.curation import NUMBERS, stories_for
from digest.merging import compile_variant
from digest.model.editions import WHOLE, Edition, EditionState, FrozenVariant
from digest.services.editions import EditionService
from digest.storage import delivery_tables
from digest.storage.database import Database, open_database
from digest.storage.ledger import SqlLedger
from digest.storage.store import SqlStore
from digest.testing.factories import NOON, make_edition, make_period
from tests.editing import (
    TOPICS,
    WEEK,
    add,
    add_readers,
    add_topics,
    approved,
    freezing,
    rated,
    service,
)
from tests.sending import VARIANT


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


def test_no_reader_gets_a_subject_again_that_some_had_in_a_recent_edition(
    store: SqlStore, editions: EditionService
) -> None:
    week = make_period()
    before = make_period(start=week.start - WEEK, end=week.start, label="2026-W47")
    earlier = make_edition(0, period=before)
    whole = replace(VARIANT, subject="Something else, and four more")
    games = replace(VARIANT, subject="The week in games, and two more")
    mails = [FrozenVariant(key=WHOLE, variant=whole), FrozenVariant(key="1,2,3", variant=games)]
    frozen = store.freeze(replace(earlier, state=EditionState.FROZEN), mails)
    for number in range(1, 7):
        title = "The week in games" if number == 1 else f"Story {number}"
        add(store, rated(number, title=title, topics=("Apps", "Games")[number % 2 :][:1]))
    choices = [(("Games",), 3)]
    service = freezing(store, editions, lambda: choices)
    assert editions.draft("", now=NOON).subject == "The week in games, and five more"
    store.save_edition(replace(frozen, state=EditionState.DONE))
    drafted = editions.draft("", now=NOON)
    assert drafted.subject == "Story 2, and five more"
    shown, _mail = service.mail_for(drafted, ("Games",))
    assert shown.subject == "Story 3, and two more"
    assert store.variants(service.freeze("", now=NOON).id or 0)[1].variant.subject == shown.subject
