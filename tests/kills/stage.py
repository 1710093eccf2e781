"""The database of a scene, copied from one that was made once, and what must be true of it."""

import datetime as dt
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from digest.merging import hash_parts
from digest.model.deliveries import AttemptOutcome, BatchState, DeliveryReport
from digest.model.editions import WHOLE, Edition, EditionState, FrozenVariant, Variant
from digest.storage import delivery_tables as tables
from digest.storage.database import Database, open_database
from digest.storage.ledger import SqlLedger
from digest.storage.store import SqlStore
from digest.testing.factories import NOON, make_edition, make_mail
from tests.editing import add_readers
from tests.kills.scenes import Scene
from tests.kills.sender import LABEL, NEWSLETTER, SIZE

LEASE = dt.timedelta(seconds=90)
ENDED = frozenset({EditionState.DONE, EditionState.ATTENTION})
LEFT, BOUNCED = 1, 1  # on the list, and never to be mailed
ZONES = ("Asia/Kathmandu", "Asia/Kolkata", "Asia/Dhaka")  # a quarter of an hour apart
LATE = dt.timedelta(minutes=15)  # what a few kills delay a wave by, with their leases
SEVEN = dt.datetime(2026, 11, 30, 7)  # noqa: DTZ001  # on the clock of each reader


class Stages:
    """Makes the databases of scenes, each a copy of one with an approved edition.

    Args:
        folder: For SQLite's files.
        postgres: The address of a PostgreSQL server, or "".
    """

    def __init__(self, folder: Path, postgres: str) -> None:
        self._folder, self._postgres = folder, postgres
        self._count = 0

    def fresh(self, scene: Scene) -> "Stage":
        """Return the stage for a scene."""
        self._count += 1
        if self._postgres:
            return self._on_postgres(scene)
        original = self._folder / f"{_name(scene)}.db"
        if not original.exists():
            _make(f"sqlite:///{original}", scene)
        folder = self._folder / str(self._count)
        folder.mkdir()
        shutil.copy(original, folder / "digest.db")
        return Stage(f"sqlite:///{folder}/digest.db", folder)

    def _on_postgres(self, scene: Scene) -> "Stage":
        original = _name(scene)
        with _server(self._postgres) as connection:
            query = sa.text("SELECT count(*) FROM pg_database WHERE datname = :name")
            is_there = connection.execute(query, {"name": original}).scalar_one()
            if not is_there:
                connection.execute(sa.text(f"CREATE DATABASE {original}"))
                _make(self._postgres.replace("/postgres?", f"/{original}?"), scene)
            name = f"scene_{os.getpid()}_{self._count}"
            connection.execute(sa.text(f"CREATE DATABASE {name} TEMPLATE {original}"))
        folder = self._folder / str(self._count)
        folder.mkdir()
        return Stage(self._postgres.replace("/postgres?", f"/{name}?"), folder)


