"""The starter's sample: invented articles that make the first preview, offline, on any day."""

import csv
import datetime as dt
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

from digest.app import App
from digest.clocks import FixedClock
from digest.model.articles import Article
from digest.normalising.urls import article_key
from digest.project import load, starter_root
from digest.ranking import origin
from digest.services.collection import SourceReport

WEDNESDAY = dt.datetime(2026, 11, 25, 9, tzinfo=dt.UTC)
SAMPLE = starter_root() / "config" / "sample"
PAGES = sorted((SAMPLE / "pages").glob("*.txt"))
SUBSCRIBERS = starter_root() / "subscribers"
OUTLETS = 7
NEW = 29  # articles of this week; one more is too old
STRAIGHT_QUOTE = re.compile("[\"']")
RESERVED = re.compile(r"(?:.+\.)?(?:example\.(?:com|org|net)|test)")
HOST = re.compile(r"(?:https?://|[\w.+-]+@)([\w.-]+)")
CONTENT = "{http://purl.org/rss/1.0/modules/content/}encoded"
SEED_FORM = re.compile(
    r"(?P<title>[^\n]+)\n\n[A-Z][a-z]{2} \d{1,2}, \d{4} App News\n\n(?P=title)\n\n"
    r"(?P<body>(?:[^\n]+\n\n){4,7})Rate this article:(?: \d\.\d \(\d+ votes\))?\n\n"
    r"Related articles"
)


@dataclass(frozen=True)
class Collected:
    """What is in the store after the first collecting, and how it got there."""

    reports: Mapping[str, SourceReport]
    articles: tuple[Article, ...]

    def of(self, source: str) -> list[Article]:
        return [article for article in self.articles if article.source == source]


def starter(now: dt.datetime) -> App:
    return App(load(starter_root(), {}), FixedClock(now))


@pytest.fixture(scope="module")
def collected() -> Iterator[Collected]:
    with starter(WEDNESDAY) as app:
        reports = app.collect()
        stored = app.store.articles(range(1, app.store.article_count() + 1))
        yield Collected(
            reports={report.name: report for report in reports},
            articles=tuple(item.article for item in stored.values()),
        )


def feed_items() -> list[ElementTree.Element]:
    return list(ElementTree.parse(SAMPLE / "feed.xml").getroot().iter("item"))


def feed_text(item: ElementTree.Element) -> str:
    """Return an item's words: title, summary and body, without the body's tags."""
    title, summary, body = (item.findtext(name, "") for name in ("title", "description", CONTENT))
    return "\n".join((title, summary, re.sub("<[^>]*>", "", body)))


def hosts(text: str) -> set[str]:
    """Return the hosts of the addresses in `text`; the names of XML namespaces are none."""
    return set(HOST.findall(re.sub(r'xmlns:\w+="[^"]*"', "", text)))


def test_all_of_the_sample_is_collected_and_nothing_is_refused(collected: Collected) -> None:
    assert [report.error for report in collected.reports.values()] == ["", ""]
    assert [report.refused for report in collected.reports.values()] == [(), ()]
    assert len(collected.of("Sample feed")) >= 18
    assert len(collected.of("Sample pages")) >= 10
    assert len({article.key for article in collected.articles}) == NEW + 1
    assert len({article.title for article in collected.articles}) == NEW + 1


def test_entry_that_comes_twice_with_another_guid_and_link_is_one_article(
    collected: Collected,
) -> None:
    links = [item.findtext("link", "") for item in feed_items()]
    assert len({item.findtext("guid") for item in feed_items()}) == len(links)
    assert len(set(links)) == len(links)
    keys = Counter(article_key(link) for link in links)
    [twice] = [key for key, count in keys.items() if count == 2]
    assert set(keys.values()) == {1, 2}
    assert [article.key for article in collected.articles].count(twice) == 1
    assert collected.reports["Sample feed"].new == len(links) - 1


def test_one_article_of_each_form_has_no_rating_and_the_others_are_rated_unevenly(
    collected: Collected,
) -> None:
    unrated = [article.source for article in collected.articles if article.rating is None]
    assert sorted(unrated) == ["Sample feed", "Sample pages"]
    stars = {(a.rating.mean, a.rating.votes) for a in collected.articles if a.rating}
    assert (5.0, 2) in stars
    assert any(mean == 4.6 and votes > 400 for mean, votes in stars)
    assert min(mean for mean, _ in stars) < 3


def test_one_article_is_too_old_and_the_rest_is_of_the_last_seven_days(
    collected: Collected,
) -> None:
    dates = [article.published_at for article in collected.articles if article.published_at]
    assert len(dates) == NEW + 1
    max_age_days = load(starter_root(), {}).settings.edition.max_age_days
    ages = sorted((WEDNESDAY - date) / dt.timedelta(days=1) for date in dates)
    assert 0 <= ages[0] < 1
    assert ages[-2] < 7
    assert ages[-1] > max_age_days


