"""The archive over a real server: the list, its search, and the pages of editions."""

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import structlog
from lxml import etree
from lxml import html as lxml_html

from digest.testing.factories import make_story
from tests.archives import NOW, SENT, WEEK, ArchiveSite, archive_site, period, put
from tests.website import Answer, rows_of

PUBLIC = "https://news.example.com"
SECOND = dt.timedelta(seconds=1)
ATOM = {"a": "http://www.w3.org/2005/Atom"}
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}{% oops %}",
    "]]> & &amp; &lt;",
    "xDIGESTaddressx",
    "a\x00\x07\ufffe\u202eb",
    "%(headline)s %s 100 %",
)


QUERIES = (
    "q='; DROP TABLE editions; --",
    "q=%",
    "q=_",
    "q=\\",
    'q="',
    "q=" + "a" * 5000,
    "q=" + "aß " * 3000,
    "q=\x00\x1f*",
    "q=%ff%fe",
    f"q={10**30}",
    "q=<script>alert(1)</script>",
    "q=%(num)s {{ 7*7 }}",
    "q[]=maps",
    "order=id;&sort=1'&Q=*",
    "&&==&",
)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[ArchiveSite]:
    with archive_site(tmp_path / "weekly") as running:
        yield running


def tree(answer: Answer) -> lxml_html.HtmlElement:
    assert answer.status == 200, answer.status
    return lxml_html.document_fromstring(answer.body)


def listed(site: ArchiveSite, query: str = "") -> list[str]:
    """Return the labels of the editions that a page of the list shows."""
    links = tree(site.ask(f"/archive{query}")).xpath("//ul[@class='editions']/li/a/@href")
    return [link.rpartition("/")[2] for link in links]


# The list


def test_before_the_first_edition_the_archive_says_when_it_comes(site: ArchiveSite) -> None:
    page = tree(site.ask("/archive"))
    assert "The first edition comes on Monday, December 7, 2026." in page.text_content()
    assert page.xpath("//a[@class='button']/@href") == ["/"]
    assert not page.xpath("//form")


def test_list_has_the_editions_that_readers_have_newest_first(site: ArchiveSite) -> None:
    for weeks in (2, 0, 1):
        put(site.app, weeks, subject=f"Week {weeks}")
    site.app.editions.draft("2026-W49", now=NOW)
    assert listed(site) == ["2026-W48", "2026-W47", "2026-W46"]
    answer = site.ask("/archive")
    assert "3 editions" in answer.text
    assert re.search(r"Nov 22\s–\s29, 2026", answer.text)
    assert answer.headers["X-Robots-Tag"] == "all"
    assert "public" in answer.headers["Cache-Control"]
    assert not answer.headers.get_all("Set-Cookie")
    assert not re.search(r"<script|<img|https?://|\bon[a-z]+=", answer.text)
    site.clock.move(SENT - NOW - SECOND)
    assert listed(site) == ["2026-W47", "2026-W46"]


def test_list_is_paged_and_grouped_by_year(site: ArchiveSite) -> None:
    some = [*range(20), *range(45, 50)]
    for weeks in some:
        put(site.app, weeks, count=1, subject=f"Subject {'long ' * 12}{weeks}")
    labels = [period(weeks).label for weeks in some]
    first, last = listed(site), listed(site, "?page=2")
    assert (first, last) == (labels[:20], labels[20:])
    assert tree(site.ask("/archive?page=2")).xpath("//h2/text()") == ["2026", "2025"]
    assert listed(site, "?year=2025") == [label for label in labels if label < "2026"]
    assert len(site.ask("/archive").body) < 15_000
    for query in ("?page=0", "?page=-1", "?page=x", "?page=1e9", f"?page={10**30}", "?page[]=2"):
        assert listed(site, query) == first
    assert listed(site, "?page=9999") == last
    assert listed(site, "?year=1999") == listed(site, "?year='--") == first


# The search


def test_search_finds_editions_with_all_the_words_wherever_they_stand(site: ArchiveSite) -> None:
    put(site.app, 1, stories=(), subject="Maps without a signal")
    put(site.app, 0, count=0)
    put(site.app, 2, stories=(), subject="The quiet week")
    words = {"headline": "Straße gesperrt", "summary": "Übersicht für Zürich"}
    put(site.app, 3, count=1, stories=(make_story(1, article_id=1, **words),))
    assert listed(site, "?q=maps") == ["2026-W47"]
    assert listed(site, "?q=SIGNAL+mAp") == ["2026-W47"]
    assert listed(site, "?q=quiet+maps") == []
    assert listed(site, "?q=" + quote("STRASSE zürich")) == ["2026-W45"]
    page = tree(site.ask("/archive?q=gesperrt"))
    assert "1 edition has all of these words." in page.text_content()
    [hit] = page.xpath("//ul[@class='hits']//a/@href")
    assert re.fullmatch(r"/archive/2026-W45#s-\d+", hit)
    assert page.xpath("//input[@name='q']/@value") == ["gesperrt"]
    nothing = site.ask("/archive?q=zebra")
    assert "No edition has all of these words." in nothing.text
    assert nothing.headers["X-Robots-Tag"] == "noindex"


