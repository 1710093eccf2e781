"""Whatever a provider answers: nobody gets two, nobody is lost, and a run never goes on blindly."""

import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from digest.errors import TransportError
from digest.model.deliveries import (
    Accepted,
    Handover,
    Outcome,
    Refused,
    Unavailable,
    Unknown,
)
from digest.model.editions import EditionState
from digest.services.brakes import Stopped
from tests.sending import MINUTE, MORNING, SECOND, Desk, address, open_desk

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


def refuse(*numbers: int) -> Callable[[Handover], Outcome | None]:
    """Return a provider's mind that takes no batch with one of these readers in it."""
    bad = {address(number) for number in numbers}

    def answer(handover: Handover) -> Outcome | None:
        is_bad = any(reader.address in bad for reader in handover.readers)
        return Refused(reason="an address is bad", status=400) if is_bad else None

    return answer


def stopped(desk: Desk) -> Stopped:
    found = desk.run()
    assert found is not None
    return found


# Refusals


def test_one_bad_address_among_a_thousand_costs_one_delivery(make: Make) -> None:
    desk = make(batch_size=1000)
    desk.plan(1000)
    desk.provider.answer = refuse(618)
    assert desk.run() is None
    assert len(desk.provider.seen) <= 21
    report = desk.report()
    assert (report.accepted, report.refused, report.state) == (
        999,
        {"an address is bad": 1},
        "done",
    )
    assert address(618) not in desk.provider.copies()
    assert set(desk.provider.copies().values()) == {1}


@pytest.mark.parametrize("in_flight", [1, 2, 4])
def test_bad_address_in_every_batch_stops_nothing(make: Make, in_flight: int) -> None:
    desk = make(batch_size=8, in_flight=in_flight)
    desk.plan(240)
    bad = range(1, 241, 8)
    desk.provider.answer = refuse(*bad)
    assert desk.run() is None
    report = desk.report()
    assert (report.accepted, sum(report.refused.values())) == (210, 30)
    assert set(desk.provider.copies().values()) == {1}


@pytest.mark.parametrize("in_flight", [1, 2])
def test_mail_that_is_refused_to_everybody_stops_the_run(make: Make, in_flight: int) -> None:
    desk = make(batch_size=1000, in_flight=in_flight)
    desk.plan(3000)
    desk.provider.answer = lambda _handover: Refused(reason="the body is bad.", status=400)
    told = stopped(desk)
    assert told.kind == "provider"
    assert told.reason == "The provider refuses the edition to everybody: the body is bad."
    assert len(desk.provider.seen) < 100
    assert desk.edition().state is EditionState.PAUSED
    assert desk.report().pending == 3000
    desk.provider.answer = lambda _handover: None
    assert desk.run() is None
    desk.assert_once_each(3000)


@pytest.mark.parametrize("readers", [1, 2, 5])
def test_small_list_is_not_refused_for_a_fault_of_the_mail(make: Make, readers: int) -> None:
    desk = make(batch_size=1000)
    desk.plan(readers)
    desk.provider.answer = lambda _handover: Refused(reason="the body is bad", status=400)
    assert stopped(desk).kind == "provider"
    assert (desk.report().pending, desk.report().refused) == (readers, {})
    desk.provider.answer = lambda _handover: None
    assert desk.run() is None
    desk.assert_once_each(readers)


@pytest.mark.parametrize("bad", [{1, 2}, {1, 2, 3}, {997, 998}])
def test_neighbours_with_bad_addresses_cost_their_own_deliveries_only(
    make: Make, bad: set[int]
) -> None:
    desk = make(batch_size=1000)
    desk.plan(1000)

    def answer(handover: Handover) -> Outcome | None:
        is_bad = bad & {reader.subscriber_id for reader in handover.readers}
        return Refused(reason="a bad address", status=400) if is_bad else None

    desk.provider.answer = answer
    assert desk.run() is None
    report = desk.report()
    assert (report.accepted, report.refused) == (1000 - len(bad), {"a bad address": len(bad)})


def test_refusal_that_halves_cannot_mend_is_final(make: Make) -> None:
    desk = make()
    desk.plan(20)
    desk.provider.script(Refused(reason="it is too old", can_split=False))
    assert desk.run() is None
    report = desk.report()
    assert (report.accepted, report.refused, report.state) == (10, {"it is too old": 10}, "done")


# Certainly not taken


