"""No network makes more than a fifth of an article's votes, and nobody honest pays for it."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model.votes import Ballots, Tally
from digest.tallying import most_of_one_network, tallies

ARTICLE = 7
VOTES = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(1, 5)), max_size=60)
Votes = list[tuple[str, int]]


def counts(votes: Votes, article: int = ARTICLE) -> list[Ballots]:
    return [
        Ballots(article_id=article, network=network, stars=stars, votes=number)
        for (network, stars), number in sorted(Counter(votes).items())
    ]


def tally(votes: Votes) -> Tally:
    return tallies(counts(votes)).get(ARTICLE, Tally(votes=0, counted=0.0, mean=0.0))


def weight(votes: Votes, network: str) -> float:
    """Return as how many votes those of one network count: what is left out counts nothing."""
    own = sum(1 for other, _ in votes if other == network)
    return min(float(own), most_of_one_network(len(votes) - own))


@given(VOTES)
def test_votes_count_at_most_as_what_they_are(votes: Votes) -> None:
    found = tally(votes)
    assert found.votes == len(votes)
    assert 0 <= found.counted <= found.votes
    assert not votes or min(s for _, s in votes) <= found.mean <= max(s for _, s in votes) + 1e-9
    assert found.counted == pytest.approx(sum(weight(votes, n) for n in {n for n, _ in votes}))


@given(VOTES.filter(bool), st.integers(1, 10_000), st.integers(1, 5))
def test_votes_of_one_network_count_as_three_or_a_fifth_of_all_whatever_their_number(
    others: Votes, number: int, stars: int
) -> None:
    alone = [vote for vote in others if vote[0] != "x"]
    joined = [*alone, *[("x", stars)] * number]
    extra = weight(joined, "x")
    assert extra <= max(3, len(joined) / 5) + 1e-9
    assert extra <= max(3, len(alone) / 4)
    assert weight([*joined, ("x", stars)], "x") >= extra
    if number >= max(3, len(alone) / 4):  # more of them add nothing
        assert weight([*joined, ("x", stars)], "x") == extra


@given(VOTES, st.integers(1, 5))
def test_honest_vote_from_a_new_network_counts_in_full_and_takes_nothing_from_others(
    votes: Votes, stars: int
) -> None:
    more = [*votes, ("new", stars)]
    assert weight(more, "new") == 1
    for network in {network for network, _ in votes}:
        assert weight(more, network) >= weight(votes, network)
    assert tally(more).counted >= tally(votes).counted + 1 - 1e-9


@given(VOTES)
def test_three_votes_of_one_network_are_never_weighed_down(votes: Votes) -> None:
    own = Counter(network for network, _ in votes)
    for network, number in own.items():
        if number <= 3:
            assert weight(votes, network) == number
    if all(number <= 3 for number in own.values()):
        assert tally(votes).counted == len(votes)


@given(VOTES, VOTES, st.randoms(use_true_random=False))
def test_order_of_the_log_and_other_articles_change_nothing(
    votes: Votes, others: Votes, random: Random
) -> None:
    shuffled = [*counts(votes), *counts(others, article=8)]
    expected = tally(votes)
    random.shuffle(shuffled)
    found = tallies(shuffled).get(ARTICLE)
    assert found == (expected if votes else None)


def test_a_thousand_addresses_behind_one_connection_weigh_as_three_readers() -> None:
    honest = [(f"home-{number}", 4) for number in range(10)]
    found = tally([*honest, *[("office", 1)] * 1_000])
    assert (found.votes, found.counted) == (1_010, 13)
    assert found.mean == pytest.approx((10 * 4 + 3 * 1) / 13)
    assert tally([("office", 5)] * 100) == Tally(votes=100, counted=3.0, mean=5.0)


def test_network_with_both_opinions_is_weighed_down_evenly() -> None:
    votes = [("office", 5)] * 6 + [("office", 1)] * 2 + [(f"home-{n}", 3) for n in range(4)]
    found = tally(votes)
    assert found.counted == 7
    assert found.mean == pytest.approx((3 * (6 * 5 + 2 * 1) / 8 + 4 * 3) / 7)