def test_hostile_search_finds_nothing_and_breaks_nothing(site: ArchiveSite) -> None:
    put(site.app)
    before = rows_of(site.app)
    for query in QUERIES:
        answer = site.ask(f"/archive?{quote(query, safe='&=%[]')}")
        assert answer.status == 200, query
        assert len(answer.body) < 15_000
        assert "<script>alert" not in answer.text
        is_search = query.startswith("q=")
        assert listed(site, f"?{quote(query, safe='&=%[]')}") == ([] if is_search else ["2026-W48"])
    assert rows_of(site.app) == before


def test_blank_search_is_the_list(site: ArchiveSite) -> None:
    put(site.app)
    assert listed(site, "?q=+") == listed(site, "?q=") == ["2026-W48"]


# The page of an edition


def test_each_story_has_an_address_of_its_own(site: ArchiveSite) -> None:
    edition = put(site.app)
    page = tree(site.ask("/archive/2026-W48"))
    ids = [f"s-{story.article_id}" for story in edition.stories]
    assert page.xpath("//*[starts-with(@id, 's-')]/@id") == ids
    assert page.xpath("//a[starts-with(@href, '#')]/@href") == [f"#{one}" for one in ids]
    names = page.xpath("//a[starts-with(@href, '#')]/@aria-label")
    assert names == [f"Link to this story: {story.headline}" for story in edition.stories]


def test_page_leads_to_its_neighbours_and_to_signing_up(site: ArchiveSite) -> None:
    for weeks in (2, 1, 0):
        put(site.app, weeks)
    page = tree(site.ask("/archive/2026-W47"))
    assert page.xpath("//a[@rel='prev']/@href") == [f"{PUBLIC}/archive/2026-W46"]
    assert page.xpath("//a[@rel='next']/@href") == [f"{PUBLIC}/archive/2026-W48"]
    assert page.xpath("//link[@rel='alternate']/@href") == [f"{PUBLIC}/archive/feed.xml"]
    links = page.xpath("//*[contains(@class, 'footer')]//a/@href")
    assert f"{PUBLIC}/" in links
    assert f"{PUBLIC}/archive" in links
    assert not tree(site.ask("/archive/2026-W48")).xpath("//a[@rel='next']")
    assert not tree(site.ask("/archive/2026-W46")).xpath("//a[@rel='prev']")
    site.clock.move(SENT - NOW - SECOND)  # of an edition that nobody has yet nothing is told
    assert "W48" not in site.ask("/archive/2026-W47").text
    for label in ("2026-W48", "", "x", "feed.xml/", "2026-w47", "%00", "..%2f..%2fconfig"):
        assert site.ask(f"/archive/{label}").status == 404


def test_correction_shows_at_the_top_and_at_the_story(site: ArchiveSite) -> None:
    edition = put(site.app, subject="Headline number 1, and two more")
    first, second = edition.stories[:2]
    assert "Changed" not in site.ask("/archive/2026-W48").text
    told = {"reference": str(second.article_id), "headline": "New words", "summary": "It is free."}
    site.correct("It does not cost 40 euros.", **told)
    site.correct("The lead was another.", reference=first.url, headline="Better words")
    site.correct("We named the wrong week.")
    page = tree(site.ask("/archive/2026-W48"))
    text = page.text_content()
    assert text.count("Changed on Dec 2, 2026: It does not cost 40 euros.") == 2
    assert text.count("Changed on Dec 2, 2026: We named the wrong week.") == 1
    links = page.xpath(f"//a[@href='#s-{second.article_id}']")
    assert [link.text for link in links] == ["It does not cost 40 euros.", "#"]
    assert "New words" in text
    assert "It is free." in text
    assert second.headline not in text
    assert page.xpath("string(//title)") == "Better words, and two more – App News Weekly"
    assert "Better words, and two more" in site.ask("/archive").text
    assert listed(site, "?q=free") == ["2026-W48"]
    assert listed(site, f"?q={quote(second.headline)}") == []


def test_mail_stays_as_it_was_sent_whatever_is_corrected(site: ArchiveSite) -> None:
    edition = put(site.app)
    before = site.app.store.variants(edition.id or 0)
    stored = site.app.store.edition("app-news-weekly", "2026-W48")
    site.correct("Wrong.", reference=edition.stories[0].headline, headline="Other")
    assert site.app.store.variants(edition.id or 0) == before
    assert site.app.store.edition("app-news-weekly", "2026-W48") == stored


