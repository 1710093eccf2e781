"""Tallying: what an article's readers make of it, and as how many votes theirs count.

A vote is one reader's, and what they stand by now is all that counts of it. Many votes from one
network may be one person with many addresses, so they count as fewer: docs/ranking.md has the rule
and its reason. Pure and recomputed from the log each time: the same ballots give the same tally.
"""

import math
from collections.abc import Iterable, Mapping

from digest.model.votes import Ballots, Tally

FREE_VOTES = 3  # a family or a small office behind one connection
SHARE_OF_OTHERS = 4  # a quarter of all others is a fifth of all


def most_of_one_network(others: int) -> float:
    """Return as how many votes those of one network count at most.

    That is 3, or a quarter of the votes from everywhere else where that is more: beside those a
    fifth of the whole. How many it sends itself changes nothing about that.
    """
    return max(float(FREE_VOTES), others / SHARE_OF_OTHERS)


def tallies(ballots: Iterable[Ballots]) -> Mapping[int, Tally]:
    """Return the tally of each article that the ballots name, whatever order they come in."""
    by_article: dict[int, list[Ballots]] = {}
    for ballot in ballots:
        if ballot.votes > 0:
            by_article.setdefault(ballot.article_id, []).append(ballot)
    return {article_id: _tally(found) for article_id, found in sorted(by_article.items())}


def _tally(ballots: list[Ballots]) -> Tally:
    """Return the tally of one article; all votes of one network weigh the same."""
    votes = sum(ballot.votes for ballot in ballots)
    of_network: dict[str, int] = {}
    for ballot in ballots:
        of_network[ballot.network] = of_network.get(ballot.network, 0) + ballot.votes
    weights = {
        network: min(1.0, most_of_one_network(votes - own) / own)
        for network, own in of_network.items()
    }
    counts = [ballot.votes * weights[ballot.network] for ballot in ballots]
    counted = math.fsum(counts)
    stars = math.fsum(n * ballot.stars for n, ballot in zip(counts, ballots, strict=True))
    # Rounding must not make a mean that no star can have, nor more votes than there are.
    return Tally(
        votes=votes, counted=min(counted, float(votes)), mean=min(max(stars / counted, 1.0), 5.0)
    )
