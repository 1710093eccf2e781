"""Readers of some topics get the stories of those topics, and as few variants as that takes."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from digest.curation import (
    MAX_SEGMENTS,
    English,
    narrowed,
    segments,
    stories_for,
    with_envelope,
)
from digest.model.editions import Story
from digest.testing.factories import make_edition, make_story

TOPICS = ("Apps", "Games", "Privacy", "Maps & Travel")
CHOICES = st.lists(st.sampled_from((*TOPICS, "apps", "Cooking")), unique=True).map(
    lambda topics: tuple(sorted(topics))
)
STORIES = st.lists(st.lists(st.sampled_from(TOPICS), max_size=2), min_size=1, max_size=6).map(
    lambda found: tuple(
        make_story(number, topics=tuple(topics)) for number, topics in enumerate(found, 1)
    )
)


def of_topics(*topics: str) -> tuple[Story, ...]:
    return tuple(make_story(number, topics=(t,)) for number, t in enumerate(topics, 1))


@given(STORIES, st.dictionaries(CHOICES, st.integers(1, 1000)), st.integers(1, 4))
def test_every_reader_is_in_the_segment_that_has_exactly_their_stories(
    stories: tuple[Story, ...], readers: dict[tuple[str, ...], int], minimum: int
) -> None:
    found = segments(stories, list(readers.items()), minimum=minimum)
    for topics in readers:
        chosen = [kept for kept, choices in found.items() if topics in choices]
        expected = stories_for(stories, topics, minimum=minimum)
        assert chosen == ([] if expected is None else [expected])


@given(STORIES, st.data())
def test_a_narrowed_edition_is_numbered_from_one_and_led_by_its_first(
    stories: tuple[Story, ...], data: st.DataObject
) -> None:
    chosen = data.draw(st.sets(st.integers(0, len(stories) - 1), min_size=1))
    kept = sorted(chosen | {0})
    edition = narrowed(make_edition(0, stories=stories), kept, English())
    assert [s.article_id for s in edition.stories] == [stories[index].article_id for index in kept]
    assert [s.position for s in edition.stories] == list(range(1, len(kept) + 1))
    assert [s.lead for s in edition.stories] == [True] + [False] * (len(kept) - 1)


def test_only_the_segments_with_the_most_readers_are_rendered() -> None:
    count = MAX_SEGMENTS + 3
    stories = of_topics("Lead", *(f"Topic {number}" for number in range(1, count + 1)))
    choices = [((f"Topic {number}",), number) for number in range(1, count + 1)]
    # Two spellings are one segment, and their readers count together.
    choices.append((("TOPIC 1",), 1000))
    found = segments(stories, choices, minimum=2)
    assert len(found) == MAX_SEGMENTS
    assert found[0, 1] == (("Topic 1",), ("TOPIC 1",))
    assert (0, 2) not in found
    assert list(found)[:2] == [(0, 1), (0, count)]


def test_subject_of_a_segment_counts_its_own_stories_unless_an_editor_wrote_it() -> None:
    edition = make_edition(6, preheader_edited=True)
    narrow = narrowed(edition, (0, 4, 5), English())
    assert narrow.subject == "Headline number 1, and two more"
    assert narrow.preheader == edition.preheader
    by_hand = replace(edition, subject="Six apps", subject_edited=True)
    assert narrowed(by_hand, (0, 4, 5), English()).subject == "Six apps"


def test_subject_of_a_segment_is_none_that_its_readers_had_whatever_number_it_counts() -> None:
    edition = make_edition(6)
    had = {"Headline number 1, and five more", "HEADLINE NUMBER 5, and nine more!"}
    assert with_envelope(edition, taken=had).subject == "Headline number 2, and five more"
    narrow = narrowed(edition, (0, 4, 5), English(), taken=had)
    assert narrow.subject == "Headline number 6, and two more"
    alone = narrowed(edition, (0, 1), English(), taken={"Headline number 1"})
    assert alone.subject == "Headline number 2, and one more"
    longer = {"Headline number 10, and two more", "Headline number 1 and two", ""}
    assert narrowed(edition, (0, 4, 5), English(), taken=longer).subject.startswith(
        "Headline number 1, "
    )


def test_where_every_subject_was_had_the_lead_is_named_all_the_same() -> None:
    edition = make_edition(3)
    had = {f"Headline number {number}" for number in (1, 2, 3)}
    assert narrowed(edition, (0, 2), English(), taken=had).subject.startswith("Headline number 1,")
