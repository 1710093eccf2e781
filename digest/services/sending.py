"""Sending an edition: the audience, the plan, the run, and what a person may do about it."""

import datetime as dt
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import structlog

from digest.errors import (
    ConfigError,
    HeldElsewhere,
    NothingToSend,
    UsageError,
)
from digest.model.deliveries import (
    AttemptOutcome,
    Audience,
    DeliveryReport,
    Mail,
    Outcome,
)
from digest.model.editions import Edition, EditionState, FrozenVariant, Variant
from digest.periods import is_first_of_month, send_at
from digest.ports import Clock, Ledger, Store, Transport
from digest.services.brakes import Stopped, largest_batch, require_expected
from digest.services.handing_over import Run
from digest.services.mails import mail, send_test
from digest.services.runs import Tools
from digest.services.settling import Asker, call_back
from digest.services.waves import OwnTime, go_through_waves
from digest.settings import Settings
from digest.tokens import Tokens

HOLD = "send"  # the name under which one run at a time hands over
SHORTEST_HOLD = 15  # minutes; cancelling works until ten before the release
FURTHEST = dt.timedelta(hours=71)  # providers take a release time at most three days ahead
RUNNING = frozenset({EditionState.PLANNED, EditionState.SENDING, EditionState.PAUSED})
HAS_DELIVERIES = RUNNING | {EditionState.DONE, EditionState.ATTENTION, EditionState.CANCELLED}

log = structlog.get_logger(__name__)