def test_wrong_key_pauses_and_keeps_everything_planned(make: Make) -> None:
    desk = make(can_hold=True)
    desk.plan(30)
    desk.provider.answer = lambda _handover: Unavailable(
        reason="the key is wrong", needs_person=True
    )
    told = stopped(desk)
    assert (told.kind, told.reason) == ("provider", "The provider takes nothing: the key is wrong.")
    assert desk.edition().state is EditionState.PAUSED
    assert (desk.report().pending, len(desk.provider.seen), desk.waits) == (30, 1, [])
    desk.provider.answer = lambda _handover: None
    assert desk.run() is None
    desk.assert_once_each(30)


@pytest.mark.parametrize("needs_person", [False, True])
def test_nothing_is_claimed_while_no_reservation_is_given(make: Make, needs_person: bool) -> None:
    desk = make(can_hold=True)
    desk.plan(20)
    reserve, failures = desk.provider.book.reserve, [1, 2]

    def sometimes() -> str:
        if failures:
            failures.pop()
            raise TransportError("No id is given.", needs_person=needs_person)
        return reserve()

    desk.provider.reserve = sometimes  # type: ignore[attr-defined]
    for _ in range(2 if needs_person else 0):
        assert stopped(desk).reason == "The provider takes nothing: No id is given."
        assert desk.states() == ["planned", "planned"]
    assert desk.run() is None
    assert {handover.attempt for handover in desk.provider.seen} == {1}
    desk.assert_once_each(20)


@pytest.mark.parametrize("is_interrupted", [False, True])
def test_everybody_waits_as_long_as_the_provider_asks(make: Make, is_interrupted: bool) -> None:
    desk = make(in_flight=2)
    desk.plan(60)
    free_at = MORNING + 7 * MINUTE
    times: list[dt.datetime] = []

    def answer(_handover: Handover) -> Outcome | None:
        times.append(desk.clock.now())
        if len(times) == 3:
            return Unavailable(reason="too many requests", status=429, retry_at=free_at)
        return None

    desk.provider.answer = answer
    if is_interrupted:
        desk.on_wait = desk.stop.set
        assert stopped(desk).kind == "interrupted"
        desk.stop.clear()
        desk.on_wait = lambda: None
    assert desk.run() is None
    assert len(times) == 7
    assert all(time >= free_at for time in times[4:])
    assert len(desk.waits) < 150
    desk.assert_once_each(60)


def test_provider_that_is_away_for_half_an_hour_pauses_the_edition(make: Make) -> None:
    desk = make(in_flight=2)
    desk.plan(40)
    desk.provider.answer = lambda _handover: Unavailable(reason="no connection")
    told = stopped(desk)
    assert told.reason == "The provider has taken nothing for half an hour: no connection."
    assert desk.edition().state is EditionState.PAUSED
    assert desk.report().pending == 40
    assert 30 * MINUTE < desk.clock.now() - MORNING < 33 * MINUTE
    assert len(desk.provider.seen) < 200
    desk.provider.answer = lambda _handover: None
    assert desk.run() is None
    desk.assert_once_each(40)


# Nobody knows


@pytest.mark.parametrize("is_kept", [False, True])
def test_batch_in_doubt_is_cancelled_and_handed_over_again_once(make: Make, is_kept: bool) -> None:
    desk = make(can_hold=True)
    desk.plan(30)
    desk.provider.script(Accepted())
    desk.provider.script(Unknown(reason="no answer", status=502), is_kept=is_kept)
    assert desk.run() is None
    again = [handover for handover in desk.provider.seen if handover.batch == 2]
    assert [handover.attempt for handover in again] == [1, 2]
    assert again[0].reservation != again[1].reservation
    assert desk.clock.now() >= MORNING + MINUTE  # it waited for a late arrival
    desk.assert_once_each(30)
    fenced = [line for line in desk.report().batches if line["attempts"] == 2]
    assert [line["batch"] for line in fenced] == [2]


@pytest.mark.parametrize("is_kept", [False, True])
def test_what_breaks_in_a_transport_is_in_doubt(make: Make, is_kept: bool) -> None:
    desk = make()
    desk.plan(10)

    def fail(handover: Handover) -> None:
        desk.provider.answer = lambda _handover: None
        if is_kept:
            desk.provider.book.submit(handover, now=desk.clock.now())
        raise RuntimeError("reader-1@example.com")

    desk.provider.answer = fail
    assert desk.run() is None
    desk.assert_once_each(10)
    with desk.database.reading() as connection:
        rows = str(connection.exec_driver_sql("SELECT * FROM attempts").all())
    assert "the transport failed (RuntimeError)" in rows
    assert "@example.com" not in rows


