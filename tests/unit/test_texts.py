"""Articles in text files: the form of a saved page and Markdown with front matter."""

import datetime as dt

import pytest

from digest.errors import SourceMalformed
from digest.model.articles import RawEntry
from digest.sources.markup import decode, plain_text
from digest.sources.parsing import Job
from digest.sources.texts import parse_markdown, parse_text

SEED = """Chat App Learns To Listen

Sep 14, 2026 App News

Chat App Learns To Listen

It hears “everything” now.

And it
forgets it.

Rate this article:{rating}

Related articles"""


def text(body: str | bytes) -> RawEntry:
    body = body.encode() if isinstance(body, str) else body
    job = Job(form="text", body=body, timezone="Europe/Berlin", language="en")
    return parse_text(job).entries[0]


def markdown(body: str) -> RawEntry:
    return parse_markdown(
        Job(form="markdown", body=body.encode(), timezone="Europe/Berlin")
    ).entries[0]


def test_saved_page_gives_title_date_category_and_body_without_the_markers() -> None:
    entry = text(SEED.format(rating=""))
    assert entry.title == "Chat App Learns To Listen"
    assert (entry.published, entry.topics) == ("Sep 14, 2026", ("App News",))
    assert entry.published_guess == dt.datetime(2026, 9, 14, 10, tzinfo=dt.UTC)  # noon in Berlin
    assert entry.text == "It hears “everything” now.\n\nAnd it forgets it."
    assert entry.rating is None


@pytest.mark.parametrize(
    ("written", "value", "count", "best"),
    [
        (" 4.6 (120 votes)", "4.6", "120", "5"),
        (" 4.6/5 (120)", "4.6", "120", "5"),
        (" 9/10 (1,204 ratings)", "9", "1204", "10"),
        ("\n\n★★★★☆ 4,2 (1 vote)", "4,2", "1", "5"),
    ],
)
def test_saved_page_reads_stars_with_votes(written: str, value: str, count: str, best: str) -> None:
    rating = text(SEED.format(rating=written)).rating
    assert rating is not None
    assert (rating.value, rating.count, rating.best) == (value, count, best)


@pytest.mark.parametrize("written", [" 4.6", " soon", " (120 votes)"])
def test_saved_page_takes_no_rating_from_half_a_statement(written: str) -> None:
    assert text(SEED.format(rating=written)).rating is None


def test_text_with_nothing_but_a_title_is_an_undated_article() -> None:
    entry = text("Only a title\r\n")
    assert (entry.title, entry.published, entry.text) == ("Only a title", "", "")


@pytest.mark.parametrize("body", [b"", b" \n\n", b"Rate this article:", b"PK\x03\x04\0\0\0\0"])
def test_what_is_no_text_article_is_malformed(body: bytes) -> None:
    with pytest.raises(SourceMalformed):
        text(body)


def test_markdown_takes_its_facts_from_the_front_matter_and_its_text_from_the_body() -> None:
    entry = markdown(
        "---\ntitle: A *map* app\ndate: 2026-11-18\nurl: https://md.example.com/1\nrating: 4.4\n"
        "votes: 31\ncategory: Apps\ntags: [Maps, Apps]\nimage: https://md.example.com/i.png\n"
        "---\nFirst **bold** words.\n\n<script>alert(1)</script>\n\n- one\n- two\n"
    )
    assert (entry.title, entry.url) == ("A *map* app", "https://md.example.com/1")
    assert entry.published_guess == dt.datetime(2026, 11, 18, 11, tzinfo=dt.UTC)
    assert entry.topics == ("Apps", "Maps")
    assert entry.text == "First bold words.\n\none\ntwo"
    assert entry.rating is not None
    assert (entry.rating.value, entry.rating.count) == ("4.4", "31")


@pytest.mark.parametrize("date", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
@pytest.mark.parametrize("quote", ["", "'"])
def test_a_date_that_no_calendar_holds_costs_its_guess_and_nothing_else(
    date: str, quote: str
) -> None:
    entry = markdown(f"---\ntitle: T\ndate: {quote}{date}{quote}\n---\nWords.\n")
    assert (entry.title, entry.published, entry.published_guess) == ("T", date, None)


def test_markdown_without_front_matter_is_titled_by_its_heading() -> None:
    entry = markdown("# A `code` title\n\nWords.\n")
    assert (entry.title, entry.text) == ("A code title", "Words.")


@pytest.mark.parametrize(
    "matter",
    [
        "title: [unclosed",
        "title: !!python/object/apply:os.getcwd []",
    ],
)
def test_front_matter_that_is_no_map_of_plain_values_is_malformed(matter: str) -> None:
    with pytest.raises(SourceMalformed, match="front matter"):
        markdown(f"---\n{matter}\n---\nText\n")


def test_yaml_aliases_that_multiply_cost_nothing() -> None:
    rows = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40)]
    entry = markdown("---\ntitle: T\n" + "\n".join(rows) + "\ntags: *a39\n---\n")
    assert (entry.title, entry.topics) == ("T", ())


@pytest.mark.parametrize(
    ("markup", "plain"),
    [
        ("a < b &amp; c", "a < b & c"),
        ("&amp;lt;b&amp;gt;", "&lt;b&gt;"),
        ("<p>One</p><p>Two<br>three</p>", "One\n\nTwo\nthree"),
        ("<ul><li>a</li><li>b</li></ul>", "a\nb"),
        ("x<style>p{}</style><!-- c -->y", "xy"),
        ("one\ntwo\n\nthree", "one two\n\nthree"),
        ("<div>" * 1000 + "deep", "deep"),
        ("", ""),
    ],
)
def test_markup_becomes_the_text_that_a_reader_would_see(markup: str, plain: str) -> None:
    assert plain_text(markup) == plain


@pytest.mark.parametrize(
    ("body", "header", "text"),
    [
        ("Größe".encode(), "text/xml; charset=iso-8859-1", "Größe"),
        ("Größe".encode("latin-1"), "", "Größe"),
        ("Größe".encode("latin-1"), "text/plain; charset=zlib", "Größe"),
        ("Привет".encode("koi8-r"), "text/plain; charset=koi8-r", "Привет"),
        ("ö".encode() * 50 + b"\xff", "", "ö" * 50 + "\ufffd"),
        (b"a\x00\x0bb\r\nc", "", "ab\nc"),
    ],
)
def test_bytes_are_decoded_by_what_they_are_before_what_they_claim(
    body: bytes, header: str, text: str
) -> None:
    assert decode(body, header) == text
