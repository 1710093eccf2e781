"""The store's promises, on every database that `digest` runs on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from digest.ports import Store
from digest.storage.store import open_store
from digest.testing.contracts.store import StoreContract
from tests.postgres import running_server


class TestSqliteFile(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = open_store(f"sqlite:///{tmp_path}/digest.db")
        yield store
        store.close()


class TestSqliteInMemory(StoreContract):
    @pytest.fixture
    def store(self) -> Iterator[Store]:
        store = open_store("sqlite://")
        yield store
        store.close()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_server() as url:
        yield url


class TestPostgres(StoreContract):
    @pytest.fixture
    def store(self, server: str) -> Iterator[Store]:
        engine = sa.create_engine(server.replace("postgresql", "postgresql+psycopg", 1))
        with engine.begin() as connection:
            connection.execute(sa.text("DROP SCHEMA public CASCADE"))
            connection.execute(sa.text("CREATE SCHEMA public"))
        engine.dispose()
        store = open_store(server)
        yield store
        store.close()
