"""The database: its connections, its schema, and the holds that keep two runs apart."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from digest.errors import HeldElsewhere, SchemaMismatch
from digest.storage import schema
from digest.storage.engine import make_engine, transaction
from digest.storage.holds import hold_file, hold_session


def open_database(url: str) -> "Database":
    """Open the database at `url`; an empty one gets its tables.

    Raises:
        SchemaMismatch: It is of an older or newer program; nothing was changed.
        ConfigError: The address cannot be used.
        StoreError: The database cannot be opened.
    """
    database = Database(url)
    try:
        version = database.schema_version()
        if not version:
            database.upgrade()
        elif version != schema.EXPECTED:
            schema.refuse_newer(version)
            raise SchemaMismatch(
                f"The database has schema {version}, and this digest needs {schema.EXPECTED}; "
                "it was left as it is.",
                hint="Make a backup, then: digest db upgrade",
            )
    except BaseException:
        database.close()
        raise
    return database


class Database:
    """What the stores share. Safe to use from several threads."""

    def __init__(self, url: str) -> None:
        self.engine = make_engine(url)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._held: set[str] = set()
        self._held_lock = threading.Lock()
        # In memory all threads share one connection.
        is_shared = isinstance(self.engine.pool, sa.StaticPool)
        self._turn: AbstractContextManager[Any] = threading.RLock() if is_shared else nullcontext()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Open a transaction that reads."""
        with self._turn, transaction(self.engine, writing=False) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Open a transaction that writes: all of it is kept, or none."""
        with self._turn, transaction(self.engine, writing=True) as connection:
            yield connection

    def insert(self, table: sa.Table) -> Any:
        """Return an INSERT of this database's kind, which knows what to do on a conflict."""
        return (sqlite.insert if self.is_sqlite else postgresql.insert)(table)

    def close(self) -> None:
        """Give back the connections."""
        self.engine.dispose()

    # Schema

    def schema_version(self) -> str:
        """Return the version of the database's schema, "" for an empty database."""
        with self.reading() as connection:
            return schema.current(connection)

    def upgrade(self) -> tuple[str, str]:
        """Bring the schema up to date; return the versions before and after.

        Raises:
            SchemaMismatch: It is of a newer program, or the tables are something else's.
        """
        with self.writing() as connection:
            return schema.upgrade(connection)

    # Holds

    @contextmanager
    def hold(self, name: str) -> Iterator[bool]:
        """Hold `name` while the context is open; see `digest.ports.Store.hold`."""
        with self._held_lock:
            if name in self._held:
                raise HeldElsewhere(
                    f"This process is already doing {name}.", hint="Let it finish first."
                )
            self._held.add(name)
        try:
            with self._outside(name):
                yield self.is_sqlite
        finally:
            with self._held_lock:
                self._held.discard(name)

    def _outside(self, name: str) -> AbstractContextManager[None]:
        database = self.engine.url.database
        if not self.is_sqlite:
            return hold_session(self.engine, name)
        if database in (None, "", ":memory:"):
            return nullcontext()
        return hold_file(Path(str(database)), name)
