"""Taking readers in: any number at once, in memory that does not grow with it.

The rows first go into a temporary table. A second one holds them in the order of their keys, each
with its fate; so one query tells every count before anything is changed, and the index of the
readers is written from one end to the other, not all over the place.
"""

import datetime as dt
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import sqlalchemy as sa

from digest.errors import Conflict
from digest.model.subscribers import Subscriber, SubscriberState
from digest.ports import Added
from digest.storage.database import Database
from digest.storage.delivery_tables import erasures, subscribers, suppressions
from digest.storage.rows import topics_text
from digest.storage.tables import Instant, new_id

CHUNK = 2_000  # rows

COLUMNS = (
    "newsletter", "key", "address", "first_name", "topics", "frequency", "language",
    "timezone", "state", "origin", "joined_at", "left_at", "left_by",
)  # fmt: skip

_staged, _sorted = (
    sa.Table(
        name,
        sa.MetaData(),
        new_id(),
        *(sa.Column(column, subscribers.c[column].type) for column in COLUMNS),
        *extra,
        prefixes=["TEMPORARY"],
    )
    for name, extra in (
        ("staged_readers", ()),
        ("sorted_readers", (sa.Column("old_id", sa.BigInteger), sa.Column("fate", sa.Text))),
    )
)


def take_in(
    database: Database,
    connection: sa.Connection,
    found: Iterable[Subscriber],
    *,
    changing: Collection[str],
    erased: Collection[str],
    is_trial: bool,
) -> Added:
    """Add or update the readers in the connection's transaction; see `SubscriberStore`.

    The transaction must have read nothing yet, so that in SQLite it can still become the one that
    writes: others are not kept from writing while `found` is read.
    """
    for table in (_staged, _sorted):
        table.create(connection, checkfirst=False)  # a check would read
    _stage(database, connection, found)
    if not is_trial:
        _lock(database, connection)
        _require_none_erased_since(connection, erased)
    _sort(connection, changing)
    query = sa.select(_sorted.c.fate, sa.func.count()).group_by(_sorted.c.fate)
    fates = Counter({str(fate): int(number) for fate, number in connection.execute(query)})
    if fates["new"] and not is_trial:
        _insert(database, connection)
    if fates["updated"] and not is_trial:
        _update(connection, changing)
    for table in (_staged, _sorted):
        table.drop(connection, checkfirst=False)
    return Added(**fates)


def _stage(database: Database, connection: sa.Connection, found: Iterable[Subscriber]) -> None:
    """Write all readers into the first table, past SQLAlchemy, which would take thrice the time."""
    names = ", ".join(COLUMNS)
    rows = _rows(found, connection.dialect)
    if database.is_sqlite:
        places = ", ".join("?" * len(COLUMNS))
        statement = f"INSERT INTO staged_readers ({names}) VALUES ({places})"  # noqa: S608
        while chunk := list(islice(rows, CHUNK)):
            connection.exec_driver_sql(statement, chunk)
        return
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor:
        with cursor.copy(f"COPY staged_readers ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute("ANALYZE staged_readers")


def _rows(
    found: Iterable[Subscriber], dialect: sa.Dialect
) -> Iterator[tuple[str | dt.datetime | int | None, ...]]:
    instant = Instant()
    # Of a whole list the instants and the choices of topics are few, mostly the very same object.
    last_at, last_bound = None, instant.process_bind_param(None, dialect)
    last_topics: tuple[str, ...] = ()
    last_text = ""
    for one in found:
        if one.joined_at is not last_at:
            last_at, last_bound = one.joined_at, instant.process_bind_param(one.joined_at, dialect)
        if one.topics is not last_topics:
            last_topics, last_text = one.topics, topics_text(one.topics)
        yield (
            one.newsletter,
            one.key,
            one.address,
            one.first_name,
            last_text,
            one.frequency.value,
            one.language,
            one.timezone,
            one.state.value,
            one.origin,
            last_bound,
            instant.process_bind_param(one.left_at, dialect) if one.left_at else None,
            one.left_by,
        )


def _lock(database: Database, connection: sa.Connection) -> None:
    """Keep others from writing until the end of the transaction, so that the counts stay true."""
    if database.is_sqlite:  # a statement that changes nothing, but may
        connection.execute(sa.update(subscribers).where(sa.false()).values(state=""))
    else:
        # In the order in which folding writes them, or each would wait for the other for ever.
        connection.execute(
            sa.text("LOCK TABLE suppressions, subscribers IN SHARE ROW EXCLUSIVE MODE")
        )


def _require_none_erased_since(connection: sa.Connection, erased: Collection[str]) -> None:
    """Raise if an address was erased that the caller could not know of when it left them out."""
    if set(connection.execute(sa.select(erasures.c.hashed)).scalars()) - set(erased):
        raise Conflict(
            "An address was erased meanwhile, which this might have brought back; "
            "nobody was added or changed.",
            hint="Run it again.",
        )


def _sort(connection: sa.Connection, changing: Collection[str]) -> None:
    """Fill the second table: in the order of the keys, each reader with its fate."""
    place = sa.func.row_number().over(
        partition_by=[_staged.c.newsletter, _staged.c.key], order_by=_staged.c.id
    )
    new = sa.select(_staged, place.label("place")).subquery()
    differs = [subscribers.c[name].is_distinct_from(new.c[name]) for name in changing]
    fate = sa.case(
        (new.c.place > 1, "repeated"),
        (subscribers.c.state == str(SubscriberState.LEFT), "left"),
        (suppressions.c.key.is_not(None), "suppressed"),
        (subscribers.c.id.is_(None), "new"),
        (sa.or_(sa.false(), *differs), "updated"),
        else_="seen",
    )
    query = sa.select(*(new.c[name] for name in COLUMNS), subscribers.c.id, fate).select_from(
        new.outerjoin(
            subscribers,
            sa.and_(subscribers.c.newsletter == new.c.newsletter, subscribers.c.key == new.c.key),
        ).outerjoin(suppressions, suppressions.c.key == new.c.key)
    )
    connection.execute(sa.insert(_sorted).from_select([*COLUMNS, "old_id", "fate"], query))


def _insert(database: Database, connection: sa.Connection) -> None:
    columns: Sequence[sa.Column[Any]] = [_sorted.c[name] for name in COLUMNS]
    query = sa.select(*columns).where(_sorted.c.fate == "new").order_by(_sorted.c.id)
    connection.execute(sa.insert(subscribers).from_select(list(COLUMNS), query))


def _update(connection: sa.Connection, changing: Collection[str]) -> None:
    connection.execute(
        sa.update(subscribers)
        .where(subscribers.c.id == _sorted.c.old_id, _sorted.c.fate == "updated")
        .values({name: _sorted.c[name] for name in changing})
    )
