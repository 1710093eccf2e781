"""The score is the formula of docs/ranking.md, and its reasons add up to it in true words."""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model.articles import Rating, StoredArticle
from digest.ports import RatedArticle
from digest.ranking import (
    PRIOR_CEILING,
    Priors,
    age_days,
    explain,
    hold_back,
    measure_priors,
    order_key,
    origin,
    rank,
    score,
)
from digest.settings import RankingSettings
from digest.testing.factories import NOON, make_stored

WEIGHTS = RankingSettings()
UNCAPPED = RankingSettings(source_votes_cap=1_000_000)
DAY = dt.timedelta(days=1)


def stars(mean: float, votes: int) -> Rating:
    return Rating(mean=mean, votes=votes, origin="feed")


def usual(prior: float) -> Priors:
    return Priors(overall=prior, by_origin={})


def scored(
    rating: Rating | None,
    *,
    prior: float = 3.5,
    days: float = 0,
    trust: float = 1.0,
    settings: RankingSettings = WEIGHTS,
) -> float:
    stored = make_stored(rating=rating, published_at=NOON - days * DAY)
    return score(stored, usual(prior), trust, settings, at=NOON).score


def explained(
    rating: Rating | None,
    *,
    prior: float = 3.5,
    days: float = 0,
    trust: float = 1.0,
    settings: RankingSettings = WEIGHTS,
) -> str:
    stored = make_stored(rating=rating, published_at=NOON - days * DAY, source="App News")
    return explain(score(stored, usual(prior), trust, settings, at=NOON))


# Any article that can exist: stars from 1 to 5 in any step, and votes that a source can claim.
RATINGS = st.builds(
    stars,
    st.floats(1, 5),
    st.integers(1, 400) | st.sampled_from([999, 1_000, 10_000, 999_999_999]),
)
PRIORS = st.floats(1, PRIOR_CEILING)
TRUST = st.floats(0, 1)
DAYS = st.floats(0, 30)
SETTINGS = st.builds(
    RankingSettings,
    prior_votes=st.floats(0, 1000),
    prior_rating=PRIORS,
    age_penalty_per_day=st.floats(0, 1),
    source_votes_cap=st.integers(1, 1_000_000),
)


def make_any(number: int, rating: Rating | None, outlet: str, days: float | None) -> StoredArticle:
    published = None if days is None else NOON - days * DAY
    return make_stored(number, rating=rating, outlet=outlet, published_at=published)


POOLS = st.lists(
    st.tuples(st.none() | RATINGS, st.sampled_from(["", "A", "B"]), st.none() | DAYS),
    max_size=12,
).map(lambda rows: [make_any(number, *row) for number, row in enumerate(rows, 1)])


# The formula


@given(RATINGS, PRIORS, DAYS, TRUST, SETTINGS)
def test_the_score_is_the_formula(
    rating: Rating, prior: float, days: float, trust: float, settings: RankingSettings
) -> None:
    n = min(trust * rating.votes, settings.source_votes_cap)
    m = settings.prior_votes
    q = (m * prior + rating.mean * n) / (m + n) if m + n else prior
    expected = q - settings.age_penalty_per_day * min(days, 8)
    found = scored(rating, prior=prior, days=days, trust=trust, settings=settings)
    assert found == pytest.approx(expected, abs=0.0051)


def rated(mean: float, votes: int, *, origin: str = "App News") -> RatedArticle:
    return RatedArticle(article_id=1, source="App News", origin=origin, mean=mean, votes=votes)


HISTORIES = st.lists(
    st.builds(
        RatedArticle,
        article_id=st.integers(1, 9),
        source=st.sampled_from(["trusted", "half", "not"]),
        origin=st.sampled_from(["A", "B", "C"]),
        mean=st.floats(1, 5),
        votes=st.integers(1, 500),
    ),
    max_size=40,
)
TRUSTED = {"half": 0.5, "not": 0.0}


