"""Readers by the thousand leave and rate while an edition goes out: nothing is lost or doubled.

The pages are a process of their own, the sender another; they share a database and nothing else.
"""

import datetime as dt
import http.client
import os
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
import sqlalchemy as sa

from digest.app import App
from digest.clocks import SystemClock
from digest.merging import hash_parts
from digest.model.deliveries import Accepted
from digest.model.editions import WHOLE, Edition, EditionState, FrozenVariant, Variant
from digest.model.sources import SourceState
from digest.ports import Placed
from digest.project import load
from digest.services.freezing import hash_variants
from digest.storage.delivery_tables import attempts, batches, subscribers
from digest.storage.reader_tables import votes
from digest.testing.factories import make_article, make_edition, make_mail, make_period, make_story
from digest.testing.sendgrid import SendgridStandIn
from tests.editing import add_readers
from tests.postgres import running_server
from tests.website import FORM, ONE_CLICK

CLIENTS = 16
BATCHES = 20
TWICE = 10  # of so many requests one is made twice: mail programs do, and people
SLUG, ARTICLE, STARS = "app-news-weekly", 1, 4
CONFIG = """
[database]
url = "{url}"
[delivery]
transport = "sendgrid"
batch_size = {size}
[sendgrid]
host = "{host}"
"""


@dataclass(frozen=True)
class Ask:
    """What somebody posts, and on behalf of which reader."""

    reader: int
    path: str
    body: bytes


@dataclass(frozen=True)
class Crowd:
    """Readers, of whom a third leaves and a third rates, and who send that in any order."""

    leavers: range
    voters: range
    asks: Sequence[Ask]


class Gate:
    """Lets the sender go on as the crowd does, so that both go on all the time.

    Args:
        answers: How many there will be.
    """

    def __init__(self, answers: int) -> None:
        self._all, self._answers = answers, 0
        self._batches, self._is_open = 0, False
        self._changed = threading.Condition()

    def answered(self) -> None:
        """Count an answer to somebody of the crowd."""
        with self._changed:
            self._answers += 1
            self._changed.notify_all()

    def batch_taken(self, _readers: int) -> None:
        """Hold the sender back until the crowd has come as far with its share."""
        with self._changed:
            self._batches += 1
            share = self._batches * self._all // BATCHES
            self._changed.wait_for(lambda: self._is_open or self._answers >= share)

    def open(self) -> None:
        """Hold nobody back any more."""
        with self._changed:
            self._is_open = True
            self._changed.notify_all()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """Return the address of an empty database."""
    if request.param == "sqlite":
        return "sqlite:///var/digest.db"
    server = str(request.getfixturevalue("server"))
    engine = sa.create_engine(server.replace("postgresql", "postgresql+psycopg", 1))
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    engine.dispose()
    return server


