"""The provider's addresses: what each answers, and the lists that some of them read."""

import datetime as dt
import hmac
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from digest.testing.sendgrid import logs
from digest.testing.sendgrid.account import Account, AlreadyHeld, Request, TooManyHolds
from digest.testing.sendgrid.messages import Envelope, envelope_of, parse, read_envelope
from digest.testing.sendgrid.rules import findings, is_sandboxed
from digest.testing.sendgrid.server import Answer, Ask, refusal

SCOPES = (
    "mail.send",
    "mail.batch.create",
    "mail.batch.read",
    "user.scheduled_sends.create",
    "user.scheduled_sends.read",
    "user.scheduled_sends.update",
    "user.scheduled_sends.delete",
    "suppression.read",
    "messages.read",
)
LISTS = ("bounces", "blocks", "invalid_emails", "spam_reports", "unsubscribes")

_PATHS = {
    "/v3/mail/send": "mail",
    "/v3/mail/batch": "batch",
    "/v3/user/scheduled_sends": "scheduled_sends",
    "/v3/logs": "logs",
    "/v3/suppression": "suppression",
    "/v3/scopes": "scopes",
}
_HOLDS = ("pause", "cancel")
_REASONS = {
    "bounces": {"reason": "550 5.1.1 No such mailbox", "status": "5.1.1"},
    "blocks": {"reason": "550 5.7.1 Refused by policy", "status": "5.7.1"},
    "invalid_emails": {"reason": "Mail domain mentioned in email address is unknown"},
    "spam_reports": {"ip": "192.0.2.1"},
    "unsubscribes": {},
}


def endpoint_of(path: str) -> str:
    """Return the name by which faults call what the path leads to, or ""."""
    for start, name in _PATHS.items():
        if path == start or path.startswith(f"{start}/"):
            return name
    return ""


