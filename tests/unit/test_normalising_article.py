"""An entry of any source becomes an article that is safe to store, to rank and to show."""

import datetime as dt
import time
import unicodedata
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model.articles import Article, Image, Rating, RawEntry, RawRating
from digest.normalising.article import MAX_TITLE, MAX_TOPICS, Unusable, merged, to_article
from digest.normalising.summaries import LIMIT
from digest.settings import SourceSettings
from digest.testing.factories import NOON, make_article

FEED = "https://news.example.com/feed.xml"
SOURCE = SourceSettings(name="Example", url=FEED, language="en", topics=("Apps",))
TEXT = "The chat app now hears what people say and writes it down for them. It costs nothing."


def read(entry: RawEntry, source: SourceSettings = SOURCE) -> Article:
    return to_article(entry, source=source, fetched_at=NOON, feed_url=FEED)


def entry(**values: Any) -> RawEntry:
    return RawEntry(**({"title": "Chat app"} | values))


def test_an_entry_becomes_an_article_field_by_field() -> None:
    found = read(
        RawEntry(
            title=" Chat\u202e app\nlearns ",
            id="tag:example.com,2026:1",
            url="/story?utm_source=rss&id=7#top",
            summary="",
            text=TEXT,
            author="A.\tWriter\x00",
            outlet="The Example Post",
            published="Tue, 24 Nov 2026 10:00:00 +0100",
            language="en-gb",
            topics=("Chat", "apps", " chat "),
            image=Image(url="/a.jpg", width=640, height=360, alt="A\u200b phone"),
            rating=RawRating(value="9", count="12", best="10"),
        )
    )
    assert found == Article(
        key="https://news.example.com/story?id=7",
        title="Chat app learns",
        source="Example",
        url="https://news.example.com/story?id=7#top",
        summary=TEXT,
        author="A. Writer",
        outlet="The Example Post",
        topics=("Chat", "apps"),
        language="en-GB",
        image=Image(url="https://news.example.com/a.jpg", width=640, height=360, alt="A phone"),
        rating=Rating(mean=4.5556, votes=12, origin="feed"),
        published_at=dt.datetime(2026, 11, 24, 9, tzinfo=dt.UTC),
        published_raw="Tue, 24 Nov 2026 10:00:00 +0100",
        words=17,
    )


@pytest.mark.parametrize("text", [{"text": TEXT}, {"summary": TEXT}])
def test_an_entry_without_a_title_is_named_by_its_first_sentence(text: dict[str, str]) -> None:
    found = read(RawEntry(title=" \u200b", **text))
    assert found.title == "The chat app now hears what people say and writes it down for them."


@pytest.mark.parametrize(
    "empty", [RawEntry(title=""), RawEntry(title="\u202e \x00", text=" \n\u200b", url=FEED)]
)
def test_an_entry_without_title_and_text_is_refused_with_the_reason(empty: RawEntry) -> None:
    with pytest.raises(Unusable, match="neither a title nor a text"):
        read(empty)


@pytest.mark.parametrize(
    "url",
    ["", " ", "javascript:alert(1)", "data:text/html,x", "http://user:pw@example.com/", "ftp://x"],
)
def test_an_entry_without_a_usable_link_has_none_and_is_told_apart_by_its_id(url: str) -> None:
    found = read(entry(url=url, id="1"))
    assert found.url == ""
    assert found.key.startswith("text:")
    assert found.key == read(entry(url=url, id="1", title="Chat app, corrected")).key
    assert found.key != read(entry(url=url, id="2")).key


def test_two_sources_may_both_have_an_entry_of_the_same_id() -> None:
    other = SourceSettings(name="Other", url="https://other.example.com/feed.xml")
    assert read(entry(id="1")).key != read(entry(id="1", title="Another"), other).key


def test_without_link_and_id_the_words_tell_articles_apart() -> None:
    assert read(entry(text=TEXT)).key == read(entry(text=TEXT)).key
    assert read(entry(text=TEXT)).key != read(entry(text=TEXT, title="Another")).key


@pytest.mark.parametrize(
    ("outlet", "shown"),
    [("Example", ""), ("news.example.com", ""), ("The Example Post", "The Example Post")],
)
def test_an_outlet_that_says_nothing_new_is_left_out(outlet: str, shown: str) -> None:
    assert read(entry(url="/x", outlet=outlet)).outlet == shown


@pytest.mark.parametrize(
    "url", ["", "javascript:x", "data:image/png;base64,AA", "http://a:b@example.com/x"]
)
def test_a_picture_without_a_web_address_is_none(url: str) -> None:
    assert read(entry(image=Image(url=url, width=640, height=360))).image is None


def test_long_fields_are_shortened() -> None:
    found = read(entry(title="word " * 99, text="word " * 999, topics=tuple("abcdefgh")))
    assert len(found.title) <= MAX_TITLE
    assert len(found.summary) <= LIMIT
    assert len(found.topics) == MAX_TOPICS
    assert found.words == 999


