"""Only stars that somebody surely gave are shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model.articles import Rating, RawRating
from digest.normalising.ratings import MAX_VOTES, to_rating


def rate(value: str, count: str, best: str = "5", worst: str = "1") -> tuple[float, int] | None:
    rating = to_rating(RawRating(value=value, count=count, best=best, worst=worst))
    return (rating.mean, rating.votes) if rating else None


@pytest.mark.parametrize(
    ("value", "count", "best", "worst", "expected"),
    [
        ("4.73", "95", "5", "1", (4.73, 95)),
        ("3,2", "112", "5", "1", (3.2, 112)),
        (" 5 ", " 1 ", "5", "1", (5.0, 1)),
        ("1", "7", "5", "1", (1.0, 7)),
        ("7.9", "12", "10", "1", (4.0667, 12)),
        ("7.9", "12", "10", "0", (4.16, 12)),
        ("92", "400", "100", "0", (4.68, 400)),
        ("0", "3", "5", "0", (1.0, 3)),
        ("4", "1,204", "", "", (4.0, 1204)),
        ("4", "1.204", "5", "1", (4.0, 1204)),
        ("4", "1 204 567", "5", "1", (4.0, 1_204_567)),
        ("4", "1’204", "5", "1", (4.0, 1204)),
        ("4", "95.0", "5", "1", (4.0, 95)),
        ("5", "999999999999", "5", "1", (5.0, MAX_VOTES)),
    ],
)
def test_stars_are_brought_to_one_scale(
    value: str, count: str, best: str, worst: str, expected: tuple[float, int]
) -> None:
    assert rate(value, count, best, worst) == expected


@pytest.mark.parametrize(
    ("value", "count", "best", "worst"),
    [
        ("4.5", "", "5", "1"),
        ("0", "0", "0", "1"),
        ("4.5", "0", "5", "1"),
        ("4.5", "-3", "5", "1"),
        ("4.5", "many", "5", "1"),
        ("4.5", "12.5", "5", "1"),
        ("4.5", "9" * 13, "5", "1"),
        ("5.1", "10", "5", "1"),
        ("0.9", "10", "5", "1"),
        ("7.9", "10", "5", "1"),
        ("-1", "10", "5", "1"),
        ("", "10", "5", "1"),
        ("nan", "10", "5", "1"),
        ("inf", "10", "inf", "1"),
        ("1e0", "10", "5", "1"),
        ("4 of 5", "10", "5", "1"),
        ("3", "10", "1", "5"),
        ("5", "10", "5", "5"),
        ("1", "10", "1", "1"),
        ("4", "10", "9" * 20, "1"),
    ],
)
def test_stars_that_cannot_be_right_are_none(value: str, count: str, best: str, worst: str) -> None:
    assert rate(value, count, best, worst) is None


def test_no_rating_is_none_and_a_rating_says_where_it_is_from() -> None:
    assert to_rating(None) is None
    stars = RawRating(value="4", count="2", origin="pa\x00ge")
    assert to_rating(stars) == Rating(mean=4.0, votes=2, origin="page")


NUMBER = st.one_of(
    st.text(max_size=25),
    st.decimals(min_value=0, max_value=200, places=2).map(str),
    st.integers(0, 10**13).map(str),
)


@given(NUMBER, NUMBER, NUMBER, NUMBER)
def test_a_rating_is_within_the_scale_with_a_vote_behind_it(
    value: str, count: str, best: str, worst: str
) -> None:
    rating = to_rating(RawRating(value=value, count=count, best=best, worst=worst))
    if rating is not None:
        assert 1 <= rating.mean <= 5
        assert 1 <= rating.votes <= MAX_VOTES


@given(st.integers(0, 100), st.integers(0, 100))
def test_more_stars_are_never_fewer_on_our_scale(one: int, other: int) -> None:
    low, high = (rate(str(value), "9", "100", "0") for value in sorted((one, other)))
    assert low is not None
    assert high is not None
    assert low <= high
