"""What an editor decided stands; everything else follows the ranking."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.curation import (
    PREHEADER_LENGTH,
    SUBJECT_LENGTH,
    Curation,
    English,
    arrange,
    choose,
    curation_of,
    make_preheader,
    make_subject,
    moved,
    pinned,
    with_envelope,
    with_stories,
)
from digest.model.articles import RankedArticle, Reason
from digest.model.editions import Story
from digest.testing.factories import make_edition, make_stored, make_story


def ranking(count: int, *, held_back: frozenset[int] = frozenset()) -> list[RankedArticle]:
    """Return articles 1, 2, 3 … with falling scores."""
    return [
        RankedArticle(
            stored=make_stored(number),
            score=5 - number / 10,
            reasons=(Reason(text="It is good", stars=5 - number / 10),),
            held_back="too many" if number in held_back else "",
        )
        for number in range(1, count + 1)
    ]


def order(
    count: int = 6,
    *,
    size: int = 5,
    lead: int | None = None,
    pins: Mapping[int, int] | None = None,
    hidden: frozenset[int] = frozenset(),
    held_back: frozenset[int] = frozenset(),
) -> list[int]:
    """Return the ids of the stories that are chosen, in their order."""
    decided = Curation(lead=lead, pins=pins or {}, hidden=hidden)
    stories = choose(ranking(count, held_back=held_back), decided, size=size)
    assert [story.position for story in stories] == list(range(1, len(stories) + 1))
    assert [story.lead for story in stories] == [n == 0 for n in range(len(stories))]
    return [story.article_id for story in stories]


def test_without_decisions_the_ranking_decides() -> None:
    assert order() == [1, 2, 3, 4, 5]
    assert order(2) == [1, 2]
    assert order(0) == []


def test_what_is_held_back_or_hidden_makes_way_for_the_next() -> None:
    assert order(held_back=frozenset({2})) == [1, 3, 4, 5, 6]
    assert order(hidden=frozenset({1, 3})) == [2, 4, 5, 6]


def test_what_is_held_back_fills_an_edition_that_would_stay_short() -> None:
    assert order(held_back=frozenset({1, 3})) == [1, 2, 4, 5, 6]
    assert order(held_back=frozenset({1, 3}), hidden=frozenset({4})) == [1, 2, 3, 5, 6]
    assert order(held_back=frozenset(range(1, 7))) == [1, 2, 3, 4, 5]


def test_the_lead_stands_first_whatever_its_score_or_the_cap_says() -> None:
    assert order(lead=4) == [4, 1, 2, 3, 5]
    assert order(lead=6) == [6, 1, 2, 3, 4]
    assert order(lead=6, held_back=frozenset({6})) == [6, 1, 2, 3, 4]
    assert order(lead=6, hidden=frozenset({6})) == [1, 2, 3, 4, 5]
    assert order(lead=99) == [1, 2, 3, 4, 5]


def test_a_pin_is_a_position() -> None:
    assert order(pins={1: 3}) == [2, 3, 1, 4, 5]
    assert order(pins={6: 2}) == [1, 6, 2, 3, 4]
    assert order(pins={5: 2, 4: 3}) == [1, 5, 4, 2, 3]
    assert order(lead=3, pins={1: 2}) == [3, 1, 2, 4, 5]
    assert order(pins={1: 50}) == [2, 3, 4, 5, 1]
    assert order(pins={3: 2, 4: 2}) == [1, 4, 3, 2, 5]


def test_when_everything_is_placed_by_hand_the_lead_is_still_in() -> None:
    assert order(lead=6, pins={1: 2, 2: 3, 3: 4, 4: 5, 5: 5}, size=5)[0] == 6


def test_a_story_placed_by_hand_says_where_it_would_stand() -> None:
    stories = choose(ranking(6), Curation(lead=4, pins={5: 2}), size=5)
    assert stories[0].reasons[-1] == Reason(text="Chosen as lead; would be number 4", stars=0.0)
    assert stories[1].reasons[-1] == Reason(text="Pinned; would be number 5", stars=0.0)
    for story in stories:
        assert sum(reason.stars for reason in story.reasons) == story.score


DECISIONS = st.builds(
    Curation,
    lead=st.none() | st.integers(1, 8),
    pins=st.dictionaries(st.integers(1, 8), st.integers(2, 6), max_size=4),
    hidden=st.frozensets(st.integers(1, 8), max_size=3),
)


@given(DECISIONS)
def test_a_redraft_changes_nothing_when_nothing_changed(decided: Curation) -> None:
    stories = choose(ranking(8), decided, size=6)
    edition = with_stories(make_edition(0), stories, decided)
    assert choose(ranking(8), curation_of(edition), size=6) == stories
    assert not set(decided.hidden) & {story.article_id for story in stories}
    assert len(stories) == min(6, 8 - len(decided.hidden))


# Moving


def test_a_move_shifts_the_others_along() -> None:
    stories = choose(ranking(6), Curation(), size=5)
    assert moves(stories, Curation(), (4, 2)) == [1, 4, 2, 3, 5]
    assert moves(stories, Curation(), (2, 5)) == [1, 3, 4, 5, 2]
    assert moves(stories, Curation(), (3, 1)) == [3, 1, 2, 4, 5]
    assert moves(stories, Curation(), (1, 3)) == [2, 3, 1, 4, 5]


def test_moves_one_after_another_are_what_a_list_does() -> None:
    stories = choose(ranking(6), Curation(), size=5)
    assert moves(stories, Curation(), (5, 3), (4, 2)) == [1, 4, 2, 5, 3]
    assert moves(stories, Curation(), (5, 1), (4, 1)) == [4, 5, 1, 2, 3]


def moves(stories: tuple[Story, ...], decided: Curation, *steps: tuple[int, int]) -> list[int]:
    for article_id, position in steps:
        decided = moved(decided, stories, article_id, position)
        stories = choose(ranking(6), decided, size=5)
    return [story.article_id for story in stories]


@given(DECISIONS, st.integers(1, 6), st.integers(1, 6))
def test_after_a_move_the_order_is_the_one_shown_with_one_story_moved(
    decided: Curation, start: int, position: int
) -> None:
    stories = choose(ranking(8), decided, size=6)
    start, position = min(start, len(stories)), min(position, len(stories))
    expected = [story.article_id for story in stories]
    article_id = expected.pop(start - 1)
    expected.insert(position - 1, article_id)
    decided = moved(decided, stories, article_id, position)
    after = choose(ranking(8), decided, size=6)
    assert [story.article_id for story in after] == expected


def test_a_move_fixes_no_story_that_nobody_placed() -> None:
    stories = choose(ranking(6), Curation(), size=5)
    decided = moved(Curation(), stories, 5, 2)
    assert decided == Curation(pins={5: 2})
    assert moved(decided, choose(ranking(6), decided, size=5), 5, 1) == Curation(lead=5)


# Pinning


def test_letting_go_of_a_story_keeps_the_other_decisions() -> None:
    decided = Curation(lead=1, pins={2: 3, 4: 5}, hidden=frozenset({6}))
    assert pinned(decided, 2, None) == replace(decided, pins={4: 5})
    assert pinned(decided, 1, None) == replace(decided, lead=None)
    assert pinned(decided, 1, 4) == replace(decided, lead=None, pins={1: 4, 2: 3, 4: 5})
    assert pinned(decided, 4, 1) == replace(decided, lead=4, pins={2: 3})
    assert pinned(decided, 6, 2) == Curation(lead=1, pins={2: 3, 4: 5, 6: 2})
    assert pinned(decided, 6, None) == decided


# Words


def test_an_editors_words_stay_when_the_story_leaves_and_comes_back() -> None:
    written = make_story(3, headline="By hand", headline_edited=True)
    edition = with_stories(make_edition(0), [make_story(1), written], Curation())
    decided = curation_of(edition)
    away = replace(decided, hidden=frozenset({3}))
    edition = with_stories(edition, choose(ranking(4), away, size=3), away)
    assert edition.aside == (written,)
    back = replace(curation_of(edition), hidden=frozenset())
    edition = with_stories(edition, choose(ranking(4), back, size=3), back)
    assert edition.aside == ()
    assert [story.headline for story in edition.stories] == [
        "Article number 1",
        "Article number 2",
        "By hand",
    ]
    assert edition.stories[2].summary == "What article 3 says in one sentence."


def test_a_story_takes_over_what_its_source_changed_where_no_editor_wrote() -> None:
    written = make_story(1, summary="By hand", summary_edited=True, headline="Old title")
    decided = curation_of(replace(make_edition(0), stories=(written,)))
    [story] = choose(ranking(1), decided, size=3)
    assert (story.headline, story.summary) == ("Article number 1", "By hand")


@pytest.mark.parametrize(
    ("headlines", "subject"),
    [
        (["One"], "One"),
        (["One.", "b"], "One, and one more"),
        (["One", *"abcdefghij"], "One, and ten more"),
        (["One", *"abcdefghijk"], "One, and 11 more"),
    ],
)
def test_the_subject_is_the_leads_headline_and_how_many_more(
    headlines: list[str], subject: str
) -> None:
    stories = [make_story(n, headline=text) for n, text in enumerate(headlines, 1)]
    assert make_subject(stories, English()) == subject


@given(st.lists(st.text(max_size=200).filter(str.strip), min_size=1, max_size=12))
def test_subject_and_preheader_are_short_enough_for_an_inbox(headlines: list[str]) -> None:
    stories = [make_story(n, headline=text) for n, text in enumerate(headlines, 1)]
    assert len(make_subject(stories, English())) <= SUBJECT_LENGTH
    assert len(make_preheader(stories, English())) <= PREHEADER_LENGTH


def test_the_preheader_names_the_next_stories_as_long_as_they_fit() -> None:
    stories = [make_story(n, headline=f"Headline {n} " + "x" * 20) for n in range(1, 7)]
    line = make_preheader(stories, English())
    assert line.startswith("Also: Headline 2 ")
    assert line.endswith("Headline 4 " + "x" * 20)
    assert make_preheader(stories[:1], English()) == stories[0].summary


def test_a_subject_that_an_editor_wrote_stays() -> None:
    edition = make_edition(2, subject="By hand", subject_edited=True, preheader="")
    assert with_envelope(edition).subject == "By hand"
    assert with_envelope(edition).preheader == "Also: Headline number 2"
    empty = replace(edition, stories=())
    assert with_envelope(empty) == empty


def test_arranging_numbers_the_stories() -> None:
    stories = [make_story(number, position=9, lead=True) for number in (3, 1, 2)]
    assert [(s.article_id, s.position, s.lead) for s in arrange(stories, 2)] == [
        (2, 1, True),
        (3, 2, False),
        (1, 3, False),
    ]