@pytest.mark.parametrize("each", [200, pytest.param(2_000, marks=pytest.mark.long)])
def test_readers_leave_and_rate_while_an_edition_goes_out(
    tmp_path: Path, url: str, each: int
) -> None:
    with SendgridStandIn(keep="counts") as provider:
        environment = {"DIGEST_SENDGRID__API_KEY": provider.api_key}
        (tmp_path / "config").mkdir()
        (tmp_path / "config" / "digest.toml").write_text(
            CONFIG.format(url=url, size=3 * each // BATCHES, host=provider.url)
        )
        with App(load(tmp_path, environment), SystemClock()) as app:
            add_readers(app.database, [()] * (3 * each))
            last_week = published(app)
            this_week = approved(app, "2026-W48", ARTICLE + 1, weeks_ago=1)
            crowd = gathered(app, last_week, each)
            with served(tmp_path, environment) as address:
                answered_at = come(app, this_week, crowd, address)
            assert_nothing_lost(app, last_week, crowd)
            assert_nobody_mailed_who_had_left(app, this_week, provider, crowd, answered_at)


# Before


def approved(app: App, label: str, number: int, *, weeks_ago: int) -> Edition:
    """Store an approved edition with one story, whose mail can be sent."""
    mail, now = make_mail(), app.clock.now()
    sha256 = hash_parts(mail.subject, "", mail.html, mail.text)
    variant = Variant(
        subject=mail.subject, preheader="", html=mail.html, text=mail.text, tokens={}, sha256=sha256
    )
    variants = [FrozenVariant(key=WHOLE, variant=variant)]
    placed = [Placed(article=make_article(number), belongs_at=now)]
    app.store.record_fetch(SourceState(name="Example"), placed, now=now)
    end = now - dt.timedelta(weeks=weeks_ago)
    draft = make_edition(
        period=make_period(start=end - dt.timedelta(weeks=1), end=end, label=label),
        stories=(make_story(number),),
        state=EditionState.APPROVED,
        sha256=sha256,
        variants_sha256=hash_variants(variants),
        frozen_at=now,
        approved_by="Ada",
        approved_at=now,
    )
    return app.store.freeze(draft, variants)


def published(app: App) -> int:
    """Hand an edition over to everybody, and return its number: it is the one that they rate."""
    assert app.tokens  # a send makes the keys before it plans
    edition = approved(app, "2026-W47", ARTICLE, weeks_ago=2)
    assert edition.id is not None
    app.ledger.plan(edition, is_monthly=True, size=1_000_000, release_at=None)
    app.ledger.change_state(edition.id, ["planned"], "sending")
    claim = app.ledger.claim(
        edition.id,
        holder="test",
        reservation="",
        release_at=None,
        now=app.clock.now(),
        lease=dt.timedelta(minutes=2),
    )
    assert claim is not None
    app.ledger.record(claim, Accepted(reference="r"), now=app.clock.now())
    assert app.ledger.finish(edition.id)
    return edition.id


def gathered(app: App, edition_id: int, each: int) -> Crowd:
    """Return who leaves and who rates by the links of an edition, evenly over the whole list."""
    form = app.tokens.form(now=app.clock.now() - dt.timedelta(minutes=1))
    rating = urlencode({"form": form, "stars": STARS}).encode()
    leavers, voters = range(1, 3 * each, 3), range(2, 3 * each, 3)
    link = {reader: app.tokens.reader(edition_id, reader) for reader in (*leavers, *voters)}
    asks = [Ask(reader, f"/u/{link[reader]}", ONE_CLICK) for reader in leavers]
    asks += [Ask(reader, f"/r/{link[reader]}/{ARTICLE}", rating) for reader in voters]
    asks += asks[::TWICE]
    random.Random(each).shuffle(asks)
    return Crowd(leavers, voters, asks)


# Meanwhile


@contextmanager
def served(folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """Serve the project in a process of its own, and yield its address."""
    command = [sys.executable, "-m", "digest", "serve", "--no-scheduler", "--bind", "127.0.0.1:0"]
    process = subprocess.Popen(
        command, cwd=folder, env=os.environ | environment, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("Served at  ")
        yield line.split()[2]
    finally:
        process.terminate()
        process.communicate()
    assert process.returncode == 0


def come(app: App, edition: Edition, crowd: Crowd, address: str) -> Mapping[int, dt.datetime]:
    """Send the edition while the crowd comes; return when readers had their first answer."""
    answered_at: dict[int, dt.datetime] = {}
    gate, waiting = Gate(len(crowd.asks)), iter(crowd.asks)
    statuses: list[int] = []
    taking = threading.Lock()

    def client() -> None:
        connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=120)
        while True:
            with taking:
                ask = next(waiting, None)
            if ask is None:
                break
            connection.request("POST", ask.path, ask.body, FORM)
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
            answered_at.setdefault(ask.reader, app.clock.now())
            gate.answered()
        connection.close()

    app.sending.plan(edition, release_at=app.sending.release_at(edition, may_hold=True))
    planned = app.store.edition(SLUG, edition.period.label)
    assert planned is not None
    stop = threading.Event()
    with ThreadPoolExecutor(CLIENTS + 1) as pool:
        sender = pool.submit(
            app.sending.run, planned, stop=stop, wait=stop.wait, progress=gate.batch_taken
        )
        clients = [pool.submit(client) for _ in range(CLIENTS)]
        wait(clients)
        gate.open()
        for each in clients:
            each.result()
        assert Counter(statuses) == {200: len(crowd.asks)}
        assert sender.result() is None
    return answered_at


# Afterwards


def assert_nothing_lost(app: App, edition_id: int, crowd: Crowd) -> None:
    """Find each reader who left, once, and each vote."""
    columns = (subscribers.c.id, subscribers.c.left_by, subscribers.c.left_edition_id)
    left = sa.select(*columns).where(subscribers.c.state == "left").order_by(subscribers.c.id)
    stand = sa.select(votes.c.subscriber_id).where(
        votes.c.edition_id == edition_id, votes.c.article_id == ARTICLE, votes.c.stars == STARS
    )
    everything = sa.select(sa.func.count()).select_from(votes)
    with app.database.reading() as connection:
        found = [tuple(row) for row in connection.execute(left)]
        assert found == [(reader, "one-click", edition_id) for reader in crowd.leavers]
        assert set(connection.execute(stand).scalars()) == set(crowd.voters)
        rated = sum(ask.path.startswith("/r/") for ask in crowd.asks)
        assert connection.execute(everything).scalar_one() == rated  # the log keeps each of them
    counted = app.votes.ballots(SLUG, [ARTICLE])
    assert sum(ballots.votes for ballots in counted) == len(crowd.voters)


def assert_nobody_mailed_who_had_left(
    app: App,
    edition: Edition,
    provider: SendgridStandIn,
    crowd: Crowd,
    answered_at: Mapping[int, dt.datetime],
) -> None:
    """Compare what the provider took with the account, and with who had been told "you are off"."""
    planned = app.store.edition(SLUG, edition.period.label)
    assert planned is not None
    report = app.ledger.report(planned)
    assert report.is_balanced
    readers = {f"reader-{reader}@example.com": reader for reader in range(1, report.planned + 1)}
    copies = {readers[address]: number for address, number in provider.copies().items()}
    assert set(copies.values()) == {1}
    spared = set(readers.values()) - copies.keys()
    assert (report.accepted, report.withdrawn) == (len(copies), {"left": len(spared)})
    claims = sa.select(batches.c.first_id, batches.c.last_id, attempts.c.started_at).join(
        attempts, attempts.c.batch_id == batches.c.id
    )
    with app.database.reading() as connection:
        found = connection.execute(claims.where(batches.c.edition_id == edition.id)).all()
    assert len(found) == BATCHES
    had_left = {
        reader
        for first, last, started_at in found
        for reader in crowd.leavers
        if first <= reader <= last and answered_at[reader] < started_at
    }
    assert had_left
    assert had_left <= spared <= set(crowd.leavers)
