"""The provider in memory behaves like one, as far as its script lets it."""

import datetime as dt
from collections import Counter

import pytest

from digest.model.deliveries import Accepted, Evidence, Outcome, Refused, Unavailable, Unknown
from digest.model.subscribers import Suppression, SuppressionReason
from digest.testing.clock import FrozenClock
from digest.testing.factories import NOON, make_handover
from digest.testing.transports import MemoryTransport

HOUR = dt.timedelta(hours=1)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOON)


@pytest.fixture
def transport(clock: FrozenClock) -> MemoryTransport:
    return MemoryTransport(clock, can_hold=True)


@pytest.mark.parametrize(
    ("outcome", "is_kept", "copies"),
    [
        (Accepted(status=202), False, 1),
        (Refused(reason="one is bad"), True, 0),
        (Unavailable(reason="closed"), True, 0),
        (Unknown(reason="no answer"), True, 1),
        (Unknown(reason="no answer"), False, 0),
    ],
)
def test_it_answers_by_the_script_and_keeps_what_that_allows(
    transport: MemoryTransport, outcome: Outcome, is_kept: bool, copies: int
) -> None:
    transport.script(outcome, is_kept=is_kept)
    handover = make_handover(1)
    assert transport.submit(handover, now=NOON) == outcome
    assert transport.copies()["2026-W48", "reader1@example.com"] == copies
    found = transport.find(handover, now=NOON)
    assert found is (Evidence.ACCEPTED if copies else Evidence.NOT_ACCEPTED)


def test_after_its_script_it_takes_everything(transport: MemoryTransport) -> None:
    transport.script(Unavailable(reason="closed"))
    outcomes = [transport.submit(make_handover(1), now=NOON) for _ in range(3)]
    assert [isinstance(outcome, Accepted) for outcome in outcomes] == [False, True, True]


def test_it_takes_a_batch_twice_like_a_real_provider(transport: MemoryTransport) -> None:
    for attempt in (1, 2):
        transport.submit(make_handover(2, attempt=attempt), now=NOON)
    transport.submit(make_handover(2, is_test=True), now=NOON)
    assert transport.copies() == Counter(
        {("2026-W48", "reader1@example.com"): 2, ("2026-W48", "reader2@example.com"): 2}
    )


def test_what_has_gone_out_cannot_be_cancelled(
    transport: MemoryTransport, clock: FrozenClock
) -> None:
    early, late = transport.reserve(), transport.reserve()
    for reservation in (early, late):
        handover = make_handover(1, reservation=reservation, release_at=NOON + HOUR)
        transport.submit(handover, now=NOON)
    assert transport.cancel(early)
    clock.move(HOUR)
    assert not transport.cancel(late)
    assert transport.cancel(early)
    assert [kept.handover.reservation for kept in transport.sent()] == [late]


def test_it_finds_nothing_when_it_is_told_not_to(clock: FrozenClock) -> None:
    transport = MemoryTransport(clock, can_find=False)
    transport.submit(make_handover(1), now=NOON)
    assert transport.find(make_handover(1), now=NOON) is Evidence.NONE


def test_it_tells_the_suppressions_that_it_was_given(transport: MemoryTransport) -> None:
    for hours in (-1, 0):
        transport.suppressions.append(
            Suppression(
                address="gone@example.com",
                key="gone@example.com",
                reason=SuppressionReason.BOUNCED,
                origin="memory",
                since_at=NOON + hours * HOUR,
            )
        )
    assert len(list(transport.suppressed(None))) == 2
    assert list(transport.suppressed(NOON)) == transport.suppressions[1:]
