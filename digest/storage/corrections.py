"""What was put right in editions that went out: rows are only added, each with its audit entry."""

from dataclasses import fields, replace
from typing import Any

import sqlalchemy as sa

from digest.model.corrections import Correction
from digest.storage.audit import Audit
from digest.storage.database import Database
from digest.storage.reader_tables import corrections
from digest.storage.tables import editions

_COLUMNS = tuple(field.name for field in fields(Correction) if field.name != "id")


class SqlCorrections:
    """See `digest.ports.Corrections` for the promises of each method."""

    def __init__(self, database: Database, audit: Audit | None = None) -> None:
        self._database, self._audit = database, audit

    def correct(self, correction: Correction) -> Correction:
        """Add a correction; it and its row of the audit log are kept together."""
        edition = sa.select(editions.c.newsletter, editions.c.label).where(
            editions.c.id == correction.edition_id
        )
        values = {name: getattr(correction, name) for name in _COLUMNS}
        statement = sa.insert(corrections).values(values).returning(corrections.c.id)
        with self._database.writing() as connection:
            number = int(connection.execute(statement).scalar_one())
            if self._audit is not None:
                of = connection.execute(edition).one()
                self._audit.record(
                    connection, of.newsletter, of.label, "corrected", _told(correction)
                )
        return replace(correction, id=number)

    def corrections(self, edition_id: int) -> list[Correction]:
        """Return the edition's corrections, oldest first."""
        query = sa.select(corrections).where(corrections.c.edition_id == edition_id)
        with self._database.reading() as connection:
            return [
                to_correction(row) for row in connection.execute(query.order_by(corrections.c.id))
            ]


def to_correction(row: Any) -> Correction:
    """Return the correction of a row."""
    return Correction(id=row.id, **{name: getattr(row, name) for name in _COLUMNS})


def _told(correction: Correction) -> list[str]:
    """Return what the audit log says of it."""
    of_story = {"headline": correction.headline, "summary": correction.summary}
    told = [f"{name}: {words}" for name, words in of_story.items() if words]
    if correction.article_id is not None:
        told.insert(0, f"article {correction.article_id}")
    return [correction.words, *told, f"by {correction.by}"]
