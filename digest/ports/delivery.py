"""From a frozen edition to its readers: the protocols of lists, deliveries and providers."""

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from digest.model.deliveries import (
    Attempt,
    Audience,
    Batch,
    Claim,
    DeliveryEvent,
    DeliveryReport,
    Evidence,
    Handover,
    Outcome,
    Refused,
    Waves,
)
from digest.model.editions import Edition
from digest.model.subscribers import Subscriber, Suppression


class Transport(Protocol):
    """Hands batches to a provider. Safe to use from several threads.

    It tries once and never repeats a request by itself: what it cannot tell it reports as Unknown.
    It reads no clock but `now`, and writes no store.
    """

    name: str
    can_hold: bool
    """Whether the provider keeps mail until a release time and can cancel it until then."""

    def reserve(self) -> str:
        """Return the provider's own id for the next hand-over, "" where it has none.

        Raises:
            TransportError: The provider does not give one; nothing was handed over.
        """

    def submit(self, handover: Handover, *, now: dt.datetime) -> Outcome:
        """Hand over once and say what certainly happened; never raises for what a provider does."""

    def cancel(self, reservation: str) -> bool:
        """Return True when it is certain that nothing under this reservation will go out.

        Only true before the release; asking twice is harmless.
        """

    def find(self, handover: Handover, *, now: dt.datetime) -> Evidence:
        """Look for evidence of an earlier try; `readers` may hold a few of its readers only."""

    def suppressed(self, since: dt.datetime | None) -> Iterator[Suppression]:
        """Yield whom the provider no longer mails, from `since` on; nothing where it keeps no list.

        Raises:
            TransportError: The provider does not say.
        """

    def close(self) -> None:
        """Give back connections."""


CHANGEABLE = ("first_name", "topics", "frequency", "language", "timezone")
"""What a reader who is on the list already takes over from an import."""


