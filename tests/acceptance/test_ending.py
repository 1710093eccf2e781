"""SIGTERM while the schedule is at some work: that is finished, and the next process goes on.

Each process stops for certain inside the transaction of the work that is meant, and goes on only
when it has heard the signal. The end is that of a week in which nobody ended anything.
"""

import datetime as dt
import json
import shutil
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from digest.app import App
from digest.cli.main import run
from digest.project import load
from digest.services.subscriptions import Choices
from digest.testing.clock import FrozenClock
from tests.acceptance.ticker import FAR, Ticker
from tests.ticking import SharedClock

READERS, BATCH = 12, 3
LONG_AGO = dt.datetime(2026, 11, 1, 12, tzinfo=dt.UTC)
# In the week; it has ended; its send time has come; some hours later.
TIMES = ("25T12:00:00", "29T17:00:05", "29T18:00:05", "29T20:00:00")
IS_DONE = "SELECT count(*) = 1 FROM editions WHERE state = 'done'"
ENDS = (
    "SELECT count(*) > 0 AND NOT EXISTS (SELECT * FROM inbox) FROM articles",
    "SELECT count(*) = 1 FROM editions, marks WHERE editions.state = 'draft' "
    "AND marks.name LIKE '%2026-W48/waiting%'",
    IS_DONE,
    IS_DONE,
)
DOUBT = (
    "UPDATE editions SET state = 'attention'",
    "UPDATE batches SET state = 'unknown' WHERE id = 2",
    "UPDATE attempts SET outcome = 'unknown' WHERE batch_id = 2",
)
# Each with the time at which it is done, and words of its first statement that changes something.
WORKS = {
    "collecting": (0, "INSERT INTO articles"),
    "folding": (0, "UPDATE inbox", "folded"),
    "tidying": (0, "DELETE FROM inbox"),
    "drafting": (1, "INSERT INTO editions"),
    "reminding": (1, "INSERT INTO marks", "2026-W48/waiting"),
    "planning": (2, "INSERT INTO batches"),
    "claiming": (2, "INSERT INTO attempts"),
    "recording": (2, "UPDATE attempts", "accepted"),
    "finishing": (2, "UPDATE editions", "done"),
    "settling": (3, "UPDATE batches", "accepted"),
}
SHORT = ("collecting", "claiming")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project that no schedule has looked at, with a report of the provider."""
    project = tmp_path_factory.mktemp("ending") / "weekly"
    assert run(["init", str(project)]) == 0
    settings = project / "config" / "digest.toml"
    text = settings.read_text()
    for old, new in (
        ('unattended = "hold"', 'unattended = "send"'),
        ('send = "mon 07:00"', 'send = "sun 19:00"'),
        ("batch_size = 1000", f"batch_size = {BATCH}"),
        ("in_flight = ", "in_flight = 1  # "),
        ("settle_seconds = ", "settle_seconds = 0  # "),
    ):
        assert text.count(f"\n{old}") == 1, old
        text = text.replace(f"\n{old}", f"\n{new}")
    settings.write_text(text)
    with App(load(project, {}), FrozenClock(LONG_AGO)) as app:
        for number in range(READERS):
            address = f"reader{number}@example.com"
            app.subscriptions.add(address, Choices(), origin="test", now=LONG_AGO)
        bounce = {
            "event": "bounce",
            "email": "reader0@example.com",
            "sg_event_id": "e",
            "type": "bounce",
        }
        report = [bounce | {"timestamp": int(LONG_AGO.timestamp()), "sg_message_id": "m"}]
        assert app.events.take(json.dumps(report).encode())
    return project


Lives = Callable[..., dict[str, Any]]


@pytest.fixture
def live(original: Path, tmp_path: Path) -> Iterator[Lives]:
    """Let a week pass, with a SIGTERM at some work of it; return what is there in the end."""
    tickers: list[Ticker] = []

    def to_its_end(work: str = "", *, phases: int = 3) -> dict[str, Any]:
        project = tmp_path / (work or "undisturbed") / "weekly"
        shutil.copytree(original, project)
        phase, *words = WORKS.get(work, (-1,))
        for number in range(phases):
            if number == 3:
                ask(project, *DOUBT)
            clock = SharedClock(dt.datetime.fromisoformat(f"2026-11-{TIMES[number]}+00:00"))
            if number == phase:
                tickers.append(Ticker(project, clock, *words))
                end_at_work(tickers[-1])
                if work == "claiming":  # what was in flight is finished, and no more is begun
                    assert ask(project, "SELECT count(*) FROM attempts") == (1,)
            tickers.append(Ticker(project, clock))
            until(project, ENDS[number], tickers[-1])
            tickers[-1].end()
        return found(project)

    yield to_its_end
    for ticker in tickers:
        ticker.close()


def end_at_work(ticker: Ticker) -> None:
    """Send SIGTERM while it is at it, and let it go on after it has heard that."""
    ticker.hear("there")
    ticker.send(signal.SIGTERM)
    ticker.hear("ending")
    assert ticker.child.poll() is None
    ticker.release()
    assert ticker.ended() == 0, ticker.told()
    assert "Traceback" not in ticker.told()
    assert "tick_failed" not in ticker.told()


def ask(project: Path, *statements: str) -> Any:
    """Put statements to the database; return the first row of the last one's answer."""
    with closing(sqlite3.connect(project / "var" / "digest.db", timeout=FAR)) as connection:
        for statement in statements:
            row = connection.execute(statement).fetchone()
        connection.commit()
    return row


