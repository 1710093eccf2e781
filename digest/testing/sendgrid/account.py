"""What the provider knows: the requests it took, who they are for, and which batches it holds."""

import base64
import datetime as dt
import heapq
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from digest.testing.sendgrid.messages import Envelope, Mail, bare_mails, mails

KEEPS = ("mails", "counts", "nothing")
"""How much is remembered: whole requests, their addresses, or only that they came."""

_PAUSE_EXPIRES = dt.timedelta(hours=72)
_BATCH_LIVES = dt.timedelta(days=10)


class TooManyHolds(Exception):
    """As many batches are paused or cancelled as the account may hold at a time."""


class AlreadyHeld(Exception):
    """The batch is paused or cancelled already."""


@dataclass(slots=True, kw_only=True)
class Request:
    """One request to send mail, as it came.

    `state` is "not accepted", "scheduled" (its release is ahead), "sent", or "cancelled" (thrown
    away at its release, or sure to be). `status` is what the API had to say, None where it was not
    asked; `fault` names what kept that from the client, or spoilt it. `custom_args` are those of
    the message, not of its readers. Times are aware UTC.
    """

    number: int
    received_at: dt.datetime
    size: int
    status: int | None = None
    fault: str = ""
    state: str = "not accepted"
    message_id: str = ""
    batch_id: str = ""
    release_at: dt.datetime | None = None
    custom_args: Mapping[str, str] = field(default_factory=dict)
    readers: int = 0
    body: bytes = b""
    accepted_at: dt.datetime | None = None
    _message: Mapping[str, Any] = field(default_factory=dict, repr=False)
    _addresses: bytes = field(default=b"", repr=False)


@dataclass(slots=True)
class _Hold:
    status: str
    since: dt.datetime
    is_spent: bool = False  # its mail was thrown away, so it takes no place any more


