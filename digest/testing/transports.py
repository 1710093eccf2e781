"""A provider in memory, for tests of what hands over."""

import datetime as dt
import threading
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass

from digest.errors import DigestError
from digest.model.deliveries import (
    Accepted,
    Evidence,
    Handover,
    Outcome,
    Refused,
    Unknown,
    Unsent,
)
from digest.model.subscribers import Suppression
from digest.ports import Clock
from digest.transports.per_reader import ReaderMessages


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A hand-over that the provider took, and the message of each of its readers, in order."""

    handover: Handover
    messages: tuple[bytes, ...]


class MemoryTransport:
    """Keeps what it takes. Like a real provider it takes the same batch twice, if it is given so.

    Args:
        clock: Tells when mail is released; a cancelled reservation is never.
        can_hold: Whether it keeps mail until a release time.
        can_find: Whether it tells later what it took.
    """

    name = "memory"

    def __init__(self, clock: Clock, *, can_hold: bool = False, can_find: bool = True) -> None:
        self.can_hold = can_hold
        self.can_find = can_find
        self.suppressions: list[Suppression] = []
        self._clock = clock
        self._script: deque[tuple[Outcome, bool]] = deque()
        self._kept: list[Kept] = []
        self._cancelled: set[str] = set()
        self._reserved = 0
        self._lock = threading.Lock()

    def script(self, outcome: Outcome, *, is_kept: bool = False) -> None:
        """Answer the next hand-over with `outcome`, or the one after those that are scripted.

        Args:
            outcome: What the caller is told.
            is_kept: Whether the provider took the batch behind an Unknown.
        """
        kept = isinstance(outcome, Accepted) or (isinstance(outcome, Unknown) and is_kept)
        with self._lock:
            self._script.append((outcome, kept))

    def sent(self) -> list[Kept]:
        """Return what has gone out by now, test mails among it, in the order of acceptance."""
        now = self._clock.now()
        with self._lock:
            return [
                kept
                for kept in self._kept
                if not self._is_cancelled(kept.handover)
                and (kept.handover.release_at is None or kept.handover.release_at <= now)
            ]

    def copies(self) -> Counter[tuple[str, str]]:
        """Return how many mails each (edition, address) has got or will get, without tests."""
        with self._lock:
            return Counter(
                (kept.handover.mail.edition, reader.address)
                for kept in self._kept
                for reader in kept.handover.readers
                if not kept.handover.is_test and not self._is_cancelled(kept.handover)
            )

    def reserve(self) -> str:
        """Return a new id, or "" where mail is not held."""
        if not self.can_hold:
            return ""
        with self._lock:
            self._reserved += 1
            return f"reservation-{self._reserved}"

    def submit(self, handover: Handover, *, now: dt.datetime) -> Outcome:
        """Take the batch, or do as the script says."""
        messages = ReaderMessages(handover.mail)
        date = handover.release_at or now
        try:
            made = tuple(
                messages.message(reader, serial=f"{reader.subscriber_id}", date=date)
                for reader in handover.readers
            )
        except DigestError as error:
            return Refused(reason=error.message.rstrip("."))
        if not handover.may_send():
            return Unsent()
        with self._lock:
            usual = Accepted(reference=f"memory-{len(self._kept) + 1}"), True
            outcome, is_kept = self._script.popleft() if self._script else usual
            if is_kept:
                self._kept.append(Kept(handover=handover, messages=made))
        return outcome

    def cancel(self, reservation: str) -> bool:
        """Cancel what was or will be handed over under the reservation, unless it has gone out."""
        if not self.can_hold or not reservation:
            return False
        now = self._clock.now()
        with self._lock:
            releases = [
                kept.handover.release_at
                for kept in self._kept
                if kept.handover.reservation == reservation
            ]
            is_in_time = all(release is not None and release > now for release in releases)
            if is_in_time:
                self._cancelled.add(reservation)
            return is_in_time or reservation in self._cancelled

    def find(self, handover: Handover, *, now: dt.datetime) -> Evidence:
        """Tell whether this try was taken; NONE where it cannot find."""
        if not self.can_find:
            return Evidence.NONE
        with self._lock:
            tries = {_try(kept.handover) for kept in self._kept if not kept.handover.is_test}
        return Evidence.ACCEPTED if _try(handover) in tries else Evidence.NOT_ACCEPTED

    def suppressed(self, since: dt.datetime | None) -> Iterator[Suppression]:
        """Yield those of `suppressions` from `since` on."""
        return (found for found in self.suppressions if since is None or found.since_at >= since)

    def close(self) -> None:
        """Do nothing; what was kept stays."""

    def _is_cancelled(self, handover: Handover) -> bool:
        return handover.reservation in self._cancelled


def _try(handover: Handover) -> tuple[str, str, int, int]:
    return (handover.mail.newsletter, handover.mail.edition, handover.batch, handover.attempt)
