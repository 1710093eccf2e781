"""What an answer of SendGrid means for the batch that was handed over.

Only 202 is accepted, and only a definite refusal is certainly not. Whatever else comes once the
connection stood is unknown, because the provider knows no request twice: an answer of a gateway, a
broken connection and silence all leave open whether the mail is queued.

Source of the status codes and headers: SendGrid's references of "Mail Send" and "Rate limits" (v3).
"""

import datetime as dt
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

from digest.errors import TransportError
from digest.model.deliveries import Accepted, Outcome, Refused, Unavailable, Unknown
from digest.normalising.text import clean_text, shorten

LONGEST_WAIT = dt.timedelta(hours=1)
MAX_MESSAGE = 200
MAX_MESSAGES = 3
MAX_REFERENCE = 100

# A key without the right, no credits, a host that is not the API: trying again changes nothing.
_NEEDS_PERSON = frozenset({401, 403, 404, 405, 406, 415})
_HIDDEN = (
    (re.compile(r"https?://[^\s\"'<>]*", re.IGNORECASE), "(link)"),
    (re.compile(r"[^\s\"'<>()\[\],;:]*(?:@|%40)[^\s\"'<>()\[\],;:]*", re.IGNORECASE), "(address)"),
    (re.compile(r"SG\.[\w.-]+"), "(key)"),
)
_FIELD = re.compile(r"[a-z_]+(?:\.[a-z0-9_]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)

    @property
    def data(self) -> Any:
        """The body as JSON, or None."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


def outcome_of(answer: Answer, *, now: dt.datetime) -> Outcome:
    """Return what the answer to a hand-over says of the batch.

    Args:
        answer: The whole answer.
        now: Aware UTC; the instant from which waiting counts.
    """
    status = answer.status
    if status == 202:
        reference = clean_text(answer.headers.get("x-message-id", ""), limit=MAX_REFERENCE)
        return Accepted(reference=reference, status=status)
    reason = reason_of(answer)
    if status == 400 and _is_about_all_readers(answer.data):
        return Unavailable(reason=reason, status=status, needs_person=True)
    if status in (400, 413):
        return Refused(reason=reason, status=status)
    if status == 429:
        return Unavailable(reason=reason, status=status, retry_at=retry_at(answer, now=now))
    if is_for_a_person(status):
        return Unavailable(reason=reason, status=status, needs_person=True)
    return Unknown(reason=reason, status=status)


def is_for_a_person(status: int) -> bool:
    """Tell whether an answer of this status stays the same until a person mends something."""
    return status in _NEEDS_PERSON or 300 <= status < 400


def error_of(answer: Answer, doing: str) -> TransportError:
    """Return the error for an answer to anything but a hand-over.

    Args:
        answer: Anything but what was hoped for.
        doing: What failed, as in "SendGrid did not ...".
    """
    is_final = is_for_a_person(answer.status) or answer.status == 400
    return TransportError(
        f"SendGrid did not {doing}: {reason_of(answer)}. No mail was sent.",
        hint="Check the API key and its permissions." if is_final else "Try again later.",
        needs_person=is_final,
        retry_at=retry_at(answer, now=_date(answer.headers.get("date", ""))),
    )


def reason_of(answer: Answer) -> str:
    """Return in words for people what the provider says, without anything about a reader."""
    said = _said(answer.data)
    if not said and 300 <= answer.status < 400:
        said = "it sends us to another address, so sendgrid.host is not the API"
    return f"{said or 'no reason given'} (status {answer.status})"


def _is_about_all_readers(data: Any) -> bool:
    """Tell whether a refusal names parts of the request that no reader has anything to do with.

    Those of a reader are under "personalizations"; halving the batch would only bring the same
    answer again and again, until single readers are refused for what is no fault of theirs.
    """
    errors = data.get("errors") if isinstance(data, dict) else None
    if not isinstance(errors, list):
        return False
    fields = [error.get("field") if isinstance(error, dict) else None for error in errors]
    return bool(fields) and all(
        isinstance(name, str) and not name.startswith("personalizations") for name in fields
    )


def _said(data: Any) -> str:
    """Return the messages of an error body, cleaned; what is no such body is not repeated."""
    errors = data.get("errors") if isinstance(data, dict) else None
    found: dict[str, None] = {}
    for error in errors if isinstance(errors, list) else []:
        if isinstance(error, dict) and isinstance(error.get("message"), str):
            message = hidden(error["message"]).rstrip(".")
            field_name = error.get("field")
            if isinstance(field_name, str) and _FIELD.fullmatch(field_name):
                message = f"{message} [{field_name}]"
            found[message] = None
    return shorten("; ".join(list(found)[:MAX_MESSAGES]), MAX_MESSAGE)


def hidden(text: str) -> str:
    """Return a provider's `text` on one line, without addresses, links and keys."""
    text = clean_text(text[: 10 * MAX_MESSAGE])
    for pattern, instead in _HIDDEN:
        text = pattern.sub(instead, text)
    return text


def retry_at(answer: Answer, *, now: dt.datetime | None) -> dt.datetime | None:
    """Return until when the provider asks to wait, at most an hour from `now`.

    Read from Retry-After (RFC 9110, 10.2.3), else from X-RateLimit-Reset, which is in Unix seconds.

    Returns:
        Aware UTC and later than `now`; None if the provider says nothing that can be read.
    """
    if now is None:
        return None
    until = _after(answer.headers.get("retry-after", ""), now)
    until = until or _unix(answer.headers.get("x-ratelimit-reset", ""))
    return min(until, now + LONGEST_WAIT) if until is not None and until > now else None


def _after(value: str, now: dt.datetime) -> dt.datetime | None:
    seconds = _number(value)
    if seconds is not None:
        return now + min(dt.timedelta(seconds=seconds), LONGEST_WAIT)
    return _date(value)


def _date(value: str) -> dt.datetime | None:
    try:
        date = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return date.astimezone(dt.UTC) if date.tzinfo else date.replace(tzinfo=dt.UTC)


def _unix(value: str) -> dt.datetime | None:
    seconds = _number(value)
    return None if seconds is None else dt.datetime.fromtimestamp(seconds, dt.UTC)


def _number(value: str) -> int | None:
    value = value.strip()
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 11 else None