@given(HISTORIES)
def test_what_is_usual_is_the_formula(history: Sequence[RatedArticle]) -> None:
    counts = [min(TRUSTED.get(r.source, 1.0) * r.votes, 50) for r in history]
    overall = 3.5
    if sum(counts) >= 200:
        overall = sum(r.mean * n for r, n in zip(history, counts, strict=True)) / sum(counts)
    overall = min(overall, 4.4)
    priors = measure_priors(history, TRUSTED, WEIGHTS)
    assert priors.overall == pytest.approx(overall)
    for name in ("A", "B", "C", "nobody"):
        own = [(r, n) for r, n in zip(history, counts, strict=True) if r.origin == name]
        weights = [n / (n + 8) for _, n in own]
        total = sum(w * r.mean for w, (r, _) in zip(weights, own, strict=True)) + 3 * overall
        assert priors.of(name) == pytest.approx(min(total / (sum(weights) + 3), 4.4))


def test_until_200_votes_exist_the_setting_says_what_is_usual() -> None:
    almost = [rated(5.0, 50)] * 3 + [rated(5.0, 49)]
    settings = RankingSettings(prior_rating=3.0)
    assert measure_priors(almost, {}, settings).overall == 3.0
    assert measure_priors([*almost, rated(1.0, 1)], {}, settings).overall == 4.4


def test_a_source_without_history_stands_at_the_overall_mean() -> None:
    priors = measure_priors([rated(4.0, 50)] * 4, {}, WEIGHTS)
    assert priors.of("New") == priors.overall == 4.0
    assert measure_priors([], {}, WEIGHTS).of("New") == 3.5


def test_the_weights_of_the_settings_and_of_the_page_are_the_same() -> None:
    assert (WEIGHTS.prior_votes, WEIGHTS.prior_rating) == (8, 3.5)
    assert (WEIGHTS.age_penalty_per_day, WEIGHTS.source_votes_cap) == (0.03, 50)


# The promises


@given(PRIORS)
def test_five_stars_of_two_votes_never_beat_four_point_six_of_four_hundred(prior: float) -> None:
    for settings in (WEIGHTS, UNCAPPED):
        many = scored(stars(4.6, 400), prior=prior, settings=settings)
        assert many > scored(stars(5.0, 2), prior=prior, settings=settings)


@given(st.floats(4.1, PRIOR_CEILING), st.floats(1, PRIOR_CEILING))
def test_nor_do_those_of_another_source_when_the_many_are_of_a_good_one(
    prior: float, other: float
) -> None:
    assert scored(stars(4.6, 400), prior=prior) > scored(stars(5.0, 2), prior=other)


def test_a_history_of_nothing_but_praise_does_not_let_few_votes_win() -> None:
    priors = measure_priors([rated(5.0, 400)] * 50, {}, WEIGHTS)
    few, many = make_stored(1, rating=stars(5.0, 2)), make_stored(2, rating=stars(4.6, 400))
    best, _ = rank([few, many], priors, {}, WEIGHTS, at=NOON)
    assert best.stored == many


@given(st.floats(1, 5), PRIORS)
def test_more_votes_for_the_same_stars_never_bring_it_nearer_to_what_is_usual(
    mean: float, prior: float
) -> None:
    scores = [scored(stars(mean, votes), prior=prior) for votes in (1, 2, 5, 20, 50)]
    assert scores == sorted(scores, reverse=mean < prior)


def test_an_unrated_article_stands_exactly_where_its_source_usually_does() -> None:
    priors = Priors(overall=3.2, by_origin={"Good": 4.123, "Bad": 2.5})
    for outlet, expected in (("Good", 4.12), ("Bad", 2.5), ("New", 3.2)):
        stored = make_stored(rating=None, outlet=outlet, published_at=NOON)
        assert score(stored, priors, 1.0, WEIGHTS, at=NOON).score == expected


def test_millions_of_votes_that_a_source_claims_count_as_fifty() -> None:
    claimed, honest = stars(5.0, 999_999_999), stars(5.0, 50)
    assert scored(claimed) == scored(honest)
    assert scored(claimed, trust=0.1) == scored(honest)
    assert scored(stars(5.0, 100), trust=0.1) == scored(stars(5.0, 10))