def test_hostile_words_are_harmless_on_every_page(site: ArchiveSite) -> None:
    for weeks, text in enumerate(HOSTILE):
        story = make_story(1, article_id=weeks + 1, headline=f"{text} a", summary=text)
        words = {"subject": text, "preheader": text, "intro": text}
        put(site.app, weeks, count=1, stories=(story,), **words)
        told = {"reference": str(weeks + 1), "headline": f"{text} c", "summary": text}
        site.correct(f"{text} b", label=period(weeks).label, **told)
    labels = [period(weeks).label for weeks in range(len(HOSTILE))]
    for path in ("/archive", "/archive?q=c", *(f"/archive/{label}" for label in labels)):
        page = tree(site.ask(path))
        assert page.xpath("//script | //img[@src='x'] | //@onerror") == []
        assert "49" not in page.text_content()
    assert listed(site, "?q=c") == labels
    feed = etree.fromstring(site.ask("/archive/feed.xml").body)
    for content in feed.xpath("//a:content/text()", namespaces=ATOM):
        assert lxml_html.fragment_fromstring(content, "div").xpath(".//script | .//img") == []


def test_answers_in_the_language_of_the_newsletter(tmp_path: Path) -> None:
    with archive_site(tmp_path / "weekly", '[newsletter]\nlanguage = "ar"\n') as site:
        assert "يصل العدد الأول في" in site.ask("/archive").text
        put(site.app)
        site.correct("خطأ")
        page = tree(site.ask("/archive"))
        assert page.get("dir") == "rtl"
        assert "الأعداد السابقة" in page.text_content()
        assert "عُدّل في" in site.ask("/archive/2026-W48").text
        assert "عُدّل في" in site.ask("/archive/feed.xml").text


# The page of an edition for one reader


def test_reader_rates_from_the_archive_and_nobody_else_does(site: ArchiveSite) -> None:
    edition = put(site.app)
    before = rows_of(site.app)
    for token in (site.token(edition), site.token(None)):
        answer = site.ask(f"/archive/2026-W48/{token}")
        stars = tree(answer).xpath("//a[contains(@href, '/r/')]/@href")
        assert stars == [
            f"{PUBLIC}/r/{token}/{story.article_id}/{number}"
            for story in edition.stories
            for number in range(1, 6)
        ]
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Robots-Tag"] == "noindex"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "img-src 'none'" in answer.headers["Content-Security-Policy"]
        assert '<meta name="robots" content="noindex">' in answer.text
        assert "<img" not in answer.text
        for path in ("/archive/2026-W48", "/archive", "/archive/feed.xml"):
            found = site.ask(path).text
            assert token not in found
            assert "/r/" not in found
    assert rows_of(site.app) == before


def test_page_has_no_stars_once_they_count_no_more(site: ArchiveSite) -> None:
    edition, older = put(site.app), put(site.app, 1)

    def stars(token: str) -> int:
        return site.ask(f"/archive/2026-W48/{token}").text.count("/r/")

    assert stars(site.token(edition)) == 15
    assert stars(site.token(older)) == 0  # a link of another edition
    assert stars(site.token(edition, reader=99)) == 0  # somebody who was erased
    site.app.subscribers.set_left(1, by="test", now=NOW)
    assert stars(site.token(edition)) == 0
    site.clock.move(5 * WEEK)
    assert stars(site.token(edition)) == stars(site.token(None)) == 0


def test_link_of_nobody_opens_no_edition(site: ArchiveSite) -> None:
    edition = put(site.app)
    token = site.token(edition)
    for bad in ("x", token[:-1] + "!", token.swapcase(), token + "A", "A" * 36, "%00", "a" * 3000):
        assert site.ask(f"/archive/2026-W48/{bad}").status == 404
    assert site.ask(f"/archive/2026-W47/{token}").status == 404
    for other in (site.app.tokens.account(1, now=NOW), site.app.tokens.confirm(1)):
        assert site.ask(f"/archive/2026-W48/{other}").status == 404


def test_log_names_no_token(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as logged, archive_site(tmp_path / "weekly") as site:
        token = site.token(put(site.app))
        site.ask(f"/archive/2026-W48/{token}")
        site.ask("/archive?q=reader@example.com")
    assert token not in str(logged)
    assert "reader@example.com" not in str(logged)


# Anywhere


def test_everything_stands_below_the_path_of_the_newsletter(tmp_path: Path) -> None:
    settings = f'[newsletter]\npublic_url = "{PUBLIC}/weekly/"\n'
    with archive_site(tmp_path / "weekly", settings) as site:
        put(site.app)
        page = tree(site.ask("/weekly/archive?q=headline"))
        links = [link for link in page.xpath("//@href | //@action") if not link.startswith("#")]
        assert all(link.startswith("/weekly/") for link in links)
        assert f"{PUBLIC}/weekly/archive/2026-W48" in site.ask("/weekly/archive/feed.xml").text
        assert site.ask("/archive").status == 404


def test_opening_the_archive_changes_nothing(site: ArchiveSite) -> None:
    token = site.token(put(site.app))
    before = rows_of(site.app)
    for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE"):
        for path in ("/archive", "/archive/feed.xml", "/archive/2026-W48", f"/archive/x/{token}"):
            assert site.ask(path, method).status in (200, 404, 405)
    assert rows_of(site.app) == before
