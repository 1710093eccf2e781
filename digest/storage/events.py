"""The provider's reports in the database: an inbox first, folded into states later."""

import datetime as dt
import hashlib
import zlib
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from digest.model.deliveries import DeliveryEvent
from digest.storage import folding
from digest.storage.database import Database
from digest.storage.delivery_tables import events as events_table
from digest.storage.delivery_tables import inbox
from digest.storage.event_statements import EventStatements

KEEP_REPORTS = dt.timedelta(days=14)
KEEP_EVENTS = dt.timedelta(days=90)

QUICK = 1  # zlib's level: the first one saves nine tenths already, and the sender of a report waits
STEP = 5_000  # rows that tidying looks at in one transaction, so that nobody waits for long

WAITING, FOLDED, DEAD = "waiting", "folded", "dead"


class SqlEvents:
    """See `digest.ports.EventStore` for the promises of each method."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reading, self._writing = database.reading, database.writing
        self._statements = EventStatements(database)

    def take(self, body: bytes, *, now: dt.datetime) -> bool:
        """Keep a verified report as it came; return whether it is new."""
        statement = (
            self._database.insert(inbox)
            .values(
                sha256=hashlib.sha256(body).hexdigest(),
                body=zlib.compress(body, QUICK),
                state=WAITING,
                reason="",
                taken_at=now,
            )
            .on_conflict_do_nothing(index_elements=["sha256"])
            .returning(inbox.c.id)
        )
        with self._writing() as connection:
            return connection.execute(statement).first() is not None

    def waiting(self, *, limit: int) -> list[tuple[int, bytes]]:
        """Return the oldest reports that are not folded yet."""
        query = (
            sa.select(inbox.c.id, inbox.c.body)
            .where(inbox.c.state == WAITING)
            .order_by(inbox.c.id)
            .limit(limit)
        )
        with self._reading() as connection:
            return [(row.id, zlib.decompress(row.body)) for row in connection.execute(query)]

    def fold(
        self, inbox_id: int, events: Sequence[DeliveryEvent], *, now: dt.datetime, is_last: bool
    ) -> int:
        """Fold some events of a report in one transaction; return how many were new."""
        # A run that hands over may wait to write, so everything that can be is done before.
        with self._reading() as connection:
            tries = folding.tries_of(connection, self._statements, events)
            events = folding.ours(tries, events)
            fresh = folding.unknown_events(connection, self._statements, events)
            outcomes = folding.outcome_rows(connection, self._statements, fresh)
        unanswered = folding.unanswered(tries, events)
        if not (fresh or unanswered or is_last):
            return 0
        rows = [folding.event_row(event) for event in fresh]
        with self._writing() as connection:
            if rows:
                connection.execute(self._statements.add, rows)
            if outcomes:
                connection.execute(self._statements.raise_outcome, outcomes)
            folding.suppress(connection, self._statements, fresh)
            folding.leave(connection, fresh)
            folding.settle(connection, unanswered, now=now)
            if is_last:
                self._put_aside(connection, inbox_id, FOLDED)
            return len(fresh)

    def mark_dead(self, inbox_id: int, reason: str) -> None:
        """Set a report aside that cannot be read."""
        with self._writing() as connection:
            self._put_aside(connection, inbox_id, DEAD, reason)

    def tidy(self, *, now: dt.datetime) -> None:
        """Delete raw reports of 14 days ago and events of 90 days ago; states stay."""
        self._delete_old(inbox.c.id, inbox.c.taken_at, now - KEEP_REPORTS, inbox.c.state != WAITING)
        self._delete_old(events_table.c.key, events_table.c.at, now - KEEP_EVENTS, sa.true())

    def _put_aside(
        self, connection: sa.Connection, inbox_id: int, state: str, reason: str = ""
    ) -> None:
        connection.execute(
            sa.update(inbox)
            .where(inbox.c.id == inbox_id, inbox.c.state == WAITING)
            .values(state=state, reason=reason)
        )

    def _delete_old(
        self,
        key: sa.Column[Any],
        at: sa.Column[Any],
        before: dt.datetime,
        condition: sa.ColumnElement[bool],
    ) -> None:
        """Delete the older rows of a table, walking over it in the order of its key."""
        is_old = sa.and_(at < before, condition)
        query = sa.select(key.label("key"), is_old.label("is_old")).order_by(key).limit(STEP)
        step = query
        while True:
            with self._reading() as connection:
                rows = connection.execute(step).all()
            if not rows:
                return
            first, last = rows[0].key, rows[-1].key
            if any(row.is_old for row in rows):
                with self._writing() as connection:
                    connection.execute(sa.delete(key.table).where(key.between(first, last), is_old))
            step = query.where(key > last)
