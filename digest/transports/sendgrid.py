"""SendGrid: batches go to its API, each under an id of its own that can be cancelled.

The provider's package is used for what it knows: the host, the key's header and its own name. Its
own way of making requests is not, because that has no timeout, makes a connection for each request
and follows a redirect to a success that is none.
"""

import datetime as dt
import hashlib
import json
import logging
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode

from sendgrid.sendgrid import SendGridAPIClient

from digest.errors import ConfigError, TransportError
from digest.model.deliveries import (
    Evidence,
    Handover,
    Outcome,
    Refused,
    Unavailable,
    Unknown,
    Unsent,
)
from digest.model.subscribers import Suppression, SuppressionReason
from digest.normalising.addresses import address_key, parse_address
from digest.settings import SendgridSettings, is_loopback
from digest.transports.plugins import TransportContext
from digest.transports.sendgrid_answers import Answer, error_of, outcome_of
from digest.transports.sendgrid_body import BadReader, Bodies, arguments_of
from digest.transports.sendgrid_connections import (
    Connections,
    Limits,
    Unanswered,
    Unreached,
    Withheld,
)

HOST_HINT = "Use https://api.sendgrid.com, or https://api.eu.sendgrid.com for the EU."
PAGE = 500  # suppressions in one answer, the most that there may be
ASKED_ABOUT = 3  # readers; a request is accepted or refused as a whole
SEEN_A_READER = 10  # their latest mails that are looked at
# A batch is handed over at most 72 hours before its release, and looked for soon after it.
LOOK_BACK = dt.timedelta(days=7)

_LISTS: Mapping[str, SuppressionReason] = {
    "bounces": SuppressionReason.BOUNCED,
    "spam_reports": SuppressionReason.COMPLAINED,
    "invalid_emails": SuppressionReason.INVALID,
    "unsubscribes": SuppressionReason.UNSUBSCRIBED,
}
_SCOPES = ("mail.send", "suppression.read")
_SCOPES_TO_HOLD = (
    "mail.batch.create",
    "user.scheduled_sends.create",
    "user.scheduled_sends.read",
)


def make_transport(context: TransportContext) -> "SendgridTransport":
    """Make the transport for a project; opens no connection yet.

    Raises:
        ConfigError: The key is missing or cannot be one, or the host is not safe to send it to.
    """
    return SendgridTransport(context.settings.sendgrid, context.secrets.get("sendgrid.api_key", ""))


class _Account(SendGridAPIClient):  # type: ignore[misc]  # the package has no types
    """Host, key and headers, as the provider's package makes them."""

    def headers(self) -> dict[str, str]:
        return {**self._default_headers, "Content-Type": "application/json"}


