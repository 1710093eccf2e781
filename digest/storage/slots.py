"""The rate limit that all senders share: one instant from which the next batch may start."""

import datetime as dt

import sqlalchemy as sa

from digest.storage.database import Database
from digest.storage.delivery_tables import instants

NAME = "delivery slot"
FURTHEST = dt.timedelta(hours=1)  # what lies further ahead was booked by a clock that was wrong
QUEUE = 20  # batches that may wait for their slots, at a slow rate


def take_slot(
    database: Database, connection: sa.Connection, readers: int, *, rate: float, now: dt.datetime
) -> dt.datetime:
    """Return when the next slot begins, and book it for so many `readers` at `rate` a second."""
    free_at = _free_at(connection)
    length = dt.timedelta(seconds=readers / rate)
    furthest = now + max(FURTHEST, QUEUE * length)
    begin = now if free_at is None or free_at > furthest else max(free_at, now)
    if readers:
        _set(database, connection, begin + length)
    return begin


def keep_slot(database: Database, connection: sa.Connection, until: dt.datetime) -> None:
    """Let no slot begin before `until`."""
    free_at = _free_at(connection)
    if free_at is None or free_at < until:
        _set(database, connection, until)


def _free_at(connection: sa.Connection) -> dt.datetime | None:
    query = sa.select(instants.c.at).where(instants.c.name == NAME).with_for_update()
    found: dt.datetime | None = connection.execute(query).scalar()
    return found


def _set(database: Database, connection: sa.Connection, at: dt.datetime) -> None:
    statement = database.insert(instants).values(name=NAME, at=at)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["name"], set_={"at": statement.excluded.at})
    )
