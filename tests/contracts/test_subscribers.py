"""The promises about readers, on every database that `digest` runs on."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from digest.ports import SubscriberStore
from digest.storage.database import open_database
from digest.storage.subscribers import SqlSubscribers
from digest.testing.contracts.subscribers import SubscriberStoreContract
from tests.postgres import running_server


@contextmanager
def opened(url: str) -> Iterator[SubscriberStore]:
    database = open_database(url)
    yield SqlSubscribers(database)
    database.close()


class TestSqliteFile(SubscriberStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[SubscriberStore]:
        with opened(f"sqlite:///{tmp_path}/digest.db") as store:
            yield store


class TestSqliteInMemory(SubscriberStoreContract):
    @pytest.fixture
    def store(self) -> Iterator[SubscriberStore]:
        with opened("sqlite://") as store:
            yield store


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_server() as url:
        yield url


class TestPostgres(SubscriberStoreContract):
    @pytest.fixture
    def store(self, server: str) -> Iterator[SubscriberStore]:
        engine = sa.create_engine(server.replace("postgresql", "postgresql+psycopg", 1))
        with engine.begin() as connection:
            connection.execute(sa.text("DROP SCHEMA public CASCADE"))
            connection.execute(sa.text("CREATE SCHEMA public"))
        engine.dispose()
        with opened(server) as store:
            yield store
