"""SendGrid's reports: known by their signature, and read whatever is in them."""

import base64
import datetime as dt
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from digest.errors import ConfigError
from digest.testing.factories import NOON
from digest.transports.sendgrid_events import SignedHook, read_report

STAMP = str(int(NOON.timestamp()))
KEY = ec.generate_private_key(ec.SECP256R1())


def public(key: Any) -> str:
    spki = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(spki).decode()


def sign(body: bytes, stamp: str = STAMP, key: ec.EllipticCurvePrivateKey = KEY) -> str:
    return base64.b64encode(key.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()


HOOK = SignedHook(public(KEY))


def raw(**changes: Any) -> dict[str, Any]:
    """Return an event as SendGrid's documentation shows it."""
    event = {
        "email": "reader@example.com",
        "timestamp": int(NOON.timestamp()),
        "event": "delivered",
        "sg_event_id": "e-1",
        "sg_message_id": "m-1.recvd-0",
        "category": ["digest"],
        "edition": "3",
        "batch": "14",
        "try": "2",
        "rid": "999",
    }
    return {name: value for name, value in (event | changes).items() if value is not None}


def read(*events: Any) -> Any:
    return read_report(json.dumps(events).encode())


def test_signed_bytes_are_accepted_for_five_minutes() -> None:
    for body in (b"[]", '[{"reason": "ü"}]\r\n'.encode()):
        signature = sign(body)
        for seconds in (-300, 0, 300):
            assert HOOK.accepts(body, signature, STAMP, now=NOON + dt.timedelta(seconds=seconds))
        for seconds in (-301, 301, 660):
            now = NOON + dt.timedelta(seconds=seconds)
            assert not HOOK.accepts(body, signature, STAMP, now=now)


@pytest.mark.parametrize(
    "stamp",
    ["", "0", STAMP[:-1], STAMP + "0", " " + STAMP, STAMP + "\n", "\uff11" * 10, "-" + STAMP],
)
def test_time_that_is_none_is_refused(stamp: str) -> None:
    assert not HOOK.accepts(b"[]", sign(b"[]", stamp), stamp, now=NOON)


@given(st.binary(max_size=40), st.text(max_size=100), st.text(max_size=12))
def test_nothing_unsigned_is_accepted(body: bytes, signature: str, stamp: str) -> None:
    assert not HOOK.accepts(body, signature, stamp, now=NOON)
    assert not HOOK.accepts(body, signature, STAMP, now=NOON)


def test_other_key_other_bytes_and_other_spellings_are_refused() -> None:
    body, good = b'[{"a": 1}]', sign(b'[{"a": 1}]')
    assert HOOK.accepts(body, good, STAMP, now=NOON)
    stranger = ec.generate_private_key(ec.SECP256R1())
    later = str(int(STAMP) + 1)
    assert not HOOK.accepts(body, sign(body, key=stranger), STAMP, now=NOON)
    assert not HOOK.accepts(body + b" ", good, STAMP, now=NOON)
    assert not HOOK.accepts(b"\xff" + body, sign(b"\xff" + body), STAMP, now=NOON)
    assert not HOOK.accepts(body, good, later, now=NOON)
    for bad in ("", "=", good[:-8], good + "=", "!" + good, good[:5] + "*" + good[5:], "A" * 2000):
        assert not HOOK.accepts(body, bad, STAMP, now=NOON)


def test_key_that_is_none_is_refused() -> None:
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for key in ("changeme", "", "ü", public(other), public(KEY)[:-4]):
        with pytest.raises(ConfigError, match="webhook_public_key") as refused:
            SignedHook(key)
        assert not key or key not in str(refused.value)


def test_event_is_read_with_its_numbers() -> None:
    [event] = read(raw()).events
    assert (event.kind, event.at, event.address) == ("delivered", NOON, "reader@example.com")
    numbers = event.edition_id, event.batch_id, event.attempt, event.subscriber_id
    assert numbers == (3, 14, 2, 999)


@pytest.mark.parametrize(
    ("changes", "kind", "reason"),
    [
        ({"event": "processed"}, "processed", ""),
        ({"event": "deferred", "reason": "try  later\n"}, "deferred", "try later"),
        ({"event": "bounce", "type": "bounce", "reason": "550 no user"}, "bounced", "550 no user"),
        ({"event": "bounce", "type": "blocked"}, "blocked", ""),
        ({"event": "dropped", "reason": "Invalid"}, "dropped", "invalid"),
        ({"event": "dropped", "reason": "Bounced Address"}, "dropped", "bounced"),
        ({"event": "dropped", "reason": "Spam Content"}, "dropped", "Spam Content"),
        ({"event": "spamreport"}, "complained", ""),
        ({"event": "unsubscribe"}, "unsubscribed", ""),
        ({"event": "group_unsubscribe"}, "unsubscribed", ""),
    ],
    ids=str,
)
def test_kinds_and_reasons_become_ours(changes: dict[str, str], kind: str, reason: str) -> None:
    [event] = read(raw(**changes)).events
    assert (event.kind, event.reason) == (kind, reason)


def test_reason_never_holds_an_address() -> None:
    text = "550 5.1.1 <reader@example.com>: user\x00reader@example.com unknown \ud83d" + "x" * 900
    [event] = read(raw(event="bounce", reason=text)).events
    assert "@" not in event.reason
    assert "reader" not in event.reason
    assert event.reason.isprintable()
    assert len(event.reason) <= 200


def test_event_reported_again_has_the_same_key_though_its_own_number_differs() -> None:
    [first, again] = read(raw(), raw(sg_event_id="e-2")).events
    assert first.key == again.key
    others = [
        raw(event="deferred"),
        raw(timestamp=int(NOON.timestamp()) + 1),
        raw(sg_message_id="m-2"),
        raw(rid="1"),
        raw(sg_message_id=None),
        raw(sg_message_id=None, sg_event_id="e-2"),
        raw(event="bounce", type="bounce"),
        raw(event="bounce", type="blocked"),
    ]
    keys = {event.key for event in read(raw(), *others).events}
    assert len(keys) == 1 + len(others)


def test_late_bounce_has_an_address_only() -> None:
    late = raw(event="bounce", sg_message_id=None, edition=None, batch=None, rid=None)
    [event] = read(late | {"try": 2}).events
    assert (event.edition_id, event.batch_id, event.attempt, event.subscriber_id) == (None,) * 4


def test_events_of_no_use_are_counted_and_the_others_are_read() -> None:
    useless = [
        raw(event="open"),
        raw(event="click"),
        raw(event=None),
        raw(event=["delivered"]),
        raw(timestamp=None),
        raw(timestamp="1"),
        raw(timestamp=True),
        raw(timestamp=-5),
        raw(timestamp=10**30),
        raw(timestamp=1.5),
        raw(sg_event_id=None, sg_message_id=None),
        5,
        None,
        [],
        "delivered",
    ]
    report = read(*useless, raw())
    assert (len(report.events), report.others) == (1, len(useless))


@pytest.mark.parametrize("name", ["edition", "batch", "try", "rid"])
@pytest.mark.parametrize(
    "value", ["", "-1", "1.0", "\uff11", " 1", "9" * 19, 5, True, None, {"a": 1}]
)
def test_number_that_is_none_is_left_out(name: str, value: Any) -> None:
    [event] = read(raw(**{name: value})).events
    numbers = [event.edition_id, event.batch_id, event.attempt, event.subscriber_id]
    assert numbers.count(None) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"5",
        b'"a"',
        b"[",
        b"\xff",
        b"[{]",
        b"[" * 100_000,
        b'[{"a":' * 50_000,
        b"[1e999999]" * 2,
    ],
)
def test_body_that_is_no_list_is_at_fault(body: bytes) -> None:
    report = read_report(body)
    assert report.fault
    assert not report.events


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
FIELDS = st.sampled_from([*raw(), "type", "reason", "response"])


@given(st.lists(st.dictionaries(FIELDS, JSON | st.sampled_from(["bounce", "dropped", "1"]))))
def test_whatever_the_fields_hold_the_report_is_read(events: list[dict[str, Any]]) -> None:
    report = read_report(json.dumps([raw() | event for event in events]).encode())
    assert report.fault or len(report.events) + report.others == len(events)
    for event in report.events:
        assert event.at.tzinfo is dt.UTC
        assert event.reason.isprintable()
