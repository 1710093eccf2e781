"""A run that dies at any point leaves what the next one puts right."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from digest.errors import UsageError
from digest.model.deliveries import AttemptOutcome, Handover, Outcome, Refused, Unknown
from tests.sending import Crash, Desk, address, open_desk

READERS = 25  # three batches


class Crashing:
    """A ledger or a provider that dies before or after its call number `at`."""

    def __init__(self, inner: Any, at: int, *, is_after: bool) -> None:
        self._inner, self._at, self._is_after = inner, at, is_after
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return self._counted(found) if callable(found) else found

    def _counted(self, found: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            self.calls += 1
            if self.calls == self._at and not self._is_after:
                raise Crash
            result = found(*arguments, **named)
            if self.calls == self._at:
                raise Crash
            return result

        return call


def trouble(desk: Desk) -> None:
    """Let the provider refuse one reader, and leave one batch in doubt."""
    is_answered = False

    def answer(handover: Handover) -> Outcome | None:
        nonlocal is_answered
        if any(reader.address == address(7) for reader in handover.readers):
            return Refused(reason="an address is bad", status=400)
        if handover.batch == 2 and not is_answered:
            is_answered = True
            desk.provider.book.submit(handover, now=desk.clock.now())
            return Unknown(reason="no answer")
        return None

    desk.provider.answer = answer


@pytest.fixture
def planned(tmp_path: Path) -> Callable[[bool], Desk]:
    """Make a desk with a planned edition; the plan is made once and copied."""

    def open_copy(can_hold: bool) -> Desk:
        template, copy = (tmp_path / f"{name}-{can_hold}.db" for name in ("template", "copy"))
        if not template.exists():
            desk = open_desk(f"sqlite:///{template}", can_hold=can_hold)
            desk.plan(READERS)
            desk.database.close()
        for old in tmp_path.glob("copy-*"):
            old.unlink()
        shutil.copy(template, copy)
        return open_desk(f"sqlite:///{copy}", can_hold=can_hold, settle_seconds=4)

    return open_copy


def crashing_desks(
    planned: Callable[[bool], Desk],
    *,
    in_provider: bool,
    is_after: bool,
    can_hold: bool,
    every: int = 1,
) -> Iterator[Desk]:
    """Yield a desk for each call at which a run may die, after it died there."""
    at = 0
    while True:
        at += every
        desk = planned(can_hold)
        trouble(desk)
        provider = desk.provider
        inner = provider if in_provider else desk.ledger
        crashing = Crashing(inner, at, is_after=is_after)
        try:
            if in_provider:
                desk.provider = crashing  # type: ignore[assignment]
                desk.run()
            else:
                desk.run(ledger=crashing)
        except Crash:
            desk.provider = provider
            yield desk
            desk.database.close()
            continue
        desk.database.close()
        assert at > 5
        return


@pytest.mark.parametrize("can_hold", [False, True])
@pytest.mark.parametrize("is_after", [False, pytest.param(True, marks=pytest.mark.long)])
@pytest.mark.parametrize("in_provider", [False, True])
def test_run_that_dies_at_any_call_is_finished_by_the_next(
    planned: Callable[[bool], Desk], in_provider: bool, is_after: bool, can_hold: bool
) -> None:
    for desk in crashing_desks(
        planned, in_provider=in_provider, is_after=is_after, can_hold=can_hold
    ):
        assert desk.report().is_balanced
        if desk.edition().state not in ("done", "attention"):
            assert desk.run() is None
        report = desk.report()
        assert (report.accepted, report.refused) == (READERS - 1, {"an address is bad": 1})
        copies = desk.provider.copies()
        assert (len(copies), set(copies.values())) == (READERS - 1, {1})


@pytest.mark.parametrize("is_after", [False, True])
def test_run_that_dies_twice_is_finished_by_the_third(
    planned: Callable[[bool], Desk], is_after: bool
) -> None:
    for desk in crashing_desks(
        planned, in_provider=False, is_after=is_after, can_hold=True, every=3
    ):
        ledger = Crashing(desk.ledger, 9, is_after=not is_after)
        with contextlib.suppress(Crash, UsageError):
            desk.run(ledger=ledger)
        if desk.edition().state != "done":
            assert desk.run() is None
        assert set(desk.provider.copies().values()) == {1}
        assert desk.report().accepted == READERS - 1


def test_crash_without_fence_or_evidence_is_left_to_a_person() -> None:
    desk = open_desk(can_find=False, in_flight=2)
    desk.plan(30)

    def die(handover: Handover) -> None:
        if handover.batch == 2:
            raise Crash

    desk.provider.after = die
    with pytest.raises(Crash):
        desk.run()
    assert "claimed" in desk.states()
    desk.provider.after = lambda _handover: None
    assert desk.run() is None
    report = desk.report()
    assert report.state == "attention"
    assert (report.accepted + report.unknown, report.pending) == (30, 0)
    assert report.unknown in (10, 20)
    assert set(desk.provider.copies().values()) == {1}
    desk.database.close()


# What a person may decide


@pytest.fixture
def doubtful() -> Iterator[Desk]:
    """A desk with a batch of ten in doubt, which the provider took, and an accepted one."""
    desk = open_desk(can_find=False)
    desk.plan(20)
    desk.provider.script(Unknown(reason="no answer"), is_kept=True)
    assert desk.run() is None
    assert desk.edition().state == "attention"
    yield desk
    desk.database.close()


def settle(desk: Desk, outcome: AttemptOutcome, batch: int = 1) -> None:
    desk.service().settle(desk.edition(), batch, outcome, by="Ana", note="looked at the logs")


def decided(desk: Desk) -> tuple[object, ...]:
    with desk.database.reading() as connection:
        query = "SELECT settled_by, reason FROM attempts WHERE batch_id = 1 AND number = 1"
        return tuple(connection.exec_driver_sql(query).one())


@pytest.mark.parametrize("outcome", [AttemptOutcome.ACCEPTED, AttemptOutcome.ABANDONED])
def test_decision_of_a_person_ends_the_edition_and_stays_on_record(
    doubtful: Desk, outcome: AttemptOutcome
) -> None:
    settle(doubtful, outcome)
    report = doubtful.report()
    is_accepted = outcome is AttemptOutcome.ACCEPTED
    assert (report.accepted, report.abandoned) == ((20, 0) if is_accepted else (10, 10))
    assert (report.unknown, report.state) == (0, "done")
    assert decided(doubtful) == ("Ana", "looked at the logs")
    assert set(doubtful.provider.copies().values()) == {1}


def test_person_who_hands_over_again_accepts_two_copies(doubtful: Desk) -> None:
    settle(doubtful, AttemptOutcome.RESENT)
    assert (doubtful.edition().state, doubtful.states()) == ("paused", ["planned", "accepted"])
    assert doubtful.run() is None
    assert decided(doubtful) == ("Ana", "looked at the logs")
    copies = doubtful.provider.copies()
    assert [copies[address(number)] for number in (1, 10, 11, 20)] == [2, 2, 1, 1]
    assert (doubtful.report().accepted, doubtful.edition().state) == (20, "done")


@pytest.mark.parametrize("batch", [2, 3, 0, -1])
def test_only_a_batch_in_doubt_is_decided(doubtful: Desk, batch: int) -> None:
    before = doubtful.report()
    with pytest.raises(UsageError, match="is not unknown; nothing was changed"):
        settle(doubtful, AttemptOutcome.ACCEPTED, batch)
    assert doubtful.report() == before


def test_decision_is_made_once(doubtful: Desk) -> None:
    settle(doubtful, AttemptOutcome.ABANDONED)
    with pytest.raises(UsageError):
        settle(doubtful, AttemptOutcome.RESENT)
    assert doubtful.report().abandoned == 10