def until(project: Path, condition: str, ticker: Ticker) -> None:
    """Wait until something is true of the database."""
    end = time.monotonic() + FAR
    while not ask(project, condition)[0]:
        assert time.monotonic() < end, ticker.told()
        assert ticker.child.poll() is None, ticker.told()
        time.sleep(0.02)


def found(project: Path) -> dict[str, Any]:
    """Return what a week has left behind, but for times."""
    mails = [
        message_from_bytes(path.read_bytes(), policy=policy.default)
        for path in (project / "outbox" / "2026-W48").glob("batch-*/*.eml")
    ]
    with closing(sqlite3.connect(project / "var" / "digest.db")) as connection:
        tables = {
            name: connection.execute(f"SELECT {columns} FROM {name} ORDER BY 1, 2").fetchall()
            for name, columns in (
                ("editions", "label, state"),
                ("articles", "key, id > 0"),
                ("stories", "position, article_id > 0"),
                ("batches", "planned, state"),
                ("attempts", "batch_id, number, outcome"),
                ("suppressions", "address, reason"),
                ("events", "kind, 1"),
                ("marks", "name, 1"),
            )
        }
        # Each process that handed something over notes so.
        query = "SELECT actor, action FROM audit WHERE action <> 'handed over' ORDER BY id"
        tables["audit"] = connection.execute(query).fetchall()
    return {**tables, "mails": Counter(str(mail["To"]) for mail in mails)}


@pytest.fixture(scope="module")
def undisturbed() -> dict[int, dict[str, Any]]:
    """Return where weeks are kept in which nobody ended anything, by how long they went on."""
    return {}


@pytest.mark.parametrize(
    "work",
    [pytest.param(work, marks=[] if work in SHORT else [pytest.mark.long]) for work in WORKS],
)
def test_sigterm_at_work_ends_it_whole_and_the_next_process_goes_on_to_the_same_end(
    live: Lives, undisturbed: dict[int, dict[str, Any]], work: str
) -> None:
    phases = max(WORKS[work][0] + 1, 3)
    if phases not in undisturbed:
        undisturbed[phases] = live(phases=phases)
    wanted = undisturbed[phases]
    assert len(wanted["mails"]) == READERS
    assert set(wanted["mails"].values()) == {1}
    assert live(work, phases=phases) == wanted
