"""Merging and updates with a real store: nothing is sent twice unless it says something new."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from digest.errors import UsageError
from digest.model.editions import Edition, EditionState
from digest.model.sources import SourceState
from digest.ports import Placed, Store
from digest.services.editions import EditionService
from digest.storage.store import open_store
from digest.testing.factories import NOON
from tests.editing import LABEL, WEEK, add, add_week, freezing, ids, rated, sent, service

NEXT = "2026-W49"
LATER = NOON + WEEK


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path}/digest.db")
    yield store
    store.close()


def also(edition: Edition) -> dict[int, list[int]]:
    """Return what is merged into each story that something is merged into."""
    return {s.article_id: [o.article_id for o in s.also] for s in edition.stories if s.also}


# Merging


def test_merged_articles_stay_below_their_story_when_the_ranking_changes(store: Store) -> None:
    add_week(store, 6)
    editions = service(store)
    edition = editions.merge("", "3", ["1", "5"], now=NOON)
    assert (ids(edition), also(edition)) == ([2, 3, 4, 6], {3: [1, 5]})
    add(store, rated(0))
    assert ids(editions.draft("", now=NOON)) == [7, 2, 3, 4, 6]
    assert also(editions.move("", "3", 1, now=NOON)) == {3: [1, 5]}
    edition = editions.edit_story("", "3", headline="By hand", summary=None, now=NOON)
    assert editions.draft("", now=NOON).stories == edition.stories
    edition = editions.split("", "3", now=NOON)
    assert (ids(edition), also(edition)) == ([3, 7, 1, 2, 4], {})


def test_what_is_merged_is_free_again_when_its_story_leaves(store: Store) -> None:
    add_week(store, 6)
    editions = service(store)
    editions.merge("", "2", ["1", "3"], now=NOON)
    edition = editions.hide("", "2", now=NOON)
    assert (ids(edition), also(edition)) == ([1, 3, 4, 5, 6], {})
    assert also(editions.unhide("", "2", now=NOON)) == {}
    editions.merge("", "4", ["1"], now=NOON)
    add(store, *(rated(-n) for n in range(1, 6)))
    edition = editions.draft("", now=NOON)
    assert (ids(edition), also(edition)) == ([11, 10, 9, 8, 7], {})


def test_article_of_another_week_is_merged_and_none_of_this_one_once_it_is_free(
    store: Store,
) -> None:
    add_week(store, 1, weeks=-4)
    add_week(store, 3, first=2)
    editions = service(store)
    assert also(editions.merge("", "3", ["1", "4"], now=NOON)) == {3: [1, 4]}
    assert ids(editions.split("", "3", now=NOON)) == [2, 3, 4]


def test_what_is_merged_takes_no_place_under_the_cap(store: Store) -> None:
    add(store, *(rated(n, outlet="Loud") for n in range(1, 5)), rated(9, outlet="Quiet"))
    editions = service(store, max_per_source=2, stories=3)
    assert ids(editions.draft("", now=NOON)) == [1, 2, 5]
    assert ids(editions.merge("", "5", ["1"], now=NOON)) == [2, 3, 5]
    ranked = editions.ranked(editions.period("", now=NOON), now=NOON)
    assert [item.stored.id for item in ranked if item.held_back] == [4]


def test_merged_articles_were_sent_with_the_edition(store: Store) -> None:
    add_week(store, 5)
    editions = service(store, thin_week="widen", minimum_stories=5, max_age_days=30)
    edition = sent(store, editions.merge("", "1", ["2", "3"], now=NOON))
    assert also(edition) == {1: [2, 3]}
    add_week(store, 2, first=6, weeks=1)
    assert ids(editions.draft(NEXT, now=LATER)) == [6, 7]
    for change in (editions.lead, editions.hide):
        with pytest.raises(UsageError, match="was in an earlier edition"):
            change(NEXT, "3", now=LATER)


def test_what_was_sent_while_it_was_merged_elsewhere_stops_the_freezing_and_a_draft_drops_it(
    store: Store,
) -> None:
    add_week(store, 3)
    add_week(store, 3, first=4, weeks=1)
    editions = service(store)
    editions.draft("", now=NOON)
    editions.merge(NEXT, "4", ["1", "5"], now=LATER)
    edition = editions.stored(LABEL, now=NOON)
    assert edition is not None
    sent(store, edition)
    with pytest.raises(UsageError, match="Readers had 'Article number 1'"):
        freezing(store, editions).freeze(NEXT, now=LATER)
    assert also(editions.draft(NEXT, now=LATER)) == {4: [5]}
    assert freezing(store, editions).freeze(NEXT, now=LATER).sha256


@pytest.mark.parametrize(
    ("reference", "others", "says"),
    [
        ("2", ["2"], "cannot be merged into itself"),
        ("2", ["4", "2"], "cannot be merged into itself"),
        ("2", [], "two articles or more"),
        ("7", ["2"], "is not a story"),
        ("2", ["3"], "is merged into 'Article number 1' already"),
        ("3", ["2"], "is merged into 'Article number 1' already"),
        ("2", ["99"], "no article 99"),
        ("2", ["8"], "was in an earlier edition"),
    ],
)
def test_what_cannot_be_merged_changes_nothing(
    store: Store, reference: str, others: list[str], says: str
) -> None:
    add_week(store, 7)
    add_week(store, 1, first=8, weeks=-1)
    editions = service(store)
    sent(store, editions.draft("2026-W47", now=NOON - WEEK))
    before = editions.merge("", "1", ["3"], now=NOON)
    with pytest.raises(UsageError, match=says):
        editions.merge("", reference, others, now=NOON)
    assert editions.stored("", now=NOON) == before


def test_merged_article_is_split_before_anything_else_is_done_with_it(store: Store) -> None:
    add_week(store, 4)
    editions = service(store)
    before = editions.merge("", "1", ["3"], now=NOON)
    for change in (editions.lead, editions.hide, editions.unhide, editions.unpin, editions.split):
        with pytest.raises(UsageError, match="is merged into") as caught:
            change("", "3", now=NOON)
        assert caught.value.hint == "Let it go first: digest edition split 1"
    with pytest.raises(UsageError, match="Nothing is merged into 'Article number 2'"):
        editions.split("", "2", now=NOON)
    assert editions.stored("", now=NOON) == before


# Updates


@pytest.fixture
def editions(store: Store) -> EditionService:
    """Return editions of which one with the articles 1 to 3, 3 merged into 1, was sent."""
    add_week(store, 4)
    editions = service(store)
    editions.hide("", "4", now=NOON)
    sent(store, editions.merge("", "1", ["3"], now=NOON))
    add_week(store, 4, first=5, weeks=1)
    return editions


def test_update_comes_back_only_with_other_words(store: Store, editions: EditionService) -> None:
    with pytest.raises(UsageError, match="was in an earlier edition") as caught:
        editions.pin(NEXT, "2", 3, now=LATER)
    assert "digest edition pin 2 3 --update" in caught.value.hint
    edition = editions.pin(NEXT, "2", 3, now=LATER, is_update=True)
    assert ids(edition) == [5, 6, 2, 7, 8]
    assert edition.stories[2].update_of == LABEL
    assert [story.article_id for story in editions.stale_updates(edition)] == [2]
    with pytest.raises(UsageError, match="nothing that its readers have not read") as caught:
        freezing(store, editions).freeze(NEXT, now=LATER)
    assert "digest edition edit 2 --summary TEXT" in caught.value.hint
    editions.edit_story(NEXT, "2", headline=None, summary="Sold to its users.", now=LATER)
    edition = editions.draft(NEXT, now=LATER)
    assert (edition.stories[2].summary, editions.stale_updates(edition)) == (
        "Sold to its users.",
        [],
    )
    assert freezing(store, editions).freeze(NEXT, now=LATER).stories == edition.stories


def test_update_goes_when_its_article_says_something_else(
    store: Store, editions: EditionService
) -> None:
    editions.lead(NEXT, "2", now=LATER, is_update=True)
    changed = rated(2, summary="What became of it.", published_at=NOON)
    store.record_fetch(
        SourceState(name="Example"), [Placed(article=changed, belongs_at=NOON)], now=LATER
    )
    edition = editions.draft(NEXT, now=LATER)
    assert edition.stories[0].summary == "What became of it."
    assert freezing(store, editions).freeze(NEXT, now=LATER).sha256


def test_update_leaves_with_its_place_and_does_not_come_back_by_itself(
    store: Store, editions: EditionService
) -> None:
    assert ids(editions.lead(NEXT, "2", now=LATER, is_update=True))[0] == 2
    assert ids(editions.move(NEXT, "2", 2, now=LATER)) == [5, 2, 6, 7, 8]
    assert ids(editions.pin(NEXT, "2", 1, now=LATER)) == [2, 5, 6, 7, 8]
    assert ids(editions.lead(NEXT, "6", now=LATER)) == [6, 5, 7, 8]
    editions.pin(NEXT, "2", 2, now=LATER, is_update=True)
    assert ids(editions.hide(NEXT, "2", now=LATER)) == [6, 5, 7, 8]
    with pytest.raises(UsageError, match="was in an earlier edition"):
        editions.unhide(NEXT, "2", now=LATER)


def test_what_was_not_sent_is_no_update(store: Store, editions: EditionService) -> None:
    for reference in ("4", "6"):
        with pytest.raises(UsageError, match="was in no edition that was sent"):
            editions.pin(NEXT, reference, 2, now=LATER, is_update=True)
    assert editions.stored(NEXT, now=LATER) is None


def test_update_cannot_be_merged_into_another_story(store: Store, editions: EditionService) -> None:
    before = editions.pin(NEXT, "2", 2, now=LATER, is_update=True)
    with pytest.raises(UsageError, match="was in an earlier edition"):
        editions.merge(NEXT, "5", ["2"], now=LATER)
    assert editions.stored(NEXT, now=LATER) == before
    assert also(editions.merge(NEXT, "2", ["6"], now=LATER)) == {2: [6]}


def test_article_that_readers_had_as_a_link_may_be_an_update_too(
    store: Store, editions: EditionService
) -> None:
    edition = editions.pin(NEXT, "3", 2, now=LATER, is_update=True)
    assert edition.stories[1].update_of == LABEL
    assert editions.stale_updates(edition)


def test_update_of_an_edition_that_another_one_overtook_is_drafted_again(
    store: Store, editions: EditionService
) -> None:
    add_week(store, 3, first=9, weeks=2)
    third, later = "2026-W50", LATER + WEEK
    for label in (NEXT, third):
        editions.pin(label, "2", 2, now=later, is_update=True)
        editions.edit_story(label, "2", headline="Sold", summary=None, now=later)
    edition = editions.stored(NEXT, now=later)
    assert edition is not None
    sent(store, edition)
    with pytest.raises(UsageError, match="that is no longer so"):
        freezing(store, editions).freeze(third, now=later)
    edition = editions.draft(third, now=later)
    assert edition.stories[1].update_of == NEXT
    with pytest.raises(UsageError, match="nothing that its readers have not read"):
        freezing(store, editions).freeze(third, now=later)


def test_update_of_a_cancelled_edition_is_a_story_like_any_other(
    store: Store, editions: EditionService
) -> None:
    editions.pin(NEXT, "2", 2, now=LATER, is_update=True)
    first = editions.stored(LABEL, now=NOON)
    assert first is not None
    store.save_edition(replace(first, state=EditionState.CANCELLED))
    with pytest.raises(UsageError, match="that is no longer so"):
        freezing(store, editions).freeze(NEXT, now=LATER)
    edition = editions.draft(NEXT, now=LATER)
    assert 2 in ids(edition)
    assert {story.update_of for story in edition.stories} == {""}
