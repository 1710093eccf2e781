"""The ledger's promises, on every database that `digest` runs on."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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
from digest.testing.contracts.planning import PlanningContract, add_readers, approve, plan, reader
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

    @pytest.mark.parametrize("what", ["plan", "list"])
    def test_what_locks_readers_waits_for_who_suppresses_first(
        self, server: str, stores: Stores, what: str
    ) -> None:
        """Folding suppresses and then takes off; in another order both would wait for ever."""
        number = add_readers(stores, 1)[0]
        edition = approve(stores)
        engine = sa.create_engine(server.replace("postgresql", "postgresql+psycopg", 1))
        waiting = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        one = sa.text("INSERT INTO suppressions VALUES ('a', 'a', 'manual', '', '2026-11-25')")
        two = sa.text("UPDATE subscribers SET state = 'left' WHERE id = :id")
        with ThreadPoolExecutor(1) as pool, engine.begin() as folding:
            folding.execute(one)
            done = pool.submit(
                (lambda: plan(stores, edition))
                if what == "plan"
                else (lambda: stores.subscribers.add_subscribers([reader(2)]))
            )
            while not done.done() and not folding.execute(waiting).scalar():
                pass
            folding.execute(two, {"id": number})
        assert done.result()
        engine.dispose()
