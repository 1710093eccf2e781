"""The archive: the editions that readers have."""

import datetime as dt
from dataclasses import dataclass

from digest.model.corrections import Correction
from digest.model.editions import Edition, Period


@dataclass(frozen=True, slots=True, kw_only=True)
class PastEdition:
    """An edition that some reader has or is about to get, without its stories.

    `revision` is that of the stored edition. `released_at` is when the provider sends it, or where
    it was sent at once, when it was approved; an aware UTC instant.
    """

    id: int
    period: Period
    subject: str
    revision: int
    released_at: dt.datetime

    @property
    def label(self) -> str:
        """The edition's label, e.g. "2026-W48"."""
        return self.period.label


@dataclass(frozen=True, slots=True, kw_only=True)
class PastStory:
    """The words of a story of a past edition."""

    edition_id: int
    article_id: int
    headline: str
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An edition that a search found, and those of its stories that have most of the words."""

    edition: PastEdition
    stories: tuple[PastStory, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PastPage:
    """A past edition as its page shows it: corrected, with what was corrected, oldest first.

    `previous` and `next` are its neighbours among the past editions, None at either end.
    """

    past: PastEdition
    edition: Edition
    corrections: tuple[Correction, ...] = ()
    previous: PastEdition | None = None
    next: PastEdition | None = None