class SendingService:
    """Plans and hands over editions, once to every reader.

    Args:
        store: Editions and the hold that keeps two runs apart.
        ledger: Deliveries, batches and attempts.
        transport: Hands batches over.
        tokens: Makes the readers' links.
        clock: Tells the time.
        settings: The project's.
        frozen: Returns an edition's frozen variants, after a look whether they are what was
            approved.
    """

    def __init__(  # noqa: PLR0913  # each is a seam, and hiding some in a bag would not be plainer
        self,
        store: Store,
        ledger: Ledger,
        transport: Transport,
        tokens: Tokens,
        clock: Clock,
        settings: Settings,
        *,
        frozen: Callable[[Edition], Sequence[FrozenVariant]],
    ) -> None:
        self._frozen = frozen
        self._store = store
        self._ledger = ledger
        self._transport = transport
        self._tokens = tokens
        self._clock = clock
        self._settings = settings
        self._own_time = OwnTime(ledger, settings)

    # Planning

    def ahead(self, edition: Edition) -> dt.timedelta:
        """Return how long before its send time the edition begins to be handed over.

        Raises:
            ConfigError: `sendgrid.hold_minutes` is too short to be of use.
        """
        own = send_at(edition.period, self._settings.schedule)
        return own - self.first_at(edition) + self._own_time.ahead(self._hold())

    def first_at(self, edition: Edition) -> dt.datetime:
        """Return when its first readers get the edition, which is not after its send time."""
        return self._own_time.span(edition)[0]

    def release_at(self, edition: Edition, *, may_hold: bool) -> dt.datetime | None:
        """Return when the provider would send what is handed over now; None for at once.

        That is when its first readers get the edition, or `hold_minutes` from now where that is
        later, so that a batch in doubt can still be cancelled.

        Raises:
            UsageError: The send time is further ahead than providers take.
        """
        hold = self._hold()
        if hold is None or not may_hold:
            return None
        now = self._clock.now()
        due = self.first_at(edition)
        if due - now > FURTHEST:
            raise UsageError(
                f"Edition {edition.period.label} is due in more than three days, and the provider "
                "takes no mail so early; nothing was planned.",
                hint="Send it later, or at once with --no-hold.",
            )
        return max(due, now + hold)

    def plan(
        self, edition: Edition, *, release_at: dt.datetime | None, expected: int | None = None
    ) -> Audience:
        """Write down who gets the approved edition in which batch, in one transaction.

        Args:
            edition: As stored; approved.
            release_at: See `release_at` above.
            expected: How many readers whoever sends it was shown; None where nobody was.

        Raises:
            NotApproved: Meanwhile the audience is not as large as `expected`; nothing was planned.
            NothingToSend: The list has nobody to send it to; nothing was planned.
            Conflict: The edition was changed or planned meanwhile; nothing was planned.
        """
        is_monthly = is_first_of_month(edition.period)
        if not self._ledger.audience(edition, is_monthly=is_monthly).planned:
            raise NothingToSend(
                "There is no reader to send it to; nothing was planned.",
                hint="Bring in readers: digest subscribers import FILE.csv",
            )

        def confirm(audience: Audience) -> None:
            if expected is not None:
                require_expected(audience.planned, expected)

        audience = self._ledger.plan(
            replace(edition, transport=self._transport.name),
            is_monthly=is_monthly,
            size=largest_batch(self._settings.delivery, self._clock.now()),
            release_at=release_at,
            waves=self._own_time.waves(
                edition,
                hold=self._hold() if release_at is not None else None,
                now=self._clock.now(),
            ),
            confirm=confirm,
        )
        log.info(
            "edition_planned",
            edition=edition.period.label,
            sha256=edition.sha256,
            readers=audience.planned,
            excluded=sum(audience.excluded.values()),
        )
        return audience

    # Handing over

    def run(
        self,
        edition: Edition,
        *,
        stop: threading.Event,
        wait: Callable[[float], object],
        progress: Callable[[int], None],
        waiting: Callable[[str], None] = lambda _what: None,
        stays: bool = True,
    ) -> Stopped | None:
        """Hand over what is planned of the edition; go on where an earlier run ended.

        From one wave to a later one others may send.

        Args:
            edition: Planned, sending or paused; a paused one goes on.
            stop: Set to end after the batches in flight.
            wait: Waits so many seconds, or until `stop` is set.
            progress: Called with the readers of each batch that is accepted.
            waiting: Called now and then while nothing can be done, with what is waited for.
            stays: Whether it waits for waves that are some time away, or ends.

        Returns:
            Why it ended early, or None when every batch is settled or needs a person.

        Raises:
            HeldElsewhere: Another run is sending; this one did nothing.
            UsageError: The edition is not planned.
            ConfigError: It was planned with another transport, or with a hold that is off now.
        """
        tools = Tools(
            ledger=self._ledger,
            transport=self._transport,
            tokens=self._tokens,
            clock=self._clock,
            settings=self._settings.delivery,
            hold=self._hold_of(edition),
            stop=stop,
            wait=wait,
            progress=progress,
            waiting=waiting,
        )
        mails = self._mails(edition)
        stopped = self._hand_over(tools, edition, mails)
        if not stays or stopped is None or stopped.kind != "wave":
            return stopped
        again = partial(self._hand_over, tools, edition, mails, starts=False)
        return go_through_waves(tools, _id(edition), again)

    def _hand_over(
        self, tools: Tools, edition: Edition, mails: Mapping[str, Mail], *, starts: bool = True
    ) -> Stopped | None:
        edition_id = _id(edition)
        with self._store.hold(HOLD) as is_alone:
            self._ledger.reap(edition_id, now=self._clock.now(), is_alone=is_alone)
            state = self._ledger.state(edition_id)
            if state != EditionState.SENDING and not (
                starts and self._ledger.change_state(edition_id, RUNNING, EditionState.SENDING)
            ):
                raise UsageError(
                    f"Edition {edition.period.label} is {state}; nothing was handed over.",
                    hint="See: digest delivery status",
                )
            holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
            stopped = Run(tools, edition, mails, holder=holder).run()
            if stopped is None or stopped.kind != "interrupted":
                self._ledger.finish(edition_id)  # what can be settled without a person is
            return stopped

    def send_test(self, label: str, variant: Variant, addresses: Sequence[str]) -> Outcome:
        """Hand over the variant to these addresses as a test that no ledger counts.

        Raises:
            TransportError: The provider did not take it.
        """
        letter = self._settings.newsletter
        test = mail(letter, label, variant, is_test=True)
        return send_test(self._transport, test, addresses, now=self._clock.now())

    # What a person may do

    def cancel(self, edition: Edition) -> DeliveryReport:
        """Hand over no more of it, and call back at the provider what is not released yet.

        An edition that nobody gets is cancelled, and its articles come back; one that somebody
        gets is done.

        Raises:
            UsageError: It is not planned, or there is nothing left to cancel.
            HeldElsewhere: A run still hands over the batches in flight; it is paused meanwhile.
        """
        edition_id = _id(edition)
        if edition.state not in HAS_DELIVERIES - {EditionState.CANCELLED}:
            raise UsageError(
                f"Edition {edition.period.label} is {edition.state}; there is nothing to cancel.",
                hint="See: digest edition list",
            )
        self._require_transport(edition)
        # A run that is under way ends with the batches in flight.
        self._ledger.change_state(edition_id, RUNNING, EditionState.PAUSED)
        with self._hold_after_pause(edition) as is_alone:
            now = self._clock.now()
            self._ledger.reap(edition_id, now=now, is_alone=is_alone)
            for batch, attempt in self._ledger.unknown(edition_id):
                if call_back(self._transport, self._clock, attempt):
                    self._ledger.settle(
                        batch.id,
                        attempt.number,
                        AttemptOutcome.FENCED,
                        by="cancel",
                        note="",
                        now=now,
                    )
            _readers, held = self._ledger.cancel(edition_id, now=now)
            for attempt in held:
                if call_back(self._transport, self._clock, attempt):
                    self._ledger.recall(attempt, now=now)
            if not self._ledger.may_have_reached(edition_id):
                states = RUNNING | {EditionState.DONE, EditionState.ATTENTION}
                self._ledger.change_state(edition_id, states, EditionState.CANCELLED)
            else:
                self._ledger.finish(edition_id)
        return self._ledger.report(edition)

    def ask(self, edition: Edition) -> None:
        """Look for evidence about the unknown batches, and settle what it proves.

        Raises:
            HeldElsewhere: A run is handing over, and settles them itself.
            ConfigError: The edition was planned with another transport.
        """
        mails = self._mails(edition)
        asker = Asker(self._ledger, self._transport, self._tokens, self._clock)
        with self._store.hold(HOLD):
            for batch, attempt in self._ledger.unknown(_id(edition)):
                asker.ask(batch, attempt, mails[batch.variant], _id(edition))
            self._ledger.finish(_id(edition))

    def settle(
        self, edition: Edition, batch_id: int, outcome: AttemptOutcome, *, by: str, note: str
    ) -> None:
        """Settle an unknown batch by a person's decision, which stays on record.

        Raises:
            UsageError: The batch is not unknown.
            HeldElsewhere: A run is handing over and may be settling it itself.
        """
        edition_id = _id(edition)
        with self._store.hold(HOLD):
            found = {batch.id: attempt for batch, attempt in self._ledger.unknown(edition_id)}
            attempt = found.get(batch_id)
            now = self._clock.now()
            if attempt is None or not self._ledger.settle(
                batch_id, attempt.number, outcome, by=by, note=note, now=now
            ):
                raise UsageError(
                    f"Batch {batch_id} of {edition.period.label} is not unknown; nothing was "
                    "changed.",
                    hint="See: digest delivery settle",
                )
            log.info("batch_settled", batch=batch_id, outcome=str(outcome), by="person")
            self._ledger.finish(edition_id)

    # Parts

    @contextmanager
    def _hold_after_pause(self, edition: Edition) -> Iterator[bool]:
        try:
            with self._store.hold(HOLD) as is_alone:
                yield is_alone
        except HeldElsewhere as error:
            raise HeldElsewhere(
                f"Edition {edition.period.label} is paused, and its run finishes the batches in "
                "flight; nothing is cancelled yet.",
                hint="In a moment again: digest delivery cancel",
            ) from error

    def _hold(self) -> dt.timedelta | None:
        minutes = self._settings.sendgrid.hold_minutes
        if not self._transport.can_hold or not minutes:
            return None
        if minutes < SHORTEST_HOLD:
            raise ConfigError(
                f"With sendgrid.hold_minutes = {minutes} nothing could be cancelled in time; "
                "nothing was handed over.",
                hint=f"Set it to {SHORTEST_HOLD} or more, or to 0 for no hold.",
            )
        return dt.timedelta(minutes=minutes)

    def _hold_of(self, edition: Edition) -> dt.timedelta | None:
        """Return how long the planned edition's batches are held, as it was planned."""
        if edition.release_at is None:
            return None
        hold = self._hold()
        if hold is None:
            raise ConfigError(
                f"Edition {edition.period.label} was planned to be held until its release, and "
                "sendgrid.hold_minutes is 0 now; nothing was handed over.",
                hint="Set it as it was, then go on.",
            )
        return hold

    def _require_transport(self, edition: Edition) -> None:
        """Raise unless the edition is for this transport: another one knows nothing of its batches.

        Raises:
            ConfigError: It was planned with another one.
        """
        if edition.transport != self._transport.name:
            raise ConfigError(
                f"Edition {edition.period.label} was planned for {edition.transport!r}, and "
                f"delivery.transport is {self._transport.name!r}; nothing was handed over.",
                hint="Set delivery.transport as it was: another provider knows nothing of it.",
            )

    def _mails(self, edition: Edition) -> Mapping[str, Mail]:
        """Return the frozen variants as mails."""
        self._require_transport(edition)
        label, letter = edition.period.label, self._settings.newsletter
        frozen = self._frozen(edition)
        return {found.key: mail(letter, label, found.variant) for found in frozen}


def _id(edition: Edition) -> int:
    if edition.id is None:
        raise UsageError(
            f"Edition {edition.period.label} is not drafted yet.", hint="digest edition draft"
        )
    return edition.id
