"""What every Ledger promises about batches. Subclass it with a fixture `stores` of an empty one."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from digest.model.deliveries import (
    Accepted,
    AttemptOutcome,
    Claim,
    Outcome,
    Refused,
    Unavailable,
    Unknown,
    Unsent,
)
from digest.model.editions import Edition
from digest.model.subscribers import SuppressionReason
from digest.testing.contracts.events import Stores
from digest.testing.contracts.planning import (
    DAY,
    LEASE,
    MINUTE,
    SECOND,
    add_readers,
    approve,
    batches,
    claim,
    claimed,
    id_of,
    number_of,
    plan,
    reader,
    start,
    suppress,
)
from digest.testing.factories import NOON

RELEASE = NOON + 20 * MINUTE
BAD = Refused(reason="one is bad", status=400)
ANSWERS: tuple[tuple[Outcome, str], ...] = (
    (Accepted(reference="m-1", status=202), "accepted"),
    (BAD, "refused"),
    (Unavailable(reason="closed", status=429, retry_at=NOON + MINUTE), "planned"),
    (Unknown(reason="no answer", status=502), "unknown"),
    (Unsent(), "planned"),
)
DECISIONS = (
    (AttemptOutcome.ACCEPTED, "accepted"),
    (AttemptOutcome.FENCED, "planned"),
    (AttemptOutcome.RESENT, "planned"),
    (AttemptOutcome.ABANDONED, "abandoned"),
)


def in_doubt(stores: Stores, readers: int = 3) -> tuple[Edition, Claim]:
    """Bring an edition of one batch to where nobody knows of it."""
    edition = start(stores, readers)
    found = claimed(stores, edition)
    assert stores.ledger.record(found, Unknown(reason="no answer"), now=NOON + SECOND)
    return edition, found


class LedgerContract:
    """The promises that `digest.ports.Ledger` makes about batches and attempts."""

    # Claiming

    def test_each_batch_is_claimed_once_in_the_order_of_the_plan(self, stores: Stores) -> None:
        edition = start(stores, 10, size=4)
        found = [claimed(stores, edition) for _ in range(3)]
        assert claim(stores, edition) is None
        names = [name for part in found for _, _, name in part.readers]
        assert names == [f"Name{number}" for number in range(1, 11)]
        assert {(part.attempt, part.lease_until_at) for part in found} == {(1, NOON + LEASE)}
        assert batches(stores, edition) == [("claimed", 4), ("claimed", 4), ("claimed", 2)]

    def test_many_who_claim_at_once_get_different_batches(self, stores: Stores) -> None:
        edition = start(stores, 40, size=2)

        def take(_number: int) -> list[Claim]:
            return [part for _ in range(6) if (part := claim(stores, edition))]

        with ThreadPoolExecutor(4) as pool:
            found = [part for some in pool.map(take, range(4)) for part in some]
        assert len(found) == len({part.batch_id for part in found}) == 20
        assert len({address for part in found for _, address, _ in part.readers}) == 40

    @pytest.mark.parametrize("state", ["planned", "paused", "cancelled", "done", "attention"])
    def test_only_an_edition_that_is_being_sent_is_claimed(
        self, stores: Stores, state: str
    ) -> None:
        edition = start(stores, 3)
        assert stores.ledger.change_state(number_of(edition), ["sending"], state)
        assert claim(stores, edition) is None
        assert not stores.ledger.change_state(number_of(edition), ["sending"], "paused")
        assert batches(stores, edition) == [("planned", 3)]
        assert stores.ledger.change_state(number_of(edition), [state], "sending")
        assert claimed(stores, edition).attempt == 1

    def test_batch_waits_as_long_as_the_provider_asked(self, stores: Stores) -> None:
        edition = start(stores, 3)
        assert stores.ledger.next_wait(number_of(edition)) is not None
        busy = Unavailable(reason="busy", retry_at=NOON + MINUTE)
        stores.ledger.record(claimed(stores, edition), busy, now=NOON)
        assert stores.ledger.next_wait(number_of(edition)) == NOON + MINUTE
        assert claim(stores, edition, now=NOON + MINUTE - SECOND) is None
        assert claimed(stores, edition, now=NOON + MINUTE).attempt == 2
        assert stores.ledger.next_wait(number_of(edition)) == NOON + MINUTE + LEASE

    def test_who_is_gone_since_the_plan_is_in_no_claim(self, stores: Stores) -> None:
        edition = start(stores, 6, size=10)
        stores.subscribers.set_left(id_of(stores, reader(1).key), by="reader", now=NOON)
        suppress(stores, 2, SuppressionReason.COMPLAINED)
        assert stores.subscribers.erase(reader(3).key, hashed="h", now=NOON) == 1
        found = claimed(stores, edition)
        assert [name for _, _, name in found.readers] == ["Name4", "Name5", "Name6"]
        assert stores.ledger.readers_of(found.batch_id, limit=2) == list(found.readers[:2])
        stores.ledger.record(found, Accepted(), now=NOON)
        report = stores.ledger.report(edition)
        assert report.withdrawn == {"left": 1, "complained": 1, "erased": 1}
        assert (report.accepted, report.planned, report.is_balanced) == (3, 6, True)

    def test_batch_that_everybody_left_is_settled_without_a_hand_over(self, stores: Stores) -> None:
        edition = start(stores, 3)
        for number in (1, 2, 3):
            suppress(stores, number, SuppressionReason.MANUAL)
        found = claimed(stores, edition)
        assert not found.readers
        assert not stores.ledger.record(found, Unknown(reason="?"), now=NOON)
        report = stores.ledger.report(edition)
        assert (report.accepted, report.withdrawn) == (0, {"manual": 3})
        assert report.is_balanced
        assert stores.ledger.finish(number_of(edition))
        assert stores.ledger.state(number_of(edition)) == "done"

    # Recording

    @pytest.mark.parametrize(("outcome", "state"), ANSWERS)
    @pytest.mark.parametrize("is_late", [False, True])
    def test_answer_moves_its_batch_once(
        self, stores: Stores, outcome: Outcome, state: str, is_late: bool
    ) -> None:
        edition = start(stores, 3)
        found = claimed(stores, edition)
        if is_late:
            assert stores.ledger.reap(number_of(edition), now=NOON, is_alone=True) == 1
        for other in (replace(found, attempt=2), replace(found, batch_id=found.batch_id + 9)):
            assert not stores.ledger.record(other, outcome, now=NOON)
        assert batches(stores, edition) == [("unknown" if is_late else "claimed", 3)]
        assert stores.ledger.record(found, outcome, now=NOON)
        assert batches(stores, edition) == [(state, 3)]
        if state != "unknown":
            assert not stores.ledger.record(found, Accepted(), now=NOON)
            assert batches(stores, edition) == [(state, 3)]

    @pytest.mark.parametrize("state", ["fenced", "accepted", "abandoned", "resent"])
    @pytest.mark.parametrize("is_claimed_again", [False, True])
    def test_answer_to_a_try_that_was_settled_meanwhile_changes_nothing(
        self, stores: Stores, state: str, is_claimed_again: bool
    ) -> None:
        edition, found = in_doubt(stores)
        assert stores.ledger.settle(found.batch_id, 1, state, by="x", note="", now=NOON)
        if is_claimed_again:
            claim(stores, edition)
        before = stores.ledger.report(edition)
        for outcome, _ in ANSWERS:
            assert not stores.ledger.record(found, outcome, now=NOON)
        assert not stores.ledger.split(found, BAD, now=NOON)
        assert stores.ledger.report(edition) == before

    # Splitting

    @pytest.mark.parametrize("is_late", [False, True])
    def test_halves_of_a_refused_batch_come_next_with_all_its_readers(
        self, stores: Stores, is_late: bool
    ) -> None:
        edition = start(stores, 12, size=5)
        found = claimed(stores, edition)
        if is_late:
            stores.ledger.reap(number_of(edition), now=NOON, is_alone=True)
        assert stores.ledger.split(found, BAD, now=NOON)
        assert not stores.ledger.split(found, BAD, now=NOON)
        assert not stores.ledger.record(found, Accepted(), now=NOON)
        halves = [claimed(stores, edition) for _ in range(2)]
        assert [len(half.readers) for half in halves] == [2, 3]
        assert [*halves[0].readers, *halves[1].readers] == list(found.readers)
        assert {half.attempt for half in halves} == {1}
        assert len(claimed(stores, edition).readers) == 5
        report = stores.ledger.report(edition)
        assert (report.pending, report.is_balanced) == (12, True)

    def test_batch_of_one_reader_is_not_split(self, stores: Stores) -> None:
        edition = start(stores, 1)
        found = claimed(stores, edition)
        assert not stores.ledger.split(found, BAD, now=NOON)
        assert stores.ledger.record(found, BAD, now=NOON)
        assert stores.ledger.report(edition).refused == {"one is bad": 1}

    # Taking over

    def test_claim_is_taken_over_when_its_lease_is_over(self, stores: Stores) -> None:
        edition = start(stores, 10, size=4)
        number = number_of(edition)
        claimed(stores, edition, holder="gone")
        claimed(stores, edition, holder="alive", now=NOON + MINUTE)
        end = NOON + LEASE
        assert stores.ledger.reap(number, now=end, is_alone=False) == 0
        assert stores.ledger.reap(number, now=end + SECOND, is_alone=False) == 1
        assert stores.ledger.reap(number + 1, now=end + DAY, is_alone=True) == 0
        assert stores.ledger.reap(number, now=end + DAY, is_alone=False, holder="alive") == 0
        assert batches(stores, edition) == [("unknown", 4), ("claimed", 4), ("planned", 2)]
        assert stores.ledger.reap(number, now=NOON, is_alone=True) == 1
        [_, (batch, attempt)] = stores.ledger.unknown(number)
        assert (batch.readers, batch.attempt, batch.state) == (4, 1, "unknown")
        assert (attempt.outcome, attempt.finished_at) == ("unknown", NOON)

    # Settling

    @pytest.mark.parametrize(("outcome", "state"), DECISIONS)
    def test_batch_in_doubt_is_settled_once_and_by_whom_is_on_record(
        self, stores: Stores, outcome: AttemptOutcome, state: str
    ) -> None:
        edition, found = in_doubt(stores)
        settle = stores.ledger.settle
        assert not settle(found.batch_id, 2, outcome, by="Ana", note="", now=NOON)
        assert not settle(found.batch_id + 9, 1, outcome, by="Ana", note="", now=NOON)
        assert settle(found.batch_id, 1, outcome, by="Ana", note="she asked", now=NOON)
        assert not settle(found.batch_id, 1, AttemptOutcome.ACCEPTED, by="Ben", note="", now=NOON)
        assert batches(stores, edition) == [(state, 3)]
        [line] = stores.ledger.report(edition).batches
        assert (line["settled_by"], line["reason"]) == ("Ana", "she asked")
        if state == "planned":
            assert claimed(stores, edition).attempt == 2

    @pytest.mark.parametrize(("outcome", "state"), [*ANSWERS[:3], (None, "claimed")])
    def test_only_a_batch_in_doubt_is_settled(
        self, stores: Stores, outcome: Outcome | None, state: str
    ) -> None:
        edition = start(stores, 3)
        found = claimed(stores, edition)
        if outcome is not None:
            stores.ledger.record(found, outcome, now=NOON)
        settle = stores.ledger.settle
        for decision, _ in DECISIONS:
            if state != "accepted" or decision != AttemptOutcome.FENCED:
                assert not settle(found.batch_id, 1, decision, by="Ana", note="", now=NOON)
        assert batches(stores, edition) == [(state, 3)]
        assert stores.ledger.unknown(number_of(edition)) == []

    def test_certain_cancellation_counts_more_than_an_answer_that_came_late(
        self, stores: Stores
    ) -> None:
        edition = start(stores, 3)
        found = claimed(stores, edition)
        stores.ledger.record(found, Accepted(reference="late"), now=NOON)
        fenced = AttemptOutcome.FENCED
        assert stores.ledger.settle(found.batch_id, 1, fenced, by="fence", note="", now=NOON)
        assert batches(stores, edition) == [("planned", 3)]
        assert stores.ledger.report(edition).is_balanced

    def test_cancelled_hand_over_takes_a_place_until_its_release(self, stores: Stores) -> None:
        edition = start(stores, 9, size=3)
        for reservation in ("r-1", "r-2", ""):
            found = claimed(stores, edition, reservation=reservation, release_at=RELEASE)
            stores.ledger.record(found, Unknown(reason="?"), now=NOON)
            assert stores.ledger.settle(found.batch_id, 1, "fenced", by="x", note="", now=NOON)
            stores.ledger.record(claimed(stores, edition), Accepted(), now=NOON)
        assert stores.ledger.held_slots(now=NOON) == 2
        assert stores.ledger.held_slots(now=RELEASE - SECOND) == 2
        assert stores.ledger.held_slots(now=RELEASE) == 0

    def test_edition_ends_when_nothing_is_open(self, stores: Stores) -> None:
        edition = start(stores, 8, size=4)
        number = number_of(edition)
        assert not stores.ledger.finish(number)
        first, second = claimed(stores, edition), claimed(stores, edition)
        assert not stores.ledger.finish(number)
        stores.ledger.record(first, Accepted(), now=NOON)
        stores.ledger.record(second, Unknown(reason="?"), now=NOON)
        assert stores.ledger.finish(number)
        assert stores.ledger.state(number) == "attention"
        assert not stores.ledger.finish(number)
        stores.ledger.settle(second.batch_id, 1, "abandoned", by="Ana", note="", now=NOON)
        assert stores.ledger.finish(number)
        assert stores.ledger.state(number) == "done"
        assert stores.ledger.next_wait(number) is None

    # Cancelling

    def test_what_is_planned_is_cancelled_and_what_is_held_is_called_back(
        self, stores: Stores
    ) -> None:
        edition = start(stores, 15, size=3)
        number = number_of(edition)
        held = claimed(stores, edition, release_at=RELEASE)
        out = claimed(stores, edition, release_at=NOON - SECOND)
        at_once = claimed(stores, edition, reservation="")
        for part in (held, out, at_once):
            stores.ledger.record(part, Accepted(), now=NOON)
        claimed(stores, edition)
        readers, attempts = stores.ledger.cancel(number, now=NOON)
        assert readers == 3
        [attempt] = attempts
        assert (attempt.batch_id, attempt.reservation) == (held.batch_id, "r-1")
        assert not stores.ledger.recall(replace(attempt, number=2), now=NOON)
        assert stores.ledger.recall(attempt, now=NOON)
        assert not stores.ledger.recall(attempt, now=NOON)
        assert stores.ledger.cancel(number, now=NOON) == (0, [])
        report = stores.ledger.report(edition)
        assert (report.cancelled, report.accepted, report.pending) == (6, 6, 3)
        assert report.is_balanced
        assert stores.ledger.held_slots(now=NOON) == 1
        assert claim(stores, edition) is None

    # The pace

    def test_slots_follow_each_other_for_everybody(self, stores: Stores) -> None:
        take, delay = stores.ledger.take_slot, stores.ledger.delay_slot
        assert take(100, rate=50, now=NOON) == NOON
        assert take(50, rate=50, now=NOON) == NOON + 2 * SECOND
        assert take(50, rate=50, now=NOON + SECOND) == NOON + 3 * SECOND
        assert take(0, rate=1, now=NOON + MINUTE) == NOON + MINUTE
        delay(NOON + 5 * MINUTE)
        delay(NOON + 2 * MINUTE)
        assert take(50, rate=50, now=NOON + MINUTE) == NOON + 5 * MINUTE

    def test_handed_over_is_what_was_taken_or_may_have_been(self, stores: Stores) -> None:
        edition = start(stores, 15, size=3)
        since = stores.ledger.handed_over_since
        parts = [claimed(stores, edition) for _ in range(4)]
        answers: tuple[Outcome, ...] = (Accepted(), Unknown(reason="?"), Unsent())
        for part, outcome in zip(parts, answers, strict=False):
            stores.ledger.record(part, outcome, now=NOON)
        assert since(NOON) == 9  # accepted, unknown and one without an answer yet
        stores.ledger.record(parts[3], Accepted(), now=NOON + SECOND)
        assert since(NOON) == 9
        assert since(NOON + SECOND) == 3

    def test_editions_do_not_touch_each_other(self, stores: Stores) -> None:
        first, second = start(stores, 3), approve(stores, week=1)
        add_readers(stores, 1, first=4)
        plan(stores, second)
        stores.ledger.change_state(number_of(second), ["planned"], "sending")
        found = claimed(stores, second)
        stores.ledger.record(found, Unknown(reason="?"), now=NOON)
        assert batches(stores, first) == [("planned", 3)]
        assert stores.ledger.unknown(number_of(first)) == []
        assert stores.ledger.cancel(number_of(first), now=NOON)[0] == 3
        assert batches(stores, second) == [("unknown", 4)]