class Account:
    """The provider's memory. Safe to use from several threads.

    Args:
        now: The provider's clock, aware UTC.
        keep: One of `KEEPS`.
        cancel_lead: A hold that comes later than this before the release has no effect.
        holds: How many batches may be paused or cancelled at a time.
    """

    def __init__(
        self,
        now: Callable[[], dt.datetime],
        *,
        keep: str = "mails",
        cancel_lead: dt.timedelta = dt.timedelta(minutes=10),
        holds: int = 10,
    ) -> None:
        if keep not in KEEPS:
            raise ValueError(f"{keep!r} is none of {', '.join(KEEPS)}.")
        self.now, self.keep = now, keep
        self._cancel_lead, self._most_holds = cancel_lead, holds
        self._lock = threading.RLock()
        self._requests: list[Request] = []
        self._due: list[tuple[dt.datetime, int]] = []
        self._paused: list[Request] = []
        self._batches: dict[str, dt.datetime] = {}
        self._holds: dict[str, _Hold] = {}

    def receive(self, size: int, *, fault: str = "") -> Request:
        """Note that a request came; nothing of it is accepted yet."""
        with self._lock:
            number = len(self._requests) + 1
            request = Request(number=number, received_at=self.now(), size=size, fault=fault)
            self._requests.append(request)
            return request

    def describe(self, request: Request, envelope: Envelope) -> None:
        """Note what the request says of itself.

        Raises:
            ValueError: Its release is no moment that there is.
        """
        message = envelope.message
        send_at = message.get("send_at")
        with self._lock:
            request.batch_id = str(message.get("batch_id") or "")
            request.custom_args = message.get("custom_args") or {}
            request.readers = len(envelope.addresses)
            if isinstance(send_at, int):
                request.release_at = _moment(send_at)

    def accept(self, request: Request, envelope: Envelope, body: bytes) -> str:
        """Take the request's mail in; return the X-Message-Id."""
        with self._lock:
            now = self._advance()
            request.message_id = base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")
            request.accepted_at = now
            if self.keep == "mails":
                request.body = body
            if self.keep != "nothing":
                request._message = {k: v for k, v in envelope.message.items() if k != "content"}
                request._addresses = _pack(envelope.addresses)
            request.state = "scheduled"
            if request.release_at is not None:
                heapq.heappush(self._due, (max(request.release_at, now), request.number))
                self._advance()
            else:
                request.state = "sent"
            return request.message_id

    # Batches

    def new_batch(self) -> str:
        """Return a new batch id."""
        with self._lock:
            batch_id = base64.urlsafe_b64encode(os.urandom(36)).decode()
            self._batches[batch_id] = self.now()
            return batch_id

    def knows_batch(self, batch_id: object) -> bool:
        """Return whether the id was given out within the last ten days."""
        with self._lock:
            made = self._batches.get(batch_id) if isinstance(batch_id, str) else None
            return made is not None and self.now() < made + _BATCH_LIVES

    def hold(self, batch_id: str, status: str) -> None:
        """Pause or cancel a batch.

        Raises:
            AlreadyHeld: It is; `change_hold` changes which.
            TooManyHolds: The account has no place for one more.
        """
        with self._lock:
            now = self._advance()
            if batch_id in self._holds:
                raise AlreadyHeld
            if self._places_taken(now) >= self._most_holds:
                raise TooManyHolds
            self._holds[batch_id] = _Hold(status, now)

    def change_hold(self, batch_id: str, status: str | None) -> bool:
        """Change a hold, or take it away with None; return whether there was one."""
        with self._lock:
            self._advance()
            hold = self._holds.get(batch_id)
            if hold is None:
                return False
            if status is None:
                del self._holds[batch_id]
            else:
                hold.status = status  # since the first one, or the mail would be gone by now
            self._advance()
            return True

    def holds(self) -> dict[str, str]:
        """Return the held batches with "pause" or "cancel"."""
        with self._lock:
            self._advance()
            return {batch_id: hold.status for batch_id, hold in self._holds.items()}

    def _places_taken(self, now: dt.datetime) -> int:
        # What no mail came for cannot be thrown away; it stays until no mail can come any more.
        return sum(
            not hold.is_spent and now < hold.since + _PAUSE_EXPIRES for hold in self._holds.values()
        )

    def _is_held(self, request: Request) -> str:
        """Return the status of the hold that takes effect on the request, or ""."""
        hold = self._holds.get(request.batch_id)
        if hold is None or request.release_at is None:
            return ""
        return hold.status if hold.since <= request.release_at - self._cancel_lead else ""

    def _advance(self) -> dt.datetime:
        """Let happen what is due by now: mail goes out, waits on, or is thrown away."""
        now = self.now()
        due, self._paused = self._paused, []
        while self._due and self._due[0][0] <= now:
            due.append(self._requests[heapq.heappop(self._due)[1] - 1])
        for request in due:
            held = self._is_held(request)
            is_expired = now >= (request.release_at or now) + _PAUSE_EXPIRES
            if held == "pause" and not is_expired:
                self._paused.append(request)
            elif held:
                request.state = "cancelled"
                self._holds[request.batch_id].is_spent = True
            else:
                request.state = "sent"
        return now

    # What became of it

    def requests(self) -> list[Request]:
        """Return all requests as they stand now, in the order in which they came."""
        with self._lock:
            self._advance()
            return [replace(request, state=self._state(request)) for request in self._requests]

    def _state(self, request: Request) -> str:
        is_cancelled = request.state == "scheduled" and self._is_held(request) == "cancel"
        return "cancelled" if is_cancelled else request.state

    def live(self) -> list[Request]:
        """Return the accepted requests whose mail went out or will."""
        return [each for each in self.requests() if each.state in ("sent", "scheduled")]

    def copies(self) -> Counter[str]:
        """Return how many copies each address got or will get; addresses are in lower case."""
        counts: Counter[str] = Counter()
        for request in self.live():
            counts.update(addresses_of(request))
        return counts

    def accepted(self, address: str) -> int:
        """Return how many copies the address got or will get, in whatever case it is written."""
        wanted = _pack((address,))
        return sum(request._addresses.count(wanted) for request in self.live())

    def mails_of(self, request: Request) -> Iterator[Mail]:
        """Yield the mails of an accepted request; without their texts where those are not kept."""
        if request.body:
            return mails(request.body, request.message_id)
        addresses = tuple(addresses_of(request))
        return bare_mails(Envelope(request._message, addresses), request.message_id)

    def names(self, request: Request, address: str) -> bool:
        """Return whether the request is to the address, among others."""
        return _pack((address,)) in request._addresses


def _moment(seconds: int) -> dt.datetime:
    try:
        return dt.datetime.fromtimestamp(seconds, dt.UTC)
    except (OSError, OverflowError):
        raise ValueError("no such moment") from None


def _pack(addresses: tuple[str, ...]) -> bytes:
    """Return the addresses as bytes, each within line breaks of its own: 25 bytes a reader."""
    return ("\n" + "\n\n".join(addresses) + "\n").lower().encode() if addresses else b""


def addresses_of(request: Request) -> list[str]:
    """Return the request's addresses, in lower case and in its order; none where none are kept."""
    return request._addresses.decode().split()
