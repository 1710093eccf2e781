"""Two runs at once: one of them hands each batch over, and a dead one's batches are taken over."""

import datetime as dt
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from digest.errors import HeldElsewhere
from digest.model.deliveries import Handover
from digest.services.brakes import Stopped
from digest.services.handing_over import LEASE, Run, Tools
from digest.services.mails import mail
from digest.settings import DeliverySettings, NewsletterSettings
from digest.tokens import KeyRing, Tokens
from tests.postgres import running_server
from tests.sending import LABEL, MINUTE, MORNING, VARIANT, Desk, open_desk

HOLDER = """
import sys
from digest.storage.database import open_database
with open_database(sys.argv[1]).hold("send"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/digest.db"
    server = str(request.getfixturevalue("server"))
    engine = sa.create_engine(server.replace("postgresql", "postgresql+psycopg", 1))
    with engine.begin() as connection:
        connection.execute(sa.text("DROP SCHEMA public CASCADE"))
        connection.execute(sa.text("CREATE SCHEMA public"))
    engine.dispose()
    return server


def one_run(desk: Desk, name: str, **rules: object) -> Stopped | None:
    """Run without the hold that keeps two runs apart, as a server's lost session allows it."""
    settings = DeliverySettings(batch_size=10, in_flight=2, **rules)  # type: ignore[arg-type]
    hold = 20 * MINUTE if desk.provider.can_hold else None
    tools = Tools(
        ledger=desk.ledger,
        transport=desk.provider,
        tokens=Tokens(KeyRing({1: b"k" * 32}, b"a" * 32)),
        clock=desk.clock,
        settings=settings,
        hold=hold,
        stop=threading.Event(),
        wait=desk.wait,
        progress=lambda _readers: None,
    )
    mails = {"all": mail(NewsletterSettings(), LABEL, VARIANT)}
    return Run(tools, desk.edition(), mails, holder=name).run()


def under_way(url: str, readers: int, **options: bool) -> Desk:
    desk = open_desk(url, **options)
    edition = desk.plan(readers)
    assert edition.id is not None
    assert desk.ledger.change_state(edition.id, ["planned"], "sending")
    return desk


@pytest.mark.parametrize("can_hold", [False, True])
def test_two_runs_on_one_ledger_share_the_batches(url: str, can_hold: bool) -> None:
    desk = under_way(url, 300, can_hold=can_hold)
    both = threading.Barrier(2)
    desk.wait = lambda _seconds: time.sleep(0.001)  # type: ignore[method-assign]

    def start(name: str) -> Stopped | None:
        both.wait()
        return one_run(desk, name)

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(start, ["one", "two"])) == [None, None]
    assert len(desk.provider.seen) == 30
    assert {handover.attempt for handover in desk.provider.seen} == {1}
    assert desk.ledger.finish(desk.edition().id or 0)
    desk.assert_once_each(300)
    desk.database.close()


def test_runs_share_the_rate(url: str) -> None:
    desk = under_way(url, 200)
    times: list[dt.datetime] = []
    moving = threading.Lock()

    def wait(seconds: float) -> None:
        with moving:  # each run lets the time pass by itself
            desk.clock.move(dt.timedelta(seconds=min(seconds, 0.05)))

    desk.wait = wait  # type: ignore[method-assign]
    desk.provider.answer = lambda _handover: times.append(desk.clock.now())
    with ThreadPoolExecutor(2) as pool:
        for told in pool.map(
            lambda name: one_run(desk, name, readers_per_second=50), ["one", "two"]
        ):
            assert told is None
    times.sort()
    assert len(times) == 20
    # Ten readers take a fifth of a second; the twentieth batch starts after nineteen of those.
    assert times[-1] - times[0] >= 19 * dt.timedelta(seconds=0.2) - dt.timedelta(seconds=1)
    assert desk.ledger.finish(desk.edition().id or 0)
    desk.assert_once_each(200)
    desk.database.close()


@pytest.mark.parametrize("is_kept", [False, True])
def test_what_a_dead_run_claimed_is_settled_when_its_lease_is_over(url: str, is_kept: bool) -> None:
    desk = under_way(url, 40, can_hold=True)
    edition = desk.edition()
    assert edition.id is not None
    claim = desk.ledger.claim(
        edition.id,
        holder="dead",
        reservation="dead-1",
        release_at=MORNING + 20 * MINUTE,
        now=MORNING,
        lease=LEASE,
    )
    assert claim is not None
    if is_kept:
        handover = Handover(
            mail=mail(NewsletterSettings(), LABEL, VARIANT),
            batch=claim.batch_id,
            attempt=1,
            readers=[],
            reservation="dead-1",
            release_at=claim.release_at,
        )
        desk.provider.book.submit(handover, now=MORNING)
    assert one_run(desk, "alive") is None
    assert desk.clock.now() >= MORNING + LEASE + MINUTE
    assert desk.clock.now() <= MORNING + LEASE + 2 * MINUTE
    assert desk.ledger.finish(edition.id)
    desk.assert_once_each(40)
    desk.database.close()


def test_second_process_is_refused_until_the_first_one_dies(url: str) -> None:
    desk = open_desk(url)
    desk.plan(30)
    command = [sys.executable, "-c", HOLDER, url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        try:
            assert first.stdout is not None
            assert first.stdout.readline() == b"held\n"
            with pytest.raises(HeldElsewhere, match="is under way"):
                desk.run()
            assert desk.edition().state == "planned"
            with pytest.raises(HeldElsewhere, match="nothing is cancelled yet"):
                desk.service().cancel(desk.edition())
            assert not desk.provider.seen
        finally:
            first.kill()
    for _ in range(1000):  # a server takes a moment to see that its client is gone
        try:
            assert desk.run() is None
            break
        except HeldElsewhere:
            with desk.database.reading() as connection:
                connection.exec_driver_sql("SELECT 1")
    desk.assert_once_each(30)
    desk.database.close()
