"""A run hands every batch over once, and ends when nothing is left to do."""

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from digest.errors import HeldElsewhere, NothingToSend, UsageError
from digest.model.deliveries import Accepted, Handover, Outcome, Unknown
from digest.model.editions import EditionState
from digest.storage.delivery_tables import subscribers
from digest.storage.subscribers import SqlSubscribers
from digest.testing.factories import make_edition
from tests.sending import HOUR, MINUTE, MORNING, SECOND, Desk, address, open_desk

Make = Callable[..., Desk]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    desks: list[Desk] = []

    def call(**options: object) -> Desk:
        desks.append(open_desk(f"sqlite:///{tmp_path}/{len(desks)}.db", **options))
        return desks[-1]

    yield call
    for desk in desks:
        desk.database.close()


@pytest.mark.parametrize("in_flight", [1, 3])
@pytest.mark.parametrize("can_hold", [False, True])
def test_every_reader_gets_it_once_and_the_account_says_so(
    make: Make, can_hold: bool, in_flight: int
) -> None:
    desk = make(can_hold=can_hold, in_flight=in_flight)
    desk.plan(45)
    assert desk.run() is None
    desk.assert_once_each(45)
    assert (sorted(desk.progress), desk.waits) == ([5, 10, 10, 10, 10], [])
    with pytest.raises(UsageError, match="is done; nothing was handed over"):
        desk.run()
    desk.assert_once_each(45)


def test_provider_gets_what_identifies_the_try_and_when_to_release_it(make: Make) -> None:
    desk = make(can_hold=True)
    edition = desk.plan(20)
    assert edition.release_at == MORNING + 20 * MINUTE
    desk.run()
    first, second = desk.provider.seen
    assert (first.reservation, second.reservation) == ("reservation-1", "reservation-2")
    assert {handover.release_at for handover in desk.provider.seen} == {edition.release_at}
    assert {handover.edition_id for handover in desk.provider.seen} == {edition.id}
    tokens = {reader.token for handover in desk.provider.seen for reader in handover.readers}
    assert len(tokens) == 20


def test_late_batch_is_released_as_late_as_the_fence_needs(make: Make) -> None:
    desk = make(can_hold=True)
    desk.plan(10)
    desk.clock.move(3 * HOUR)
    desk.run()
    [handover] = desk.provider.seen
    assert handover.release_at == MORNING + 3 * HOUR + 20 * MINUTE


def test_edition_due_days_ahead_is_refused_with_a_hold_only(make: Make) -> None:
    desk = make(can_hold=True)
    desk.clock.move(dt.timedelta(days=-4))
    edition = make_edition(0)
    with pytest.raises(UsageError, match="takes no mail so early; nothing was planned"):
        desk.service().release_at(edition, may_hold=True)
    assert desk.service().release_at(edition, may_hold=False) is None
    assert make().service().release_at(edition, may_hold=True) is None


def test_edition_without_readers_is_not_planned(make: Make) -> None:
    with pytest.raises(NothingToSend, match="There is no reader"):
        make().plan(0)


def test_claim_is_on_disk_before_anything_reaches_the_provider(make: Make) -> None:
    desk = make(can_hold=True, in_flight=2)
    desk.plan(30)
    engine = sa.create_engine(desk.database.engine.url)
    seen = []

    def look(handover: Handover) -> None:
        with engine.connect() as other:
            query = "SELECT outcome, reservation FROM attempts WHERE batch_id = :b AND number = :n"
            keys = {"b": handover.batch, "n": handover.attempt}
            [row] = other.execute(sa.text(query), keys).all()
            seen.append(tuple(row) == ("open", handover.reservation))

    desk.provider.answer = look
    desk.run()
    engine.dispose()
    assert seen == [True] * 3
    desk.assert_once_each(30)


def test_reader_who_left_after_the_plan_gets_nothing(make: Make) -> None:
    desk = make()
    desk.plan(30)
    readers = SqlSubscribers(desk.database)

    def leave(handover: Handover) -> Outcome | None:
        if handover.batch == 1:  # while the first batch is on its way
            readers.set_left(12, by="reader", now=MORNING)
            readers.erase(address(13), hashed="h", now=MORNING)
            for number in range(21, 31):
                readers.set_left(number, by="reader", now=MORNING)
        return None

    desk.provider.answer = leave
    assert desk.run() is None
    assert sorted(desk.provider.copies()) == sorted(
        address(number) for number in range(1, 21) if number not in (12, 13)
    )
    report = desk.report()
    assert (report.accepted, report.withdrawn) == (18, {"left": 11, "erased": 1})
    assert len(desk.provider.seen) == 2  # nothing is handed over for a batch that all have left


def test_reader_who_changed_the_address_gets_it_there(make: Make) -> None:
    desk = make()
    desk.plan(10)
    with desk.database.writing() as connection:
        values = {"address": "new@example.com", "key": "new@example.com"}
        connection.execute(sa.update(subscribers).where(subscribers.c.id == 3).values(values))
    desk.run()
    assert address(3) not in desk.provider.copies()
    assert desk.provider.copies()["new@example.com"] == 1


