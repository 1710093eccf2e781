"""The provider's reports about mails: made, put in posts, signed, and posted."""

import base64
import datetime as dt
import hashlib
import http.client
import json
import os
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from digest.testing.sendgrid.messages import Mail

SIGNATURE_HEADER = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP_HEADER = "X-Twilio-Email-Event-Webhook-Timestamp"

_RESPONSE = "250 2.0.0 OK"
_DETAILS: Mapping[str, Mapping[str, Any]] = {
    "processed": {"event": "processed"},
    "deferred": {"event": "deferred", "response": "450 4.2.1 Try again later", "attempt": "1"},
    "delivered": {"event": "delivered", "response": _RESPONSE, "tls": 1},
    "dropped": {"event": "dropped", "reason": "Bounced Address", "status": "5.0.0"},
    "bounce": {
        "event": "bounce",
        "type": "bounce",
        "status": "5.1.1",
        "reason": "550 5.1.1 No such mailbox",
        "bounce_classification": "Invalid Address",
    },
    "blocked": {
        "event": "bounce",
        "type": "blocked",
        "status": "5.7.1",
        "reason": "550 5.7.1 Refused by policy",
        "bounce_classification": "Reputation",
    },
    # Accepted first and returned later: only the address is left to go by.
    "async_bounce": {
        "event": "bounce",
        "type": "bounce",
        "status": "5.1.1",
        "reason": "550 5.1.1 No such mailbox",
        "bounce_classification": "Invalid Address",
    },
    "open": {"event": "open", "useragent": "Mail", "ip": "192.0.2.1", "sg_machine_open": False},
    "spamreport": {"event": "spamreport"},
    "unsubscribe": {"event": "unsubscribe"},
}
KINDS = tuple(_DETAILS)
"""The events that can be made, in the order in which they would happen."""

_ENGAGEMENT = frozenset({"open", "spamreport", "unsubscribe", "async_bounce"})


@dataclass(frozen=True, slots=True)
class EventPost:
    """One request to a webhook: the exact bytes, and the headers with their signature."""

    body: bytes
    headers: Mapping[str, str]


def make_event(mail: Mail, kind: str, *, at: dt.datetime, fresh_id: bool = False) -> dict[str, Any]:
    """Return one event as it stands in a report; the custom arguments are flat beside its fields.

    Args:
        mail: What it is about.
        kind: One of `KINDS`; "blocked" is a bounce of that type.
        at: When the mail went out; the event happens some seconds later.
        fresh_id: Give it a new `sg_event_id`. Otherwise the same event has the same id each time,
            which the live service mostly, but not always, keeps to.

    Raises:
        ValueError: There is no such kind.
    """
    if kind not in _DETAILS:
        raise ValueError(f"There is no event {kind!r}; there is {', '.join(KINDS)}.")
    name = f"{mail.sg_message_id}/{kind}".encode()
    identity = os.urandom(16) if fresh_id else hashlib.sha256(name).digest()[:16]
    event: dict[str, Any] = {
        "email": mail.to,
        "timestamp": int(at.timestamp()) + KINDS.index(kind),
        "sg_event_id": base64.urlsafe_b64encode(identity).decode().rstrip("="),
        **_DETAILS[kind],
    }
    if kind == "async_bounce":
        return event
    event["sg_message_id"] = mail.sg_message_id
    if mail.categories:
        event["category"] = list(mail.categories)
    if kind not in _ENGAGEMENT:
        event["smtp-id"] = f"<{mail.message_id}@standin.test>"
    # An argument that is named like a field is lost, as it is there.
    return {**mail.custom_args, **event}


def make_bodies(events: Iterable[Mapping[str, Any]], *, per_post: int) -> list[bytes]:
    """Return the events as JSON arrays of `per_post` at most."""
    rows = list(events)
    return [
        json.dumps(rows[start : start + per_post], separators=(",", ":")).encode()
        for start in range(0, len(rows), per_post)
    ]


