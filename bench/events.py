"""The provider's reports: taking them raw, folding them, and a sender's commits meanwhile."""

import datetime as dt
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from bench.measure import row
from digest.app import App
from digest.project import load
from digest.storage.database import Database
from digest.storage.delivery_tables import attempts, batches, deliveries, instants, subscribers
from digest.storage.tables import editions
from digest.testing.clock import FrozenClock
from digest.testing.factories import NOON

READERS = 100_000
PER_REPORT = 1_000
MARK = "bench-mark-1"
KINDS = ("processed", "delivered", "delivered", "deferred")
PAUSE = 0.002  # seconds between two commits of the sender: it waits for the provider


def main() -> None:
    """Print the figures; ratios are to a plain insert of each event, committed by the hundred."""
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder)) as app:
        bodies = list(reports())
        count = len(bodies) * PER_REPORT
        plain = plain_inserts(app.database, count)
        per_event = plain / count
        row(f"plain inserts of {count:,} events, 100 a commit", plain, plain)
        took = timed(lambda: [app.events.take(body) for body in bodies])
        row(f"taking {len(bodies)} reports of them", took, plain, f"{count / took:,.0f} events/s")
        alone = commits(app.database, lambda: time.sleep(2))
        took = 0.0

        def fold() -> None:
            nonlocal took
            took = timed(lambda: app.events.drain(limit=len(bodies)))

        meanwhile = commits(app.database, fold)
        row(
            "folding them beside a sender", took, per_event * count, f"{count / took:,.0f} events/s"
        )
        again = [body + b" " for body in bodies[: len(bodies) // 4]]
        for body in again:
            app.events.take(body)
        took = timed(lambda: app.events.drain())
        known = len(again) * PER_REPORT
        extra = f"{known / took:,.0f} events/s"
        row("folding events that are known, nobody beside", took, per_event * known, extra)
        for name, waits in (("alone", alone), ("while events are folded", meanwhile)):
            cuts = statistics.quantiles(waits, n=100)
            extra = f"p99 {cuts[98] * 1000:.1f} ms, most {max(waits) * 1000:.1f} ms"
            row(f"a sender's commit {name}, median", cuts[49], plain, extra)


@contextmanager
def opened(folder: Path) -> Iterator[App]:
    """Open a project in which an edition is delivered to everybody."""
    (folder / "config").mkdir()
    (folder / "config" / "digest.toml").touch()
    with App(load(folder, {}), FrozenClock(NOON)) as app:
        fill(app.database)
        yield app


def fill(database: Database) -> None:
    """Store an edition, its readers and its deliveries."""
    with database.writing() as connection:
        connection.execute(
            sa.insert(editions).values(
                newsletter="app-news-weekly",
                label="2026-W48",
                state="sending",
                period_start_at=NOON,
                period_end_at=NOON,
                revision=1,
                edition={},
            )
        )
        connection.execute(sa.insert(subscribers), [reader(n) for n in range(1, READERS + 1)])
        rows = [
            {"edition_id": 1, "subscriber_id": number, "planned": number // 1000}
            for number in range(1, READERS + 1)
        ]
        connection.execute(sa.insert(deliveries), rows)
        numbers = range(1, READERS // PER_REPORT + 2)
        connection.execute(sa.insert(batches), [batch(number) for number in numbers])
        connection.execute(sa.insert(attempts), [attempt(number) for number in numbers])


def batch(number: int) -> dict[str, object]:
    """Return the row of an accepted batch."""
    bounds = {"first_id": 1, "last_id": READERS, "readers": PER_REPORT, "planned": number}
    names = {"variant": "all", "state": "accepted", "holder": "", "attempt": 1}
    return bounds | names | {"id": number, "edition_id": 1}


def attempt(number: int) -> dict[str, object]:
    """Return the row of the try that was accepted."""
    names = dict.fromkeys(("reservation", "reference", "reason", "body_sha256", "settled_by"), "")
    counts = {"batch_id": number, "number": 1, "readers": PER_REPORT, "withdrawn": {}}
    return names | counts | {"outcome": "accepted", "mark": MARK, "started_at": NOON}


def reader(number: int) -> dict[str, object]:
    """Return a subscriber's row."""
    names = dict.fromkeys(("first_name", "topics", "language", "timezone", "origin", "left_by"), "")
    address = f"reader{number}@example.com"
    return names | {
        "id": number,
        "newsletter": "app-news-weekly",
        "key": address,
        "address": address,
        "frequency": "weekly",
        "state": "active",
        "joined_at": NOON,
    }


def reports() -> Iterator[bytes]:
    """Yield reports of four events a reader, one in 25 of them a bounce."""
    at = int(NOON.timestamp())
    events = []
    for turn, kind in enumerate(KINDS):
        for number in range(1, READERS + 1):
            is_bounce = kind == "delivered" and number % 25 == 0
            events.append(
                {
                    "email": f"reader{number}@example.com",
                    "timestamp": at + turn,
                    "event": "bounce" if is_bounce else kind,
                    "sg_event_id": f"ZGVsaXZlcmVkLTAtMTIzNDU2Nzg5{turn}{number:08}",
                    "sg_message_id": f"abcdefghijklmnop.recvd-5d7c9f-1-{number:08}.0",
                    "smtp-id": f"<abcdefghijklmnop{number:08}@geopod-ismtpd-1>",
                    "response": "250 2.0.0 OK",
                    "category": ["digest"],
                    "edition": "1",
                    "batch": str(1 + number // 1000),
                    "try": "1",
                    "mark": MARK,
                    "rid": str(number),
                }
            )
            if len(events) == PER_REPORT:
                yield json.dumps(events).encode()
                events = []


def plain_inserts(database: Database, count: int) -> float:
    """Return the seconds that bare rows take, in a table of their own."""
    with database.writing() as connection:
        connection.exec_driver_sql("CREATE TABLE plain (key TEXT PRIMARY KEY, kind TEXT, at INT)")

    def insert() -> None:
        for start in range(0, count, 100):
            rows = [
                (f"{number * 7919 % count:032}", "delivered", 5)
                for number in range(start, start + 100)
            ]
            with database.writing() as connection:
                connection.exec_driver_sql("INSERT INTO plain VALUES (?, ?, ?)", rows)

    return timed(insert)


def commits(database: Database, work: object) -> list[float]:
    """Return how long each small commit took while `work` went on."""
    assert callable(work)
    thread, waits = threading.Thread(target=work), []
    thread.start()
    while thread.is_alive():
        began = time.perf_counter()
        statement = database.insert(instants).values(name="bench", at=NOON)
        moved = NOON + dt.timedelta(seconds=len(waits))
        with database.writing() as connection:
            connection.execute(
                statement.on_conflict_do_update(index_elements=["name"], set_={"at": moved})
            )
        waits.append(time.perf_counter() - began)
        time.sleep(PAUSE)
    thread.join()
    return waits


def timed(work: object) -> float:
    """Return the seconds that calling `work` takes."""
    assert callable(work)
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