def test_claimed_votes_break_no_tie() -> None:
    honest = make_stored(2, rating=stars(4.5, 50), published_at=NOON)
    claimed = make_stored(1, rating=stars(4.5, 999_999_999), published_at=NOON - 60 * DAY / 86400)
    order = rank([claimed, honest], usual(3.5), {}, WEIGHTS, at=NOON)
    assert [item.score for item in order] == [order[0].score] * 2
    assert [item.stored.id for item in order] == [2, 1]


@pytest.mark.parametrize("settings", [WEIGHTS, RankingSettings(prior_votes=0)])
def test_stars_of_a_source_that_nobody_trusts_count_nothing(settings: RankingSettings) -> None:
    assert scored(stars(5.0, 400), trust=0.0, settings=settings) == 3.5
    history = [replace(rated(5.0, 400), source="Loud")] * 50
    priors = measure_priors(history, {"Loud": 0.0}, settings)
    assert (priors.overall, priors.by_origin) == (3.5, {"App News": 3.5})


@given(RATINGS, PRIORS, DAYS)
def test_age_costs_at_most_a_quarter_of_a_star(rating: Rating, prior: float, days: float) -> None:
    lost = scored(rating, prior=prior) - scored(rating, prior=prior, days=days)
    assert -0.011 < lost < 0.251


def test_age_is_counted_from_the_stated_date_else_from_first_sight_and_never_negative() -> None:
    assert age_days(make_stored(published_at=NOON - 2 * DAY), at=NOON) == 2
    assert age_days(make_stored(published_at=NOON - 20 * DAY), at=NOON) == 8
    assert age_days(make_stored(published_at=NOON + DAY), at=NOON) == 0
    assert age_days(make_stored(published_at=None), at=NOON + DAY) == 1


# The order


@given(POOLS, HISTORIES, st.randoms(use_true_random=False))
def test_the_order_does_not_depend_on_the_order_in_which_articles_come(
    pool: list[StoredArticle], history: list[RatedArticle], random: Random
) -> None:
    priors = measure_priors(history, TRUSTED, WEIGHTS)
    expected = rank(pool, priors, TRUSTED, WEIGHTS, at=NOON)
    shuffled = list(pool)
    random.shuffle(shuffled)
    assert rank(shuffled, priors, TRUSTED, WEIGHTS, at=NOON) == expected
    assert len({order_key(item) for item in expected}) == len(pool)
    assert [item.score for item in expected] == sorted(
        (item.score for item in expected), reverse=True
    )


def test_equal_scores_are_ordered_by_votes_then_date_then_address() -> None:
    settings = RankingSettings(age_penalty_per_day=0)
    at_prior = [
        make_stored(1, rating=None, published_at=NOON),
        make_stored(2, rating=stars(3.5, 3), published_at=NOON - 3 * DAY),
        make_stored(3, rating=stars(3.5, 9), published_at=NOON - 4 * DAY),
        make_stored(5, rating=None, published_at=NOON - DAY),
        make_stored(4, rating=None, published_at=NOON - DAY),
    ]
    order = rank(at_prior, usual(3.5), {}, settings, at=NOON)
    assert [item.stored.id for item in order] == [3, 2, 1, 4, 5]


@given(POOLS, st.integers(1, 3), st.frozensets(st.integers(1, 12)))
def test_at_most_so_many_of_one_outlet_are_free_and_the_best_of_it_are(
    pool: list[StoredArticle], cap: int, hidden: frozenset[int]
) -> None:
    ranked = rank(pool, usual(3.5), {}, WEIGHTS, at=NOON)
    marked = hold_back(ranked, cap, hidden=hidden)
    assert [item.stored for item in marked] == [item.stored for item in ranked]
    for name in {origin(stored.article) for stored in pool}:
        seen = [m for m in marked if origin(m.stored.article) == name and m.stored.id not in hidden]
        assert [not item.held_back for item in seen] == [n < cap for n in range(len(seen))]


def test_what_is_held_back_says_why() -> None:
    pool = [make_stored(n, rating=stars(5 - n / 10, 50), outlet="App News") for n in range(1, 5)]
    marked = hold_back(rank(pool, usual(3.5), {}, WEIGHTS, at=NOON), 3)
    assert explain(marked[3]).endswith(
        " Held back: number 4 from App News this week; more than 3 appear only when nothing else "
        "is left."
    )


