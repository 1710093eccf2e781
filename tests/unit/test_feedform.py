"""Feeds of every form become the same plain entries; hostile ones are refused by name."""

import datetime as dt
import gzip
import json
from pathlib import Path

import pytest

from digest.errors import SourceMalformed, SourceRefused
from digest.model.articles import Image
from digest.sources.entries import MAX_ENTRIES
from digest.sources.feedform import parse_feed
from digest.sources.parsing import Job, Parsed

FEEDS = Path(__file__).parent.parent / "fixtures" / "feeds"


def read(name: str, url: str = "https://feeds.example.com/dir/feed.xml") -> Parsed:
    return parse_feed(Job(form="feed", body=(FEEDS / name).read_bytes(), url=url))


def parse(text: str) -> Parsed:
    return parse_feed(Job(form="feed", body=text.encode(), url="https://x.example.com/feed"))


def json_feed(*items: object) -> str:
    return json.dumps({"version": "https://jsonfeed.org/version/1.1", "items": items})


def rss(items: str) -> str:
    channel = "<title>T</title><link>https://x.example.com/</link>"
    return f'<rss version="2.0"><channel>{channel}{items}</channel></rss>'


@pytest.mark.parametrize(
    ("name", "title", "language", "first", "entries"),
    [
        ("rss091.xml", "Old Press", "en-us", "Pocket Map goes offline", 2),
        ("rss092.xml", "Notes", "", "", 2),
        ("rss10.rdf", "Rdf News", "de", "Neue App", 1),
        ("rss20.xml", "App Courier", "en-GB", "Tom & Jerry’s new app", 4),
        ("atom03.xml", "Third Atom", "en", "Old form", 1),
        ("atom10.xml", "Atom & Friends", "en", "Relative", 2),
        ("feed.json", "Json News", "en", "Seven & more", 2),
        ("utf16.xml", "Größe", "", "Übergröße – neu", 1),
        ("windows-1251.xml", "Новости", "", "Новое приложение", 1),
        ("warning-first.xml", "Late", "", "Still read", 1),
        ("punycode.xml", "P", "", "Café", 1),
    ],
)
def test_every_form_of_feed_is_read(
    name: str, title: str, language: str, first: str, entries: int
) -> None:
    parsed = read(name)
    assert (parsed.title, parsed.language) == (title, language)
    assert (parsed.entries[0].title, len(parsed.entries)) == (first, entries)


def test_rss_item_gives_plain_text_link_date_topics_and_the_largest_picture() -> None:
    entry = read("rss20.xml").entries[0]
    assert entry.url == "https://courier.example.com/a?x=1&y=2"
    assert (entry.id, entry.topics) == ("c-1", ("Apps", "Games"))
    assert entry.summary == "Short & sweet."
    assert entry.text == "First part.\n\nSecond\nline."
    assert entry.published == "Mon, 16 Nov 2026 09:30:00 +0100"
    assert entry.published_guess == dt.datetime(2026, 11, 16, 8, 30, tzinfo=dt.UTC)
    assert entry.image is not None
    assert (entry.image.url, entry.image.width, entry.image.height) == (
        "https://courier.example.com/big.png",
        1200,
        630,
    )


def test_a_guid_stands_in_for_a_missing_link_unless_it_says_that_it_is_none() -> None:
    _, permalink, opaque, active = read("rss20.xml").entries
    assert permalink.url == "https://courier.example.com/by-guid"
    assert (opaque.url, opaque.id) == ("", "https://courier.example.com/not-a-link")
    assert active.url == ""


def test_atom_links_are_resolved_against_the_nearest_base_and_html_comes_first() -> None:
    first, second = read("atom10.xml").entries
    assert first.url == "https://atom.example.com/blog/one.html"
    assert second.url == "https://atom.example.com/two"
    assert second.title == "Why a < b matters"
    assert (first.text, first.topics, first.author) == ("One\n\nTwo", ("Apps",), "Ann Alpha")
    assert first.published_guess == dt.datetime(2026, 11, 17, 10, tzinfo=dt.UTC)
    assert first.image is not None
    assert first.image.url == "https://atom.example.com/blog/pic.png"


def test_star_ratings_are_kept_as_stated_with_their_scale() -> None:
    first, second = read("videos.xml").entries
    assert first.rating is not None
    assert second.rating is not None
    assert (first.rating.value, first.rating.count, first.rating.best) == ("4.79", "3546", "5")
    assert (second.rating.value, second.rating.best, second.rating.worst) == ("7.5", "10", "0")
    assert first.summary == "What it shows."


