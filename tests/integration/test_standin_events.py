"""The stand-in reports what became of its mail, signed as the provider does, and also badly."""

import datetime as dt
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from sendgrid.helpers.eventwebhook import EventWebhook

from digest.testing.clock import FrozenClock
from digest.testing.sendgrid import KINDS, EventPost, SendgridStandIn
from digest.testing.sendgrid.events import SIGNATURE_HEADER, TIMESTAMP_HEADER
from tests.sendgrid_calls import START, make_message, new_batch, send


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(START)


@pytest.fixture
def provider(clock: FrozenClock) -> Iterator[SendgridStandIn]:
    with SendgridStandIn(now=clock.now) as running:
        yield running


def events_of(posts: list[EventPost]) -> list[dict[str, Any]]:
    return [event for post in posts for event in json.loads(post.body)]


def is_believed(provider: SendgridStandIn, post: EventPost) -> bool:
    """Check a post with the code that SendGrid publishes for it."""
    check = EventWebhook(provider.webhook.public_key).verify_signature
    signature, moment = post.headers[SIGNATURE_HEADER], post.headers[TIMESTAMP_HEADER]
    return bool(check(post.body.decode(), signature, moment))


def test_events_carry_the_ids_and_the_arguments_flat(provider: SendgridStandIn) -> None:
    send(provider)
    first, *_ = events_of(provider.events(["delivered"]))
    [mail, _] = provider.mails
    assert (first["email"], first["event"]) == ("reader1@example.com", "delivered")
    assert (first["batch"], first["try"], first["rid"]) == ("7", "1", "1")
    assert first["sg_message_id"] == mail.sg_message_id
    assert first["category"] == ["digest"]
    assert START.timestamp() <= first["timestamp"] <= START.timestamp() + 60
    assert first["smtp-id"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_event_can_be_made(provider: SendgridStandIn, kind: str) -> None:
    send(provider, make_message(1))
    [event] = events_of(provider.events([kind]))
    expected = {"blocked": "bounce", "async_bounce": "bounce"}.get(kind, kind)
    assert event["event"] == expected
    if expected == "bounce":
        assert event["type"] == ("blocked" if kind == "blocked" else "bounce")


def test_bounce_that_comes_later_has_only_the_address(provider: SendgridStandIn) -> None:
    send(provider, make_message(1))
    [event] = events_of(provider.events(["async_bounce"]))
    assert event["email"] == "reader1@example.com"
    assert not {"sg_message_id", "smtp-id", "batch", "rid", "category"} & set(event)


def test_unknown_kind_is_refused(provider: SendgridStandIn) -> None:
    send(provider)
    with pytest.raises(ValueError, match="There is no event 'teleported'; there is processed"):
        provider.events(["teleported"])


def test_kinds_can_differ_from_mail_to_mail(provider: SendgridStandIn) -> None:
    send(provider)
    posts = provider.events(lambda mail: ["bounce"] if mail.to.startswith("reader1") else [])
    assert [event["email"] for event in events_of(posts)] == ["reader1@example.com"]


def test_same_event_has_the_same_id_each_time_unless_asked_otherwise(
    provider: SendgridStandIn,
) -> None:
    send(provider)
    ids = [event["sg_event_id"] for event in events_of(provider.events(copies=3, seed=1))]
    assert sorted(Counter(ids).values()) == [3, 3, 3, 3]
    again = {event["sg_event_id"] for event in events_of(provider.events())}
    assert again == set(ids)
    fresh = {event["sg_event_id"] for event in events_of(provider.events(fresh_ids=True))}
    assert not fresh & again


def test_seed_shuffles_and_reports_are_cut(provider: SendgridStandIn) -> None:
    send(provider, make_message(20))
    plain = events_of(provider.events())
    mixed = provider.events(seed=1, per_post=7)
    assert [len(json.loads(post.body)) for post in mixed] == [7] * 5 + [5]
    assert events_of(mixed) != plain
    assert sorted(map(str, events_of(mixed))) == sorted(map(str, plain))


def test_only_mail_that_went_out_is_reported(provider: SendgridStandIn, clock: FrozenClock) -> None:
    release = START + dt.timedelta(minutes=20)
    message = make_message(batch_id=new_batch(provider), send_at=int(release.timestamp()))
    send(provider, message)
    assert not provider.events()
    clock.move(dt.timedelta(minutes=20))
    assert {event["timestamp"] >= release.timestamp() for event in events_of(provider.events())}


def test_signed_report_is_believed_and_no_other(provider: SendgridStandIn) -> None:
    send(provider)
    [post] = provider.events()
    assert is_believed(provider, post)
    assert is_believed(provider, provider.webhook.age(post, dt.timedelta(hours=1)))
    assert not is_believed(provider, provider.webhook.forge(post.body))
    bodies, times, *headers = provider.webhook.tampered(post)
    assert not is_believed(provider, bodies)
    assert not is_believed(provider, times)
    assert all(each.headers != post.headers for each in headers)
    old = provider.webhook.age(post, dt.timedelta(hours=1)).headers[TIMESTAMP_HEADER]
    assert int(old) == int(START.timestamp()) - 3600


def test_malformed_reports_are_rightly_signed(provider: SendgridStandIn) -> None:
    posts = provider.webhook.malformed()
    assert len({post.body for post in posts}) == len(posts) > 8
    assert is_believed(provider, next(post for post in posts if post.body == b"[{}]"))


class _Hook(BaseHTTPRequestHandler):
    taken: list[EventPost]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.taken.append(EventPost(body, dict(self.headers)))
        self.send_response(200 if len(self.taken) == 1 else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


def test_reports_are_posted_to_a_webhook(provider: SendgridStandIn) -> None:
    taken: list[EventPost] = []
    hook = type("Hook", (_Hook,), {"taken": taken})
    with ThreadingHTTPServer(("127.0.0.1", 0), hook) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        send(provider)
        posts = provider.events(per_post=2)
        url = f"http://127.0.0.1:{server.server_address[1]}/hooks/sendgrid"
        statuses = provider.post_events(url, posts)
        server.shutdown()
        thread.join()
    assert statuses == [200, 503]
    assert [post.body for post in taken] == [post.body for post in posts]
    assert all(is_believed(provider, post) for post in taken)


def test_only_the_standard_library_and_cryptography_are_needed() -> None:
    code = (
        "import sys, digest.testing.sendgrid, digest.testing.sendgrid.__main__\n"
        "print(*sorted(name for name in sys.modules if name.startswith('digest')))\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}\n"
        "      - set(sys.stdlib_module_names)))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    own, others = run.stdout.splitlines()
    own_names = {name for name in own.split() if not name.startswith("digest.testing.sendgrid")}
    assert own_names == {"digest", "digest.testing"}
    foreign = {name for name in others.split() if not name.startswith("_")}
    assert foreign <= {"digest", "cryptography", "cffi"}