@pytest.mark.parametrize(
    "now",
    [
        dt.datetime(2026, 11, 25, 3, 1, tzinfo=dt.UTC),
        dt.datetime(2026, 11, 29, 16, 59, tzinfo=dt.UTC),
        dt.datetime(2026, 11, 30, 6, tzinfo=dt.UTC),
        dt.datetime(2026, 12, 1, 5, 59, tzinfo=dt.UTC),
        dt.datetime(2028, 2, 29, 23, 59, tzinfo=dt.UTC),
    ],
    ids=["midweek", "before the end", "at sending", "late", "leap day"],
)
def test_sample_fills_an_edition_whenever_it_is_first_collected(now: dt.datetime) -> None:
    with starter(now) as app:
        app.collect()
        edition = app.editions.compose("", now=now)
    assert edition.candidates == NEW
    assert len(edition.stories) == 10
    lead = edition.stories[0]
    assert lead.image is not None
    assert edition.subject.startswith(lead.headline)  # not cut
    assert " · " in edition.preheader
    assert all(story.url for story in edition.stories)
    assert len({story.outlet for story in edition.stories}) == OUTLETS


def test_few_perfect_votes_do_not_beat_many_good_ones() -> None:
    with starter(WEDNESDAY) as app:
        app.collect()
        ranked = app.editions.ranked(app.editions.period("", now=WEDNESDAY), now=WEDNESDAY)
    ratings = [item.stored.article.rating for item in ranked]
    stars = [(rating.mean, rating.votes) for rating in ratings if rating]
    assert stars.index((4.6, 431)) < stars.index((5.0, 2))


def test_feed_articles_state_outlet_topics_and_a_whole_summary(collected: Collected) -> None:
    articles = collected.of("Sample feed")
    assert len({origin(article) for article in articles}) == OUTLETS
    for article in articles:
        assert article.outlet, article.title
        assert 1 <= len(article.topics) <= 2, article.title
        assert article.url.startswith("https://"), article.title


def test_articles_are_long_enough_to_read_and_their_summaries_short_enough_to_skim(
    collected: Collected,
) -> None:
    for article in collected.articles:
        assert 45 <= len(article.title) <= 85, article.title
        assert 60 <= len(article.summary) <= 280, article.title
        assert article.summary.endswith((".", "?", "!", "”")), article.title
        assert 220 <= article.words <= 500, article.title


def test_markup_and_references_in_a_title_become_plain_text(collected: Collected) -> None:
    [entry] = [item for item in feed_items() if "<b>" in item.findtext("title", "")]
    assert "Q&amp;A" in entry.findtext("title", "")
    [article] = [a for a in collected.articles if a.title.startswith("Q&A: ")]
    assert "<" not in article.title


def test_lead_picture_is_a_file_of_the_project_in_its_stated_size(collected: Collected) -> None:
    [image] = [article.image for article in collected.articles if article.image]
    with starter(WEDNESDAY) as app:
        body = app.local_media()[image.url].read_bytes()
    frame = re.search(rb"\xff[\xc0-\xc2]..\x08(..)(..)", body, re.DOTALL)
    assert frame is not None
    height, width = (int.from_bytes(size, "big") for size in frame.groups())
    assert (image.width, image.height) == (width, height) == (1120, 630)
    assert len(body) <= 90_000


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_has_the_form_of_a_saved_article(page: Path) -> None:
    assert re.fullmatch(r"[a-z]+(?:-[a-z]+)*", page.stem)
    text = page.read_text(encoding="utf-8")
    assert SEED_FORM.fullmatch(text)
    assert not STRAIGHT_QUOTE.search(text)


def test_feed_is_set_with_typographic_quotes() -> None:
    texts = [feed_text(item) for item in feed_items()]
    assert any("“" in text and "’" in text for text in texts)
    assert [found[0] for text in texts for found in STRAIGHT_QUOTE.finditer(text)] == []


def test_every_address_in_the_sample_is_reserved_for_examples() -> None:
    files = [SAMPLE / "feed.xml", *PAGES, *SUBSCRIBERS.glob("*.md"), SUBSCRIBERS / "example.csv"]
    found = {host for file in files for host in hosts(file.read_text(encoding="utf-8"))}
    assert len(found) > OUTLETS
    assert {host for host in found if not RESERVED.fullmatch(host.lower())} == set()


def test_example_list_has_the_columns_that_its_page_explains() -> None:
    with (SUBSCRIBERS / "example.csv").open(encoding="utf-8", newline="") as file:
        header, *lines = csv.reader(file, strict=True)
    page = (SUBSCRIBERS / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == header
    assert len(lines) == 6
    assert {len(line) for line in lines} == {len(header)}
    assert {line[header.index("frequency")] for line in lines} <= {"weekly", ""}
    assert len({line[0] for line in lines}) == 6
