"""Connections to SQLite or PostgreSQL, with the same promises on both."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from digest.errors import ConfigError, StoreError

BUSY_SECONDS = 15
LOOK_AGAIN_SECONDS = 0.0005


def make_engine(url: str) -> sa.Engine:
    """Return an engine for a SQLite or PostgreSQL address; "sqlite://" is in memory.

    Creates the folder and the file of a SQLite database, readable by their owner alone.

    Raises:
        ConfigError: The address cannot be used, or the driver for PostgreSQL is not installed.
    """
    if url.startswith("postgresql://"):
        url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    if url.startswith("sqlite://"):  # a path may hold what means something in a URL
        return _sqlite(sa.URL.create("sqlite", database=url[len("sqlite:///") :] or None))
    try:
        parsed = sa.make_url(url)
        return sa.create_engine(
            parsed,
            pool_pre_ping=True,
            hide_parameters=True,  # they are addresses; an error's text is shown with -v
            connect_args={"connect_timeout": 10},
        )
    except (ImportError, NoSuchModuleError) as error:
        raise ConfigError(
            "The driver for PostgreSQL is not installed; nothing was done.",
            hint="Install it beside digest: pip install 'psycopg[binary]'",
        ) from error
    except (sa.exc.ArgumentError, ValueError) as error:
        raise ConfigError(
            "database.url is no address of a database.",
            hint="Right is for example sqlite:///var/digest.db",
        ) from error


def _sqlite(url: sa.URL) -> sa.Engine:
    arguments: dict[str, Any] = {
        "hide_parameters": True,
        "connect_args": {"check_same_thread": False},
    }
    if url.database in (None, "", ":memory:"):
        arguments["poolclass"] = StaticPool
    else:
        _make_private(Path(str(url.database)))
        arguments["connect_args"]["timeout"] = BUSY_SECONDS
    engine = sa.create_engine(url, **arguments)
    sa.event.listen(engine, "connect", _prepare)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _make_private(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    # The driver's own transactions begin too late (at the first write); ours begin in _begin.
    connection.isolation_level = None
    # WAL lets readers go on while one writes; FULL keeps a commit through a power cut.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: sa.Connection) -> None:
    statement = connection.get_execution_options().get("begin", "BEGIN")
    if statement == "BEGIN":
        connection.exec_driver_sql(statement)
        return
    # SQLite's own wait looks again after ever longer pauses, so that whoever writes one
    # transaction after another keeps everybody else out. This one looks again at once.
    driver = connection.connection.dbapi_connection
    assert isinstance(driver, sqlite3.Connection)  # noqa: S101  # writing(…) asks SQLite alone so
    milliseconds = int(driver.execute("PRAGMA busy_timeout").fetchone()[0])
    give_up_at = time.monotonic() + milliseconds / 1000
    driver.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                driver.execute(statement)
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > give_up_at:
                    raise sa.exc.OperationalError(statement, None, error) from error
            time.sleep(LOOK_AGAIN_SECONDS)
    finally:
        driver.execute(f"PRAGMA busy_timeout = {milliseconds}")


@contextmanager
def transaction(engine: sa.Engine, *, writing: bool) -> Iterator[sa.Connection]:
    """Open one transaction: committed as a whole, or rolled back by any exception.

    A writing transaction of SQLite takes its place in the queue at once, because one that starts
    as a reader and then writes can fail however long it waits.

    Raises:
        StoreError: The database failed; nothing of the transaction is kept.
    """
    options = {"begin": "BEGIN IMMEDIATE" if writing else "BEGIN"}
    try:
        with engine.connect().execution_options(**options) as connection, connection.begin():
            yield connection
    except SQLAlchemyError as error:
        raise explained(error) from error


def explained(error: SQLAlchemyError) -> StoreError:
    """Say in plain words what a database answered; the statement stays out, it may hold data."""
    original = error.orig if isinstance(error, DBAPIError) else None
    text = str(original or "").lower()
    known = (
        ("locked", "The database is busy with another run", "Run it again in a moment."),
        ("full", "The disk is full", "Free some space and run it again."),
        ("disk i/o", "The disk is full or does not work", "Free some space and run it again."),
        ("readonly", "The database may not be written", "Check the permissions of its folder."),
        ("read-only", "The database may not be written", "Check its permissions."),
        ("unable to open", "The database cannot be opened", "Check database.url and permissions."),
        ("not a database", "The file at database.url is no database", "Name another file there."),
        ("malformed", "The database is damaged", "Bring back a backup of it."),
        ("password", "The database refuses the login", "Check database.url."),
        ("does not exist", "There is no such database or role", "Create it, or correct the URL."),
        ("connection", "The database does not answer", "Check that it runs, and database.url."),
    )
    for sign, what, hint in known:
        if sign in text:
            return StoreError(f"{what}. Nothing half-written is kept.", hint=hint)
    return StoreError(
        f"The database failed ({type(original or error).__name__}). Nothing half-written is kept.",
        hint="Run it again with -v for the details.",
    )
