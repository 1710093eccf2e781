"""Every article is in exactly one week, whatever its dates say and however often one looks."""

import datetime as dt
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from digest.errors import (
    HeldElsewhere,
    SourceGone,
    SourceMalformed,
    SourceUnavailable,
    StoreError,
    UsageError,
)
from digest.model.articles import RawEntry, StoredArticle
from digest.model.editions import EditionState
from digest.model.sources import Fetched, SourceState
from digest.periods import due_period
from digest.ports import Source, Store
from digest.services.collection import CollectionService, SourceReport, remembered
from digest.services.editions import EditionService
from digest.settings import EditionSettings, Settings, SourceSettings
from digest.storage.store import open_store
from digest.testing.factories import NOON

HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)
WEEK = dt.timedelta(days=7)
SETTINGS = Settings()
ZONE = SETTINGS.newsletter.timezone

Page = Callable[[dt.datetime], Sequence[RawEntry]]


class Shelf:
    """A source whose entries are a function of the time."""

    def __init__(self, name: str, page: Page) -> None:
        self.name = name
        self._page = page

    def fetch(self, state: SourceState, *, now: dt.datetime) -> Fetched:
        return Fetched(
            state=replace(state, last_fetch_at=now, last_success_at=now),
            entries=tuple(self._page(now)),
        )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path}/digest.db")
    yield store
    store.close()


def entry(number: int, published: dt.datetime | None = None, **changes: str) -> RawEntry:
    return RawEntry(
        title=changes.get("title", f"Article {number}"),
        url=f"https://news.example.com/{number}",
        published=published.isoformat() if published else "",
        summary=changes.get("summary", f"What article {number} says in one sentence."),
    )


def collect(
    store: Store, pages: Mapping[str, Page], *, now: dt.datetime = NOON, only: str = "", **own: Any
) -> dict[str, SourceReport]:
    """Collect once from sources of these names; `own` are settings that they share."""
    sources = [
        SourceSettings(name=name, url=f"https://{name}.example.com", **own) for name in pages
    ]

    def open_source(settings: SourceSettings) -> Source:
        return Shelf(settings.name, pages[settings.name])

    due = due_period(now, SETTINGS.schedule, ZONE)
    service = CollectionService(store, sources, open_source, due=due)
    return {report.name: report for report in service.collect(now=now, only=only)}


def stored(store: Store) -> list[StoredArticle]:
    return list(store.articles(range(1, store.article_count() + 1)).values())


def showing(entries: Sequence[RawEntry]) -> Page:
    return lambda _now: entries


def fail(error: Exception) -> Page:
    def page(_now: dt.datetime) -> Sequence[RawEntry]:
        raise error

    return page


# The baseline


def test_a_sources_first_fetch_places_by_date_and_later_ones_by_first_sight(store: Store) -> None:
    dates = [NOON - 3 * DAY, None, NOON + 3 * HOUR, NOON + 3 * DAY]
    first = [entry(number, date) for number, date in enumerate(dates, 1)]
    collect(store, {"a": showing(first)})
    later = NOON + HOUR
    second = [entry(number, date) for number, date in enumerate(dates, 5)]
    collect(store, {"a": showing([*first, *second])}, now=later)
    found = stored(store)
    # What is dated a little ahead counts as new; what is dated far ahead counts as undated.
    assert [item.belongs_at for item in found[:4]] == [NOON - 3 * DAY, None, NOON, None]
    assert [item.belongs_at for item in found[4:]] == [later] * 4
    assert [item.first_seen_at for item in found] == [NOON] * 4 + [later] * 4


def test_an_empty_first_fetch_is_a_baseline_too(store: Store) -> None:
    collect(store, {"a": showing([])})
    collect(store, {"a": showing([entry(1, NOON - 30 * DAY)])}, now=NOON + HOUR)
    assert [item.belongs_at for item in stored(store)] == [NOON + HOUR]


def test_a_failed_first_fetch_is_no_baseline(store: Store) -> None:
    collect(store, {"a": fail(SourceUnavailable("It is down."))})
    dated = NOON - 3 * DAY
    collect(store, {"a": showing([entry(1, dated)])}, now=NOON + HOUR)
    assert [item.belongs_at for item in stored(store)] == [dated]


def test_a_source_that_moves_starts_afresh_and_floods_no_edition(store: Store) -> None:
    state = SourceState(name="a", url="x", configured_url="x", baseline_at=NOON, etag="old")
    settings = SourceSettings(name="a", url="https://new.example.com")
    moved = remembered(state, settings)
    assert moved == SourceState(name="a", url=settings.url, configured_url=settings.url)
    store.save_source_state(replace(state, configured_url="https://old.example.com"))
    collect(store, {"a": showing([entry(number, None) for number in range(118)])})
    assert [item.belongs_at for item in stored(store)] == [None] * 118


