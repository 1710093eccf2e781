"""Curating with a real store: what editors decide and write stays until they say otherwise."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.errors import UsageError
from digest.model.sources import SourceState
from digest.ports import Placed, Store
from digest.storage.store import open_store
from digest.testing.factories import NOON
from tests.editing import add, add_week, ids, rated, service


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path}/digest.db")
    yield store
    store.close()


# Curating


def test_lead_pin_move_and_hide_arrive_in_the_store_and_survive_a_redraft(store: Store) -> None:
    add_week(store, 7)
    editions = service(store)
    assert ids(editions.lead("", "4", now=NOON)) == [4, 1, 2, 3, 5]
    assert ids(editions.pin("", "7", 3, now=NOON)) == [4, 1, 7, 2, 3]
    assert ids(editions.hide("", "1", now=NOON)) == [4, 2, 7, 3, 5]
    assert ids(editions.move("", "5", 2, now=NOON)) == [4, 5, 2, 7, 3]
    assert ids(editions.draft("", now=NOON)) == [4, 5, 2, 7, 3]
    add(store, rated(0))
    assert ids(editions.draft("", now=NOON)) == [4, 5, 8, 7, 2]
    assert ids(editions.unpin("", "7", now=NOON)) == [4, 5, 8, 2, 3]
    assert ids(editions.unhide("", "1", now=NOON)) == [4, 5, 8, 1, 2]
    assert ids(editions.unpin("", "4", now=NOON)) == [8, 5, 1, 2, 3]
    assert ids(editions.unpin("", "5", now=NOON)) == [8, 1, 2, 3, 4]


def test_moving_to_the_front_makes_the_lead_and_moving_the_lead_makes_another(
    store: Store,
) -> None:
    add_week(store, 4)
    editions = service(store)
    first = editions.move("", "3", 1, now=NOON)
    assert (ids(first), first.lead_article_id) == ([3, 1, 2, 4], 3)
    second = editions.move("", "3", 4, now=NOON)
    assert (ids(second), second.lead_article_id) == ([1, 2, 4, 3], None)
    assert second.subject.startswith("Article number 1")


def test_an_article_of_another_week_is_brought_in_and_stays_when_drafted_again(
    store: Store,
) -> None:
    add_week(store, 1, weeks=-4)
    add_week(store, 3, first=2)
    editions = service(store)
    assert ids(editions.lead("", "1", now=NOON)) == [1, 2, 3, 4]
    assert ids(editions.draft("", now=NOON)) == [1, 2, 3, 4]
    assert ids(editions.pin("", "1", 2, now=NOON)) == [2, 1, 3, 4]
    assert ids(editions.draft("", now=NOON)) == [2, 1, 3, 4]
    assert ids(editions.unpin("", "1", now=NOON)) == [2, 3, 4]


def test_pinning_or_leading_a_hidden_story_brings_it_back(store: Store) -> None:
    add_week(store, 4)
    editions = service(store)
    editions.hide("", "1", now=NOON)
    assert ids(editions.pin("", "1", 3, now=NOON)) == [2, 3, 1, 4]
    editions.hide("", "1", now=NOON)
    edition = editions.lead("", "1", now=NOON)
    assert ids(edition) == [1, 2, 3, 4]
    assert edition.hidden == frozenset()


def test_a_wrong_position_or_a_move_of_what_is_no_story_changes_nothing(store: Store) -> None:
    add_week(store, 7)
    editions = service(store)
    drafted = editions.draft("", now=NOON)
    for position in (0, -1, 6, 10**9):
        with pytest.raises(UsageError, match="There is no position"):
            editions.pin("", "2", position, now=NOON)
        with pytest.raises(UsageError, match="There is no position"):
            editions.move("", "2", position, now=NOON)
    with pytest.raises(UsageError, match="is not a story") as caught:
        editions.move("", "7", 2, now=NOON)
    assert "digest edition pin 7" in caught.value.hint
    assert editions.stored("", now=NOON) == drafted


def test_words_that_an_editor_wrote_stay_and_empty_ones_bring_the_old_back(store: Store) -> None:
    add_week(store, 3)
    editions = service(store)
    editions.edit_story("", "2", headline="By hand", summary=None, now=NOON)
    edition = editions.edit_story("", "2", headline=None, summary="Mine", now=NOON)
    assert (edition.stories[1].headline, edition.stories[1].summary) == ("By hand", "Mine")
    changed = rated(2, title="New title", summary="New summary.")
    store.record_fetch(
        SourceState(name="Example"), [Placed(article=changed, belongs_at=NOON)], now=NOON
    )
    editions.hide("", "2", now=NOON)
    editions.draft("", now=NOON)
    edition = editions.unhide("", "2", now=NOON)
    assert (edition.stories[1].headline, edition.stories[1].summary) == ("By hand", "Mine")
    edition = editions.edit_story("", "2", headline="", summary="", now=NOON)
    story = editions.draft("", now=NOON).stories[1]
    assert (story.headline, story.summary) == ("New title", "New summary.")
    assert not story.headline_edited
    assert not story.summary_edited


def test_the_editions_own_words_stay_and_empty_ones_bring_the_made_ones_back(
    store: Store,
) -> None:
    add_week(store, 3)
    editions = service(store)
    made = editions.draft("", now=NOON)
    edition = editions.edit("", subject="Mine", preheader="Me too", intro="Hello.", now=NOON)
    again = editions.lead("", "3", now=NOON)
    assert (again.subject, again.preheader, again.intro) == ("Mine", "Me too", "Hello.")
    assert edition.stories == made.stories
    editions.lead("", "1", now=NOON)
    back = editions.edit("", subject="", preheader="", intro="", now=NOON)
    assert (back.subject, back.preheader, back.intro) == (made.subject, made.preheader, made.intro)


def test_only_a_story_can_be_edited(store: Store) -> None:
    add_week(store, 7)
    with pytest.raises(UsageError, match="is not a story"):
        service(store).edit_story("", "7", headline="x", summary=None, now=NOON)


# Naming an article


def test_an_article_is_named_by_number_address_or_words(store: Store) -> None:
    add_week(store, 3)
    editions = service(store)
    period = editions.period("", now=NOON)
    for reference in ("2", "002", "https://news.example.com/2", "NUMBER 2"):
        assert editions.find(reference, period, now=NOON).id == 2


def test_words_that_fit_several_mean_the_one_of_this_week_or_are_asked_about(
    store: Store,
) -> None:
    add_week(store, 1, weeks=-1)
    add_week(store, 1, first=2)
    editions = service(store)
    period = editions.period("", now=NOON)
    assert editions.find("article number", period, now=NOON).id == 2
    add_week(store, 1, first=3)
    with pytest.raises(UsageError, match="could be several articles: 3 Article number 3; 2 Art"):
        editions.find("article number", period, now=NOON)


@pytest.mark.parametrize("reference", ["99", "9" * 17, "9" * 30, "nothing like it", "²"])
def test_what_names_no_article_is_a_wrong_command(store: Store, reference: str) -> None:
    add_week(store, 1)
    editions = service(store)
    with pytest.raises(UsageError, match=r"(?i)no article"):
        editions.lead("", reference, now=NOON)
    assert editions.all() == []
