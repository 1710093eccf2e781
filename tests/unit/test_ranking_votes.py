"""What readers say joins what the source states, and the words of a score say so."""

import re
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model.articles import Rating
from digest.model.votes import Tally
from digest.ports import RatedArticle
from digest.ranking import PRIOR_CEILING, Priors, explain, measure_priors, rank, score
from digest.settings import RankingSettings
from digest.testing.factories import NOON, make_stored

WEIGHTS = RankingSettings()


def stars(mean: float, votes: int) -> Rating:
    return Rating(mean=mean, votes=votes, origin="feed")


def tally(mean: float, votes: int, counted: float | None = None) -> Tally:
    return Tally(votes=votes, counted=votes if counted is None else counted, mean=mean)


def usual(prior: float) -> Priors:
    return Priors(overall=prior, by_origin={})


RATINGS = st.none() | st.builds(stars, st.floats(1, 5), st.integers(1, 10_000))
TALLIES = st.integers(1, 2_000).flatmap(
    lambda votes: st.builds(
        Tally, votes=st.just(votes), counted=st.floats(1, votes), mean=st.floats(1, 5)
    )
)
PRIORS = st.floats(1, PRIOR_CEILING)


@given(RATINGS, TALLIES, PRIORS, st.floats(0, 1))
def test_the_score_joins_both_by_the_formula_and_its_reasons_add_up(
    rating: Rating | None, readers: Tally, prior: float, trust: float
) -> None:
    stated, own = (rating.votes, rating.mean) if rating else (0, 0.0)
    capped = min(trust * stated, 50)
    n = capped + readers.counted
    expected = (8 * prior + own * capped + readers.mean * readers.counted) / (8 + n)
    stored = make_stored(rating=rating, published_at=NOON)
    found = score(stored, usual(prior), trust, WEIGHTS, at=NOON, readers=readers)
    assert found.score == pytest.approx(expected, abs=0.0051)
    assert found.counted == pytest.approx(n)
    assert sum(round(reason.stars * 100) for reason in found.reasons) == round(found.score * 100)
    assert found.rating is not None
    assert 1 <= found.rating.mean <= 5 + 1e-9
    assert found.rating.votes == readers.votes + (stated if capped else 0)


@given(RATINGS, PRIORS)
def test_without_votes_of_readers_everything_is_as_the_source_states(
    rating: Rating | None, prior: float
) -> None:
    stored = make_stored(rating=rating, published_at=NOON)
    found = score(stored, usual(prior), 1.0, WEIGHTS, at=NOON)
    assert found.rating == rating
    assert "readers" not in explain(found)


@given(TALLIES, PRIORS)
def test_millions_that_a_source_claims_cannot_outvote_readers(readers: Tally, prior: float) -> None:
    claimed, honest = (
        score(
            make_stored(rating=stars(5.0, votes), published_at=NOON),
            usual(prior),
            1.0,
            WEIGHTS,
            at=NOON,
            readers=readers,
        )
        for votes in (999_999_999, 50)
    )
    assert claimed.score == honest.score


def test_votes_on_one_article_change_what_is_usual_at_its_outlet_alone() -> None:
    history = [
        RatedArticle(article_id=1, source="A", origin="A", mean=4.0, votes=40),
        RatedArticle(article_id=2, source="A", origin="A", mean=0.0, votes=0),
        RatedArticle(article_id=3, source="B", origin="B", mean=3.0, votes=40),
    ]
    before = measure_priors(history, {}, WEIGHTS)
    after = measure_priors(history, {}, WEIGHTS, {2: tally(5.0, 9)})
    assert after.of("A") > before.of("A")
    assert after.of("B") == before.of("B")
    w, v = 40 / 48, 9 / 17
    assert after.of("A") == pytest.approx((w * 4 + v * 5 + 3 * 3.5) / (w + v + 3))
    assert (after.behind["A"].articles, after.behind["A"].votes) == (2, 9)


def test_votes_of_readers_count_whatever_the_source_is_trusted() -> None:
    history = [RatedArticle(article_id=1, source="Loud", origin="Loud", mean=5.0, votes=400)]
    priors = measure_priors(history, {"Loud": 0.0}, WEIGHTS, {1: tally(1.0, 8)})
    assert priors.of("Loud") == pytest.approx((0.5 * 1.0 + 3 * 3.5) / 3.5)
    [found] = rank(
        [make_stored(1, rating=stars(5.0, 400), source="Loud")],
        priors,
        {"Loud": 0.0},
        WEIGHTS,
        at=NOON,
        tallies={1: tally(1.0, 8)},
    )
    assert found.rating == Rating(mean=1.0, votes=8, origin="readers")


def priors_with(votes: int) -> Priors:
    history = [
        RatedArticle(article_id=n, source="App News", origin="App News", mean=4.0, votes=40)
        for n in range(14)
    ]
    given_votes: Mapping[int, Tally] = {3: tally(5.0, votes)} if votes else {}
    return measure_priors(history, {}, WEIGHTS, given_votes)


def explained(rating: Rating | None, readers: Tally | None, priors: Priors) -> str:
    stored = make_stored(rating=rating, published_at=NOON, source="App News")
    if readers is None:
        return explain(score(stored, priors, 1.0, WEIGHTS, at=NOON))
    return explain(score(stored, priors, 1.0, WEIGHTS, at=NOON, readers=readers))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (
            explained(stars(4.0, 120), tally(4.5, 31), usual(3.5)),
            "4.19★ from 31 votes of your readers and 120 stated by the source; −0.06 because 120 "
            "votes stated by the source count as 50 → 4.13.",
        ),
        (
            explained(None, tally(4.0, 31, 12.5), usual(3.5)),
            "4.00★ from 31 votes of your readers; −0.20 because 31 votes of your readers count as "
            "12.5 → 3.80.",
        ),
        (
            explained(stars(4.0, 120), tally(4.0, 31, 12.5), usual(3.5)),
            "4.00★ from 31 votes of your readers and 120 stated by the source; −0.06 because 120 "
            "votes stated by the source count as 50 and 31 of your readers as 12.5 → 3.94.",
        ),
        (
            explained(None, tally(5.0, 1), usual(3.5)),
            "5.00★ from 1 vote of your readers; −1.33 because there is only 1 vote → 3.67.",
        ),
        (
            explained(stars(4.0, 2), tally(4.0, 3), usual(3.5)),
            "4.00★ from 3 votes of your readers and 2 stated by the source; −0.31 because 5 votes "
            "are few → 3.69.",
        ),
        (
            explained(None, None, priors_with(9)),
            "No votes yet: stands at App News's usual 4.01★ of 14 rated articles, 9 votes of your "
            "readers among them → 4.01.",
        ),
        (
            explained(None, None, priors_with(0)),
            "No votes yet: stands at App News's usual 4.00★ of 14 rated articles → 4.00.",
        ),
        (
            explained(stars(5.0, 30), None, priors_with(1)),
            "5.00★ from 30 votes; −0.21 because 30 votes are few, and App News usually has 4.00 "
            "(1 vote of your readers in it) → 4.79.",
        ),
    ],
)
def test_the_words_say_whose_votes_they_are(found: str, expected: str) -> None:
    assert found == expected
    for part in found.split(" → ")[0].split("; "):
        assert len(re.findall(r"[+−]?\d+\.\d\d(?=★| because| for)", part)) == 1