class SubscriberStore(Protocol):
    """The readers of the newsletters, and whom nobody mails again. See `Store` for the promises."""

    def add_subscribers(
        self,
        subscribers: Iterable[Subscriber],
        *,
        changing: Collection[str] = CHANGEABLE,
        erased: Collection[str] = (),
        is_trial: bool = False,
    ) -> "Added":
        """Insert or update readers in ONE transaction, streaming; never revives anybody.

        Who has left or is suppressed is kept out: nothing about them is changed or added. A known
        reader takes over what differs of `changing`, and keeps everything else. Of two that are
        one reader the first counts. `subscribers` is used up first, and must not use the store.

        Args:
            subscribers: New to the store or not; `id` does not matter. The caller leaves out whose
                address was erased: the store knows their keyed hashes only.
            changing: Those of CHANGEABLE that known readers take over.
            erased: `all_erased()` as it was when they were left out.
            is_trial: Count only; change nothing.

        Raises:
            Conflict: An address was erased that is not in `erased`; nothing is changed.
        """

    def subscriber(self, newsletter: str, key: str) -> Subscriber | None:
        """Return one reader, or None."""

    def subscriber_by_id(self, subscriber_id: int) -> Subscriber | None:
        """Return one reader, or None."""

    def subscribers_with(self, key: str) -> list[Subscriber]:
        """Return the readers with the address, of all newsletters, by newsletter."""

    def subscribers(self, newsletter: str, *, is_mailed: bool = False) -> Iterator[Subscriber]:
        """Yield all readers by id, in constant memory.

        With `is_mailed` only who gets mail: who is active and not suppressed.
        """

    def find_subscribers(self, newsletter: str, text: str, *, limit: int) -> list[Subscriber]:
        """Return readers with `text` in their address or first name, newest first."""

    def subscriber_counts(self, newsletter: str) -> Mapping[str, int]:
        """Return how many readers are in each state."""

    def set_left(self, subscriber_id: int, *, by: str, now: dt.datetime) -> bool:
        """Record that the reader has left; return whether that is new."""

    def erase(self, key: str, *, hashed: str, now: dt.datetime) -> int:
        """Delete everything about the address in all newsletters, and keep its keyed hash.

        What they voted goes on to count without an owner, if it counted.

        Returns:
            How many subscribers were deleted.
        """

    def are_erased(self, hashes: Sequence[str]) -> frozenset[str]:
        """Return those of the keyed hashes whose address was erased."""

    def all_erased(self) -> frozenset[str]:
        """Return the keyed hashes of all addresses that were erased."""

    def topic_choices(self, newsletter: str) -> list[tuple[tuple[str, ...], int]]:
        """Return each choice of topics among active readers and how many have it, most first."""

    def suppress(self, suppressions: Iterable[Suppression]) -> int:
        """Add suppressions; one that exists keeps its first reason. Return how many were new."""

    def unsuppress(self, key: str) -> bool:
        """Take a suppression away; return whether there was one."""

    def suppressions(self) -> Iterator[Suppression]:
        """Yield all suppressions, newest first."""

    def suppression(self, key: str) -> Suppression | None:
        """Return the address's suppression, or None."""

    def last_sync(self) -> dt.datetime | None:
        """Return from when on the provider was last asked whom it no longer mails, or None."""

    def record_sync(self, at: dt.datetime) -> None:
        """Remember that everything up to `at` is known."""

    def history(self, subscriber_id: int) -> list[Mapping[str, object]]:
        """Return what the reader was sent and what came of it, newest edition first."""

    def reports(self, subscriber_id: int) -> list[Mapping[str, object]]:
        """Return the provider's reports about the reader that are kept, oldest first."""

    def votes(self, subscriber_id: int) -> list[Mapping[str, object]]:
        """Return all votes of the reader, oldest first."""

    def letters(self, key: str) -> list[Mapping[str, object]]:
        """Return the letters to the address that are kept, oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """How many readers of one import were new, changed, known as they are, or kept out.

    `repeated` counts those that came again.
    """

    new: int = 0
    updated: int = 0
    seen: int = 0
    left: int = 0
    suppressed: int = 0
    repeated: int = 0


class Ledger(Protocol):
    """Deliveries, batches and attempts. See `Store` for the promises.

    Every change of a batch is conditional on the state and the attempt it starts from; the
    methods that make one return False where that no longer holds, and have then changed nothing.
    """

    def audience(self, edition: Edition, *, is_monthly: bool) -> Audience:
        """Count who would get the edition if it were planned now; changes nothing."""

    def plan(
        self,
        edition: Edition,
        *,
        is_monthly: bool,
        size: int,
        release_at: dt.datetime | None,
        waves: Waves | None = None,
        confirm: Callable[[Audience], None] | None = None,
    ) -> Audience:
        """Write deliveries, exclusions and batches, and make the approved edition planned.

        Each reader gets the frozen variant that names their choice of topics, else the whole one.

        Args:
            edition: As stored; approved.
            is_monthly: Whether monthly readers get this edition.
            size: Readers a batch at most.
            release_at: When the provider is to send, None for at once; kept with the edition.
            waves: If given, no batch has readers of two waves, and each may be claimed in time for
                its own. Who moves to another zone later stays in the wave of the plan.
            confirm: If given, called with the counts before anything is kept; what it raises
                undoes the plan.

        Raises:
            Conflict: The edition changed meanwhile, or its counts do not add up; nothing is kept.
        """

    def zones(self, newsletter: str) -> list[str]:
        """Return the time zones of the readers who have not left, "" for the newsletter's own."""

    def change_state(self, edition_id: int, states: Iterable[str], to: str) -> bool:
        """Bring the edition from one of `states` to `to`."""

    def state(self, edition_id: int) -> str:
        """Return where the edition stands."""

    def finish(self, edition_id: int) -> bool:
        """Bring an edition whose batches are all settled to done, or to attention.

        Attention is for those with an unknown batch. While one is planned or claimed nothing
        changes, but an edition that had ended is paused, so that a run goes on with it: whoever
        slept through the lease of a batch may wake later and know that it was never sent. Return
        whether anything changed.
        """

    def claim(
        self,
        edition_id: int,
        *,
        holder: str,
        reservation: str,
        release_at: dt.datetime | None,
        now: dt.datetime,
        lease: dt.timedelta,
    ) -> Claim | None:
        """Claim the next planned batch of a sending edition and open its attempt, durably.

        Held until `release_at`, it is held until the release of its own wave where that is later.
        Who has left, been suppressed or been erased since the plan is not among its readers.
        """

    def record(self, claim: Claim, outcome: Outcome, *, now: dt.datetime) -> bool:
        """Close the attempt with its outcome and move the batch accordingly."""

    def split(self, claim: Claim, outcome: Refused, *, now: dt.datetime) -> bool:
        """Replace a refused batch of two or more readers by two planned halves."""

    def reap(self, edition_id: int, *, now: dt.datetime, is_alone: bool, holder: str = "") -> int:
        """Make claims unknown whose holder is gone: lease over, or any claim if `is_alone`.

        Those of `holder` are left alone.
        """

    def unknown(self, edition_id: int) -> list[tuple[Batch, Attempt]]:
        """Return the unknown batches with their last attempt, in order."""

    def readers_of(self, batch_id: int, *, limit: int) -> list[tuple[int, str, str]]:
        """Return some of the batch's readers as a claim would."""

    def settle(
        self, batch_id: int, attempt: int, outcome: str, *, by: str, note: str, now: dt.datetime
    ) -> bool:
        """Settle an unknown batch: accepted, fenced or resent (planned again), or abandoned.

        Fenced is certain, so it also counts against an answer that came late and said accepted.
        """

    def held_slots(self, *, now: dt.datetime) -> int:
        """Return how many cancelled hand-overs the provider still holds until their release."""

    def next_wait(self, edition_id: int) -> dt.datetime | None:
        """Return when the earliest planned batch may be claimed, or the first lease ends.

        None if no batch is planned or claimed.
        """

    def cancel(self, edition_id: int, *, now: dt.datetime) -> tuple[int, list[Attempt]]:
        """Cancel the planned batches of an edition.

        Returns:
            How many readers they have, and the accepted attempts that the provider still holds.
        """

    def recall(self, attempt: Attempt, *, now: dt.datetime) -> bool:
        """Record that an accepted hand-over was cancelled at the provider before its release."""

    def accepted_variants(self, edition_id: int) -> set[str]:
        """Return the keys of the edition's variants of which a batch was accepted."""

    def may_have_reached(self, edition_id: int) -> bool:
        """Tell whether any reader may have the edition, or get it, by one try or another."""

    def report(self, edition: Edition) -> DeliveryReport:
        """Return the edition's account."""

    def take_slot(self, readers: int, *, rate: float, now: dt.datetime) -> dt.datetime:
        """Book the next free slot of the shared rate limit; return when it begins."""

    def delay_slot(self, until: dt.datetime) -> None:
        """Let nobody hand over before `until`: the provider asked everybody to wait."""

    def event_counts(self, edition_id: int) -> Mapping[str, int]:
        """Return how many deliveries stand where, by what the provider reported."""

    def handed_over_since(self, since: dt.datetime) -> int:
        """Return how many readers were handed over from `since` on, in all editions.

        Those in flight or in doubt are among them.
        """


