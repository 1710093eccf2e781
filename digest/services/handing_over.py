"""One run of handing an edition over: claim, submit, record, until every batch is settled.

The order is what keeps a crash harmless: a claim is committed, with the provider's own id for the
try, before the request is made; the answer is committed after it. Whatever lies between is
unknown, and only the fence, evidence or a person settles that (docs/delivery.md).
"""

import datetime as dt
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace

import structlog

from digest.errors import TransportError
from digest.model.deliveries import (
    Accepted,
    Addressee,
    Claim,
    Handover,
    Mail,
    Outcome,
    Refused,
    Unavailable,
    Unknown,
    Unsent,
)
from digest.model.editions import Edition, EditionState
from digest.services.brakes import INTERRUPTED, PAUSED_BY_SOMEBODY, Brakes, Stopped
from digest.services.pacing import Pace
from digest.services.runs import LONGEST_WAIT, Tools
from digest.services.settling import HELD_AT_ONCE, Asker, Settler

LEASE = dt.timedelta(seconds=90)
DEADLINE = dt.timedelta(seconds=60)  # what one request may take, all told; transports end sooner
LONGEST_STAND = dt.timedelta(minutes=30)  # a run waits so long for cancelled batches to go
PATIENCE = dt.timedelta(minutes=5)  # a later wave is left to a later run, so that others may send
REFUSALS = 8  # single readers in a row, before anybody's was accepted

log = structlog.get_logger(__name__)


