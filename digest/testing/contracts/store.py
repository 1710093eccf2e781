"""What every store promises."""

import datetime as dt
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from digest.errors import Conflict, HeldElsewhere, NotFound, StoreError
from digest.model.articles import Article, Rating
from digest.model.editions import EditionState
from digest.model.sources import SourceState
from digest.ports import AddReport, Placed, RatedArticle, Store
from digest.testing.factories import (
    NOON,
    make_article,
    make_edition,
    make_merged,
    make_period,
    make_story,
)

STATE = SourceState(name="Example", url="https://news.example.com/feed", etag='W/"é"')
LATER = NOON + dt.timedelta(days=1)


def placed(*articles: Article, at: dt.datetime | None = NOON) -> list[Placed]:
    """Return the articles, all belonging to one instant."""
    return [Placed(article=article, belongs_at=at) for article in articles]


class StoreContract:
    """Subclass it with a fixture `store` that yields an empty store."""

    def add(self, store: Store, articles: Sequence[Article]) -> AddReport:
        """Record one fetch at noon."""
        return store.record_fetch(STATE, placed(*articles), now=NOON)

    def test_article_comes_back_exactly_as_it_was_stored(self, store: Store) -> None:
        article = make_article(title="Ünïcode “quotes” 日本", topics=("a", "b"))
        self.add(store, [article])
        [stored] = store.candidates(NOON, LATER)
        assert stored.article == article
        assert stored.first_seen_at == stored.belongs_at == NOON
        assert store.article(stored.id) == stored

    def test_collecting_twice_adds_nothing(self, store: Store) -> None:
        articles = [make_article(1), make_article(2)]
        assert self.add(store, articles) == AddReport(new=2, updated=0, seen=0)
        before = store.candidates(NOON, LATER)
        report = store.record_fetch(STATE, placed(*articles, at=LATER), now=LATER)
        assert report == AddReport(new=0, updated=0, seen=2)
        assert store.candidates(NOON, LATER) == before

    def test_an_updated_article_updates_and_is_no_new_one(self, store: Store) -> None:
        self.add(store, [make_article(1)])
        better = make_article(1, title="Better", rating=Rating(mean=4.5, votes=20, origin="feed"))
        report = store.record_fetch(STATE, placed(better, at=LATER), now=LATER)
        assert report == AddReport(new=0, updated=1, seen=0)
        [stored] = store.candidates(NOON, LATER)
        assert stored.article == better
        assert stored.first_seen_at == NOON

    def test_an_article_named_twice_in_one_fetch_is_stored_once(self, store: Store) -> None:
        report = self.add(store, [make_article(1), make_article(1, title="Again")])
        assert report == AddReport(new=1, updated=0, seen=0)
        assert [s.article.title for s in store.candidates(NOON, LATER)] == ["Article number 1"]

    def test_another_source_only_adds_what_is_missing(self, store: Store) -> None:
        self.add(store, [make_article(1, rating=None)])
        theirs = make_article(1, source="Other", title="Their words")
        store.record_fetch(SourceState(name="Other"), placed(theirs), now=LATER)
        [stored] = store.candidates(NOON, LATER)
        assert (stored.article.title, stored.article.source) == ("Article number 1", "Example")
        assert stored.article.rating == theirs.rating

    def test_for_some_sources_an_article_begins_when_the_first_of_them_brought_it(
        self, store: Store
    ) -> None:
        self.add(store, [make_article(1), make_article(2)])
        for name, at in (("Other", LATER), ("Third", LATER + dt.timedelta(days=1))):
            theirs = make_article(1, source=name)
            store.record_fetch(SourceState(name=name), placed(theirs, at=at), now=at)
        end = LATER + dt.timedelta(days=2)
        both = store.candidates(NOON, LATER)
        assert store.candidates(NOON, end, sources={"Example", "Other"}) == both
        [found] = store.candidates(NOON, end, sources={"Third", "Other"})
        theirs = replace(both[0].article, source="Other")
        later = replace(both[0], article=theirs, first_seen_at=LATER, belongs_at=LATER)
        assert found == later
        assert store.candidates(NOON, LATER, sources={"Other"}) == []
        assert store.candidates(NOON, end, sources=()) == []

    def test_for_some_sources_an_article_keeps_the_later_instant_that_it_belongs_to(
        self, store: Store
    ) -> None:
        store.record_fetch(STATE, placed(make_article(1), at=LATER), now=NOON)
        store.record_fetch(STATE, placed(make_article(2), at=None), now=NOON)
        theirs = placed(make_article(1, source="Other"), make_article(2, source="Other"))
        seen_at = NOON + dt.timedelta(hours=1)
        store.record_fetch(SourceState(name="Other"), theirs, now=seen_at)
        end = LATER + dt.timedelta(days=1)
        [found] = store.candidates(NOON, end, sources=["Other"])  # not the one of no period
        assert (found.first_seen_at, found.belongs_at) == (seen_at, LATER)

    def test_many_articles_are_one_fetch(self, store: Store) -> None:
        report = self.add(store, [make_article(n) for n in range(1, 1001)])
        assert report.new == store.article_count() == 1000

    def test_the_end_of_a_period_belongs_to_the_next_one(self, store: Store) -> None:
        tick = dt.timedelta(microseconds=1)
        for number, at in enumerate([NOON, LATER - tick, LATER, None], 1):
            store.record_fetch(STATE, placed(make_article(number), at=at), now=NOON)
        keys = [s.article.title[-1] for s in store.candidates(NOON, LATER)]
        assert keys == ["1", "2"]

    def test_a_fetch_that_cannot_be_stored_leaves_nothing(self, store: Store) -> None:
        naive = NOON.replace(tzinfo=None)
        with pytest.raises(StoreError):
            store.record_fetch(
                STATE,
                [*placed(make_article(1)), *placed(make_article(2), at=naive)],
                now=NOON,
            )
        assert store.article_count() == 0
        assert store.source_state("Example") is None

    def test_source_state_is_remembered_with_its_articles(self, store: Store) -> None:
        assert store.source_state("Example") is None
        self.add(store, [make_article(1)])
        assert store.source_state("Example") == STATE
        changed = replace(STATE, failures=3, not_before_at=LATER, last_error="It failed.")
        store.save_source_state(changed)
        assert store.source_state("Example") == changed

    def test_articles_are_found_by_number_url_and_words(self, store: Store) -> None:
        self.add(store, [make_article(1, title="100% Größe_x"), make_article(2)])
        [first, second] = store.candidates(NOON, LATER)
        assert store.find_articles("GRÖSSE_", limit=5) == [first]
        assert store.find_articles("0% g", limit=5) == [first]
        assert store.find_articles("%", limit=5) == [first]
        assert store.find_articles("http://NEWS.example.com/2?utm_source=x", limit=5) == [second]
        assert store.find_articles("nothing", limit=5) == []
        assert store.articles([first.id, 99, second.id]) == {first.id: first, second.id: second}
        with pytest.raises(NotFound):
            store.article(99)

    def test_ratings_are_told_with_the_outlet_that_earned_them(self, store: Store) -> None:
        self.add(
            store, [make_article(1, outlet="Outlet"), make_article(2), make_article(3, rating=None)]
        )
        [first, second, unrated] = store.candidates(NOON, LATER)
        rated = [
            RatedArticle(
                article_id=first.id, source="Example", origin="Outlet", mean=4.0, votes=10
            ),
            RatedArticle(
                article_id=second.id, source="Example", origin="Example", mean=4.0, votes=10
            ),
        ]
        assert store.ratings_between(NOON, LATER) == rated
        voted = RatedArticle(
            article_id=unrated.id, source="Example", origin="Example", mean=0.0, votes=0
        )
        ids = [unrated.id, first.id, *range(1_000, 2_000)]
        assert store.ratings_between(NOON, LATER, voted=ids) == [*rated, voted]
        assert store.ratings_between(LATER, LATER + (LATER - NOON), voted=ids) == []
        assert store.ratings_between(LATER, LATER + (LATER - NOON)) == []
        assert store.ratings_between(NOON - (LATER - NOON), NOON) == []

    def test_edition_comes_back_exactly_as_it_was_saved(self, store: Store) -> None:
        self.add(store, [make_article(n) for n in (1, 2, 3)])
        edition = make_edition(3, hidden=frozenset({3}), lead_article_id=1, drafted_at=NOON)
        saved = store.save_edition(edition)
        assert saved == replace(edition, id=saved.id, revision=1)
        assert store.edition("app-news-weekly", "2026-W48") == saved
        assert store.edition("other", "2026-W48") is None
        assert store.edition("app-news-weekly", "2026-W01") is None

    def test_an_old_revision_overwrites_nothing(self, store: Store) -> None:
        self.add(store, [make_article(n) for n in (1, 2, 3)])
        first = store.save_edition(make_edition(3))
        second = store.save_edition(replace(first, subject="Second", stories=first.stories[:2]))
        with pytest.raises(Conflict):
            store.save_edition(replace(first, subject="Third"))
        assert store.edition("app-news-weekly", "2026-W48") == second

    def test_there_is_one_edition_of_a_period(self, store: Store) -> None:
        store.save_edition(make_edition(0))
        with pytest.raises(Conflict):
            store.save_edition(make_edition(0))
        with pytest.raises(Conflict):
            store.save_edition(make_edition(0, period=make_period(label="2026-W49")))
        assert len(store.editions("app-news-weekly")) == 1

    def test_only_sent_editions_take_their_articles_out(self, store: Store) -> None:
        self.add(store, [make_article(n) for n in (1, 2)])
        week = dt.timedelta(days=7)
        period = make_period()
        store.save_edition(make_edition(1, state=EditionState.DONE))
        later = make_period(start=period.end, end=period.end + week, label="2026-W49")
        draft = make_edition(0, period=later, stories=(make_story(2, position=1),))
        store.save_edition(draft)
        assert store.sent_article_ids("app-news-weekly", except_label="2026-W49") == {1}
        assert store.sent_article_ids("app-news-weekly", except_label="2026-W48") == frozenset()
        labels = [edition.period.label for edition in store.editions("app-news-weekly")]
        assert labels == ["2026-W49", "2026-W48"]

    def test_what_is_merged_into_a_story_is_sent_with_it(self, store: Store) -> None:
        self.add(store, [make_article(n) for n in (1, 2, 3)])
        stories = (make_story(1, also=(make_merged(2), make_merged(3))),)
        saved = store.save_edition(make_edition(1, stories=stories, state=EditionState.DONE))
        assert store.edition("app-news-weekly", "2026-W48") == saved
        assert store.sent_article_ids("app-news-weekly", except_label="") == {1, 2, 3}
        store.save_edition(replace(saved, stories=(make_story(1, also=(make_merged(3),)),)))
        assert store.sent_article_ids("app-news-weekly", except_label="") == {1, 3}
        assert store.sent_article_ids("app-news-weekly", except_label="2026-W48") == frozenset()

    def test_a_job_is_held_by_one_at_a_time(self, store: Store) -> None:
        with store.hold("collect"):
            with pytest.raises(HeldElsewhere), store.hold("collect"):
                pass
            with store.hold("other"):
                pass
        with store.hold("collect"):
            assert store.article_count() == 0

    def test_threads_that_bring_the_same_articles_store_each_once(self, store: Store) -> None:
        articles = [make_article(n) for n in range(1, 51)]

        def bring(name: str) -> AddReport:
            return store.record_fetch(SourceState(name=name), placed(*articles), now=NOON)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(bring, ["a", "b", "c", "d"]))
        assert store.article_count() == 50
