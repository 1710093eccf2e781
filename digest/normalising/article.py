"""From one raw entry to one article, or the reason why it cannot be one."""

import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import replace

from digest.model.articles import Article, Image, RawEntry
from digest.normalising.dates import published
from digest.normalising.languages import language_of
from digest.normalising.ratings import to_rating
from digest.normalising.summaries import count_words, cut, summarise
from digest.normalising.text import clean_text
from digest.normalising.urls import article_key, domain, web_link
from digest.settings import SourceSettings

MAX_TITLE = 160
MAX_MADE_TITLE = 80
MAX_NAME = 80
MAX_TOPIC = 40
MAX_TOPICS = 5


class Unusable(Exception):
    """The entry cannot be an article; the text says why."""


def to_article(
    entry: RawEntry,
    *,
    source: SourceSettings,
    fetched_at: dt.datetime,
    feed_language: str = "",
    feed_url: str = "",
) -> Article:
    """Return the article that `entry` stands for.

    Args:
        entry: As the source states it.
        source: Its settings: name, zone, language and topics that hold for all its articles.
        fetched_at: Aware UTC.
        feed_language: The language that the feed states for all entries.
        feed_url: Relative links are resolved against it.

    Raises:
        Unusable: It has neither title nor text.
    """
    text = clean_text(entry.text or entry.summary)
    title = clean_text(entry.title, limit=MAX_TITLE) or cut(text, MAX_MADE_TITLE)
    if not title:
        raise Unusable("it has neither a title nor a text")
    url = web_link(entry.url, feed_url)
    language = language_of(f"{title} {text[:1000]}", entry.language, feed_language, source.language)
    published_at, dated_ahead = published(
        entry.published,
        entry.published_guess,
        timezone=source.timezone,
        language=language,
        fetched_at=fetched_at,
    )
    outlet = clean_text(entry.outlet, limit=MAX_NAME)
    return Article(
        key=article_key(url) or _text_key(entry.id, source.name, title, text),
        title=title,
        source=source.name,
        url=url,
        summary=summarise(title, entry.summary, entry.text, language=language),
        author=clean_text(entry.author, limit=MAX_NAME),
        outlet="" if outlet in (source.name, domain(url)) else outlet,
        topics=_topics((*entry.topics, *source.topics)),
        language=language,
        image=_image(entry.image, feed_url),
        rating=to_rating(entry.rating),
        published_at=published_at,
        published_raw=clean_text(entry.published, limit=MAX_NAME),
        dated_ahead=dated_ahead,
        words=count_words(text),
    )


def merged(before: Article, after: Article) -> Article:
    """Return what is kept of an article that is known as `before` and now comes as `after`.

    Its own source's new words replace the old ones. Another source that carries it only adds what
    is missing, so that two sources do not take turns in changing it. Nothing known is lost.
    """
    if after.source != before.source:
        return replace(
            before,
            summary=before.summary or after.summary,
            image=before.image or after.image,
            rating=before.rating or after.rating,
            words=max(before.words, after.words),
            published_at=before.published_at or after.published_at,
        )
    is_same_date = after.published_raw == before.published_raw or after.published_at is None
    return replace(
        after,
        image=after.image or before.image,
        rating=after.rating or before.rating,
        # A date just ahead of the clock is read as "now", and must not move with each fetch.
        published_at=before.published_at if is_same_date else after.published_at,
        unseen_seconds=before.unseen_seconds,
    )


def _text_key(entry_id: str, source: str, title: str, text: str) -> str:
    # An id stays when the words are corrected, but two sources may both have an entry "1"; without
    # one the words have to do.
    basis = f"{source}\n{entry_id.strip()}" if entry_id.strip() else f"{title}\n{text[:200]}"
    return "text:" + hashlib.sha256(basis.encode("utf-8", "replace")).hexdigest()


def _topics(words: Iterable[str]) -> tuple[str, ...]:
    found: dict[str, str] = {}
    for word in words:
        topic = clean_text(word, limit=MAX_TOPIC)
        if topic:
            found.setdefault(topic.casefold(), topic)
    return tuple(found.values())[:MAX_TOPICS]


def _image(image: Image | None, feed_url: str) -> Image | None:
    url = web_link(image.url, feed_url) if image else ""
    if image is None or not url:
        return None
    return Image(
        url=url, width=image.width, height=image.height, alt=clean_text(image.alt, limit=200)
    )
