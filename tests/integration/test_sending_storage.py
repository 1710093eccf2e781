"""A database that is locked or full stops a send in a sentence, and loses and doubles nothing."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from digest.errors import StoreError
from digest.model.deliveries import Handover
from tests.sending import Desk, open_desk

NO_LIMIT = 2**31


@pytest.fixture(params=[False, True], ids=["at once", "with a hold"])
def desk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Desk]:
    """A desk on a database that waits only briefly for a lock."""
    desk = open_desk(f"sqlite:///{tmp_path}/digest.db", can_hold=request.param)

    @sa.event.listens_for(desk.database.engine, "connect")
    def hurry(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA busy_timeout = 50").close()

    desk.database.engine.dispose()
    yield desk
    desk.database.close()


@pytest.fixture
def other(tmp_path: Path, desk: Desk) -> Iterator[sqlite3.Connection]:
    """Another program's connection to the same database."""
    with closing(
        sqlite3.connect(tmp_path / "digest.db", isolation_level=None, check_same_thread=False)
    ) as connection:
        yield connection


def limit_pages(desk: Desk, number: int | None) -> None:
    """Let the database grow to so many pages, or no further than it is now."""
    with desk.database.reading() as connection:
        number = number or connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {number}")


def test_plan_of_a_locked_database_is_refused_whole(desk: Desk, other: sqlite3.Connection) -> None:
    edition = desk.approve(30)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="busy with another run"):
        desk.service().plan(edition, release_at=None)
    other.execute("ROLLBACK")
    assert desk.edition() == edition
    assert desk.service().plan(edition, release_at=None).planned == 30


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_answer_that_could_not_be_written_down_is_settled_by_the_next_run(
    desk: Desk, other: sqlite3.Connection, batch: int
) -> None:
    desk.plan(30)

    def lock(handover: Handover) -> None:
        if handover.batch == batch:
            other.execute("BEGIN IMMEDIATE")

    desk.provider.answer = lock
    with pytest.raises(StoreError, match="busy with another run"):
        desk.run()
    other.execute("ROLLBACK")
    assert desk.states()[batch - 1] == "claimed"
    desk.provider.answer = lambda _handover: None
    assert desk.run() is None
    desk.assert_once_each(30)


def test_claim_that_could_not_be_written_down_hands_nothing_over(
    desk: Desk, other: sqlite3.Connection
) -> None:
    desk.plan(30)
    locks: list[Callable[[], object]] = [lambda: other.execute("BEGIN IMMEDIATE")]
    service = desk.service()
    with pytest.raises(StoreError, match="busy"):
        service.run(
            desk.edition(),
            stop=desk.stop,
            wait=desk.wait,
            progress=lambda _readers: locks.pop()(),
        )
    other.execute("ROLLBACK")
    assert len(desk.provider.seen) == 1
    assert desk.run() is None
    desk.assert_once_each(30)


def test_full_disk_stops_the_run_before_anything_is_handed_over_unrecorded(desk: Desk) -> None:
    desk.rules["batch_size"] = 1
    desk.plan(150)

    def fill(handover: Handover) -> None:
        if handover.batch == 3:
            limit_pages(desk, None)

    desk.provider.answer = fill
    with pytest.raises(StoreError, match="The disk is full"):
        desk.run()
    assert 3 < len(desk.provider.seen) < 150
    with pytest.raises(StoreError, match="full"):
        desk.run()
    limit_pages(desk, NO_LIMIT)
    assert desk.run() is None
    desk.assert_once_each(150)


def test_full_disk_leaves_nothing_of_a_plan(desk: Desk) -> None:
    edition = desk.approve(3000)
    limit_pages(desk, None)
    with pytest.raises(StoreError, match="The disk is full"):
        desk.service().plan(edition, release_at=None)
    assert desk.ledger.report(edition).candidates == 0
    assert desk.edition() == edition
    limit_pages(desk, NO_LIMIT)
    assert desk.service().plan(edition, release_at=None).planned == 3000