class Suppressions:
    """The provider's lists of whom it no longer mails. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[str, list[dict[str, Any]]] = {name: [] for name in LISTS}

    def add(self, name: str, address: str, at: dt.datetime) -> None:
        """Put an address on a list.

        Raises:
            ValueError: There is no such list.
        """
        if name not in self._rows:
            raise ValueError(f"{name!r} is none of {', '.join(LISTS)}.")
        row = {"created": int(at.timestamp()), "email": address, **_REASONS[name]}
        with self._lock:
            self._rows[name].append(row)

    def page(self, name: str, query: str) -> list[dict[str, Any]]:
        """Return a page of a list, newest first.

        Raises:
            ValueError: The query's start_time, end_time, limit or offset is not a number that it
                may be.
            KeyError: There is no such list.
        """
        values = {key: int(texts[0]) for key, texts in parse_qs(query).items()}
        limit, offset = values.get("limit", 500), values.get("offset", 0)
        if not 1 <= limit <= 500 or offset < 0:
            raise ValueError("limit is 1 to 500, and offset 0 or more")
        start, end = values.get("start_time", 0), values.get("end_time", 1 << 40)
        with self._lock:
            rows = [row for row in self._rows[name] if start <= row["created"] <= end]
        rows.sort(key=lambda row: -row["created"])
        return rows[offset : offset + limit]


class Api:
    """Answers requests out of an account.

    Args:
        account: What the provider knows.
        key: The only API key that is let in.
        checks: Whether requests to send mail are checked against the documented limits.
        log_delay: How long after a mail the log knows of it.
    """

    def __init__(
        self, account: Account, *, key: str, checks: bool, log_delay: dt.timedelta
    ) -> None:
        self.suppressions = Suppressions()
        self.scopes: Sequence[str] = SCOPES
        self.now = account.now
        self._account, self._key = account, key
        self._checks, self._log_delay = checks, log_delay
        self._ways: Mapping[tuple[str, str, bool], Callable[[Ask, str], Answer]] = {
            ("POST", "batch", False): self._make_batch,
            ("GET", "batch", True): self._look_at_batch,
            ("POST", "scheduled_sends", False): self._hold,
            ("GET", "scheduled_sends", False): self._list_holds,
            ("GET", "scheduled_sends", True): self._look_at_hold,
            ("PATCH", "scheduled_sends", True): self._change_hold,
            ("DELETE", "scheduled_sends", True): self._delete_hold,
            ("POST", "logs", False): self._find_logs,
            ("GET", "logs", True): self._show_log,
            ("GET", "suppression", True): self._list_suppressed,
            ("GET", "scopes", False): self._list_scopes,
        }

    def serve(self, ask: Ask, *, fault: str = "") -> Answer:
        """Carry the request out and return the answer; `fault` is noted with it."""
        endpoint = endpoint_of(ask.path)
        request = self._account.receive(len(ask.body), fault=fault) if endpoint == "mail" else None
        answer = self._answer(ask, endpoint, request)
        if request is not None:
            request.status = answer.status
            return answer
        return Answer(answer.status, answer.document, {**answer.headers, **self._rate_headers()})

    def note(self, ask: Ask, *, fault: str, status: int | None) -> None:
        """Note a request that does not take effect."""
        if endpoint_of(ask.path) == "mail":
            request = self._account.receive(len(ask.body), fault=fault)
            request.status = status
            try:
                self._account.describe(request, self._read(ask.body))
            except ValueError:
                return

    def _answer(self, ask: Ask, endpoint: str, request: Request | None) -> Answer:
        given = ask.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {self._key}".encode()):
            return refusal(401, "The provided authorization grant is invalid, expired, or revoked")
        if ask.method in ("POST", "PATCH") and ask.body:
            kind, _, parameters = ask.headers.get("content-type", "").partition(";")
            if kind.strip() != "application/json" or "utf-8" not in (parameters or "utf-8").lower():
                return refusal(415, "The body is JSON in UTF-8.")
        if request is not None:
            return self._send(ask, request)
        start = next((path for path, name in _PATHS.items() if name == endpoint), ask.path)
        rest = ask.path[len(start) :].strip("/")
        way = self._ways.get((ask.method, endpoint, bool(rest)))
        if way is None:
            is_known = any(name == endpoint for _, name, _ in self._ways)
            return refusal(405, "method not allowed") if is_known else refusal(404, "not found")
        try:
            return way(ask, rest)
        except ValueError as error:
            return refusal(400, str(error))

    def _rate_headers(self) -> dict[str, str]:
        reset = int(self.now().timestamp()) + 60
        return {
            "X-RateLimit-Limit": "600",
            "X-RateLimit-Remaining": "599",
            "X-RateLimit-Reset": str(reset),
        }

    # Mail

    def _send(self, ask: Ask, request: Request) -> Answer:
        if ask.method != "POST" or ask.path != "/v3/mail/send":
            return refusal(405, "method not allowed")
        try:
            message = parse(ask.body) if self._checks else None
            problems = findings(message, now=self.now().timestamp()) if self._checks else []
            if problems:
                errors = [
                    {"message": words, "field": field, "help": None} for words, field in problems
                ]
                return Answer(400, {"errors": errors})
            envelope = envelope_of(message) if self._checks else self._read(ask.body)
            return self._take(ask, request, envelope)
        except ValueError:
            return refusal(400, "Bad Request")

    def _read(self, body: bytes) -> Envelope:
        """Return the envelope, or an empty one where nothing of it would be kept anyway."""
        return Envelope({}, ()) if self._account.keep == "nothing" else read_envelope(body)

    def _take(self, ask: Ask, request: Request, envelope: Envelope) -> Answer:
        batch_id = envelope.message.get("batch_id")
        if self._checks and batch_id is not None and not self._account.knows_batch(batch_id):
            return refusal(400, "There is no such batch id.", "batch_id")
        self._account.describe(request, envelope)
        if is_sandboxed(envelope.message):
            return Answer(200)
        message_id = self._account.accept(request, envelope, ask.body)
        return Answer(202, None, {"X-Message-Id": message_id})

    # Batches and holds

    def _make_batch(self, _ask: Ask, _rest: str) -> Answer:
        return Answer(201, {"batch_id": self._account.new_batch()})

    def _look_at_batch(self, _ask: Ask, rest: str) -> Answer:
        if not self._account.knows_batch(rest):
            return refusal(400, "invalid batch id")
        return Answer(200, {"batch_id": rest})

    def _hold(self, ask: Ask, _rest: str) -> Answer:
        document = _document(ask)
        batch_id, status = document.get("batch_id"), document.get("status")
        if status not in _HOLDS:
            return refusal(400, "status is pause or cancel", "status")
        if not isinstance(batch_id, str) or not self._account.knows_batch(batch_id):
            return refusal(400, "invalid batch id", "batch_id")
        try:
            self._account.hold(batch_id, status)
        except AlreadyHeld:
            return refusal(400, "The batch id has a status already.", "batch_id")
        except TooManyHolds:
            return refusal(400, "As many batches are paused or cancelled as there may be.")
        return Answer(201, {"batch_id": batch_id, "status": status})

    def _list_holds(self, _ask: Ask, _rest: str) -> Answer:
        holds = self._account.holds()
        return Answer(200, [{"batch_id": each, "status": holds[each]} for each in holds])

    def _look_at_hold(self, _ask: Ask, rest: str) -> Answer:
        status = self._account.holds().get(rest)
        return Answer(200, [] if status is None else [{"batch_id": rest, "status": status}])

    def _change_hold(self, ask: Ask, rest: str) -> Answer:
        status = _document(ask).get("status")
        if status not in _HOLDS:
            return refusal(400, "status is pause or cancel", "status")
        is_there = self._account.change_hold(rest, status)
        return Answer(204) if is_there else refusal(404, "The batch id has no status.")

    def _delete_hold(self, _ask: Ask, rest: str) -> Answer:
        is_there = self._account.change_hold(rest, None)
        return Answer(204) if is_there else refusal(404, "The batch id has no status.")

    # Logs, lists, scopes

    def _find_logs(self, ask: Ask, _rest: str) -> Answer:
        document = _document(ask)
        query, limit = document.get("query", ""), document.get("limit", 10)
        if not isinstance(query, str) or not isinstance(limit, int) or not 1 <= limit <= 1_000:
            return refusal(400, "query is a text, and limit 1 to 1000")
        found = logs.find(self._account, query, limit=limit, delay=self._log_delay)
        return Answer(200, {"messages": found})

    def _show_log(self, _ask: Ask, rest: str) -> Answer:
        shown = logs.show(self._account, rest, delay=self._log_delay)
        return refusal(404, "Message not found.") if shown is None else Answer(200, shown)

    def _list_suppressed(self, ask: Ask, rest: str) -> Answer:
        try:
            return Answer(200, self.suppressions.page(rest, ask.query))
        except KeyError:
            return refusal(404, "not found")

    def _list_scopes(self, _ask: Ask, _rest: str) -> Answer:
        return Answer(200, {"scopes": list(self.scopes)})


def _document(ask: Ask) -> Mapping[str, Any]:
    try:
        document = json.loads(ask.body)
    except (ValueError, RecursionError):
        raise ValueError("The body is not JSON.") from None
    if not isinstance(document, dict):
        raise ValueError("The body is not an object.")
    return document
