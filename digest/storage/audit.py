"""The audit log in the database: rows are added, in the transaction of what they tell."""

import datetime as dt
from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from digest.auditing import chained
from digest.model.audit import AuditEntry
from digest.ports import Clock
from digest.storage.database import Database
from digest.storage.tables import audit, editions

EDITS = ("drafted", "drafted again", "changed")
PAGE = 1_000  # rows in memory at a time


class Audit:
    """Writes what one actor does, and reads what all did.

    Args:
        database: Where the log is.
        clock: Dates the entries.
        actor: Who does what this process does.
    """

    def __init__(self, database: Database, clock: Clock, actor: str) -> None:
        self._database, self._clock, self._actor = database, clock, actor

    def record(
        self,
        connection: sa.Connection,
        newsletter: str,
        edition: str,
        action: str,
        details: Sequence[str] = (),
    ) -> None:
        """Add an entry in the connection's transaction, as the last thing it does.

        Last, because the end of the chain is held from here on: of two transactions that add,
        one waits for the other.
        """
        if not self._database.is_sqlite:  # SQLite has one writer at a time anyway
            connection.execute(sa.text("LOCK TABLE audit IN SHARE ROW EXCLUSIVE MODE"))
        last = sa.select(audit.c.hash).order_by(audit.c.id.desc()).limit(1)
        entry = chained(
            AuditEntry(
                newsletter=newsletter,
                edition=edition,
                at=self._clock.now().astimezone(dt.UTC),
                actor=self._actor,
                action=action,
                details=tuple(details),
            ),
            connection.execute(last).scalar() or "",
        )
        values = {name: getattr(entry, name) for name in _COLUMNS}
        connection.execute(sa.insert(audit), {**values, "details": list(entry.details)})

    def record_state(self, connection: sa.Connection, edition_id: int) -> None:
        """Add an entry that says where an edition stands now."""
        query = sa.select(editions.c.newsletter, editions.c.label, editions.c.state)
        found = connection.execute(query.where(editions.c.id == edition_id)).one()
        self.record(connection, found.newsletter, found.label, found.state)

    def note(self, newsletter: str, edition: str, action: str, details: Sequence[str] = ()) -> None:
        """Add an entry in a transaction of its own."""
        with self._database.writing() as connection:
            self.record(connection, newsletter, edition, action, details)

    def last_editor(self, newsletter: str, edition: str, *, other_than: str) -> str:
        """Return who changed the edition last, "" for nobody or only `other_than`."""
        query = (
            sa.select(audit.c.actor)
            .where(
                audit.c.newsletter == newsletter,
                audit.c.edition == edition,
                audit.c.action.in_(EDITS),
                audit.c.actor != other_than,
            )
            .order_by(audit.c.id.desc())
            .limit(1)
        )
        with self._database.reading() as connection:
            return connection.execute(query).scalar() or ""

    def last(self) -> str:
        """Return the hash of the newest entry, "" for none."""
        query = sa.select(audit.c.hash).order_by(audit.c.id.desc()).limit(1)
        with self._database.reading() as connection:
            return connection.execute(query).scalar() or ""

    def has(self, hashed: str) -> bool:
        """Tell whether there is an entry with this hash."""
        query = sa.select(audit.c.id).where(audit.c.hash == hashed)
        with self._database.reading() as connection:
            return connection.execute(query).scalar() is not None

    def entries(self, newsletter: str = "", edition: str = "") -> Iterator[AuditEntry]:
        """Yield the entries, oldest first: of all newsletters, of one, or of one edition."""
        last = 0
        query = sa.select(audit).order_by(audit.c.id).limit(PAGE)
        if newsletter:
            query = query.where(audit.c.newsletter == newsletter)
        if edition:
            query = query.where(audit.c.edition == edition)
        while True:
            with self._database.reading() as connection:
                found = connection.execute(query.where(audit.c.id > last)).all()
            for row in found:
                yield AuditEntry(
                    **{name: getattr(row, name) for name in _COLUMNS if name != "details"},
                    details=tuple(row.details),
                )
            if len(found) < PAGE:
                return
            last = found[-1].id


_COLUMNS = tuple(AuditEntry.__dataclass_fields__)
