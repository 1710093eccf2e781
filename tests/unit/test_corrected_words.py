"""What a corrected edition says."""

import datetime as dt
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from digest.curation import with_envelope
from digest.model.corrections import Correction
from digest.services.corrections import corrected
from digest.testing.factories import NOON, make_edition

LONG = "A headline that says so much that no subject has room for all of its many, many words"


def correction(article_id: int | None = 1, after: int = 0, **words: str) -> Correction:
    at = NOON + dt.timedelta(minutes=after)
    return Correction(edition_id=1, words="Wrong.", by="Ana", at=at, article_id=article_id, **words)


def test_last_of_two_corrections_counts_and_each_word_by_itself() -> None:
    edition = corrected(
        make_edition(3),
        [
            correction(2, headline="First"),
            correction(2, summary="Short."),
            correction(2, headline="Second"),
            correction(None),
            correction(99, headline="Of no story"),
        ],
    )
    assert [s.headline for s in edition.stories] == [
        "Headline number 1",
        "Second",
        "Headline number 3",
    ]
    assert edition.stories[1].summary == "Short."
    assert edition.preheader == "Also: Second"


def test_subject_repeats_the_new_headline_also_where_it_was_cut_short() -> None:
    for old in (LONG, "Is it free?", "Short", f"{LONG}!"):
        stories = make_edition(3).stories
        for place in (0, 1, 2):
            named = tuple(
                replace(s, headline=old) if n == place else s for n, s in enumerate(stories)
            )
            edition = with_envelope(make_edition(0, stories=named))
            shown = corrected(edition, [correction(place + 1, headline="New words.")])
            for text in (shown.subject, shown.preheader):
                assert old[:12].rstrip("?") not in text
            assert "New words" in shown.subject + shown.preheader


def test_headline_that_is_only_a_part_of_a_longer_word_is_not_taken_for_itself() -> None:
    stories = make_edition(3).stories
    named = ("Main 10 apps of Air", "AI", "Ai in A1")
    headed = zip(stories, named, strict=True)
    edition = make_edition(0, stories=tuple(replace(s, headline=h) for s, h in headed))
    edition = replace(with_envelope(edition), preheader="Also: AI · TAIL · AI2")
    shown = corrected(edition, [correction(2, headline=r"\1 robots")])
    assert shown.subject == edition.subject
    assert shown.preheader == r"Also: \1 robots · TAIL · AI2"


@given(st.lists(st.builds(correction, st.sampled_from([None, 1, 2, 9])), max_size=3))
def test_correction_without_new_words_changes_none(made: list[Correction]) -> None:
    assert corrected(make_edition(3), made) == make_edition(3)
