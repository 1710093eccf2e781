"""What could double or lose somebody although every single step is right."""

import datetime as dt
from collections.abc import Callable, Iterator

import pytest

from digest.errors import ConfigError, HeldElsewhere, NotApproved
from digest.model.deliveries import (
    Accepted,
    AttemptOutcome,
    Handover,
    Outcome,
    Refused,
    Unknown,
)
from digest.model.editions import EditionState
from digest.services.sending import HOLD
from tests.sending import MINUTE, Desk, open_desk

Make = Callable[..., Desk]


@pytest.fixture
def make() -> Iterator[Make]:
    desks: list[Desk] = []

    def open_one(**rules: object) -> Desk:
        desks.append(open_desk(**rules))  # type: ignore[arg-type]
        return desks[-1]

    yield open_one
    for desk in desks:
        desk.database.close()


def lose_first_answer(desk: Desk) -> None:
    """Let the provider take the first batch and say nothing of it."""

    def answer(handover: Handover) -> Outcome | None:
        if len(desk.provider.seen) > 1:
            return None
        desk.provider.book.submit(handover, now=desk.clock.now())
        return Unknown(reason="the connection broke")

    desk.provider.answer = answer


def test_yes_to_a_cancellation_that_this_process_slept_through_fences_nothing(make: Make) -> None:
    desk = make(can_hold=True, can_find=False)
    desk.plan(5)
    lose_first_answer(desk)

    def sleeps(_reservation: str) -> bool:
        desk.clock.move(12 * MINUTE)
        return True  # as the provider says, also when it is too late

    desk.provider.book.cancel = sleeps  # type: ignore[method-assign]
    desk.run()
    assert set(desk.provider.copies().values()) == {1}
    assert desk.report().unknown == 5


def test_edition_called_back_too_late_is_not_cancelled(make: Make) -> None:
    desk = make(can_hold=True)
    desk.plan(5)
    assert desk.run() is None

    def sleeps(_reservation: str) -> bool:
        desk.clock.move(12 * MINUTE)
        return True

    desk.provider.book.cancel = sleeps  # type: ignore[method-assign]
    report = desk.service().cancel(desk.edition())
    assert (report.accepted, report.cancelled, report.state) == (5, 0, "done")


def test_another_provider_is_not_asked_about_batches_it_knows_nothing_of(make: Make) -> None:
    desk = make(can_hold=True)
    desk.plan(5)
    desk.provider.book.name = "another"
    with pytest.raises(ConfigError, match="planned for 'memory'"):
        desk.run()
    for act in (desk.service().ask, desk.service().cancel):
        with pytest.raises(ConfigError, match="planned for 'memory'"):
            act(desk.edition())
    assert desk.report().pending == 5
    assert not desk.provider.seen


def test_edition_planned_with_a_hold_does_not_go_at_once(make: Make) -> None:
    desk = make(can_hold=True)
    desk.plan(5)
    desk.hold_minutes = 0
    with pytest.raises(ConfigError, match="hold_minutes is 0 now"):
        desk.run()
    assert not desk.provider.seen


def test_hold_too_short_to_cancel_anything_is_refused(make: Make) -> None:
    desk = make(can_hold=True)
    desk.hold_minutes = 11
    with pytest.raises(ConfigError, match="hold_minutes = 11") as told:
        desk.plan(5)
    assert "15 or more" in told.value.hint
    assert desk.edition().state is EditionState.APPROVED


def test_list_that_grew_after_it_was_confirmed_is_not_planned(make: Make) -> None:
    desk = make()
    edition = desk.approve(20)
    with pytest.raises(NotApproved, match="20 readers would get it, and 10 were expected"):
        desk.service().plan(edition, release_at=None, expected=10)
    assert desk.edition().state is EditionState.APPROVED
    assert desk.report().planned == 0


def test_answer_that_comes_after_the_fence_loses_nobody(make: Make) -> None:
    """A sleeper records its yes while another run cancels that very try."""
    desk = make(can_hold=True)
    desk.plan(5)
    lose_first_answer(desk)
    cancel = desk.provider.book.cancel

    def late(reservation: str) -> bool:
        is_cancelled = cancel(reservation)
        [(batch, attempt)] = desk.ledger.unknown(desk.edition().id or 0)
        accepted = AttemptOutcome.ACCEPTED
        desk.ledger.settle(
            batch.id, attempt.number, accepted, by="late", note="", now=desk.clock.now()
        )
        return is_cancelled

    desk.provider.book.cancel = late  # type: ignore[method-assign]
    assert desk.run() is None
    desk.assert_once_each(5)
    assert desk.report().accepted == 5


def test_nobody_settles_beside_a_run(make: Make) -> None:
    desk = make(can_hold=True)
    desk.plan(5)
    edition = desk.edition()
    with desk.store.hold(HOLD):
        with pytest.raises(HeldElsewhere):
            desk.service().ask(edition)
        with pytest.raises(HeldElsewhere):
            desk.service().settle(edition, 1, AttemptOutcome.RESENT, by="Ana", note="")


def test_edition_that_somebody_may_have_is_not_cancelled(make: Make) -> None:
    desk = make(can_find=False)
    desk.plan(5)
    lose_first_answer(desk)
    desk.run()
    [(batch, _)] = desk.ledger.unknown(desk.edition().id or 0)
    desk.service().settle(desk.edition(), batch.id, AttemptOutcome.RESENT, by="Ana", note="")
    report = desk.service().cancel(desk.edition())
    assert (report.cancelled, report.state) == (5, "done")


def test_ten_cancelled_batches_pause_an_edition_that_is_long_from_its_release(make: Make) -> None:
    desk = make(can_hold=True)
    service = desk.service()
    edition = desk.approve(5)
    service.plan(edition, release_at=desk.clock.now() + dt.timedelta(days=2))

    def answer(handover: Handover) -> Outcome | None:
        desk.provider.book.submit(handover, now=desk.clock.now())
        return Unknown(reason="the connection broke")

    desk.provider.answer = answer
    told = desk.run()
    assert told is not None
    assert told.kind == "provider"
    assert "10 cancelled batches" in told.reason
    assert desk.edition().state is EditionState.PAUSED
    desk.provider.answer = lambda _handover: None
    desk.clock.move(dt.timedelta(days=2, minutes=1))
    assert desk.run() is None
    desk.assert_once_each(5)


def test_single_reader_is_refused_for_good_once_the_mail_was_accepted(make: Make) -> None:
    desk = make(batch_size=1)
    desk.plan(3)
    desk.provider.answer = lambda handover: (
        Refused(reason="a bad address", status=400) if handover.batch == 1 else Accepted()
    )
    assert desk.run() is None
    assert (desk.report().accepted, desk.report().refused) == (2, {"a bad address": 1})