def test_item_source_is_the_outlet() -> None:
    assert read("rss092.xml").entries[1].outlet == "Elsewhere Daily"


def test_an_entry_with_neither_title_link_nor_text_is_refused_with_a_reason() -> None:
    refused = read("rss092.xml").refused
    assert refused == (("entry 3", "It has neither a title nor a link nor text."),)


def test_podcast_episode_is_known_by_its_enclosure_without_linking_to_it() -> None:
    entry = read("podcast.xml").entries[0]
    assert (entry.id, entry.url) == ("https://talk.example.com/1.mp3", "")


def test_bare_ampersands_survive_in_titles_and_links() -> None:
    parsed = read("bare-ampersand.xml")
    entry = parsed.entries[0]
    assert parsed.title == "R&D"
    assert entry.title == "AT&T Q&A today"
    assert entry.url == "https://amp.example.com/?a=1&copy=3&b=2"
    assert entry.summary == "Fish & chips"


def test_json_feed_takes_numbers_as_ids_and_reads_the_rating_extension() -> None:
    first, second = read("feed.json").entries
    assert (first.id, first.url) == ("7", "https://feeds.example.com/7")
    assert first.rating is not None
    assert (first.rating.value, first.rating.count) == ("4.6", "120")
    assert first.published_guess == dt.datetime(2026, 11, 19, 11, tzinfo=dt.UTC)
    assert (second.text, second.published, second.published_guess) == (
        "a < b",
        "2026-11-19 12:00:00",
        None,
    )


@pytest.mark.parametrize("date", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_date_that_no_calendar_holds_costs_its_guess_and_nothing_else(date: str) -> None:
    items = [{"title": "One", "date_published": date}, {"title": "Two"}]
    first, second = parse(json_feed(*items)).entries
    assert (first.title, first.published, first.published_guess) == ("One", date, None)
    assert second.title == "Two"


@pytest.mark.parametrize(
    ("escaped", "title"),
    [
        (r"A \ud83d\ude00 face", "A \U0001f600 face"),
        (r"A \ud83d face", "A \ufffd face"),
        (r"A \uDE00\uD83D face", "A \ufffd\ufffd face"),
        (r"A \ud83d \\ud83d \n face", r"A � \ud83d face"),
        (r"A \\\ud83d\u0041 face", "A \\\ufffdA face"),
    ],
)
def test_half_a_character_in_json_costs_itself_only(escaped: str, title: str) -> None:
    feed = json_feed({"title": "FIRST"}, {"title": "SECOND"})
    first, second = parse(feed.replace("FIRST", escaped).replace("SECOND", r"\ud83d")).entries
    assert (first.title, second.title) == (title, "\ufffd")


def test_entity_bomb_and_file_entity_stay_unexpanded() -> None:
    title = read("billion-laughs.xml").entries[0].title
    assert title == "&a9;&file;"


def test_a_page_is_no_feed_and_the_hint_names_the_feed_that_it_links() -> None:
    with pytest.raises(SourceMalformed, match="web page") as caught:
        read("page-with-feed.html", "https://home.example.com/")
    assert "https://home.example.com/feed.xml?a=1&b=2" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("/etc/passwd", "not a feed"),
        ("https://x.example.com/feed", "not a feed"),
        ("<opml><head/><body/></opml>", "OPML"),
        ('<?xml version="1.0"?><urlset></urlset>', "sitemap"),
        ('<rss version="2.0"></rss>', "without a channel"),
        ('{"version": "https://jsonfeed.org/version/1", "items": [', "cut off"),
        ('{"appnews": {}}', "not a JSON Feed"),
    ],
)
def test_what_is_no_feed_is_said_to_be_none(text: str, message: str) -> None:
    with pytest.raises(SourceMalformed, match=message):
        parse(text)


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ("<item><title>x</title>" + "<category>c</category>" * 2000 + "</item>", "parts"),
        ("<item " + " ".join(f'a{n}="1"' for n in range(40_000)) + "/>", "attributes"),
        ("<b>" * 300 + "</b>" * 300, "nested"),
        ("<b>" * 200_000, "nested"),
    ],
)
def test_floods_are_refused_before_the_slow_parser_sees_them(items: str, message: str) -> None:
    with pytest.raises(SourceRefused, match=message):
        parse(rss(items))