@pytest.mark.parametrize(
    ("stated", "feed", "source", "language"),
    [("de", "fr", "en", "de"), ("", "fr", "en", "fr"), ("", "", "en", "en"), ("", "", "", "")],
)
def test_the_nearest_statement_of_the_language_counts(
    stated: str, feed: str, source: str, language: str
) -> None:
    settings = SourceSettings(name="Example", url=FEED, language=source)
    found = to_article(
        entry(language=stated), source=settings, fetched_at=NOON, feed_language=feed, feed_url=FEED
    )
    assert found.language == language


def test_a_date_far_ahead_is_flagged_and_kept_as_written() -> None:
    found = read(entry(published="2030-01-01T00:00:00Z"))
    assert (found.published_at, found.dated_ahead) == (None, True)
    assert found.published_raw == "2030-01-01T00:00:00Z"


def test_an_update_of_its_own_source_replaces_the_words_and_keeps_what_is_missing() -> None:
    before = make_article(1, image=Image(url="https://news.example.com/a.jpg"))
    after = replace(before, title="New", rating=None, image=None, published_at=None)
    found = merged(before, after)
    assert found == replace(before, title="New")


def test_another_source_only_adds_what_is_missing() -> None:
    before = make_article(1, summary="", rating=None)
    other = make_article(1, source="Other", title="Theirs", summary="Their words.")
    found = merged(before, other)
    assert found == replace(before, summary="Their words.", rating=other.rating)
    assert merged(found, other) == found


def test_a_date_moves_only_when_the_source_changes_what_it_says() -> None:
    before = make_article(1)
    later = before.published_at + dt.timedelta(hours=1) if before.published_at else None
    assert merged(before, replace(before, published_at=later)).published_at == before.published_at
    moved = replace(before, published_at=later, published_raw="an hour later")
    assert merged(before, moved).published_at == later


ODD = "\x00\x1b\x85\u202e\ud800\u200d\ufeff\n\t<>\"'&{}%=?:/\\@#.…A日é"
WORDS = st.text(st.one_of(st.characters(exclude_categories=[]), st.sampled_from(ODD)), max_size=60)
SCHEMES = ["javascript:", "JaVaScRiPt:", "\x01javascript:", "https://example.com/", "//", "/"]
LINKS = WORDS | st.tuples(st.sampled_from(SCHEMES), WORDS).map("".join)
ENTRIES = st.builds(
    RawEntry,
    title=WORDS,
    id=WORDS,
    url=LINKS,
    summary=WORDS,
    text=WORDS | st.text(min_size=200, max_size=700),
    author=WORDS,
    outlet=WORDS,
    published=WORDS
    | st.sampled_from(["2026-11-24", "Mon, 14 Sep 2020 10:00", "9999-12-31T23:59:59Z"]),
    published_guess=st.none() | st.datetimes() | st.datetimes(timezones=st.just(dt.UTC)),
    language=WORDS | st.sampled_from(["en", "xx", "zh-Hant"]),
    topics=st.lists(WORDS, max_size=8).map(tuple),
    image=st.none() | st.builds(Image, url=LINKS, alt=WORDS),
    rating=st.none() | st.builds(RawRating, value=WORDS, count=WORDS, best=WORDS, origin=WORDS),
)


def texts_in(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for part in value.values() for text in texts_in(part)]
    if isinstance(value, tuple | list):
        return [text for part in value for text in texts_in(part)]
    return [value] if isinstance(value, str) else []


@given(ENTRIES)
def test_whatever_a_source_says_an_article_is_safe_or_refused(raw: RawEntry) -> None:
    source = SourceSettings(name="Example", url=FEED, timezone="Europe/Berlin")
    try:
        found = to_article(raw, source=source, fetched_at=NOON, feed_url=FEED)
    except Unusable:
        return
    for text in texts_in(asdict(found)):
        assert not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in text)
        assert not set(text) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
        text.encode("utf-8")
    assert found.title
    assert found.key
    for link in (found.url, found.image.url if found.image else ""):
        assert not link or link.startswith(("https://", "http://"))
    assert found.published_at is None or found.published_at <= NOON


def test_five_hundred_entries_cost_less_than_two_seconds() -> None:
    entries = [
        entry(
            title=f"Chat app number {number} learns to listen",
            url=f"https://news.example.com/{number}?utm_source=rss",
            text=f"{TEXT} This is text {number}. " * 60,
            published=f"Mon, 14 Sep 2020 10:{number % 60:02}:00 +0200",
        )
        for number in range(500)
    ]
    read(entries[0])
    start = time.process_time()
    assert len({read(one).key for one in entries}) == 500
    assert time.process_time() - start < 2