def in_disorder(
    events: Sequence[Mapping[str, Any]], *, copies: int, seed: int | None
) -> list[Mapping[str, Any]]:
    """Return the events, each `copies` times, shuffled if there is a seed."""
    rows = [event for event in events for _ in range(copies)]
    if seed is not None:
        random.Random(seed).shuffle(rows)  # noqa: S311 - no secret
    return rows


class Webhook:
    """Signs reports as the provider does: ECDSA, P-256, SHA-256 over timestamp and raw body."""

    def __init__(self, now: Callable[[], dt.datetime]) -> None:
        self._now = now
        self._key = ec.generate_private_key(ec.SECP256R1())

    @property
    def public_key(self) -> str:
        """The key to check with, as the settings want it: base64 of its SPKI form."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        key = self._key.public_key().public_bytes(serialization.Encoding.DER, form)
        return base64.b64encode(key).decode()

    def sign(self, body: bytes, *, at: dt.datetime | None = None) -> EventPost:
        """Return a post of the body, signed at `at`, which is now by default."""
        return self._signed(self._key, body, at or self._now())

    def forge(self, body: bytes) -> EventPost:
        """Return a post that is signed with somebody else's key."""
        return self._signed(ec.generate_private_key(ec.SECP256R1()), body, self._now())

    def age(self, post: EventPost, by: dt.timedelta) -> EventPost:
        """Return the same report, rightly signed `by` ago: what a replay looks like."""
        return self.sign(post.body, at=self._now() - by)

    def tampered(self, post: EventPost) -> list[EventPost]:
        """Return posts that must not be believed: each differs from a right one in one thing."""
        signature, moment = post.headers[SIGNATURE_HEADER], post.headers[TIMESTAMP_HEADER]
        headers = dict(post.headers)
        return [
            EventPost(post.body + b" ", headers),
            EventPost(post.body, headers | {TIMESTAMP_HEADER: str(int(moment) + 1)}),
            EventPost(post.body, headers | {TIMESTAMP_HEADER: "soon"}),
            EventPost(post.body, headers | {SIGNATURE_HEADER: "not base64 ("}),
            EventPost(post.body, headers | {SIGNATURE_HEADER: signature[:-12]}),
            EventPost(post.body, headers | {SIGNATURE_HEADER: ""}),
            EventPost(post.body, {SIGNATURE_HEADER: signature}),
            EventPost(post.body, {TIMESTAMP_HEADER: moment}),
            EventPost(post.body, {}),
        ]

    def malformed(self) -> list[EventPost]:
        """Return posts that are rightly signed and cannot be read as reports, or not in full."""
        bodies = [
            b"",
            b"{",
            b"null",
            b'{"event":"delivered"}',
            b"[1,null,[]]",
            b"[{}]",
            b'[{"event":"delivered"}]',
            b'[{"event":5,"email":[],"timestamp":"soon","sg_event_id":{}}]',
            b'[{"event":"delivered","email":"r@example.com","timestamp":1e400,"sg_event_id":"1"}]',
            b'[{"event":"delivered","email":"\xff"}]',
            b"[" * 10_000,
        ]
        return [self.sign(body) for body in bodies]

    def _signed(self, key: ec.EllipticCurvePrivateKey, body: bytes, at: dt.datetime) -> EventPost:
        moment = str(int(at.timestamp()))
        signature = key.sign(moment.encode() + body, ec.ECDSA(hashes.SHA256()))
        return EventPost(
            body,
            {
                SIGNATURE_HEADER: base64.b64encode(signature).decode(),
                TIMESTAMP_HEADER: moment,
                "Content-Type": "application/json",
            },
        )


def post(url: str, posts: Iterable[EventPost], *, timeout: float = 30.0) -> list[int]:
    """Post the reports one after the other over one connection; return the answers' statuses.

    Raises:
        OSError: The address does not answer within `timeout` seconds.
        http.client.HTTPException: It answers something that is not HTTP.
    """
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=timeout)
    statuses = []
    try:
        for each in posts:
            connection.request("POST", parts.path or "/", each.body, dict(each.headers))
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
    finally:
        connection.close()
    return statuses
