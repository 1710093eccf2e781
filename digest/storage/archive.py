"""The archive: the editions that readers have, as lists and searches need them.

Of the documents only what is shown is read: an archive of ten years is listed in milliseconds.
"""

import datetime as dt
from typing import Any

import sqlalchemy as sa

from digest.model.archive import PastEdition, PastStory
from digest.model.corrections import Correction
from digest.model.editions import Period
from digest.storage.accounts import reached
from digest.storage.corrections import to_correction
from digest.storage.database import Database
from digest.storage.reader_tables import corrections
from digest.storage.tables import editions, stories


class SqlArchive:
    """See `digest.ports.Archive` for the promises of each method."""

    def __init__(self, database: Database) -> None:
        self._reading = database.reading

    def past_editions(self, newsletter: str, *, now: dt.datetime) -> list[PastEdition]:
        """Return the editions that readers may have at `now`, newest first."""
        return self._past(editions.c.newsletter == newsletter, now=now)

    def past_edition(
        self, newsletter: str, edition_id: int, *, now: dt.datetime
    ) -> PastEdition | None:
        """Return that edition, or None if readers may not have it at `now`."""
        is_it = (editions.c.newsletter == newsletter) & (editions.c.id == edition_id)
        return next(iter(self._past(is_it, now=now)), None)

    def _past(self, which: sa.ColumnElement[bool], *, now: dt.datetime) -> list[PastEdition]:
        """Return those of the editions of which some mail was handed over and is released."""
        document = editions.c.edition
        query = (
            sa.select(
                editions.c.id,
                editions.c.label,
                editions.c.revision,
                editions.c.period_start_at,
                editions.c.period_end_at,
                document["subject"].as_string().label("subject"),
                document["period"]["timezone"].as_string().label("timezone"),
                document["release_at"].as_string().label("release_at"),
                document["approved_at"].as_string().label("approved_at"),
            )
            .where(which, reached(editions.c.id))
            .order_by(editions.c.period_end_at.desc())
        )
        with self._reading() as connection:
            found = connection.execute(query).all()
        return [_past(row) for row in found if (_instant(row.release_at) or now) <= now]

    def past_stories(self, newsletter: str) -> list[PastStory]:
        """Return the words of the stories of those editions and others, in their order."""
        query = (
            sa.select(
                stories.c.edition_id,
                stories.c.article_id,
                stories.c.story["headline"].as_string().label("headline"),
                stories.c.story["summary"].as_string().label("summary"),
            )
            .join(editions)
            .where(editions.c.newsletter == newsletter)
            .order_by(stories.c.edition_id, stories.c.position)
        )
        with self._reading() as connection:
            return [
                PastStory(
                    edition_id=row.edition_id,
                    article_id=row.article_id,
                    headline=row.headline,
                    summary=row.summary,
                )
                for row in connection.execute(query)
            ]

    def all_corrections(self, newsletter: str) -> list[Correction]:
        """Return the corrections of all the newsletter's editions, oldest first."""
        query = (
            sa.select(corrections)
            .join(editions)
            .where(editions.c.newsletter == newsletter)
            .order_by(corrections.c.id)
        )
        with self._reading() as connection:
            return [to_correction(row) for row in connection.execute(query)]


def _past(row: Any) -> PastEdition:
    period = Period(
        start=row.period_start_at, end=row.period_end_at, timezone=row.timezone, label=row.label
    )
    sent = _instant(row.release_at) or _instant(row.approved_at)
    return PastEdition(
        id=row.id,
        period=period,
        subject=row.subject or "",
        revision=row.revision,
        released_at=sent or period.end,
    )


def _instant(text: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text).astimezone(dt.UTC) if text else None