# The words


@given(st.none() | RATINGS, PRIORS, DAYS, TRUST, SETTINGS)
def test_reasons_add_up_to_the_score_to_the_hundredth(
    rating: Rating | None, prior: float, days: float, trust: float, settings: RankingSettings
) -> None:
    stored = make_stored(rating=rating, published_at=NOON - days * DAY)
    found = score(stored, usual(prior), trust, settings, at=NOON)
    assert sum(round(reason.stars * 100) for reason in found.reasons) == round(found.score * 100)
    for reason in found.reasons:
        [shown] = re.findall(r"[+−]?\d+\.\d\d(?=★| because| for)", reason.text)
        assert float(shown.replace("−", "-")) == reason.stars
    assert explain(found).endswith(f" → {found.score:.2f}.")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (
            explained(stars(4.6, 120), prior=3.8, days=4, settings=UNCAPPED),
            "4.60★ from 120 votes; −0.05 because 120 votes are few; −0.12 for 4 days → 4.43.",
        ),
        (
            explained(stars(4.6, 120), prior=3.8, days=4),
            "4.60★ from 120 votes; −0.11 because 120 votes stated by the source count as 50; "
            "−0.12 for 4 days → 4.37.",
        ),
        (
            explained(stars(2.0, 3), prior=3.5),
            "2.00★ from 3 votes; +1.09 because 3 votes are few → 3.09.",
        ),
        (
            explained(stars(5.0, 1), prior=3.5),
            "5.00★ from 1 vote; −1.33 because there is only 1 vote → 3.67.",
        ),
        (
            explained(stars(5.0, 1), prior=3.5, trust=0.25),
            "5.00★ from 1 vote; −1.45 because 1 vote stated by the source counts as 0.25 → 3.55.",
        ),
        (
            explained(stars(5.0, 99), prior=3.5, trust=0.0),
            "5.00★ from 99 votes; −1.50 because 99 votes stated by the source count as 0 → 3.50.",
        ),
        (
            explained(stars(4.0, 999_999_999), prior=4.0),
            "4.00★ from 999,999,999 votes → 4.00.",
        ),
        (
            explained(None, prior=3.81, days=1),
            "No votes yet: stands at App News's usual 3.81★; −0.03 for 1 day → 3.78.",
        ),
        (
            explained(None, prior=4.4),
            "No votes yet: stands at 4.40★, the most that any article gets without votes → 4.40.",
        ),
        (
            explained(None, prior=3.5, days=0.5),
            "No votes yet: stands at App News's usual 3.50★; −0.02 for 12 hours → 3.48.",
        ),
        (
            explained(None, prior=3.5, days=20),
            "No votes yet: stands at App News's usual 3.50★; −0.24 for 8 days or more → 3.26.",
        ),
    ],
)
def test_the_words_are_plain_and_true(found: str, expected: str) -> None:
    assert found == expected


# The page


def test_the_example_of_the_page_is_what_the_program_says() -> None:
    page = (Path(__file__).parents[2] / "docs" / "ranking.md").read_text(encoding="utf-8")
    history = [rated(4.0, 50, origin="Tap Weekly")] * 2 + [rated(3.0, 20, origin="Tap Weekly")]
    prior = measure_priors(history, {}, WEIGHTS).of("Tap Weekly")
    example = make_stored(rating=stars(4.6, 30), published_at=NOON - 4 * DAY, outlet="Tap Weekly")
    priors = Priors(overall=3.5, by_origin={"Tap Weekly": prior})
    words = explain(score(example, priors, 1.0, WEIGHTS, at=NOON))
    unrated = make_stored(rating=None, published_at=NOON - DAY, outlet="Tap Weekly")
    assert (
        f"C_s = (0.86·4.0 + 0.86·4.0 + 0.71·3.0 + 3·3.5) / (0.86 + 0.86 + 0.71 + 3) = {prior:.2f}"
        in page
    )
    assert words in page
    assert explain(score(unrated, priors, 1.0, WEIGHTS, at=NOON)) in page
    for text in ("m = 8", "3.5", "0.03", "50", "4.4", "200"):
        assert text in page
