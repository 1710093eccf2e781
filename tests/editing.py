"""What tests of editions share: a service with plain rules, and weeks of rated articles."""

import datetime as dt
from dataclasses import replace
from typing import Any

from digest.model.articles import Article, Rating
from digest.model.editions import Edition, EditionState
from digest.model.sources import SourceState
from digest.ports import Placed, Store
from digest.services.editions import EditionService
from digest.settings import EditionSettings, RankingSettings, Settings
from digest.testing.factories import NOON, make_article

DAY = dt.timedelta(days=1)
WEEK = dt.timedelta(days=7)
LABEL = "2026-W48"  # the week of NOON
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
