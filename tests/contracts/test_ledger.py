"""The ledger's promises, on every database that `digest` runs on."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from digest.storage.database import open_database
from digest.storage.events import SqlEvents
from digest.storage.ledger import SqlLedger
from digest.storage.store import SqlStore
from digest.storage.subscribers import SqlSubscribers
from digest.testing.contracts.events import Stores
from digest.testing.contracts.ledger import LedgerContract
from digest.testing.contracts.planning import PlanningContract
from tests.postgres import running_server


@contextmanager
def opened(url: str) -> Iterator[Stores]:
    database = open_database(url)
    yield Stores(
        SqlStore(database), SqlLedger(database), SqlSubscribers(database), SqlEvents(database)
    )
    database.close()


class TestSqliteFile(PlanningContract, LedgerContract):
    @pytest.fixture
    def stores(self, tmp_path: Path) -> Iterator[Stores]:
        with opened(f"sqlite:///{tmp_path}/digest.db") as stores:
            yield stores


class TestSqliteInMemory(PlanningContract, LedgerContract):
    @pytest.fixture
    def stores(self) -> Iterator[Stores]:
        with opened("sqlite://") as stores:
            yield stores


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_server() as url:
        yield url


class TestPostgres(PlanningContract, LedgerContract):
    @pytest.fixture
    def stores(self, server: str) -> Iterator[Stores]:
        engine = sa.create_engine(server.replace("postgresql", "postgresql+psycopg", 1))
        with engine.begin() as connection:
            connection.execute(sa.text("DROP SCHEMA public CASCADE"))
            connection.execute(sa.text("CREATE SCHEMA public"))
        engine.dispose()
        with opened(server) as stores:
            yield stores