class Stage:
    """One scene's database, looked at while nobody uses it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder

    def cut_off(self) -> None:
        """End all connections of a PostgreSQL database, as a network does that fails."""
        if not self.url.startswith("postgresql"):
            return
        with _server(self.url) as connection:
            others = "datname = current_database() AND pid <> pg_backend_pid()"
            text = f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE {others}"
            connection.execute(sa.text(text))

    def drop(self) -> None:
        """Take the database away."""
        if self.url.startswith("postgresql"):
            name = sa.make_url(self.url).database
            with _server(self.url.replace(f"/{name}?", "/postgres?")) as connection:
                connection.execute(sa.text(f"DROP DATABASE {name}"))
        shutil.rmtree(self.folder)

    def state(self) -> tuple[EditionState, int]:
        """Return where the edition stands, and how many rows its plan has."""
        with _opened(self.url) as database, database.reading() as connection:
            plan = (tables.deliveries, tables.exclusions, tables.batches, tables.attempts)
            rows = sum(
                connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
                for table in plan
            )
            return _edition(database).state, rows

    def judged(
        self, scene: Scene, copies: Mapping[str, int], requests: Sequence[Mapping[str, Any]]
    ) -> tuple[DeliveryReport, list[str]]:
        """Return the edition's account, and each promise that the provider's book contradicts."""
        with _opened(self.url) as database:
            report = SqlLedger(database).report(_edition(database))
            with database.reading() as connection:
                wrong = [
                    *_of_report(report, scene, fenced=_fenced(connection)),
                    *_of_readers(connection, report, scene, copies),
                    *_of_requests(connection, scene, requests),
                    *_of_waves(connection, report, scene, requests),
                ]
        return report, wrong


def _fenced(connection: sa.Connection) -> int:
    fenced = tables.attempts.c.outcome == str(AttemptOutcome.FENCED)
    query = sa.select(sa.func.count()).select_from(tables.attempts).where(fenced)
    return int(connection.execute(query).scalar_one())


def _of_report(report: DeliveryReport, scene: Scene, *, fenced: int) -> Iterator[str]:
    refused = sum(report.refused.values())
    bad = sum(fault["kind"] == "bad_reader" for fault in scene.faults)
    if not report.is_balanced:
        yield "the report does not balance"
    if report.planned != scene.batches * SIZE or report.excluded != {"bounced": 1, "left": 1}:
        yield f"planned {report.planned}, excluded {report.excluded}"
    if report.planned != report.accepted + report.unknown + refused:
        yield f"of {report.planned}, {report.accepted} accepted and {report.unknown} unknown"
    if refused > bad or (refused < bad and not report.unknown):
        yield f"refused {report.refused}"
    # What was cancelled and never came keeps its place at the stand-in for days, so that later ones
    # may find none: those stay unknown, which is no harm.
    if scene.hold and report.unknown and fenced < scene.holds:
        yield f"{report.unknown} unknown though all could be fenced"
    if report.state != (EditionState.ATTENTION if report.unknown else EditionState.DONE):
        yield f"the edition is {report.state}"


def _of_readers(
    connection: sa.Connection, report: DeliveryReport, scene: Scene, copies: Mapping[str, int]
) -> Iterator[str]:
    """Compare what the ledger says of each reader with what the provider sent them."""
    may_have = {BatchState.ACCEPTED: {1}, BatchState.UNKNOWN: {0, 1}, BatchState.REFUSED: {0}}
    of_batch = sa.and_(
        tables.batches.c.edition_id == tables.deliveries.c.edition_id,
        tables.batches.c.planned == tables.deliveries.c.planned,
        tables.deliveries.c.subscriber_id.between(
            tables.batches.c.first_id, tables.batches.c.last_id
        ),
    )
    query = (
        sa.select(tables.subscribers.c.address, tables.batches.c.state)
        .join(tables.deliveries, tables.deliveries.c.subscriber_id == tables.subscribers.c.id)
        .join(tables.batches, of_batch)
        .where(tables.batches.c.state != str(BatchState.SPLIT))
    )
    states = dict(connection.execute(query).all())
    if len(states) != report.planned:
        yield f"{len(states)} readers are in batches"
    for address, state in states.items():
        had = copies.get(address, 0)
        if had not in may_have.get(state, set()):
            yield f"{address} got {had} copies, and their batch is {state}"
    if strangers := copies.keys() - states.keys():
        yield f"{sorted(strangers)} were not planned and got it"


def _of_requests(
    connection: sa.Connection, scene: Scene, requests: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Find each request in the ledger, where it stood before it was made."""
    attempts = {
        (str(row.batch_id), str(row.number)): row
        for row in connection.execute(sa.select(tables.attempts))
    }
    # Where a sender sleeps, or another one steps the clock ahead between the look at the lease and
    # the request, a request may come late; nobody may get it twice even so.
    leaps = scene.senders > 1 or any(kill.stops for kill in scene.kills)
    for request in requests:
        named = request["custom_args"]
        # Some a fault kept the provider from reading, and some it looked at when that was late.
        if not named or request["fault"] == "late_accept":
            continue
        row = attempts.get((named["batch"], named["try"]))
        came = dt.datetime.fromisoformat(request["received_at"])
        if row is None or row.started_at > came:
            yield f"a request for {named} came before its row in the ledger"
        elif came > row.started_at + LEASE and not leaps:
            yield f"a request for {named} came after its lease"
    accepted = Counter(
        batch for (batch, _), row in attempts.items() if row.outcome == AttemptOutcome.ACCEPTED
    )
    if twice := [batch for batch, number in accepted.items() if number > 1]:
        yield f"batches {twice} were accepted twice"


