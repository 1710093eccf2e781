"""The provider's reports, on every database that `digest` runs on."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from digest.storage.database import open_database
from digest.storage.events import SqlEvents
from digest.storage.ledger import SqlLedger
from digest.storage.store import SqlStore
from digest.storage.subscribers import SqlSubscribers
from digest.testing.contracts.events import EventStoreContract, MakeStores, Stores
from tests.postgres import running_server


@contextmanager
def opened(url: str) -> Iterator[Stores]:
    database = open_database(url)
    yield Stores(
        SqlStore(database), SqlLedger(database), SqlSubscribers(database), SqlEvents(database)
    )
    database.close()


class TestSqliteFile(EventStoreContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make_stores(cls, tmp_path_factory: pytest.TempPathFactory) -> MakeStores:
        folder = tmp_path_factory.mktemp("events")
        numbers = itertools.count()
        return lambda: opened(f"sqlite:///{folder}/{next(numbers)}.db")


class TestSqliteInMemory(EventStoreContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make_stores(cls) -> MakeStores:
        return lambda: opened("sqlite://")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_server() as url:
        yield url


class TestPostgres(EventStoreContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make_stores(cls, server: str) -> MakeStores:
        @contextmanager
        def emptied() -> Iterator[Stores]:
            engine = sa.create_engine(server.replace("postgresql", "postgresql+psycopg", 1))
            with engine.begin() as connection:
                connection.execute(sa.text("DROP SCHEMA public CASCADE"))
                connection.execute(sa.text("CREATE SCHEMA public"))
            engine.dispose()
            with opened(server) as stores:
                yield stores

        return emptied
