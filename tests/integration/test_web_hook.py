"""SendGrid's hook over a real server: what is not signed leaves no row, what is changes it once."""

import datetime as dt
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from digest.app import App
from digest.errors import ConfigError
from digest.project import load
from digest.testing.clock import FrozenClock
from digest.testing.contracts.events import RELEASE
from digest.testing.sendgrid.events import SIGNATURE_HEADER, TIMESTAMP_HEADER, EventPost
from digest.web.app import make_web
from tests.website import Site, served

PATH = "/hooks/sendgrid"
FAR = 60.0  # seconds after which a test gives up on the thread that folds


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with served(tmp_path / "weekly") as running:
        yield running


def post(site: Site, report: EventPost) -> int:
    return site.ask("POST", PATH, report.body, report.headers).status


def raw(site: Site, event: str, reader: int = 0, **changes: Any) -> dict[str, Any]:
    """Return an event about the reader as SendGrid reports it."""
    sent = site.sent
    values: dict[str, Any] = {
        "email": f"reader{reader}@example.com",
        "timestamp": int(RELEASE.timestamp()) + 5,
        "event": event,
        "sg_event_id": f"{event}-{reader}",
        "sg_message_id": f"m.{reader}",
        "edition": str(sent.edition.id),
        "batch": str(sent.claim.batch_id),
        "try": str(sent.claim.attempt),
        "mark": sent.claim.mark,
        "rid": str(sent.readers[reader]),
    }
    return values | changes


def report(site: Site, *events: Any) -> EventPost:
    return site.webhook.sign(json.dumps(events).encode())


def drained(site: Site) -> dict[str, int]:
    """Wait until nothing waits any more; return what became of the edition's deliveries."""
    # The server's own thread may be at it; then this call does nothing, and is repeated.
    deadline = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=FAR)
    while site.sent.stores.events.waiting(limit=1):
        assert dt.datetime.now(dt.UTC) < deadline
        site.app.events.drain()
    return dict(site.app.ledger.event_counts(site.sent.edition.id or 0))


def test_signed_report_is_taken_and_folded(site: Site) -> None:
    told = report(site, raw(site, "delivered"), raw(site, "spamreport", 1), raw(site, "open", 2))
    assert post(site, told) == 200
    assert drained(site) == {"delivered": 1, "complained": 1}
    assert site.sent.batch() == ("accepted", "event")
    found = site.app.subscribers.suppression("reader1@example.com")
    assert found is not None
    assert found.reason == "complained"


def test_what_is_not_signed_leaves_no_row(site: Site) -> None:
    before = site.rows()
    good = report(site, raw(site, "bounce", type="bounce"))
    bad = [
        *site.webhook.tampered(good),
        site.webhook.forge(good.body),
        site.webhook.age(good, dt.timedelta(minutes=11)),
        site.webhook.age(good, dt.timedelta(minutes=-11)),
        EventPost(b"\xff" + good.body, good.headers),
    ]
    assert {post(site, one) for one in bad} == {403}
    for method in ("GET", "PUT", "HEAD", "DELETE"):
        assert site.ask(method, PATH, good.body, good.headers).status == 405
    assert site.rows() == before
    assert post(site, good) == 200


@pytest.mark.parametrize("name", [SIGNATURE_HEADER, TIMESTAMP_HEADER])
def test_header_that_comes_twice_is_refused(site: Site, name: str) -> None:
    good = report(site, raw(site, "delivered"))
    lines = "".join(f"{key}: {value}\r\n" for key, value in good.headers.items())
    twice = f"{lines}{name}: {good.headers[name]}\r\n"
    host, port = site.address.removeprefix("http://").rstrip("/").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        head = f"POST {PATH} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{twice}"
        head += f"Content-Length: {len(good.body)}\r\n\r\n"
        connection.sendall(head.encode() + good.body)
        assert connection.recv(1000).startswith(b"HTTP/1.1 403")