def test_an_outage_costs_no_article_its_place(store: Store) -> None:
    collect(store, {"a": showing([])}, now=NOON - 13 * DAY)
    collect(store, {"a": showing([entry(1, NOON - 12 * DAY)])}, now=NOON)
    collect(store, {"a": showing([entry(1, NOON - 12 * DAY)])}, now=NOON + HOUR)
    [item] = stored(store)
    assert item.article.unseen_seconds == 13 * 86_400
    service = EditionService(store, SETTINGS)
    period = service.period("", now=NOON + 2 * HOUR)
    assert [r.stored.id for r in service.ranked(period, now=NOON + 2 * HOUR)] == [item.id]


def test_an_article_that_two_sources_carry_belongs_to_its_first_sight(store: Store) -> None:
    collect(store, {"a": showing([])})
    collect(store, {"a": showing([entry(1, NOON)])}, now=NOON + HOUR)
    collect(store, {"b": showing([entry(1, NOON - 6 * DAY)])}, now=NOON + 2 * HOUR)
    [item] = stored(store)
    assert item.belongs_at == NOON + HOUR


@pytest.mark.parametrize("hours", range(0, 168, 12))
def test_a_sample_belongs_to_the_week_that_is_due_on_any_day(store: Store, hours: int) -> None:
    sample = [entry(number, NOON - 400 * DAY - number * 20 * HOUR) for number in range(8)]
    now = NOON + hours * HOUR
    collect(store, {"sample": showing(sample)}, now=now, newest="today")
    due = due_period(now, SETTINGS.schedule, ZONE)
    assert len(store.candidates(due.start, due.end)) == 8
    dates = [item.article.published_at for item in stored(store)]
    assert all(date and now - 7 * DAY < date <= now for date in dates)


# A series of snapshots


STEP = 4 * HOUR
START = NOON - 2 * DAY  # a Sunday: the first week begins and ends within the series
SHOWN = 25  # entries that the feed shows


def make_series(random: Random) -> list[list[RawEntry]]:
    """Return what a lively feed shows every four hours for three weeks.

    Its articles are dated late, ahead or not at all, are edited, vanish and come back.
    """
    shown = [entry(number, START - number * 9 * HOUR) for number in range(1, SHOWN + 1)]
    series, number = [], SHOWN
    for step in range(3 * 7 * 6):
        at = START + step * STEP
        for _ in range(random.choice([0, 0, 1, 1, 2])):
            number += 1
            late = random.choice([0, 0, 0, 1, 9, 40, -30])
            date = None if random.random() < 0.1 else at - late * HOUR
            shown.insert(random.choice([0, 0, 3]), entry(number, date))
        if random.random() < 0.3:
            place = random.randrange(5)
            shown[place] = replace(shown[place], title=shown[place].title.split("!")[0] + "!")
        visible = shown[:SHOWN]
        if random.random() < 0.1:
            visible.pop(random.randrange(5))  # gone, and back in the next snapshot
        series.append(visible)
    return series