def test_json_nested_without_end_is_refused() -> None:
    with pytest.raises(SourceRefused, match="nested"):
        parse('{"version": ' + "[" * 200_000)


def test_of_very_many_entries_the_newest_are_kept_in_the_feeds_order() -> None:
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    items = "".join(
        f"<item><title>{n}</title><pubDate>{start + dt.timedelta(hours=n):%d %b %Y %H:%M:%S} GMT"
        "</pubDate></item>"
        for n in range(3000)
    )
    parsed = parse(rss(items))
    assert [entry.title for entry in parsed.entries] == [str(n) for n in range(2500, 3000)]
    assert len(parsed.entries) == MAX_ENTRIES
    assert parsed.refused[-1][0] == "2500 older entries"


def test_gzip_without_its_header_is_unpacked_and_a_bomb_is_not() -> None:
    body = (FEEDS / "rss20.xml").read_bytes()
    assert len(parse_feed(Job(form="feed", body=gzip.compress(body))).entries) == 4
    with pytest.raises(SourceRefused, match="unpacks"):
        parse_feed(Job(form="feed", body=gzip.compress(b"<" * 50_000_000)))


def test_gzip_that_breaks_off_is_not_taken_for_the_whole_feed() -> None:
    whole = gzip.compress((FEEDS / "rss20.xml").read_bytes())
    with pytest.raises(SourceMalformed, match="breaks off"):
        parse_feed(Job(form="feed", body=whole[:-200]))


def test_text_encoded_twice_is_set_right() -> None:
    doubled = "Größe’s".encode().decode("cp1252")
    assert doubled != "Größe’s"
    assert parse(rss(f"<item><title>{doubled}</title></item>")).entries[0].title == "Größe’s"


def test_picture_takes_its_description_from_the_text_that_shows_it() -> None:
    media = '<media:content url="https://x.example.com/{}.jpg" medium="image" width="900"/>'
    shown = '<description>&lt;img src="/one.jpg" alt="An owl" &gt;</description>'
    feed = (
        '<rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/"><channel>{}</channel></rss>'
    )
    for name, alt in (("one", "An owl"), ("two", "")):
        item = f"<item><title>T</title>{media.format(name)}{shown}</item>"
        image = parse(feed.format(item)).entries[0].image
        assert image is not None
        assert (image.url[-7:], image.alt) == (f"{name}.jpg", alt)


SIZED = "width='640' height='360'"


@pytest.mark.parametrize(
    ("stated", "shown", "image"),
    [
        ("a", f"a {SIZED} alt='An owl'", ("a", 640, 360, "An owl")),
        ("a", f"b {SIZED} alt='An owl'", ("b", 640, 360, "An owl")),
        (f"a {SIZED}", "a alt='An owl'", ("a", 640, 360, "An owl")),
        (f"a {SIZED}", "b width='100' height='100' alt='An owl'", ("a", 640, 360, "")),
        ("a", "b alt='An owl'", ("a", None, None, "")),
        ("", "b alt='An owl'", ("b", None, None, "An owl")),
    ],
)
def test_a_picture_whose_size_is_known_comes_first(
    stated: str, shown: str, image: tuple[str, int | None, int | None, str]
) -> None:
    name, _, size = stated.partition(" ")
    thumbnail = f"<media:thumbnail url='https://x.example.com/{name}' {size}/>" if name else ""
    markup = f"<img src='/{shown.replace(' ', chr(39) + ' ', 1)}>"
    item = (
        f"<item><title>T</title>{thumbnail}<description><![CDATA[{markup}]]></description></item>"
    )
    feed = rss(item).replace("<rss ", '<rss xmlns:media="http://search.yahoo.com/mrss/" ')
    found = parse(feed).entries[0].image
    assert found is not None
    assert (found.url, found.width, found.height, found.alt) == (
        f"https://x.example.com/{image[0]}",
        *image[1:],
    )


@pytest.mark.parametrize("stated", ["", "/a.png"])
def test_json_feed_finds_the_picture_in_its_markup(stated: str) -> None:
    markup = f"<p>Text</p><img src='/a.png' alt='An owl' {SIZED}>"
    feed = json_feed({"id": "1", "title": "T", "image": stated, "content_html": markup})
    assert parse(feed).entries[0].image == Image(
        url="https://x.example.com/a.png", width=640, height=360, alt="An owl"
    )