class SendgridTransport:
    """Hands batches to SendGrid; see `digest.ports.Transport`. Safe to use from several threads.

    Args:
        settings: The host, and whether mail is held.
        api_key: Never shown, logged or put into an error.
        tls: What certificates are trusted; None for those of the system.
        limits: How long a request may take.

    Raises:
        ConfigError: The key is missing or cannot be one, or the host is not safe to send it to.
    """

    name = "sendgrid"
    can_hold = True

    def __init__(
        self,
        settings: SendgridSettings,
        api_key: str,
        *,
        tls: ssl.SSLContext | None = None,
        limits: Limits | None = None,
    ) -> None:
        _check(settings.host, api_key)
        # At its finest the package's own log holds the key and every address.
        logging.getLogger("python_http_client").setLevel(logging.WARNING)
        self._headers = _Account(api_key, settings.host).headers()
        self._scopes = _SCOPES + (_SCOPES_TO_HOLD if settings.hold_minutes else ())
        if tls is None and settings.host.startswith("https:"):
            tls = ssl.create_default_context()
        try:
            self._connections = Connections(settings.host, tls=tls, limits=limits or Limits())
        except ValueError as error:
            raise ConfigError("sendgrid.host is no address of a host.", hint=HOST_HINT) from error
        self._bodies = Bodies()

    def submit(self, handover: Handover, *, now: dt.datetime) -> Outcome:
        """Hand over once and say what certainly happened; see `digest.ports.Transport`."""
        try:
            body = self._bodies.body(handover)
        except BadReader as error:
            return Refused(reason=str(error))
        except ValueError as error:  # a fault of the mail or of its maker: nothing was sent
            reason = f"the request cannot be made, because {error}"
            return Unavailable(reason=reason, needs_person=True)
        outcome = self._submit(body, handover, now)
        if isinstance(outcome, Unsent):
            return outcome
        return replace(outcome, body_sha256=hashlib.sha256(body).hexdigest())

    def _submit(self, body: bytes, handover: Handover, now: dt.datetime) -> Outcome:
        try:
            answer = self._connections.ask(
                "POST", "/v3/mail/send", self._headers, body, may_send=handover.may_send
            )
        except Withheld:
            return Unsent()
        except Unreached as error:
            return Unavailable(reason=str(error))
        except Unanswered as error:
            return Unknown(reason=str(error))
        return outcome_of(answer, now=now)

    def reserve(self) -> str:
        """Return the provider's id for the next hand-over, under which it can be cancelled.

        Raises:
            TransportError: The provider does not give one; nothing was handed over.
        """
        doing = "give an id for the next batch"
        answer = self._asked("POST", "/v3/mail/batch", doing)
        reservation = answer.data.get("batch_id") if isinstance(answer.data, dict) else None
        if answer.status != 201 or not isinstance(reservation, str) or not reservation:
            raise error_of(answer, doing)
        return reservation

    def cancel(self, reservation: str) -> bool:
        """Return True when it is certain that nothing under this reservation will go out."""
        if not reservation:
            return False
        payload = {"batch_id": reservation, "status": "cancel"}
        answer = self._try("POST", "/v3/user/scheduled_sends", payload)
        if answer is None or answer.status != 400:
            return answer is not None and answer.status == 201
        # It says the same of an id that is cancelled already as of one that cannot be.
        return self._status(reservation) == "cancel"

    def _status(self, reservation: str) -> str | None:
        """Return "cancel" or "pause", "" where the provider says neither, None for no answer."""
        answer = self._try("GET", f"/v3/user/scheduled_sends/{quote(reservation, safe='')}")
        if answer is None or answer.status not in (200, 404):
            return None
        found = [e for e in _entries(answer.data) if e.get("batch_id") == reservation]
        return str(found[0].get("status", "")) if found and answer.status == 200 else ""

    def find(self, handover: Handover, *, now: dt.datetime) -> Evidence:
        """Look for the try in the provider's log of mails; what is not there proves nothing."""
        is_held = handover.release_at is not None and now < handover.release_at
        if is_held or (handover.reservation and self._status(handover.reservation) != ""):
            return Evidence.NONE  # it may stand in the log, and yet never go out
        since = min(handover.release_at or now, now) - LOOK_BACK
        for reader in handover.readers[:ASKED_ABOUT]:
            for message in self._mails_to(reader.address, since):
                answer = self._try("GET", f"/v3/logs/{quote(message, safe='')}")
                if answer is not None and answer.status == 200 and _is_of(handover, answer.data):
                    return Evidence.ACCEPTED
        return Evidence.NONE

    def _mails_to(self, address: str, since: dt.datetime) -> list[str]:
        """Return the provider's ids of the mails to the address."""
        if '"' in address:
            return []  # it would end the text in the query, and no such mail was handed over
        query = (
            f'to_email = "{address}" AND sg_message_id_created_at >= '
            f'TIMESTAMP "{since.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"'
        )
        answer = self._try("POST", "/v3/logs", {"query": query, "limit": SEEN_A_READER})
        if answer is None or answer.status != 200 or not isinstance(answer.data, dict):
            return []
        ids = [message.get("sg_message_id") for message in _entries(answer.data.get("messages"))]
        return [found for found in ids if isinstance(found, str) and found]

    def suppressed(self, since: dt.datetime | None) -> Iterator[Suppression]:
        """Yield whom the provider no longer mails, from `since` on, list by list.

        Raises:
            TransportError: The provider does not say.
        """
        for path, reason in _LISTS.items():
            for entry in self._pages(f"/v3/suppression/{path}", since):
                suppression = _suppression(entry, reason)
                if suppression is not None:
                    yield suppression

    def _pages(self, path: str, since: dt.datetime | None) -> Iterator[Mapping[str, Any]]:
        doing = "say whom it no longer mails"
        offset = 0
        while True:
            query = {"limit": PAGE, "offset": offset}
            if since is not None:
                query["start_time"] = int(since.timestamp())
            answer = self._asked("GET", f"{path}?{urlencode(query)}", doing)
            if answer.status != 200 or not isinstance(answer.data, list):
                raise error_of(answer, doing)
            yield from _entries(answer.data)
            if len(answer.data) < PAGE:
                return
            offset += PAGE

    def missing_scopes(self) -> tuple[str, ...]:
        """Return the permissions that the key needs and does not have.

        Raises:
            TransportError: The provider does not say, because the key is wrong, say.
        """
        doing = "say what the key may do"
        answer = self._asked("GET", "/v3/scopes", doing)
        scopes = answer.data.get("scopes") if isinstance(answer.data, dict) else None
        if answer.status != 200 or not isinstance(scopes, list):
            raise error_of(answer, doing)
        return tuple(scope for scope in self._scopes if scope not in scopes)

    def close(self) -> None:
        """Give back connections."""
        self._connections.close()

    def _asked(self, method: str, path: str, doing: str) -> Answer:
        try:
            return self._connections.ask(method, path, self._headers)
        except (Unreached, Unanswered) as error:
            raise TransportError(
                f"SendGrid did not {doing}: {error}. No mail was sent.",
                hint="Try again later.",
            ) from error

    def _try(
        self, method: str, path: str, payload: Mapping[str, object] | None = None
    ) -> Answer | None:
        """Ask once; None if there is no answer."""
        body = b"" if payload is None else json.dumps(payload).encode("ascii")
        try:
            return self._connections.ask(method, path, self._headers, body)
        except (Unreached, Unanswered):
            return None