@pytest.mark.parametrize(("hours", "seed"), [(1, 1), (4, 1), (4, 2), (24, 1), (24, 2)])
def test_a_replayed_series_loses_and_repeats_nothing(hours: int, seed: int) -> None:
    series = make_series(Random(seed))
    every = Settings(
        edition=EditionSettings(stories=50, minimum_stories=1, max_per_source=50, max_age_days=60)
    )
    store = open_store("sqlite://")
    editions = EditionService(store, every)
    sent: list[int] = []
    seen: set[str] = set()
    now = START
    while now < START + len(series) * STEP:
        page = series[(now - START) // STEP]
        seen |= {item.url for item in page}
        collect(store, {"feed": showing(page)}, now=now)
        sent += send_if_due(store, editions, now)
        now += hours * HOUR
    sent += send_if_due(store, editions, now + DAY)
    known = stored(store)
    assert {item.article.url for item in known} == seen
    assert len(seen) > 100
    # Only what the baseline placed before the first of these weeks is in none of them.
    first = editions.all()[-1].period
    expected = [item.id for item in known if item.belongs_at and item.belongs_at >= first.start]
    assert sorted(sent) == expected
    assert 0 < len(known) - len(expected) < SHOWN
    store.close()


def send_if_due(store: Store, editions: EditionService, now: dt.datetime) -> list[int]:
    """Send the due edition once its week is over; return its articles."""
    period = editions.period("", now=now)
    if period.end > now or not store.candidates(period.start, period.end):
        return []
    edition = editions.draft(period.label, now=now)
    store.save_edition(replace(edition, state=EditionState.DONE))
    return [story.article_id for story in edition.stories]


def test_a_clock_that_is_set_back_loses_and_repeats_nothing(store: Store) -> None:
    collect(store, {"a": showing([])})
    collect(store, {"a": showing([entry(1)])}, now=NOON + WEEK)
    collect(store, {"a": showing([entry(1), entry(2)])}, now=NOON + HOUR)
    assert [item.belongs_at for item in stored(store)] == [NOON + WEEK, NOON + HOUR]


# Several sources


def test_one_bad_source_costs_itself_only_and_says_what_to_do(store: Store) -> None:
    pages = {
        "down": fail(SourceUnavailable("It is down.", hint="Wait.", not_before_at=NOON + DAY)),
        "broken": fail(SourceMalformed("It is no feed.")),
        "crashing": fail(ZeroDivisionError()),
        "good": showing([entry(1, NOON)]),
    }
    reports = collect(store, pages)
    assert [name for name, report in reports.items() if report.failed] == [
        *("down", "broken", "crashing"),
    ]
    assert (reports["down"].error, reports["down"].hint) == ("It is down.", "Wait.")
    assert "ZeroDivisionError" in reports["crashing"].error
    assert reports["good"].new == store.article_count() == 1
    again = collect(store, pages, now=NOON + HOUR)
    assert again["down"].skipped.startswith("It asked to be left alone until 2026-11-25 12:00")
    assert again["good"].seen == 1
    state = store.source_state("broken")
    assert state is not None
    assert (state.failures, state.last_error) == (2, "It is no feed.")


def test_an_entry_that_nothing_can_be_made_of_costs_its_source_only(store: Store) -> None:
    broken: Any = None
    pages: dict[str, Page] = {
        "odd": showing([entry(1), replace(entry(2), title=broken)]),
        "good": showing([entry(3, NOON)]),
    }
    reports = collect(store, pages)
    assert "failed in a way it should not" in reports["odd"].error
    assert reports["good"].new == store.article_count() == 1
    state = store.source_state("odd")
    assert state is not None
    assert (state.failures, state.baseline_at) == (1, None)


def test_a_store_that_fails_ends_the_run(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/digest.db")

    def page(_now: dt.datetime) -> Sequence[RawEntry]:
        with closing(sqlite3.connect(tmp_path / "digest.db")) as database:
            database.execute("ALTER TABLE articles RENAME TO gone")
        return [entry(1)]

    with pytest.raises(StoreError):
        collect(store, {"a": page})
    store.close()


def test_a_source_that_is_gone_for_ever_is_not_asked_again(store: Store) -> None:
    collect(store, {"a": fail(SourceGone("It says that it is gone."))})
    report = collect(store, {"a": showing([entry(1)])}, now=NOON + DAY)["a"]
    assert report.skipped == "Paused. It says that it is gone."
    assert store.article_count() == 0


def test_an_entry_that_is_no_article_is_refused_by_name_and_costs_itself_only(
    store: Store,
) -> None:
    report = collect(store, {"a": showing([RawEntry(title=""), entry(1, NOON)])})["a"]
    assert report.new == 1
    [(what, why)] = report.refused
    assert what == "an entry"
    assert why


def test_collecting_one_source_leaves_the_others_alone(store: Store) -> None:
    pages: dict[str, Page] = {"a": showing([entry(1, NOON)]), "b": showing([entry(2, NOON)])}
    assert list(collect(store, pages, only="b")) == ["b"]
    assert [item.article.source for item in stored(store)] == ["b"]
    with pytest.raises(UsageError, match="no source named 'c'") as caught:
        collect(store, pages, only="c")
    assert "a, b" in caught.value.hint


def test_two_runs_at_once_do_not_collect_twice(store: Store) -> None:
    inside, leave = threading.Event(), threading.Event()

    def slow(_now: dt.datetime) -> Sequence[RawEntry]:
        inside.set()
        assert leave.wait(30)
        return [entry(1, NOON)]

    first = threading.Thread(target=collect, args=(store, {"a": slow}))
    first.start()
    assert inside.wait(30)
    with pytest.raises(HeldElsewhere):
        collect(store, {"a": showing([entry(2, NOON)])})
    leave.set()
    first.join()
    assert [item.article.title for item in stored(store)] == ["Article 1"]
    assert collect(store, {"a": showing([entry(2)])}, now=NOON + HOUR)["a"].new == 1


def test_reports_come_in_the_order_of_the_settings_whoever_answers_first(store: Store) -> None:
    done = threading.Event()

    def last(_now: dt.datetime) -> Sequence[RawEntry]:
        assert done.wait(30)
        return []

    def first(_now: dt.datetime) -> Sequence[RawEntry]:
        done.set()
        return []

    assert list(collect(store, {"slow": last, "quick": first})) == ["slow", "quick"]
