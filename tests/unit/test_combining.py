"""Articles about one event become one story, and what readers had comes back only as an update."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest import differences
from digest.combining import free_others, merge, says_something_new, split, without
from digest.curation import Curation, choose, curation_of, with_stories
from digest.model.articles import RankedArticle, Reason
from digest.model.editions import MergedArticle, Story
from digest.testing.factories import make_edition, make_stored, make_story

ARTICLES = [make_stored(n, outlet=f"Outlet {n}", topics=(f"Topic {n}", "Apps")) for n in range(9)]
RANKED = [
    RankedArticle(stored=stored, score=5.0 - n, reasons=(Reason(text="Good", stars=5.0 - n),))
    for n, stored in enumerate(ARTICLES)
]
NUMBERS = st.integers(0, 8)


def merged(decided: Curation, story_id: int, *others: int) -> Curation:
    return merge(decided, story_id, [ARTICLES[number] for number in others])


def chosen(decided: Curation, size: int = 9) -> tuple[Story, ...]:
    return choose(RANKED, decided, size=size)


def test_merged_articles_are_linked_below_the_story_and_none_of_their_own() -> None:
    stories = chosen(merged(Curation(), 2, 5, 0))
    assert [story.article_id for story in stories] == [1, 2, 3, 4, 6, 7, 8]
    story = stories[1]
    assert (story.headline, story.url) == ("Article number 2", "https://news.example.com/2")
    assert [other.article_id for other in story.also] == [5, 0]
    assert [other.outlet for other in story.also] == ["Outlet 5", "Outlet 0"]
    assert story.topics == ("Topic 2", "Apps", "Topic 5", "Topic 0")
    assert story.reasons[-1] == Reason(text="Merged with Outlet 5, Outlet 0", stars=0.0)
    assert sum(reason.stars for reason in story.reasons) == story.score


def test_what_is_merged_gives_up_its_place_and_brings_its_own_along() -> None:
    decided = Curation(lead=3, pins={4: 2}, hidden=frozenset({5}))
    decided = merged(merged(decided, 3, 6), 1, 3, 4, 5)
    assert decided == replace(Curation(), merged=decided.merged)
    assert [other.article_id for other in decided.merged[1]] == [3, 6, 4, 5]
    assert decided.taken == {3, 4, 5, 6}


@given(
    st.dictionaries(NUMBERS, st.lists(NUMBERS, min_size=1, max_size=3, unique=True), max_size=3),
    st.integers(1, 9),
)
def test_every_article_is_a_story_or_merged_into_one_or_free(
    groups: dict[int, list[int]], size: int
) -> None:
    decided = Curation()
    for story_id, others in groups.items():
        free = [o for o in others if o not in decided.taken and o != story_id]
        if free and story_id not in decided.taken:
            decided = merged(decided, story_id, *free)
    stories = chosen(decided, size)
    inside = {story.article_id for story in stories}
    assert not inside & decided.taken
    kept = curation_of(with_stories(make_edition(0), stories, decided))
    assert kept.merged == free_others(decided, stories).merged
    if kept.merged == decided.merged:  # a redraft changes nothing
        assert chosen(kept, size) == stories
    for story_id in decided.merged:
        assert story_id not in split(decided, story_id).merged


def test_what_another_edition_sent_is_merged_into_nothing() -> None:
    decided = without(merged(Curation(), 1, 2, 3), {2})
    assert decided.taken == {3}
    assert chosen(without(decided, {3}))[1].also == ()


# Updates


def test_update_says_whose_it_is_and_is_forgotten_with_its_story() -> None:
    stories = chosen(Curation(pins={4: 2}, updates={4: "2026-W46"}), size=3)
    assert stories[1].update_of == "2026-W46"
    assert stories[1].reasons[-1] == Reason(text="Update of a story in 2026-W46", stars=0.0)
    edition = with_stories(make_edition(0), stories, Curation())
    assert curation_of(edition).updates == {4: "2026-W46"}
    assert curation_of(replace(edition, stories=stories[:1])).updates == {}


BY_HAND = {"headline": "Mine", "headline_edited": True}


@pytest.mark.parametrize(
    ("had", "now", "is_new"),
    [
        ({}, {}, False),
        ({}, {"score": 1.0, "url": "https://example.com/moved"}, False),
        ({}, {"headline": "Another"}, True),
        ({}, {"summary": "Another"}, True),
        ({}, {"words": 900}, True),
        ({}, BY_HAND, True),
        (BY_HAND, BY_HAND, False),
        (BY_HAND, {}, False),
        (BY_HAND, {"headline": "Other", "headline_edited": True}, True),
        (BY_HAND, {"summary": "Another"}, True),
    ],
)
def test_update_is_new_where_the_article_or_an_editor_says_something_else(
    had: dict[str, object], now: dict[str, object], is_new: bool
) -> None:
    assert says_something_new(make_story(1, **now), make_story(1, **had)) is is_new


def test_article_that_readers_had_as_a_link_is_no_news_by_itself() -> None:
    [story] = choose(RANKED[:1], Curation(), size=1)
    [other] = merged(Curation(), 1, 0).merged[1]
    assert isinstance(other, MergedArticle)
    assert not says_something_new(story, other)
    assert says_something_new(replace(story, summary="More", summary_edited=True), other)


# What is told of it


def test_audit_log_tells_of_merging_splitting_and_updates() -> None:
    plain, one = (
        with_stories(make_edition(0), chosen(decided, size=9), decided)
        for decided in (Curation(), merged(Curation(), 0, 3))
    )
    assert differences.changes(plain, one) == ["merged into Article number 0: Article number 3"]
    assert differences.changes(one, plain) == [
        "split from Article number 0: Article number 3",
        "in at 4: Article number 3",
    ]
    assert (
        differences.action(plain, replace(one, drafted_at=make_story().published_at)) == "changed"
    )
    again = replace(plain, stories=(replace(plain.stories[0], update_of="2026-W46"),))
    assert differences.stories(make_edition(0), again) == [
        "lead: Article number 0",
        "in at 1 as an update of 2026-W46: Article number 0",
    ]
    assert "in both, as an update: Article number 0" in differences.between(plain, again)
