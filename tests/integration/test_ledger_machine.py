"""Whatever happens in whatever order, no delivery goes out twice and everybody is accounted for.

The machine plays the senders, which may die, the provider, which may take what it never answers,
the provider's events, and the people.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from digest.model.deliveries import (
    Accepted,
    Attempt,
    AttemptOutcome,
    BatchState,
    Claim,
    DeliveryEvent,
    Outcome,
    Refused,
    Unavailable,
    Unknown,
    Unsent,
)
from digest.model.editions import WHOLE, Edition, EditionState, FrozenVariant
from digest.services.settling import HELD_AT_ONCE, last_call_of
from digest.storage.database import Database, open_database
from digest.storage.delivery_tables import attempts, batches, deliveries, exclusions
from digest.storage.events import SqlEvents
from digest.storage.ledger import SqlLedger
from digest.storage.store import SqlStore
from digest.storage.subscribers import SqlSubscribers
from digest.testing.factories import make_edition
from tests.editing import add_readers
from tests.sending import MINUTE, MORNING, SECOND, VARIANT, address

LEASE = dt.timedelta(seconds=90)
OUTCOMES = (Accepted, Refused, Unavailable, Unknown, Unsent)
# What the last attempt of a batch in each state came to; those before it let it be tried again.
AGAIN = {"unavailable", "unsent", "fenced", "resent"}
LAST = {
    "planned": AGAIN | {"none"},
    "claimed": {"open"},
    "accepted": {"accepted"},
    "refused": {"refused"},
    "unknown": {"unknown"},
    "abandoned": {"abandoned"},
    "cancelled": AGAIN | {"none"},
    "split": {"refused"},
}
DECISIONS = (AttemptOutcome.ACCEPTED, AttemptOutcome.ABANDONED, AttemptOutcome.RESENT)

# States in which a batch stays, whatever happens.
FINAL = frozenset(
    {BatchState.REFUSED, BatchState.ABANDONED, BatchState.CANCELLED, BatchState.SPLIT}
)


@dataclass
class Try:
    """A hand-over as the provider sees it: still on its way, taken, or never to arrive."""

    claim: Claim
    is_under_way: bool = True
    is_taken: bool = False


class LedgerMachine(RuleBasedStateMachine):
    database: Database
    edition: Edition

    @initialize(
        readers=st.integers(4, 12),
        size=st.integers(1, 4),
        hold=st.booleans(),
        left=st.integers(0, 2),
    )
    def plan(self, readers: int, size: int, hold: bool, left: int) -> None:
        self.database = open_database("sqlite://")
        self.ledger, self.events = SqlLedger(self.database), SqlEvents(self.database)
        self.subscribers = SqlSubscribers(self.database)
        add_readers(self.database, [()] * readers)
        if left:
            add_readers(self.database, [()] * left, state="left")
        draft = make_edition(0, state=EditionState.APPROVED)
        store = SqlStore(self.database)
        self.edition = store.freeze(draft, [FrozenVariant(key=WHOLE, variant=VARIANT)])
        self.number = self.edition.id or 0
        self.now, self.hold, self.readers = MORNING, hold, readers + left
        release_at = MORNING + 20 * MINUTE if hold else None
        self.ledger.plan(self.edition, is_monthly=False, size=size, release_at=release_at)
        self.ledger.change_state(self.number, ["planned"], "sending")
        self.tries: dict[tuple[int, int], Try] = {}
        self.answering: list[Claim] = []  # whose senders live
        self.cancelled: set[str] = set()  # reservations
        self.resent: list[int] = []  # readers, once for each second copy that a person allowed
        self.gone: set[int] = set()
        self.final: dict[int, str] = {}

    def teardown(self) -> None:
        if hasattr(self, "database"):
            self.database.close()

    # Senders

    @rule(times=st.integers(1, 3))
    def claim(self, times: int) -> None:
        for _ in range(times):
            self.claim_one()

    def claim_one(self) -> None:
        is_sending = self.ledger.state(self.number) == "sending"
        release_at = self.now + 20 * MINUTE if self.hold else None
        claim = self.ledger.claim(
            self.number,
            holder="one",
            reservation=f"r-{len(self.tries)}" if self.hold else "",
            release_at=release_at,
            now=self.now,
            lease=LEASE,
        )
        assert claim is None or is_sending
        if claim is not None and claim.readers:
            assert not self.gone & {number for number, _, _ in claim.readers}
            assert (claim.batch_id, claim.attempt) not in self.tries
            self.tries[claim.batch_id, claim.attempt] = Try(claim)
            self.answering.append(claim)

    @rule(
        answers=st.lists(
            st.tuples(st.integers(0, 9), st.sampled_from(OUTCOMES), st.booleans()),
            min_size=1,
            max_size=6,
        )
    )
    def answer_some(self, answers: list[tuple[int, Any, bool]]) -> None:
        for place, kind, arrives in answers:
            self.answer(place, kind, arrives)

    def answer(self, place: int, kind: Any, arrives: bool) -> None:
        if not self.answering:
            self.claim_one()
        if not self.answering:
            return
        claim = self.answering.pop(place % len(self.answering))
        one = self.tries[claim.batch_id, claim.attempt]
        if arrives:
            self.arrive(one)
        if one.is_taken and kind is not Unknown:
            kind = Accepted  # a provider does not deny what it took
        elif not one.is_under_way and kind is Accepted:
            kind = Refused
        outcome: Outcome = Accepted() if kind is Accepted else Unsent()
        if kind not in (Accepted, Unsent):
            outcome = kind(reason="so it says")
        if kind is Accepted:
            self.arrive(one)
        elif kind is not Unknown:
            one.is_under_way = False
        if isinstance(outcome, Refused) and self.ledger.split(claim, outcome, now=self.now):
            return
        self.ledger.record(claim, outcome, now=self.now)

    @rule(arrives=st.booleans())
    def crash(self, arrives: bool) -> None:
        self.claim_one()
        for claim in self.answering:
            if arrives:
                self.arrive(self.tries[claim.batch_id, claim.attempt])
        self.answering.clear()
        self.ledger.reap(self.number, now=self.now, is_alone=True)

    @precondition(lambda self: self.tries)
    @rule()
    def sleep_through_the_lease(self) -> None:
        self.now += LEASE + SECOND
        self.ledger.reap(self.number, now=self.now, is_alone=False)

    @precondition(lambda self: self.tries)
    @rule(minutes=st.integers(-2, 12))
    def pass_time(self, minutes: int) -> None:
        self.now += minutes * MINUTE

    # The provider

    def arrive(self, one: Try) -> None:
        one.is_taken, one.is_under_way = one.is_taken or one.is_under_way, False

    def goes_out(self, one: Try) -> bool:
        return one.is_taken and one.claim.reservation not in self.cancelled

    @precondition(lambda self: self.tries)
    @rule(place=st.integers(0, 9))
    def take_what_is_under_way(self, place: int) -> None:
        tries = list(self.tries.values())
        self.arrive(tries[-1 - place % len(tries)])

    @precondition(lambda self: self.tries)
    @rule(place=st.integers(0, 9))
    def report_an_event(self, place: int) -> None:
        out = [
            one
            for one in self.tries.values()
            if self.goes_out(one) and (one.claim.release_at or self.now) <= self.now
        ]
        if not out:
            return
        claim = out[-1 - place % len(out)].claim
        event = DeliveryEvent(
            key=f"{claim.batch_id}-{claim.attempt}",
            kind="delivered",
            at=self.now,
            address="",
            edition_id=self.number,
            batch_id=claim.batch_id,
            attempt=claim.attempt,
            subscriber_id=claim.readers[0][0],
        )
        self.events.fold(0, [event], now=self.now, is_last=True)

    def cancel_reservation(self, attempt: Attempt) -> bool:
        last_call = last_call_of(attempt)
        if last_call is None or self.now > last_call:
            return False
        self.cancelled.add(attempt.reservation)
        return True

    # Settling

    def settle(self, attempt: Attempt, outcome: AttemptOutcome) -> bool:
        return self.ledger.settle(
            attempt.batch_id, attempt.number, outcome, by="test", note="", now=self.now
        )

    @precondition(lambda self: self.tries)
    @rule()
    def fence(self) -> None:
        for _, attempt in self.ledger.unknown(self.number):
            is_full = self.ledger.held_slots(now=self.now) >= HELD_AT_ONCE
            if not is_full and self.cancel_reservation(attempt):
                assert self.settle(attempt, AttemptOutcome.FENCED)

    @precondition(lambda self: self.tries)
    @rule()
    def look_for_evidence(self) -> None:
        for _, attempt in self.ledger.unknown(self.number):
            one = self.tries[attempt.batch_id, attempt.number]
            if self.goes_out(one):
                assert self.settle(attempt, AttemptOutcome.ACCEPTED)
            elif not one.is_under_way:
                assert self.settle(attempt, AttemptOutcome.FENCED)

    @precondition(lambda self: self.ledger.unknown(self.number))
    @rule(outcome=st.sampled_from(DECISIONS))
    def decide(self, outcome: AttemptOutcome) -> None:
        _, attempt = self.ledger.unknown(self.number)[-1]
        assert self.settle(attempt, outcome)
        if outcome is AttemptOutcome.RESENT:
            claim = self.tries[attempt.batch_id, attempt.number].claim
            self.resent += [number for number, _, _ in claim.readers]
            self.ledger.change_state(self.number, ["attention", "done"], "paused")

    # People

    @precondition(lambda self: self.tries)
    @rule(stays=st.integers(0, 3))
    def pause(self, stays: int) -> None:
        self.ledger.change_state(self.number, ["sending"], "paused")
        self.claim_one()
        if stays:
            self.ledger.change_state(self.number, ["paused"], "sending")

    @precondition(lambda self: self.tries)
    @rule()
    def finish(self) -> None:
        self.ledger.finish(self.number)
        if self.ledger.state(self.number) == "done":
            report = self.ledger.report(self.edition)
            assert (report.unknown, report.pending) == (0, 0)

    @precondition(lambda self: len(self.tries) > 3)
    @rule()
    def cancel(self) -> None:
        if self.ledger.change_state(self.number, ["sending", "paused"], "paused"):
            _, held = self.ledger.cancel(self.number, now=self.now)
            for attempt in held:
                if self.cancel_reservation(attempt):
                    assert self.ledger.recall(attempt, now=self.now)
                    self.final[attempt.batch_id] = "cancelled"

    @precondition(lambda self: len(self.gone) < 2)
    @rule(number=st.integers(1, 12), how=st.sampled_from(["leave", "erase"]))
    def leave(self, number: int, how: str) -> None:
        if self.subscribers.subscriber_by_id(number) is not None:
            self.gone.add(number)
            if how == "erase":
                self.subscribers.erase(address(number), hashed=f"h{number}", now=self.now)
            else:
                self.subscribers.set_left(number, by="reader", now=self.now)

    # What always holds

    @invariant()
    def nobody_gets_two_unless_a_person_said_so(self) -> None:
        copies = [
            number
            for one in self.tries.values()
            if self.goes_out(one)
            for number, _, _ in one.claim.readers
        ]
        for number in set(copies):
            assert copies.count(number) <= 1 + self.resent.count(number)

    @invariant()
    def everybody_is_accounted_for(self) -> None:
        report = self.ledger.report(self.edition)
        assert report.is_balanced
        assert report.candidates == self.readers

    @invariant()
    def every_reader_is_planned_or_excluded_and_in_one_batch(self) -> None:
        with self.database.reading() as connection:
            planned = list(connection.execute(sa.select(deliveries.c.subscriber_id)).scalars())
            excluded = list(connection.execute(sa.select(exclusions.c.subscriber_id)).scalars())
            parts = connection.execute(
                sa.select(batches).where(batches.c.state != str(BatchState.SPLIT))
            ).all()
        assert sorted(planned + excluded) == list(range(1, self.readers + 1))
        for number in planned:
            assert sum(part.first_id <= number <= part.last_id for part in parts) == 1

    @invariant()
    def attempts_increase_and_one_at_most_is_accepted(self) -> None:
        with self.database.reading() as connection:
            query = sa.select(attempts.c.batch_id, attempts.c.number, attempts.c.outcome)
            rows = connection.execute(query.order_by(attempts.c.batch_id, attempts.c.number)).all()
            found = connection.execute(
                sa.select(batches.c.id, batches.c.attempt, batches.c.state)
            ).all()
        for batch in found:
            tries = [row for row in rows if row.batch_id == batch.id]
            assert [row.number for row in tries] == list(range(1, batch.attempt + 1))
            assert (tries[-1].outcome if tries else "none") in LAST[batch.state]
            assert all(row.outcome in AGAIN for row in tries[:-1])
            assert sum(row.outcome == AttemptOutcome.ACCEPTED for row in tries) <= 1
        assert {(row.batch_id, row.number) for row in rows} >= set(self.tries)

    @invariant()
    def what_is_final_stays_so(self) -> None:
        with self.database.reading() as connection:
            states = dict(connection.execute(sa.select(batches.c.id, batches.c.state)).all())
        for batch, state in self.final.items():
            assert states[batch] == state
        self.final = {batch: state for batch, state in states.items() if state in FINAL}


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(max_examples=20, stateful_step_count=40, deadline=None)


@pytest.mark.long
class TestLedgerMachineForLong(LedgerMachine.TestCase):
    settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
