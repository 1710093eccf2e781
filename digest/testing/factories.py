"""Things to test with: each function makes a whole valid one, and takes what should differ."""

import datetime as dt
from typing import Any

from digest.merging import TOKENS
from digest.model.articles import Article, Image, Rating, StoredArticle
from digest.model.deliveries import Addressee, Handover, Mail
from digest.model.editions import Edition, MergedArticle, Period, Story

NOON = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
"""A Tuesday."""


def make_article(number: int = 1, **changes: Any) -> Article:
    """Return an article; different numbers make different articles."""
    values: dict[str, Any] = {
        "key": f"https://news.example.com/{number}",
        "url": f"https://news.example.com/{number}",
        "title": f"Article number {number}",
        "source": "Example",
        "summary": f"What article {number} says in one sentence.",
        "rating": Rating(mean=4.0, votes=10, origin="feed"),
        "published_at": NOON - dt.timedelta(hours=number),
        "published_raw": f"{number} hours before noon",
        "language": "en",
        "words": 400,
    }
    return Article(**(values | changes))


def make_stored(number: int = 1, **changes: Any) -> StoredArticle:
    """Return a stored article with `number` as its id."""
    article = make_article(number, **changes)
    return StoredArticle(
        id=number, article=article, first_seen_at=NOON, belongs_at=article.published_at
    )


def make_period(**changes: Any) -> Period:
    """Return the week that ends on Sunday 29 November 2026 at 18:00 in Berlin."""
    end = dt.datetime(2026, 11, 29, 17, tzinfo=dt.UTC)
    values: dict[str, Any] = {
        "start": end - dt.timedelta(days=7),
        "end": end,
        "timezone": "Europe/Berlin",
        "label": "2026-W48",
    }
    return Period(**(values | changes))


def make_story(number: int = 1, **changes: Any) -> Story:
    """Return the story at position `number`; the first is the lead and has a picture."""
    image = Image(url="https://news.example.com/media/lead.jpg", width=1120, height=630, alt="")
    values: dict[str, Any] = {
        "article_id": number,
        "position": number,
        "lead": number == 1,
        "headline": f"Headline number {number}",
        "summary": f"What story {number} says in one sentence.",
        "url": f"https://news.example.com/{number}",
        "source": "Example",
        "outlet": "",
        "score": 4.0,
        "rating": Rating(mean=4.0, votes=10, origin="feed"),
        "topics": ("Apps",),
        "language": "en",
        "image": image if number == 1 else None,
        "published_at": NOON - dt.timedelta(hours=number),
        "words": 400,
    }
    return Story(**(values | changes))


def make_merged(number: int = 2, **changes: Any) -> MergedArticle:
    """Return article `number` as it is merged into a story."""
    values: dict[str, Any] = {
        "article_id": number,
        "headline": f"Headline number {number}",
        "summary": f"What story {number} says in one sentence.",
        "url": f"https://other.example.com/{number}",
        "source": "Example",
        "outlet": f"Outlet {number}",
        "language": "en",
    }
    return MergedArticle(**(values | changes))


def make_edition(count: int = 3, **changes: Any) -> Edition:
    """Return a draft with `count` stories."""
    values: dict[str, Any] = {
        "newsletter": "app-news-weekly",
        "period": make_period(),
        "subject": "Headline number 1, and two more",
        "preheader": "Also: Headline number 2",
        "intro": "The week in short.",
        "stories": tuple(make_story(number) for number in range(1, count + 1)),
        "candidates": count,
    }
    return Edition(**(values | changes))


def make_mail(**changes: Any) -> Mail:
    """Return a small mail in which every token of a reader stands, in HTML and in text."""
    values: dict[str, Any] = {
        "newsletter": "app-news-weekly",
        "edition": "2026-W48",
        "sender": "App News Weekly <news@example.com>",
        "subject": "Headline number 1, and two more",
        "html": "<!DOCTYPE html>\n<html><body><p>The week in short.</p>\n"
        + "".join(
            f'<p><a href="{TOKENS[name]}">{name}</a></p>\n' for name in TOKENS if name != "address"
        )
        + f"<p>Sent to {TOKENS['address']}</p></body></html>\n",
        "text": "The week in short.\n" + "".join(f"{token}\n" for token in TOKENS.values()),
        "public_url": "https://news.example.com",
        "list_id": "app-news-weekly.news.example.com",
    }
    return Mail(**(values | changes))


def make_addressee(number: int = 1, **changes: Any) -> Addressee:
    """Return a reader of a batch; different numbers make different readers."""
    values: dict[str, Any] = {
        "subscriber_id": number,
        "address": f"reader{number}@example.com",
        "first_name": f"Name{number}",
        "token": f"token-of-{number}-{'x' * 20}",
    }
    return Addressee(**(values | changes))


def make_handover(count: int = 3, **changes: Any) -> Handover:
    """Return the first try of batch 1, with `count` readers."""
    values: dict[str, Any] = {
        "mail": make_mail(),
        "batch": 1,
        "attempt": 1,
        "readers": tuple(make_addressee(number) for number in range(1, count + 1)),
    }
    return Handover(**(values | changes))
