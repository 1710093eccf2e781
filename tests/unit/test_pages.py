"""An article page gives one entry, with a rating only where its article states one."""

import datetime as dt
import json
from pathlib import Path

import pytest

from digest.errors import SourceMalformed
from digest.model.articles import RawEntry, RawRating
from digest.sources.pages import parse_page
from digest.sources.parsing import Job

PAGE = Path(__file__).parent.parent / "fixtures" / "feeds" / "article.html"
URL = "https://page.example.com/articles/one?utm=1"
STARS = {"@type": "AggregateRating", "ratingValue": "4.5", "ratingCount": "12"}


def read(html: bytes) -> RawEntry:
    (entry,) = parse_page(Job(form="page", body=html, url=URL)).entries
    return entry


def rating_of(*nodes: object, markup: str = "") -> RawRating | None:
    scripts = "".join(
        f'<script type="application/ld+json">{json.dumps(node)}</script>' for node in nodes
    )
    head = f"<html><head><title>A title</title>{scripts}</head>"
    return read(f"{head}<body>{markup}<p>Text.</p></body></html>".encode()).rating


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


def test_json_of_odd_shapes_harms_nothing() -> None:
    assert rating_of([[[{"@graph": [None, 3, "x"]}]], {"@type": 5}, {"@type": "Article"}]) is None


@pytest.mark.parametrize("html", [b"", b"   ", b"<html></html>"])
def test_an_empty_page_is_malformed(html: bytes) -> None:
    with pytest.raises(SourceMalformed):
        read(html)
