"""What tests of editions share: a service with plain rules, and weeks of rated articles."""

import datetime as dt
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from digest.model.articles import Article, Rating
from digest.model.editions import Edition, EditionState
from digest.model.sources import SourceState
from digest.ports import Placed, Store
from digest.project import starter_root
from digest.rendering.renderer import MailRenderer
from digest.services.editions import EditionService
from digest.services.freezing import Choices, FreezingService
from digest.services.previews import PreviewService
from digest.settings import EditionSettings, RankingSettings, Settings
from digest.storage import delivery_tables
from digest.storage.database import Database
from digest.storage.rows import topics_text
from digest.testing.factories import NOON, make_article
from digest.transports.message import build_message
from tests.golden.editions import ENGLISH

DAY = dt.timedelta(days=1)
WEEK = dt.timedelta(days=7)
LABEL = "2026-W48"  # the week of NOON
TOPICS = ("Apps", "Games", "Maps & Travel", "Privacy")
SUNDAY = dt.datetime(2026, 11, 29, 17, tzinfo=dt.UTC)  # its end


def service(store: Store, **rules: Any) -> EditionService:
    values: dict[str, Any] = {"stories": 5, "minimum_stories": 2, "max_per_source": 50}
    edition = EditionSettings(**(values | rules))
    ageless = RankingSettings(age_penalty_per_day=0)
    return EditionService(store, Settings(edition=edition, ranking=ageless))


def add(store: Store, *articles: Article, at: dt.datetime = NOON - DAY) -> None:
    """Store the articles as first seen at `at`."""
    placed = [Placed(article=article, belongs_at=at) for article in articles]
    store.record_fetch(SourceState(name="Example"), placed, now=at)


def rated(number: int, **changes: Any) -> Article:
    """Return article `number`; smaller numbers are rated better."""
    values: dict[str, Any] = {
        "rating": Rating(mean=5 - number / 10, votes=50, origin="feed"),
        "published_at": NOON - DAY,
    }
    return make_article(number, **(values | changes))


def add_week(store: Store, count: int, *, first: int = 1, weeks: int = 0) -> None:
    """Store so many articles in the week of NOON, or some weeks before or after it."""
    at = NOON - DAY + weeks * WEEK
    for number in range(first, first + count):
        add(store, rated(number, published_at=at), at=at)


def ids(edition: Edition) -> list[int]:
    return [story.article_id for story in edition.stories]


def sent(store: Store, edition: Edition, state: EditionState = EditionState.DONE) -> Edition:
    return store.save_edition(replace(edition, state=state))


def freezing(
    store: Store,
    editions: EditionService,
    choices: Callable[[], Choices] = tuple,
    *,
    templates: Sequence[Path] = (),
) -> FreezingService:
    previews = PreviewService(ENGLISH, build_message, ignored={}, weights={})
    renderer = MailRenderer([*templates, starter_root() / "templates"], ENGLISH)
    return FreezingService(
        store,
        editions,
        renderer,
        minimum=3,
        findings=previews.findings,
        choices=choices,
    )


def approved(
    store: Store, editions: EditionService, choices: Callable[[], Choices] = tuple
) -> Edition:
    service = freezing(store, editions, choices)
    service.freeze("", now=NOON)
    return service.approve("", by="Ana", now=NOON)


def add_topics(store: Store, count: int = 12) -> None:
    """Store articles of the week with two topics each."""
    rng = random.Random(7)
    for number in range(1, count + 1):
        add(store, rated(number, topics=tuple(rng.sample(TOPICS, 2))))


def add_readers(
    database: Database, topics: Sequence[Sequence[str]] = ((),), **changes: str
) -> None:
    """Store a reader for each choice of topics, numbered on from those that are there."""
    table = delivery_tables.subscribers
    with database.writing() as connection:
        there = connection.execute(sa.select(sa.func.count(table.c.id))).scalar_one()
        values = [_reader(there + n, choice) | changes for n, choice in enumerate(topics, 1)]
        connection.execute(sa.insert(table), values)


def _reader(number: int, topics: Sequence[str]) -> dict[str, Any]:
    address = f"reader-{number}@example.com"
    return {
        "id": number,
        "newsletter": "app-news-weekly",
        "key": address,
        "address": address,
        "topics": topics_text(topics),
        "frequency": "weekly",
        "state": "active",
        "joined_at": NOON,
        **dict.fromkeys(("first_name", "language", "timezone", "origin", "left_by"), ""),
    }