def _of_waves(
    connection: sa.Connection,
    report: DeliveryReport,
    scene: Scene,
    requests: Sequence[Mapping[str, Any]],
) -> Iterator[str]:
    """Compare when each reader was to get it with when the provider sent it."""
    if not scene.waves:
        return
    of_batch = sa.and_(
        tables.batches.c.edition_id == tables.deliveries.c.edition_id,
        tables.batches.c.planned == tables.deliveries.c.planned,
    )
    query = (
        sa.select(tables.subscribers.c.timezone, tables.batches.c.id, tables.batches.c.wave_at)
        .join(tables.deliveries, tables.deliveries.c.subscriber_id == tables.subscribers.c.id)
        .join(tables.batches, of_batch)
        .distinct()
    )
    own = {}
    for zone, batch, wave_at in connection.execute(query):
        own[str(batch)] = SEVEN.replace(tzinfo=ZoneInfo(zone))
        if wave_at != own[str(batch)]:
            yield f"readers in {zone} are to get it at {wave_at}"
    for request in requests:
        if request["state"] == "sent":
            at = dt.datetime.fromisoformat(request["release_at"] or request["received_at"])
            due = own[request["custom_args"]["batch"]]
            if not due <= at <= due + LATE:
                yield f"what was due at {due} was sent at {at}"
    waves = sorted(SEVEN.replace(tzinfo=ZoneInfo(zone)) for zone in ZONES)
    if [wave.release_at for wave in report.waves] != waves:
        yield f"the report has the waves {report.waves}"
    if sum(wave.accepted for wave in report.waves) != report.accepted:
        yield "the waves of the report are not its whole"


# Making


def _name(scene: Scene) -> str:
    return f"original_{scene.batches}{'_in_waves' if scene.waves else ''}"


def _make(url: str, scene: Scene) -> None:
    """Make a database with readers and an edition that is approved."""
    with _opened(url) as database:
        for number in range(scene.batches):
            zone = ZONES[number % len(ZONES)] if scene.waves else ""
            add_readers(database, [()] * SIZE, timezone=zone)
        add_readers(database, [()] * LEFT, state="left")
        add_readers(database, [()] * BOUNCED)
        _suppress(database, scene.batches * SIZE + LEFT + BOUNCED)
        store = SqlStore(database)
        mail = make_mail()
        sha256 = hash_parts(mail.subject, "", mail.html, mail.text)
        variant = Variant(
            subject=mail.subject,
            preheader="",
            html=mail.html,
            text=mail.text,
            tokens={},
            sha256=sha256,
        )
        edition = make_edition(0, state=EditionState.FROZEN, sha256=sha256, frozen_at=NOON)
        frozen = store.freeze(edition, [FrozenVariant(key=WHOLE, variant=variant)])
        store.save_edition(
            replace(frozen, state=EditionState.APPROVED, approved_by="Ada", approved_at=NOON)
        )


def _suppress(database: Database, number: int) -> None:
    address = f"reader-{number}@example.com"
    with database.writing() as connection:
        connection.execute(
            sa.insert(tables.suppressions).values(
                key=address, address=address, reason="bounced", origin="test", since_at=NOON
            )
        )


def _edition(database: Database) -> Edition:
    edition = SqlStore(database).edition(NEWSLETTER, LABEL)
    assert edition is not None
    return edition


@contextmanager
def _opened(url: str) -> Iterator[Database]:
    """Open a database and close it, as nothing of it may be open while others are forked."""
    database = open_database(url)
    try:
        yield database
    finally:
        database.close()


@contextmanager
def _server(url: str) -> Iterator[sa.Connection]:
    engine = sa.create_engine(url.replace("postgresql", "postgresql+psycopg", 1))
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection
    finally:
        engine.dispose()