def _check(host: str, api_key: str) -> None:
    """Refuse a key that cannot stand in a header, and a host that anybody could listen in on."""
    variable = "DIGEST_SENDGRID__API_KEY"
    if not api_key:
        raise ConfigError(
            "There is no API key for SendGrid; nothing was handed over.",
            hint=f"Set {variable}, or {variable}_FILE to a file that only you can read.",
        )
    if not (api_key.isascii() and api_key.isprintable()) or " " in api_key:
        raise ConfigError(
            "The API key for SendGrid holds blanks or signs that no key has.",
            hint=f"Copy it again into {variable}; it starts with SG.",
        )
    if not host.startswith("https://") and not is_loopback(host):
        raise ConfigError(
            "sendgrid.host must start with https://, because it is not this machine.",
            hint=HOST_HINT,
        )


def _entries(data: Any) -> list[dict[str, Any]]:
    """Return the objects in a list that the provider sent, or of an object that stands alone."""
    entries = data if isinstance(data, list) else [data]
    return [entry for entry in entries if isinstance(entry, dict)]


def _is_of(handover: Handover, mail: Any) -> bool:
    """Tell whether a mail of the provider's log is of this try, and was not cancelled."""
    if not isinstance(mail, dict) or not isinstance(mail.get("custom_args"), dict):
        return False
    events = {event.get("event") for event in _entries(mail.get("events"))}
    is_same = arguments_of(handover).items() <= mail["custom_args"].items()
    return is_same and "cancel_drop" not in events


def _suppression(entry: Mapping[str, Any], reason: SuppressionReason) -> Suppression | None:
    """Return an entry of one of the provider's lists; None if it is about no address."""
    try:
        address = parse_address(str(entry.get("email", "")))
        since_at = dt.datetime.fromtimestamp(int(entry.get("created", 0)), dt.UTC)
    except (ValueError, TypeError, OverflowError, OSError):
        return None
    return Suppression(
        address=address,
        key=address_key(address),
        reason=reason,
        origin=SendgridTransport.name,
        since_at=since_at,
    )
