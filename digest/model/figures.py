"""Figures: what became of an edition, in numbers that somebody counted and nobody guessed."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionCounts:
    """What is stored about one edition that was planned, as counts of its readers.

    `start` and `end` are those of its week, aware UTC. `accepted` is what the provider took.
    `events` counts deliveries by `DeliveryState`, each by the most final thing that the provider
    reported, and is empty where it reported nothing. `left` counts who left by the edition's own
    links, by the reason that they gave, "" for none. `article_ids` are its stories', in order.
    """

    edition: str
    state: str
    start: dt.datetime
    end: dt.datetime
    planned: int
    accepted: int
    events: Mapping[str, int]
    left: Mapping[str, int]
    article_ids: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryFigures:
    """What readers make of one story: see `Tally`; `mean` is None while nobody voted.

    `stars` has how many readers gave each of 1 to 5.
    """

    position: int
    article_id: int
    headline: str
    votes: int
    counted: float
    mean: float | None
    stars: Mapping[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionFigures:
    """What became of one edition. A number that nobody reported is None, and never 0.

    `delivered` includes who complained, as they have the mail. `reasons` says why those who left
    did, "" for no reason.
    """

    edition: str
    state: str
    start: dt.datetime
    end: dt.datetime
    planned: int
    accepted: int
    deferred: int | None
    delivered: int | None
    dropped: int | None
    bounced: int | None
    complained: int | None
    left: int
    reasons: Mapping[str, int]
    votes: int
