"""Votes: the stars that readers give to the stories they were sent."""

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One press of the button: a reader gave an article 1 to 5 stars at an aware UTC instant.

    Of a reader's votes about one article the last one counts. `network` is a hash of where it came
    from that changes every day.
    """

    newsletter: str
    edition_id: int
    article_id: int
    subscriber_id: int
    stars: int
    at: dt.datetime
    network: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballots:
    """How many readers of one network, on one day, stand by so many stars for an article."""

    article_id: int
    network: str
    stars: int
    votes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What readers make of an article: their votes, as how many they count, and the mean star.

    `counted` is at most `votes`: many votes from one network count as fewer. The mean is that of
    the counted votes, on the scale 1 to 5.
    """

    votes: int
    counted: float
    mean: float
