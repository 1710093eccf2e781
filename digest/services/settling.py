"""Settling: what becomes of a batch when nobody knows whether the provider took it.

In this order: the fence (cancel the try at the provider before its release, and hand over again),
the provider's evidence, and then a person. Never a blind second try.
"""

import datetime as dt

import structlog

from digest.model.deliveries import (
    Addressee,
    Attempt,
    AttemptOutcome,
    Batch,
    Evidence,
    Handover,
    Mail,
)
from digest.ports import Clock, Ledger, Transport
from digest.tokens import Tokens

# A cancellation works until ten minutes before the release (SendGrid, "Cancel or pause a scheduled
# send"); one minute of our own is for clocks that differ.
LAST_CALL = dt.timedelta(minutes=11)
HELD_AT_ONCE = 10  # cancelled hand-overs that the provider keeps at a time (same page)
LOOK_AGAIN = dt.timedelta(seconds=5)
ASKED_ABOUT = 3  # readers of a batch; a request is accepted or refused as a whole

log = structlog.get_logger(__name__)


def last_call_of(attempt: Attempt) -> dt.datetime | None:
    """Return until when a try can be cancelled at the provider, or None if it cannot be at all."""
    if not (attempt.reservation and attempt.release_at):
        return None
    return attempt.release_at - LAST_CALL


def call_back(transport: Transport, clock: Clock, attempt: Attempt) -> bool:
    """Cancel the try at the provider; return whether it is certain that nothing goes out.

    The clock is looked at before and after: the provider also says yes to a cancellation that
    comes too late, and this process may have slept in between.
    """
    last_call = last_call_of(attempt)
    if last_call is None or not transport.can_hold or clock.now() > last_call:
        return False
    return transport.cancel(attempt.reservation) and clock.now() <= last_call


class Asker:
    """Asks the provider for evidence about an unknown batch, and settles what that proves."""

    def __init__(self, ledger: Ledger, transport: Transport, tokens: Tokens, clock: Clock) -> None:
        self._ledger = ledger
        self._transport = transport
        self._tokens = tokens
        self._clock = clock

    def ask(self, batch: Batch, attempt: Attempt, mail: Mail, edition_id: int) -> bool:
        """Ask about one try; without evidence the batch stays unknown. Return whether it does."""
        readers = self._ledger.readers_of(batch.id, limit=ASKED_ABOUT)
        handover = Handover(
            mail=mail,
            batch=batch.id,
            attempt=attempt.number,
            readers=[
                Addressee(number, address, name, self._tokens.reader(edition_id, number))
                for number, address, name in readers
            ],
            reservation=attempt.reservation,
            release_at=attempt.release_at,
            edition_id=edition_id,
            mark=attempt.mark,
        )
        found = self._transport.find(handover, now=self._clock.now())
        if found is Evidence.ACCEPTED:
            self.settle(batch, attempt, AttemptOutcome.ACCEPTED, "evidence")
        elif found is Evidence.NOT_ACCEPTED:
            self.settle(batch, attempt, AttemptOutcome.FENCED, "evidence")
        return found is Evidence.NONE

    def settle(self, batch: Batch, attempt: Attempt, outcome: AttemptOutcome, by: str) -> None:
        """Record what became of a try."""
        settled = self._ledger.settle(
            batch.id, attempt.number, outcome, by=by, note="", now=self._clock.now()
        )
        if settled:
            log.info(
                "batch_settled",
                batch=batch.id,
                attempt=attempt.number,
                outcome=str(outcome),
                by=by,
                readers=attempt.readers,
            )


class Settler:
    """Settles the unknown batches of one run.

    Args:
        ledger: Where they stand.
        transport: Whom to ask.
        clock: Tells the time.
        asker: Looks for evidence when it is too late for the fence.
        settle: How long to wait after an unanswered request, so that one that is still on its way
            to the provider arrives before it is judged.
    """

    def __init__(
        self,
        ledger: Ledger,
        transport: Transport,
        clock: Clock,
        *,
        asker: Asker,
        settle: dt.timedelta,
    ) -> None:
        self._ledger = ledger
        self._transport = transport
        self._clock = clock
        self._asker = asker
        self._settle = settle

    def step(self, batch: Batch, attempt: Attempt, mail: Mail) -> dt.datetime | None:
        """Try to settle one unknown batch.

        Returns:
            When to look again; None when it is settled, or nothing more can be done by asking.
        """
        now = self._clock.now()
        ripe = (attempt.finished_at or attempt.started_at) + self._settle
        last_call = last_call_of(attempt) if self._transport.can_hold else None
        if last_call is None or now > last_call:
            is_in_doubt = self._asker.ask(batch, attempt, mail, batch.edition_id)
            return ripe if is_in_doubt and now < ripe else None
        if now < ripe < last_call:
            return ripe
        is_full = self._ledger.held_slots(now=now) >= HELD_AT_ONCE
        if is_full or not call_back(self._transport, self._clock, attempt):
            return now + LOOK_AGAIN
        self._asker.settle(batch, attempt, AttemptOutcome.FENCED, "fence")
        return None