def test_report_that_comes_again_and_events_in_hundreds_of_copies_count_once(site: Site) -> None:
    bounce = raw(site, "bounce", type="bounce")
    once = report(site, bounce)
    assert post(site, once) == post(site, once) == 200
    copies = [bounce | {"sg_event_id": str(number)} for number in range(500)]
    assert post(site, report(site, *copies)) == 200
    assert drained(site) == {"bounced": 1}
    rows = site.rows()
    assert len(rows["inbox"]) == 2
    assert len(rows["events"]) == len(rows["outcomes"]) == len(rows["suppressions"]) == 1


def test_whatever_is_signed_is_never_answered_with_an_error_and_makes_no_reader(
    site: Site,
) -> None:
    before = site.rows()
    odd = [
        raw(site, "delivered", email="x" * 100_000),
        raw(site, "bounce", email="\ud83d@\x00", reason="\ud83d\x00" * 1000),
        raw(site, "bounce", email="stranger@example.org", rid="9" * 18, edition="9" * 18),
        raw(site, "bounce", batch="9" * 18, **{"try": "9" * 18}),
        raw(site, "unsubscribe", email="stranger@example.org", rid="1"),
        raw(site, "group_resubscribe"),
        raw(site, "newsletter_of_the_future"),
        raw(site, "delivered", timestamp=10**18),
    ]
    posts = [*site.webhook.malformed(), report(site, *odd), report(site, *range(1000))]
    deep = [b"[" * 500_000, b'{"a":' * 100_000, b"[" + b'{"a":1},' * 60_000 + b"{}]"]
    posts += [site.webhook.sign(body) for body in deep]
    assert {post(site, one) for one in posts} <= {200, 403}  # bytes that are no text are no report
    drained(site)
    rows = site.rows()
    assert {row[3] for row in rows["inbox"]} == {"folded", "dead"}
    assert rows["subscribers"] == before["subscribers"]
    assert site.state() == "active"


def test_more_than_a_megabyte_is_refused(site: Site) -> None:
    before = site.rows()
    assert post(site, site.webhook.sign(b"[" + b" " * 1024 * 1024 + b"]")) == 413
    assert site.rows() == before
    assert post(site, site.webhook.sign(b"[" + b" " * 1_000_000 + b"]")) == 200


def test_many_reports_at_once_are_all_kept(site: Site) -> None:
    posts = [
        report(site, *(raw(site, "deferred", reader, sg_message_id=str(n)) for reader in range(4)))
        for n in range(40)
    ]
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(lambda one: post(site, one), posts * 2)) == {200}
    assert drained(site) == {"deferred": 4}
    assert len(site.rows()["events"]) == 160


def test_without_a_key_there_is_no_hook(tmp_path: Path) -> None:
    with served(tmp_path / "weekly", hook=False) as site:
        assert post(site, report(site, raw(site, "delivered"))) == 404
        assert not site.rows()["inbox"]


def test_failing_database_asks_for_the_report_again(site: Site) -> None:
    with site.app.database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE inbox RENAME TO elsewhere")
    answer = site.ask("POST", PATH, *_parts(report(site, raw(site, "delivered"))))
    assert (answer.status, answer.headers["Retry-After"]) == (503, "60")
    assert "Traceback" not in answer.text
    assert "inbox" not in answer.text
    with site.app.database.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO inbox")
    assert post(site, report(site, raw(site, "delivered"))) == 200


def _parts(one: EventPost) -> tuple[bytes, dict[str, str]]:
    return one.body, dict(one.headers)


def test_server_folds_by_itself(site: Site) -> None:
    assert post(site, report(site, raw(site, "delivered"))) == 200
    deadline = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=FAR)
    while site.sent.stores.events.waiting(limit=1):
        assert dt.datetime.now(dt.UTC) < deadline
    assert site.sent.batch() == ("accepted", "event")


def test_lost_keys_are_missed_before_anything_is_served(tmp_path: Path) -> None:
    with served(tmp_path / "weekly") as site:
        (site.app.project.root / "var" / "keys.toml").unlink()
    with (
        App(load(tmp_path / "weekly", {}), FrozenClock(RELEASE)) as app,
        pytest.raises(ConfigError, match=r"keys\.toml"),
    ):
        make_web(app)