class EventStore(Protocol):
    """The provider's reports: taken raw first, folded later. See `Store` for the promises."""

    def take(self, body: bytes, *, now: dt.datetime) -> bool:
        """Keep a verified report as it came; return whether it is new."""

    def waiting(self, *, limit: int) -> list[tuple[int, bytes]]:
        """Return the oldest reports that are not folded yet."""

    def fold(
        self, inbox_id: int, events: Sequence[DeliveryEvent], *, now: dt.datetime, is_last: bool
    ) -> int:
        """Fold some events of a report in one transaction; return how many were new.

        An event of an attempt that nobody has an answer of settles its batch as accepted, if it
        happened from the release on: until then a fence may still take the batch back. A
        delivery's state only grows; who bounced, complained or left is suppressed. Folding twice
        changes nothing.
        """

    def mark_dead(self, inbox_id: int, reason: str) -> None:
        """Set a report aside that cannot be read."""

    def tidy(self, *, now: dt.datetime) -> None:
        """Delete raw reports of 14 days ago and events of 90 days ago; states stay."""


class Marks(Protocol):
    """What schedulers remember by name; all processes see the same. See `Store`."""

    def get(self, name: str) -> tuple[dt.datetime, str] | None:
        """Return when the mark was set, aware UTC, and its value; None if it never was."""

    def put(self, name: str, at: dt.datetime, value: str = "") -> None:
        """Set the mark."""

    def claim(
        self, name: str, at: dt.datetime, *, every: dt.timedelta | None = None, value: str = ""
    ) -> bool:
        """Set the mark if there is none, or if the last one is `every` old; tell whether that was.

        Of several callers at one time, one is told so.
        """

    def change(self, name: str, *, was: str, value: str) -> bool:
        """Give the mark another value if it still has the one it had; tell whether it had.

        Of several callers at one time, one is told so. When it was set stays.
        """

    def valued(self, start: str) -> list[tuple[str, str]]:
        """Return name and value of the marks whose name begins so and that have a value."""

    def remove(self, start: str) -> None:
        """Take away the marks whose name begins so."""
