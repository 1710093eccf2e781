"""What a source yields and what the store keeps: entries, ratings and articles."""

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A picture that an article names.

    `width` and `height` are CSS pixels, or None where the source does not state them; a mail
    shows only pictures whose size is known, because mail clients need both attributes.
    """

    url: str
    width: int | None = None
    height: int | None = None
    alt: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawRating:
    """Stars exactly as a source states them, before any scale or range is checked."""

    value: str
    count: str
    best: str = "5"
    worst: str = "1"
    origin: str = "feed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RawEntry:
    """One entry as found: plain text (markup is gone), nothing checked, nothing shortened.

    `published` is the raw date string. `published_guess` is what the parser read from it, aware
    UTC; it is only believed under the conditions in `digest.normalising.dates`.
    """

    title: str
    id: str = ""
    url: str = ""
    summary: str = ""
    text: str = ""
    author: str = ""
    outlet: str = ""
    published: str = ""
    published_guess: dt.datetime | None = None
    language: str = ""
    topics: tuple[str, ...] = ()
    image: Image | None = None
    rating: RawRating | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """Stars on the scale 1–5 with the number of votes behind them (at least 1)."""

    mean: float
    votes: int
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """One normalised news item, unique by `key` (its canonical URL, or `text:<hash>` without one).

    All text is clean, plain and NFC. `published_at` is aware UTC, or None when no date can be
    believed; `dated_ahead` marks an article whose stated date lies more than a day in the future.
    `unseen_seconds` is how long its source had not been seen when it came: after an outage an older
    article is still news. `words` counts the words of the whole text, for the reading time.
    """

    key: str
    title: str
    source: str
    url: str = ""
    summary: str = ""
    author: str = ""
    outlet: str = ""
    topics: tuple[str, ...] = ()
    language: str = ""
    image: Image | None = None
    rating: Rating | None = None
    published_at: dt.datetime | None = None
    published_raw: str = ""
    dated_ahead: bool = False
    unseen_seconds: float = 0.0
    words: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredArticle:
    """An article with what the store knows of it.

    `belongs_at` is the instant that places it in a period, set once: the time of first sight, or
    the published date of an article that stood in its source's first fetch (the baseline). None
    means that it is never a candidate.
    """

    id: int
    article: Article
    first_seen_at: dt.datetime
    belongs_at: dt.datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One part of a score: a sentence for people and the stars that it adds or takes."""

    text: str
    stars: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedArticle:
    """An article with its score in stars and the reasons, whose stars add up to the score.

    `rating` is what readers see: the source's own stars and the votes of readers joined. `counted`
    says as how many votes it counts; `held_back` why it waits behind the cap of its outlet, "" when
    it does not.
    """

    stored: StoredArticle
    score: float
    reasons: tuple[Reason, ...]
    rating: Rating | None = None
    counted: float = 0.0
    held_back: str = ""