def test_hand_over_that_wakes_up_late_sends_nothing(make: Make) -> None:
    desk = make(can_hold=True)
    desk.plan(20)
    sleeps = [31 * SECOND, 2 * HOUR]

    def sleep(_handover: Handover) -> None:
        if sleeps:  # between the claim and the request
            desk.clock.move(sleeps.pop(0))

    desk.provider.answer = sleep
    assert desk.run() is None
    assert [handover.attempt for handover in desk.provider.seen] == [1, 2, 3, 1]
    desk.assert_once_each(20)
    assert "unsent" in outcomes(desk)


def outcomes(desk: Desk) -> list[str]:
    with desk.database.reading() as connection:
        query = sa.text("SELECT outcome FROM attempts ORDER BY batch_id, number")
        return list(connection.execute(query).scalars())


def test_second_run_in_one_process_is_refused_and_harmless(make: Make) -> None:
    desk = make()
    desk.plan(30)
    refused = []

    def another(_handover: Handover) -> None:
        with pytest.raises(HeldElsewhere) as told:
            desk.run()
        refused.append(told.value)

    desk.provider.answer = another
    assert desk.run() is None
    assert len(refused) == 3
    desk.assert_once_each(30)


# Pausing and stopping


def test_pause_bites_before_the_next_batch_and_resume_goes_on(make: Make) -> None:
    desk = make()
    desk.plan(30)

    def pause(handover: Handover) -> None:
        assert desk.pause() is (handover.attempt == handover.batch == 1)

    desk.provider.answer = pause
    stopped = desk.run()
    assert stopped is not None
    assert (stopped.kind, desk.edition().state) == ("paused", EditionState.PAUSED)
    assert desk.states() == ["accepted", "planned", "planned"]
    desk.provider.answer = lambda _handover: None
    assert desk.run() is None
    desk.assert_once_each(30)


def test_interrupted_run_finishes_what_is_in_flight(make: Make) -> None:
    desk = make(in_flight=2)
    desk.plan(50)
    desk.provider.answer = lambda _handover: desk.stop.set()
    stopped = desk.run()
    assert stopped is not None
    assert stopped.kind == "interrupted"
    assert desk.states().count("accepted") == len(desk.provider.seen) <= 2
    assert "claimed" not in desk.states()
    assert desk.edition().state is EditionState.SENDING
    desk.provider.answer = lambda _handover: None
    desk.stop.clear()
    assert desk.run() is None
    desk.assert_once_each(50)


def test_interrupt_after_the_last_batch_stops_nothing(make: Make) -> None:
    desk = make()
    desk.plan(10)
    desk.provider.after = lambda _handover: desk.stop.set()
    assert desk.run() is None
    desk.assert_once_each(10)


def test_interrupt_does_not_wait_for_what_is_in_doubt(make: Make) -> None:
    desk = make(can_hold=True)
    desk.plan(10)
    desk.provider.script(Unknown(reason="no answer"), is_kept=True)
    desk.on_wait = desk.stop.set
    stopped = desk.run()
    assert stopped is not None
    assert (stopped.kind, len(desk.waits), desk.states()) == ("interrupted", 1, ["unknown"])
    desk.stop.clear()
    desk.on_wait = lambda: None
    assert desk.run() is None
    desk.assert_once_each(10)


# Cancelling


def test_cancelled_edition_is_called_back_as_far_as_it_can_be(make: Make) -> None:
    desk = make(can_hold=True)
    desk.plan(40)
    desk.provider.script(Accepted())
    desk.provider.script(Unknown(reason="no answer"), is_kept=True)
    desk.on_wait = desk.stop.set
    desk.run()
    assert desk.states() == ["accepted", "unknown", "planned", "planned"]
    report = desk.service().cancel(desk.edition())
    assert (report.cancelled, report.state, report.is_balanced) == (40, "cancelled", True)
    assert not desk.provider.copies()
    desk.stop.clear()
    with pytest.raises(UsageError, match="is cancelled; nothing was handed over"):
        desk.run()
    with pytest.raises(UsageError, match="nothing to cancel"):
        desk.service().cancel(desk.edition())


@pytest.mark.parametrize(("minutes", "left"), [(8, 0), (9, 0), (10, 10), (30, 10)])
def test_what_is_nearly_released_is_not_called_back(make: Make, minutes: int, left: int) -> None:
    desk = make(can_hold=True)
    desk.plan(30)
    desk.provider.after = lambda _handover: desk.stop.set()
    desk.run()
    desk.clock.move(minutes * MINUTE)  # the provider promises nothing less than ten minutes before
    report = desk.service().cancel(desk.edition())
    assert (report.accepted, report.cancelled) == (left, 30 - left)
    assert report.state == ("done" if left else "cancelled")
    assert len(desk.provider.copies()) == left


def test_edition_is_cancelled_before_anything_was_handed_over(make: Make) -> None:
    desk = make()
    desk.plan(30)
    assert desk.pause()
    report = desk.service().cancel(desk.edition())
    assert (report.cancelled, report.state) == (30, "cancelled")
    assert not desk.provider.seen


def test_cancelling_pauses_a_run_first_and_then_goes_through(make: Make) -> None:
    desk = make()
    desk.plan(20)

    def cancel(_handover: Handover) -> None:
        with pytest.raises(HeldElsewhere, match="is paused, and its run finishes"):
            desk.service().cancel(desk.edition())

    desk.provider.answer = cancel
    stopped = desk.run()
    assert stopped is not None
    assert stopped.kind == "paused"
    report = desk.service().cancel(desk.edition())
    assert (report.accepted, report.cancelled, report.state) == (10, 10, "done")