class Run:
    """One run over one planned edition. Used by one thread; it hands over in others.

    Args:
        tools: See there.
        edition: As stored.
        mails: The frozen variants as mails, by key.
        holder: Names this run in the ledger.
    """

    def __init__(
        self, tools: Tools, edition: Edition, mails: Mapping[str, Mail], *, holder: str
    ) -> None:
        assert edition.id is not None  # noqa: S101  # a planned edition is stored
        self._id = edition.id
        self._edition = edition
        self._mails = mails
        self._holder = holder
        self._tools = tools
        self._ledger, self._transport, self._clock = tools.ledger, tools.transport, tools.clock
        self._pace = Pace(tools.ledger, tools.settings)
        self._brakes = Brakes(tools.ledger, tools.clock, tools.settings)
        self._settler = Settler(
            tools.ledger,
            tools.transport,
            tools.clock,
            asker=Asker(tools.ledger, tools.transport, tools.tokens, tools.clock),
            settle=dt.timedelta(seconds=tools.settings.settle_seconds),
        )
        self._stopped: Stopped | None = None
        self._in_flight: dict[Future[Outcome], Claim] = {}
        self._reservation: str | None = None
        self._refusals = 0  # of single readers, since a batch was accepted
        self._accepted_variants = tools.ledger.accepted_variants(self._id)
        self._in_doubt = 0  # batches that are unknown
        self._held = 0  # cancelled ones that the provider keeps until their release
        now = tools.clock.now()
        # When to look again for something to claim, to settle, or to take over; None for never.
        self._start_at: dt.datetime | None = None
        self._settle_at: dt.datetime | None = now
        self._reap_at = now

    def run(self) -> Stopped | None:
        """Hand over what is planned; return why it ended early, or None."""
        with ThreadPoolExecutor(self._tools.settings.in_flight, "hand-over") as pool:
            while True:
                self._settle()
                self._start(pool)
                if self._in_flight:
                    self._collect()
                elif self._is_over():
                    return self._stopped
                else:
                    self._rest()

    # Starting

    def _start(self, pool: ThreadPoolExecutor) -> None:
        """Claim and submit until enough is in flight, or note when to look again."""
        self._start_at = None
        while len(self._in_flight) < self._tools.settings.in_flight and self._stopped is None:
            now = self._clock.now()
            self._start_at = self._ledger.next_wait(self._id)
            if self._start_at is None or self._start_at > now or not self._may_start(now):
                return
            claim = self._claim(now)
            if claim is None:
                return
            if claim.readers:
                self._in_flight[pool.submit(self._submit, claim)] = claim

    def _may_start(self, now: dt.datetime) -> bool:
        """Look at everything that may hold the next batch back."""
        if self._tools.stop.is_set():
            self._stopped = INTERRUPTED
        elif reason := self._brakes.alarm(self._id):
            self._pause(Stopped(kind="alarm", reason=reason, hint="Look into it before you go on."))
        elif self._brakes.is_warm_up_over():
            self._stopped = Stopped(
                kind="warm-up",
                reason="The warm-up allows no more readers today; the others wait.",
                hint="Go on tomorrow.",
            )
        elif self._is_doubt_full(now):
            self._start_at = now + LONGEST_WAIT
        elif not self._pace.book(now):
            self._start_at = self._pace.next_start(now)
        else:
            return True
        return False

    def _is_doubt_full(self, now: dt.datetime) -> bool:
        """Tell whether one batch more, if it became unknown, would be one too many to settle.

        The edition pauses where only a person can settle any.
        """
        if not (self._in_doubt or self._held):
            return False
        self._held = self._ledger.held_slots(now=now)
        if self._held + self._in_doubt + len(self._in_flight) < HELD_AT_ONCE:
            return False
        release_at = self._edition.release_at
        if self._held >= HELD_AT_ONCE and release_at and release_at - now > LONGEST_STAND:
            self._give_up(
                f"The provider keeps {self._held} cancelled batches until their release "
                f"at {release_at:%Y-%m-%d %H:%M} UTC, and could cancel no more.",
                "Go on after that.",
            )
        elif self._in_doubt >= HELD_AT_ONCE and self._settle_at is None:
            self._give_up(
                f"Nobody knows of {self._in_doubt} batches whether they were accepted.",
                "Settle them before you go on: digest delivery settle",
            )
        return True

    def _claim(self, now: dt.datetime) -> Claim | None:
        """Claim the next batch under a reservation of its own; None if there is none now."""
        if self._reservation is None and not self._reserve():
            self._start_at = self._pace.next_start(now)
            return None
        claim = self._ledger.claim(
            self._id,
            holder=self._holder,
            reservation=self._reservation or "",
            release_at=self._release_at(now),
            now=now,
            lease=LEASE,
        )
        if claim is None:
            self._start_at = now + LONGEST_WAIT
            if self._ledger.state(self._id) != EditionState.SENDING:
                self._stopped = PAUSED_BY_SOMEBODY
        elif claim.readers:
            self._reservation = None
        return claim

    def _reserve(self) -> bool:
        try:
            self._reservation = self._transport.reserve() if self._tools.hold is not None else ""
        except TransportError as error:
            self._unavailable(
                Unavailable(
                    reason=error.message,
                    retry_at=error.retry_at,
                    needs_person=error.needs_person,
                )
            )
            return False
        return True

    def _release_at(self, now: dt.datetime) -> dt.datetime | None:
        """Return when the provider is to send a batch that is handed over at `now`."""
        if self._tools.hold is None:
            return None
        soonest = now + self._tools.hold
        return max(self._edition.release_at or soonest, soonest)

    # Handing over; this part runs in threads and touches no state of the run

    def _submit(self, claim: Claim) -> Outcome:
        token = self._tools.tokens.reader
        handover = Handover(
            mail=self._mails[claim.variant],
            batch=claim.batch_id,
            attempt=claim.attempt,
            readers=[
                Addressee(number, address, name, token(self._id, number))
                for number, address, name in claim.readers
            ],
            reservation=claim.reservation,
            release_at=claim.release_at,
            edition_id=self._id,
            mark=claim.mark,
            may_send=lambda: self._clock.now() + DEADLINE < claim.lease_until_at,
        )
        if not handover.may_send():
            return Unsent()
        return self._transport.submit(handover, now=self._clock.now())

    # Recording

    def _collect(self) -> None:
        """Record the batches that are answered; wait for one if none is."""
        done, _ = wait(self._in_flight, return_when=FIRST_COMPLETED)
        for future in done:
            claim = self._in_flight.pop(future)
            fault = future.exception()
            if fault is None:
                outcome = future.result()
            elif isinstance(fault, Exception):  # a fault of the transport's own
                outcome = Unknown(reason=f"the transport failed ({type(fault).__name__})")
            else:
                raise fault
            self._record(claim, outcome)

    def _record(self, claim: Claim, outcome: Outcome) -> None:
        now = self._clock.now()
        match outcome:
            case Accepted():
                self._pace.succeeded()
                self._refusals = 0
                self._accepted_variants.add(claim.variant)
                self._ledger.record(claim, outcome, now=now)
                self._tools.progress(len(claim.readers))
            case Refused():
                self._refused(claim, outcome, now)
            case Unavailable():
                retry_at = self._unavailable(outcome)
                self._ledger.record(claim, replace(outcome, retry_at=retry_at), now=now)
            case Unknown():
                self._ledger.record(claim, outcome, now=now)
                self._in_doubt += 1
                self._settle_at = now
                self._failed(outcome.reason)
            case Unsent():
                self._ledger.record(claim, outcome, now=now)
        log.info(
            "batch_submitted",
            edition=self._edition.period.label,
            batch=claim.batch_id,
            attempt=claim.attempt,
            outcome=type(outcome).__name__.lower(),
            status=getattr(outcome, "status", None),
            readers=len(claim.readers),
        )

    def _refused(self, claim: Claim, outcome: Refused, now: dt.datetime) -> None:
        """Halve a refused batch, so that a bad reader costs one delivery; record a single one.

        While nothing of the variant was ever accepted, its fault may be that of all: then a single
        reader is not refused for good, but tried again, and too many of them pause the edition.
        """
        if outcome.can_split and self._ledger.split(claim, outcome, now=now):
            return
        is_reader = outcome.status is None or claim.variant in self._accepted_variants
        if is_reader:
            self._ledger.record(claim, outcome, now=now)
            return
        later = Unavailable(
            reason=outcome.reason, status=outcome.status, retry_at=now + LONGEST_WAIT
        )
        self._ledger.record(claim, later, now=now)
        self._refusals += 1
        if self._refusals >= REFUSALS:
            self._give_up(
                f"The provider refuses the edition to everybody: {_ended(outcome.reason)}",
                "Mend that, then go on.",
            )

    def _unavailable(self, outcome: Unavailable) -> dt.datetime | None:
        """Wait, or stop for a person; return when to try again."""
        if outcome.needs_person:
            self._give_up(
                f"The provider takes nothing: {_ended(outcome.reason)}", "Mend that, then go on."
            )
            return None
        return self._failed(outcome.reason, retry_at=outcome.retry_at)

    def _failed(self, reason: str, *, retry_at: dt.datetime | None = None) -> dt.datetime:
        """Slow down, or stop after half an hour; return when to try again."""
        now = self._clock.now()
        again_at = self._pace.failed(now, retry_at=retry_at)
        if self._pace.is_hopeless(now):
            self._give_up(
                f"The provider has taken nothing for half an hour: {_ended(reason)}",
                "Go on when it works again.",
            )
        return again_at

    def _give_up(self, reason: str, hint: str) -> None:
        self._pause(Stopped(kind="provider", reason=reason, hint=hint))

    def _pause(self, stopped: Stopped) -> None:
        self._stopped = stopped
        self._ledger.change_state(self._id, {EditionState.SENDING}, EditionState.PAUSED)

    # Settling and waiting

    def _settle(self) -> None:
        """Take over what other runs left behind, and settle what is unknown and ripe."""
        now = self._clock.now()
        if self._reap_at <= now:
            self._reap_at = now + LONGEST_WAIT
            if self._ledger.reap(self._id, now=now, is_alone=False, holder=self._holder):
                self._settle_at = now
        if self._settle_at is None or self._settle_at > now:
            return
        waits = [
            again
            for batch, attempt in self._ledger.unknown(self._id)
            if (again := self._settler.step(batch, attempt, self._mails[batch.variant])) is not None
        ]
        self._settle_at = min(waits, default=None)
        self._in_doubt = len(self._ledger.unknown(self._id))
        self._held = self._ledger.held_slots(now=now)

    def _is_over(self) -> bool:
        """Tell whether nothing more can be done, now that nothing is in flight."""
        is_stopped = self._stopped is not None
        is_more = self._settle_at is not None or (self._start_at is not None and not is_stopped)
        is_interrupted = self._tools.stop.is_set()
        if is_more and is_interrupted and not is_stopped:
            self._stopped = INTERRUPTED
        if is_interrupted or not is_more:
            return True
        if self._stopped is None and self._settle_at is None:
            self._stopped = self._between_waves()
            return self._stopped is not None
        return False

    def _between_waves(self) -> Stopped | None:
        """Tell whether nothing is left to do before a wave that is some time away."""
        until = self._ledger.next_wait(self._id)
        if until is None or until - self._clock.now() < PATIENCE or self._pace.is_failing:
            return None
        reason = f"The next wave begins at {until:%Y-%m-%d %H:%M} UTC."
        return Stopped(kind="wave", reason=reason, hint="Go on then.", until_at=until)

    def _rest(self) -> None:
        """Wait until something can be done again; others may change that at any time."""
        now = self._clock.now()
        times = (now + LONGEST_WAIT, self._start_at, self._settle_at)
        until = min(time for time in times if time is not None)
        self._tools.waiting(self._why())
        self._tools.wait(max((until - now).total_seconds(), 0.001))
        if self._stopped is None and self._ledger.state(self._id) != EditionState.SENDING:
            self._stopped = PAUSED_BY_SOMEBODY

    def _why(self) -> str:
        """Say in words what the run waits for."""
        if self._in_doubt:
            return f"{self._in_doubt} unanswered batches to be settled"
        if self._held:
            return f"{self._held} cancelled batches to leave the provider"
        return "the provider, or the pace that the settings allow"


def _ended(reason: str) -> str:
    """Return the provider's words as the end of a sentence."""
    return reason.rstrip(".") + "."
