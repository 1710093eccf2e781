"""SendGrid's event webhook: whether a report is SendGrid's, and what it says in our words.

Follows SendGrid's "Event Webhook Reference" and "Event Webhook Security Features".
"""

import datetime as dt
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from sendgrid.helpers.eventwebhook import EventWebhook

from digest.errors import ConfigError
from digest.model.deliveries import DeliveryEvent, Report
from digest.model.subscribers import SuppressionReason

SIGNATURE = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP = "X-Twilio-Email-Event-Webhook-Timestamp"
WINDOW = dt.timedelta(minutes=5)
"""SendGrid names no limit; so much for its own delay and for clocks that differ."""

MAX_ADDRESS = 320  # characters
MAX_REASON = 200
MAX_MARK = 40
_TIME = re.compile(r"[0-9]{10}", re.ASCII)
_BASE64 = re.compile(r"(?=(?:.{4})+\Z)[A-Za-z0-9+/]{8,200}={0,2}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
_ADDRESS = re.compile(r"\S*@\S*")
_LATEST = 4_102_444_800  # the year 2100 in Unix seconds
_MAX_ATTEMPT = 2**31 - 1  # what the column holds

_FIELDS = (
    *("event", "type", "reason", "response", "sg_event_id", "sg_message_id", "email", "mark"),
    *("edition", "batch", "try", "rid"),  # our own arguments
)

_KINDS: Mapping[str, str] = {
    "processed": "processed",
    "deferred": "deferred",
    "delivered": "delivered",
    "dropped": "dropped",
    "bounce": "bounced",
    "spamreport": "complained",
    "unsubscribe": "unsubscribed",
    "group_unsubscribe": "unsubscribed",
}
# The reasons of dropped mail that stand for a list of addresses which SendGrid no longer mails.
_LISTED: Mapping[str, SuppressionReason] = {
    "Bounced Address": SuppressionReason.BOUNCED,
    "Spam Reporting Address": SuppressionReason.COMPLAINED,
    "Unsubscribed Address": SuppressionReason.UNSUBSCRIBED,
    "Invalid": SuppressionReason.INVALID,
}


class SignedHook:
    """Knows SendGrid's reports by their signature.

    Args:
        public_key: The webhook's verification key as SendGrid shows it.

    Raises:
        ConfigError: It is no such key.
    """

    def __init__(self, public_key: str) -> None:
        try:
            self._verifier = EventWebhook(public_key)
            self._verifier.verify_signature("", "", "0")  # a key of another kind fails here
        except Exception as error:
            raise ConfigError(
                "sendgrid.webhook_public_key is no verification key; nothing was done.",
                hint="Copy it from SendGrid: Settings, Mail Settings, Event Webhook.",
            ) from error

    def accepts(self, body: bytes, signature: str, timestamp: str, *, now: dt.datetime) -> bool:
        """Tell whether SendGrid signed these very bytes within the last five minutes."""
        if not (_TIME.fullmatch(timestamp) and _BASE64.fullmatch(signature)):
            return False
        if abs(now - dt.datetime.fromtimestamp(int(timestamp), dt.UTC)) > WINDOW:
            return False
        try:
            return bool(self._verifier.verify_signature(body.decode(), signature, timestamp))
        except Exception:  # noqa: BLE001  # whatever a stranger's bytes do to the parsers: no
            return False


def read_report(body: bytes) -> Report:
    """Return what a report says.

    Events of other kinds (opens, clicks) and those that cannot be read are only counted.
    """
    try:
        # Unlike stricter readers it takes half a surrogate pair, which a stranger's server can
        # bring into a reason: the other events of the report must not be lost by that.
        found = json.loads(body)
    except (RecursionError, ValueError):  # what is wrong with JSON is a ValueError, too
        return Report(fault="it is no JSON")
    if not isinstance(found, list):
        return Report(fault="it is no list of events")
    events = [event for item in found if (event := _event(item)) is not None]
    return Report(events=events, others=len(found) - len(events))


def _event(item: Any) -> DeliveryEvent | None:
    """Return the event, or None if it is of no use."""
    if not isinstance(item, dict):
        return None
    event, detail, reason, response, own, message, address, mark, *numbers = [
        value if isinstance(value := item.get(name), str) else "" for name in _FIELDS
    ]
    kind, at = _KINDS.get(event), item.get("timestamp")
    if kind is None or type(at) is not int or not 0 < at < _LATEST or not (message or own):
        return None
    if kind == "bounced" and detail == "blocked":
        kind = "blocked"
    edition, batch, attempt, reader = [
        int(text) if _NUMBER.fullmatch(text) else None for text in numbers
    ]
    # SendGrid's own number of an event may differ when it is reported again, so it only counts
    # where nothing else tells events apart: in bounces that come late.
    parts = (message, numbers[-1], event, detail, reason, response) if message else (own,)
    return DeliveryEvent(
        key=_digest("\0".join((str(at), *parts))),
        kind=kind,
        at=dt.datetime.fromtimestamp(at, dt.UTC),
        address=address if len(address) <= MAX_ADDRESS else "",
        edition_id=edition,
        batch_id=batch,
        attempt=attempt if attempt is not None and attempt <= _MAX_ATTEMPT else None,
        subscriber_id=reader,
        mark=mark if len(mark) <= MAX_MARK else "",
        reason=_reason(kind, reason) if reason else "",
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]


def _reason(kind: str, text: str) -> str:
    """Return the reason in one short line; servers like to repeat the address in it."""
    if kind == "dropped" and text in _LISTED:
        return str(_LISTED[text])
    line = "".join(c if c.isprintable() else " " for c in text[: 4 * MAX_REASON])
    return " ".join(_ADDRESS.sub("…", line).split())[:MAX_REASON]