def test_without_evidence_a_batch_stays_in_doubt_and_is_not_sent_again(make: Make) -> None:
    desk = make(can_find=False)
    desk.plan(30)
    desk.provider.script(Unknown(reason="no answer"), is_kept=True)
    assert desk.run() is None
    report = desk.report()
    assert (report.accepted, report.unknown, report.state) == (20, 10, "attention")
    assert set(desk.provider.copies().values()) == {1}
    desk.service().ask(desk.edition())
    assert desk.states() == ["unknown", "accepted", "accepted"]
    desk.provider.book.can_find = True
    desk.service().ask(desk.edition())
    desk.assert_once_each(30)


def test_evidence_that_comes_within_a_minute_is_found(make: Make) -> None:
    desk = make(can_find=False)
    desk.plan(10)
    desk.provider.script(Unknown(reason="no answer"), is_kept=True)

    def appear() -> None:
        desk.provider.book.can_find = True

    desk.on_wait = appear
    assert desk.run() is None
    desk.assert_once_each(10)


def test_what_cannot_be_cancelled_in_time_waits_for_evidence(make: Make) -> None:
    desk = make(can_hold=True, can_find=False)
    desk.plan(20)
    desk.provider.script(Unknown(reason="no answer"), is_kept=True)
    desk.provider.cancel = lambda _reservation: False  # type: ignore[attr-defined]
    assert desk.run() is None
    assert desk.clock.now() >= MORNING + 9 * MINUTE
    assert len(desk.waits) < 200
    assert (desk.states(), desk.edition().state) == (["unknown", "accepted"], "attention")
    desk.provider.book.can_find = True
    desk.service().ask(desk.edition())
    desk.assert_once_each(20)


@pytest.mark.parametrize("can_hold", [False, True])
def test_doubt_is_bounded_however_long_the_provider_is_silent(make: Make, can_hold: bool) -> None:
    desk = make(can_hold=can_hold, can_find=False, in_flight=3)
    desk.plan(600)
    held, doubts = [], []

    def silent(handover: Handover) -> Outcome:
        desk.provider.script(Unknown(reason="no answer"), is_kept=handover.batch % 2 == 0)
        return desk.provider.book.submit(handover, now=desk.clock.now())

    def look() -> None:
        held.append(desk.ledger.held_slots(now=desk.clock.now()))
        doubts.append(desk.states().count("unknown"))

    desk.provider.answer = silent
    desk.on_wait = look
    told = stopped(desk)
    assert told.kind == "provider"
    assert desk.edition().state is EditionState.PAUSED
    assert max(held) <= 10
    assert max(*doubts, desk.states().count("unknown")) <= 10
    assert desk.report().pending >= 500
    assert set(desk.provider.copies().values()) <= {1}
    if not can_hold:
        assert told.reason == "Nobody knows of 10 batches whether they were accepted."
        assert len(desk.provider.seen) == 10
        assert stopped(desk).hint == "Settle them before you go on: digest delivery settle"
        assert len(desk.provider.seen) == 10
    desk.provider.answer = lambda _handover: None
    desk.provider.book.can_find = True
    desk.service().ask(desk.edition())
    assert desk.run() is None
    desk.assert_once_each(600)


# Clocks


@pytest.mark.parametrize("can_hold", [False, True])
@pytest.mark.parametrize("hours", [(1, -1), (-1, 1), (1,), (-1,)])
def test_clock_that_jumps_doubles_and_loses_nobody(
    make: Make, hours: tuple[int, ...], can_hold: bool
) -> None:
    desk = make(can_hold=can_hold, in_flight=2)
    desk.plan(120)
    jumps = list(hours)

    def jump(handover: Handover) -> Outcome | None:
        if handover.batch % 3 == 0 and jumps:
            desk.clock.move(dt.timedelta(hours=jumps.pop(0)))
        if handover.batch in (2, 5) and handover.attempt == 1:
            desk.provider.script(Unknown(reason="no answer"), is_kept=handover.batch == 2)
        desk.clock.move(SECOND)
        return None

    desk.provider.answer = jump
    for _ in range(3):
        if desk.edition().state in ("planned", "sending", "paused"):
            desk.run()
    assert set(desk.provider.copies().values()) == {1}
    report = desk.report()
    assert report.accepted + report.unknown == 120
    assert len(desk.provider.copies()) >= report.accepted
