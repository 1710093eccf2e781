"""The feed of past editions over a real server."""

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path

import feedparser
import pytest
from lxml import etree

from tests.archives import NOW, SENT, ArchiveSite, archive_site, put

PUBLIC = "https://news.example.com"
SECOND = dt.timedelta(seconds=1)
ATOM = {"a": "http://www.w3.org/2005/Atom"}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[ArchiveSite]:
    with archive_site(tmp_path / "weekly") as running:
        yield running


def test_feed_is_read_back_as_what_it_tells(site: ArchiveSite) -> None:
    for weeks in range(21):
        put(site.app, weeks, count=2, subject=f"Week & {weeks}", preheader="Also <this>")
    site.correct("It was <wrong>.", label="2026-W47")
    answer = site.ask("/archive/feed.xml")
    assert answer.headers["Content-Type"] == "application/atom+xml; charset=utf-8"
    read = feedparser.parse(answer.body)
    assert not read.bozo
    assert read.version == "atom10"
    assert read.feed.title == read.feed.author == "App News Weekly"
    assert read.feed.id == f"{PUBLIC}/archive"
    links = {link.rel: link.href for link in read.feed.links}
    assert links == {"self": f"{PUBLIC}/archive/feed.xml", "alternate": f"{PUBLIC}/archive"}
    assert len(read.entries) == 20
    assert len({entry.id for entry in read.entries}) == 20
    newest, corrected = read.entries[:2]
    assert newest.id == newest.link == f"{PUBLIC}/archive/2026-W48"
    assert newest.title == "Week & 0"
    assert newest.published == newest.updated == f"{SENT:%Y-%m-%dT%H:%M:%SZ}"
    assert corrected.updated == read.feed.updated == f"{NOW:%Y-%m-%dT%H:%M:%SZ}"
    assert corrected.published < corrected.updated
    assert "It was &lt;wrong&gt;." in corrected.content[0].value
    assert f"{PUBLIC}/archive/2026-W48#s-1" in newest.content[0].value
    raw = etree.fromstring(answer.body)
    assert raw.xpath("string(//a:entry[1]/a:summary)", namespaces=ATOM) == "Also <this>"
    assert raw.get("{http://www.w3.org/XML/1998/namespace}lang") == "en"


def test_feed_has_what_the_standard_asks_for_with_and_without_editions(site: ArchiveSite) -> None:
    """RFC 4287, 4.1.1 and 4.1.2: each once, and one author; 3.3: how instants are written."""

    def once(parent: etree._Element, name: str) -> str:
        [found] = parent.findall(f"a:{name}", ATOM)
        return found.text or ""

    for editions in range(3):
        feed = etree.fromstring(site.ask("/archive/feed.xml").body)
        entries = feed.findall("a:entry", ATOM)
        assert len(entries) == editions
        assert once(feed.find("a:author", ATOM), "name")
        for parent in (feed, *entries):
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", once(parent, "updated"))
            assert once(parent, "id").startswith(f"{PUBLIC}/archive")
            assert once(parent, "title")
        put(site.app, editions)


def test_feed_comes_once_to_who_says_what_they_have(site: ArchiveSite) -> None:
    put(site.app)
    answer = site.ask("/archive/feed.xml")
    tag, changed = answer.headers["ETag"], answer.headers["Last-Modified"]
    for known in (
        {"If-None-Match": tag},
        {"If-None-Match": f'"other", W/{tag}'},
        {"If-None-Match": "*"},
        {"If-Modified-Since": changed},
        {"If-None-Match": tag, "If-Modified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"},
    ):
        again = site.ask("/archive/feed.xml", **known)
        assert (again.status, again.body) == (304, b"")
        assert again.headers["ETag"] == tag
    for unknown in (
        {"If-None-Match": '"other"', "If-Modified-Since": changed},
        {"If-Modified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"},
        {"If-Modified-Since": "yesterday"},
        {"If-Modified-Since": "Mon, 99 Jan 2001 00:00:00 GMT"},
    ):
        assert site.ask("/archive/feed.xml", **unknown).status == 200
    head = site.ask("/archive/feed.xml", "HEAD")
    assert (head.status, head.body, head.headers["ETag"]) == (200, b"", tag)
    site.clock.move(SECOND)
    site.correct("Wrong.")
    assert site.ask("/archive/feed.xml", **{"If-None-Match": tag}).status == 200
    assert site.ask("/archive/feed.xml", **{"If-Modified-Since": changed}).status == 200
