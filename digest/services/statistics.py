"""Statistics: what became of editions and what readers make of their stories, in numbers.

Opens and clicks are not among them: nothing in a mail reports to anybody, see docs/readers.md.
"""

from collections.abc import Iterable, Mapping, Sequence

from digest.model.deliveries import DeliveryState
from digest.model.editions import Edition
from digest.model.figures import EditionCounts, EditionFigures, StoryFigures
from digest.model.votes import Ballots
from digest.ports import Figures, Votes
from digest.tallying import tallies

STARS = (1, 2, 3, 4, 5)


class StatisticsService:
    """Counts for one newsletter.

    Args:
        figures: Editions and readers in numbers.
        votes: The log of votes.
        newsletter: The newsletter's slug.
    """

    def __init__(self, figures: Figures, votes: Votes, newsletter: str) -> None:
        self._figures, self._votes, self._newsletter = figures, votes, newsletter

    def last(self, limit: int) -> list[EditionFigures]:
        """Return the figures of the last editions that were planned, newest first."""
        return self._with_votes(self._figures.counts(self._newsletter, limit=limit))

    def one(self, label: str) -> EditionFigures | None:
        """Return the figures of one edition, or None if it was never planned."""
        found = self._figures.counts(self._newsletter, limit=1, label=label)
        return next(iter(self._with_votes(found)), None)

    def stories(self, edition: Edition) -> list[StoryFigures]:
        """Return what readers make of each story of a stored edition, in their order."""
        ids = [story.article_id for story in edition.stories]
        ballots = self._votes.ballots(self._newsletter, ids)
        found, stars = tallies(ballots), _stars(ballots)
        return [
            StoryFigures(
                position=story.position,
                article_id=story.article_id,
                headline=story.headline,
                votes=tally.votes if (tally := found.get(story.article_id)) else 0,
                counted=tally.counted if tally else 0.0,
                mean=tally.mean if tally else None,
                stars={star: stars.get((story.article_id, star), 0) for star in STARS},
            )
            for story in edition.stories
        ]

    def joined_and_left(self, figures: EditionFigures) -> tuple[int, int]:
        """Return how many readers joined, and how many left, in the edition's week."""
        return self._figures.joined_and_left(self._newsletter, figures.start, figures.end)

    def _with_votes(self, found: Sequence[EditionCounts]) -> list[EditionFigures]:
        ids = sorted({number for counts in found for number in counts.article_ids})
        votes: dict[int, int] = {}
        for ballot in self._votes.ballots(self._newsletter, ids) if ids else ():
            votes[ballot.article_id] = votes.get(ballot.article_id, 0) + ballot.votes
        return [
            _figures(counts, sum(votes.get(number, 0) for number in counts.article_ids))
            for counts in found
        ]


def _figures(counts: EditionCounts, votes: int) -> EditionFigures:
    def reported(*states: DeliveryState) -> int | None:
        """Return how many deliveries stand there; None where the provider reports nothing."""
        if not counts.events:
            return None
        return sum(counts.events.get(str(state), 0) for state in states)

    return EditionFigures(
        edition=counts.edition,
        state=counts.state,
        start=counts.start,
        end=counts.end,
        planned=counts.planned,
        accepted=counts.accepted,
        deferred=reported(DeliveryState.DEFERRED),
        delivered=reported(DeliveryState.DELIVERED, DeliveryState.COMPLAINED),
        dropped=reported(DeliveryState.DROPPED),
        bounced=reported(DeliveryState.BOUNCED),
        complained=reported(DeliveryState.COMPLAINED),
        left=sum(counts.left.values()),
        reasons=dict(sorted(counts.left.items())),
        votes=votes,
    )


def _stars(ballots: Iterable[Ballots]) -> Mapping[tuple[int, int], int]:
    """Return how many readers gave an article so many stars."""
    found: dict[tuple[int, int], int] = {}
    for ballot in ballots:
        place = ballot.article_id, ballot.stars
        found[place] = found.get(place, 0) + ballot.votes
    return found
