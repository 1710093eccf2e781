"""An article page gives one entry, with a rating only where its article states one."""

import datetime as dt
import json
from pathlib import Path

import pytest

from digest.errors import SourceMalformed
from digest.model.articles import Image, RawEntry, RawRating
from digest.sources.pages import parse_page
from digest.sources.parsing import Job

PAGE = Path(__file__).parent.parent / "fixtures" / "feeds" / "article.html"
URL = "https://page.example.com/articles/one?utm=1"
STARS = {"@type": "AggregateRating", "ratingValue": "4.5", "ratingCount": "12"}


def read(html: bytes) -> RawEntry:
    (entry,) = parse_page(Job(form="page", body=html, url=URL)).entries
    return entry


def page_of(*nodes: object, markup: str = "") -> RawEntry:
    scripts = "".join(
        f'<script type="application/ld+json">{json.dumps(node)}</script>' for node in nodes
    )
    head = f"<html><head><title>A title</title>{scripts}</head>"
    return read(f"{head}<body>{markup}<p>Text.</p></body></html>".encode())


def rating_of(*nodes: object, markup: str = "") -> RawRating | None:
    return page_of(*nodes, markup=markup).rating


def test_page_gives_what_it_states_for_machines() -> None:
    entry = read(PAGE.read_bytes())
    assert entry.url == "https://page.example.com/articles/one"
    assert (entry.title, entry.author, entry.outlet) == (
        "Headline & more",
        "Pat Page",
        "Page Press",
    )
    assert (entry.topics, entry.language) == (("Apps",), "en")
    assert entry.published_guess == dt.datetime(2026, 11, 18, 8, tzinfo=dt.UTC)
    assert entry.summary == "What it is about."
    assert "Paragraph 3 tells" in entry.text
    assert "Menu" not in entry.text
    assert entry.image is not None
    assert (entry.image.width, entry.image.height) == (1200, 630)
    assert entry.rating == RawRating(value="4,5", count="31", best="5", origin="page")


def test_rating_of_the_article_itself_counts_also_with_a_list_of_types() -> None:
    article = {"@type": ["WebPage", "Article"], "headline": "A", "aggregateRating": STARS}
    found = rating_of(article)
    assert found is not None
    assert (found.value, found.count) == ("4.5", "12")


@pytest.mark.parametrize(
    "kind",
    [
        "SoftwareApplication",
        "Product",
        "DiscussionForumPosting",
        "CreativeWorkSeries",
        "Organization",
    ],
)
def test_rating_of_another_thing_is_not_the_articles(kind: str) -> None:
    other = {"@type": kind, "name": "Thing", "aggregateRating": STARS}
    assert rating_of(other) is None
    assert rating_of({"@type": "Article", "headline": "A"}, other) is None


def test_rating_of_a_place_inside_the_article_is_not_the_articles() -> None:
    place = {"@type": "Place", "aggregateRating": {"ratingValue": 7.9, "bestRating": 10}}
    assert rating_of({"@type": "BlogPosting", "headline": "A", "mainEntity": place}) is None


def test_in_a_list_of_articles_no_rating_is_the_pages() -> None:
    one = {"@type": "Article", "headline": "One", "aggregateRating": STARS}
    two = {"@type": "Article", "headline": "Two", "aggregateRating": STARS}
    assert rating_of(one, two) is None
    assert rating_of({**one, "url": URL}, two) is not None


def test_rating_in_microdata_counts_like_in_json() -> None:
    markup = (
        '<div itemscope itemtype="http://schema.org/Article"><b itemprop="name">A</b>'
        '<i itemprop="aggregateRating" itemscope itemtype="http://schema.org/AggregateRating">'
        '<b itemprop="ratingValue">4.73</b><b itemprop="ratingCount">95</b></i></div>'
    )
    found = rating_of(markup=markup)
    assert found is not None
    assert (found.value, found.count) == ("4.73", "95")


@pytest.mark.parametrize("date", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_date_that_no_calendar_holds_costs_its_guess_and_nothing_else(date: str) -> None:
    entry = page_of({"@type": "Article", "headline": "A", "datePublished": date})
    assert (entry.title, entry.published, entry.published_guess) == ("A", date, None)


OWL = "https://page.example.com/owl.png"


@pytest.mark.parametrize(
    ("shared", "stated", "image"),
    [
        (
            "/owl.png",
            {"url": OWL, "width": 1200, "height": 630},
            Image(url=OWL, width=1200, height=630),
        ),
        (
            "/cat.png",
            [{"url": OWL, "width": 1200, "height": 630}],
            Image(url=OWL, width=1200, height=630),
        ),
        ("/owl.png", "/cat.png", Image(url=OWL)),
        ("", ["/owl.png", "/cat.png"], Image(url=OWL)),
    ],
)
def test_a_picture_whose_size_is_known_comes_first(
    shared: str, stated: object, image: Image
) -> None:
    article = {"@type": "Article", "headline": "A", "image": stated}
    markup = f'<meta property="og:image" content="{shared}">' if shared else ""
    assert page_of(article, markup=markup).image == image


def test_half_a_character_in_json_is_dropped_wherever_it_stands() -> None:
    article = {
        "@type": "Article",
        "headline": "An \ud83dowl",
        "author": "Ann\ud83d",
        "datePublished": "2026-\ud83d11-18",
        "articleSection": "Ap\ud83dps",
        "image": "/owl\ud83d.png",
        "inLanguage": "en\ud83d",
        "aggregateRating": {"ratingValue": "4.\ud83d5", "ratingCount": "12"},
    }
    entry = page_of(article)
    assert (entry.title, entry.author, entry.topics) == ("An owl", "Ann", ("Apps",))
    assert (entry.published, entry.image) == ("2026-11-18", Image(url=OWL))
    assert (entry.language, entry.rating and entry.rating.value) == ("en", "4.5")


def test_json_of_odd_shapes_harms_nothing() -> None:
    assert rating_of([[[{"@graph": [None, 3, "x"]}]], {"@type": 5}, {"@type": "Article"}]) is None


@pytest.mark.parametrize("html", [b"", b"   ", b"<html></html>"])
def test_an_empty_page_is_malformed(html: bytes) -> None:
    with pytest.raises(SourceMalformed):
        read(html)
