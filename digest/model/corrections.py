"""Corrections: what an editor put right in an edition after it went out."""

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What was wrong, in a sentence for readers; shown on the edition's page, never in a mail.

    `article_id` names the story, None for the whole edition. `headline` and `summary` are the
    story's words from now on, each "" where they stay. `at` is an aware UTC instant.
    """

    edition_id: int
    words: str
    by: str
    at: dt.datetime
    article_id: int | None = None
    headline: str = ""
    summary: str = ""
    id: int | None = None
