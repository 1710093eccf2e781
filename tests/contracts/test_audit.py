"""The audit log and the marks, on every database that `digest` runs on."""

import datetime as dt
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from digest.auditing import broken_at
from digest.errors import StoreError
from digest.model.editions import EditionState
from digest.storage.audit import Audit
from digest.storage.database import Database, open_database
from digest.storage.ledger import SqlLedger
from digest.storage.marks import SqlMarks
from digest.storage.store import SqlStore
from digest.testing.clock import FrozenClock
from digest.testing.factories import NOON, make_edition
from tests.postgres import running_server

HOUR = dt.timedelta(hours=1)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_server() as url:
        yield url


@pytest.fixture(params=["file", "memory", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "postgres":
        url = str(request.getfixturevalue("server"))
        engine = sa.create_engine(url.replace("postgresql", "postgresql+psycopg", 1))
        with engine.begin() as connection:
            connection.execute(sa.text("DROP SCHEMA public CASCADE"))
            connection.execute(sa.text("CREATE SCHEMA public"))
        engine.dispose()
    else:
        url = "sqlite://" if request.param == "memory" else f"sqlite:///{tmp_path}/digest.db"
    database = open_database(url)
    yield database
    database.close()


@pytest.fixture
def audit(database: Database) -> Audit:
    return Audit(database, FrozenClock(NOON), "Ana")


def actions(audit: Audit) -> list[str]:
    return [entry.action for entry in audit.entries()]


def test_what_is_done_to_an_edition_is_told_in_order(database: Database, audit: Audit) -> None:
    store, ledger = SqlStore(database, audit), SqlLedger(database, audit)
    edition = store.save_edition(make_edition(0))
    edition = store.save_edition(replace(edition, subject="Another", subject_edited=True))
    edition = store.save_edition(edition)  # nothing differs, so there is nothing to tell
    edition = store.save_edition(replace(edition, state=EditionState.HELD, reason="A holiday."))
    assert edition.id is not None
    ledger.change_state(edition.id, [EditionState.HELD], EditionState.CANCELLED)
    assert not ledger.change_state(edition.id, [EditionState.HELD], EditionState.DONE)
    assert actions(audit) == ["drafted", "changed", "held", "cancelled"]
    entries = list(audit.entries("app-news-weekly", "2026-W48"))
    assert [entry.actor for entry in entries] == ["Ana"] * 4
    assert entries[1].details == ("subject: Another",)
    assert entries[2].details == ("A holiday.",)
    assert broken_at(entries) == (4, None, audit.last())
    assert audit.has(audit.last())
    assert not audit.has("0" * 64)
    assert list(audit.entries("other")) == []


def test_change_that_fails_leaves_no_entry(database: Database, audit: Audit) -> None:
    store = SqlStore(database, audit)
    edition = store.save_edition(make_edition(0))
    store.save_edition(replace(edition, subject="First"))
    with pytest.raises(StoreError):
        store.save_edition(replace(edition, subject="Second"))
    assert actions(audit) == ["drafted", "changed"]


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'Eve'", "DELETE FROM audit"])
def test_database_refuses_to_change_what_is_logged(
    database: Database, audit: Audit, statement: str
) -> None:
    audit.note("n", "", "tried")
    with pytest.raises(StoreError), database.writing() as connection:
        connection.execute(sa.text(statement))
    assert actions(audit) == ["tried"]


def test_many_at_once_make_one_chain(database: Database, audit: Audit) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: audit.note("n", "", f"note {number}"), range(80)))
    assert broken_at(audit.entries())[:2] == (80, None)


def test_long_log_is_read_in_pages(database: Database, audit: Audit) -> None:
    with database.writing() as connection:
        for number in range(2_003):
            audit.record(connection, "n", "", f"note {number}")
    assert broken_at(audit.entries())[:2] == (2_003, None)


def test_who_changed_it_last_is_known(database: Database, audit: Audit) -> None:
    assert audit.last_editor("n", "e", other_than="schedule") == ""
    audit.note("n", "e", "changed")
    Audit(database, FrozenClock(NOON), "Bob").note("n", "e", "approved")
    Audit(database, FrozenClock(NOON), "schedule").note("n", "e", "drafted again")
    Audit(database, FrozenClock(NOON), "Eve").note("n", "another", "changed")
    assert audit.last_editor("n", "e", other_than="schedule") == "Ana"


def test_mark_is_claimed_by_one_of_many(database: Database) -> None:
    marks = SqlMarks(database)
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda _number: marks.claim("once", NOON), range(16)))
    assert sum(won) == 1
    assert not marks.claim("once", NOON + 1000 * HOUR)
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda _number: marks.claim("hourly", NOON, every=HOUR), range(16)))
    assert sum(won) == 1
    assert not marks.claim("hourly", NOON + HOUR / 2, every=HOUR)
    assert marks.claim("hourly", NOON + HOUR, every=HOUR, value="x")
    assert marks.get("hourly") == (NOON + HOUR, "x")
    marks.put("hourly", NOON, "y")
    assert marks.get("hourly") == (NOON, "y")
    assert marks.get("never") is None


def test_mark_is_changed_by_one_of_many_and_only_as_it_was(database: Database) -> None:
    marks = SqlMarks(database)
    assert not marks.change("a", was="", value="x")
    marks.put("a", NOON, "old")
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: marks.change("a", was="old", value=f"{n}"), range(16)))
    assert sum(won) == 1
    assert marks.get("a") == (NOON, str(won.index(True)))


def test_marks_are_found_and_removed_by_how_their_names_begin(database: Database) -> None:
    marks = SqlMarks(database)
    for name in ("a_b/2", "a_b/1", "a_bc/1", "axb/1", "a%b/1"):
        marks.put(name, NOON, f"of {name}")
    marks.put("a_b/3", NOON)
    assert marks.valued("a_b/") == [("a_b/1", "of a_b/1"), ("a_b/2", "of a_b/2")]
    marks.remove("a_b/")
    assert marks.get("a_b/3") is None
    assert len(marks.valued("")) == 3


def test_edit_that_takes_an_approval_away_is_told_as_an_edit(
    database: Database, audit: Audit
) -> None:
    store = SqlStore(database, audit)
    edition = store.save_edition(make_edition(0))
    frozen = store.save_edition(replace(edition, state=EditionState.FROZEN, sha256="0" * 64))
    draft = replace(frozen, state=EditionState.DRAFT, sha256="")
    again = store.save_edition(replace(draft, subject="Another", subject_edited=True))
    frozen = store.save_edition(replace(again, state=EditionState.FROZEN, sha256="1" * 64))
    store.save_edition(replace(frozen, state=EditionState.DRAFT, sha256=""))
    assert actions(audit) == ["drafted", "frozen", "changed", "frozen", "reopened"]
