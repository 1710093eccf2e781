"""Each reader's own time: the one edition at seven of every reader's clock, whatever happens."""

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from digest.errors import HeldElsewhere
from digest.model.deliveries import Handover, Outcome, Unknown
from digest.model.editions import EditionState
from digest.settings import ScheduleSettings
from digest.storage.database import open_database
from digest.testing.clock import FrozenClock
from digest.testing.transports import MemoryTransport
from tests.editing import add_readers
from tests.scheduled import HOUR, MINUTE, World
from tests.sending import Crash, Desk, address, open_desk

LOCAL = "mon 07:00 local"
STEP = 10 * MINUTE  # between two looks of the schedule
MONDAY = dt.date(2026, 11, 30)
WEEK_ENDS = dt.datetime(2026, 11, 29, 17, tzinfo=dt.UTC)
ZONES = (
    *("", "Pacific/Kiritimati", "Pacific/Auckland", "Australia/Lord_Howe", "Asia/Kathmandu"),
    *("Europe/Kyiv", "Europe/Berlin", "Europe/London", "America/Sao_Paulo", "America/St_Johns"),
    *("America/New_York", "America/Los_Angeles", "Pacific/Pago_Pago", "Etc/GMT+12"),
)


class Timed(MemoryTransport):
    """Notes when each reader gets their mail."""

    def __init__(self, clock: FrozenClock, *, can_hold: bool) -> None:
        super().__init__(clock, can_hold=can_hold)
        self.got: dict[str, dt.datetime] = {}

    def submit(self, handover: Handover, *, now: dt.datetime) -> Outcome:
        for reader in handover.readers:
            assert reader.address not in self.got
            self.got[reader.address] = handover.release_at or now
        return super().submit(handover, now=now)


class Passing(threading.Event):
    """A stop that nobody sets; while somebody waits for it, time passes at once."""

    def __init__(self, clock: FrozenClock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        self._clock.move(dt.timedelta(seconds=timeout or 0))
        return self.is_set()


Make = Callable[..., World]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Make a world with two readers in each zone, whose edition is approved when its week ends."""
    databases = []

    def world(hold_minutes: int, **rules: Any) -> World:
        database = open_database(f"sqlite:///{tmp_path}/{len(databases)}.db")
        databases.append(database)
        for zone in ZONES:
            add_readers(database, [(), ()], timezone=zone)
        clock = FrozenClock(WEEK_ENDS - 9 * HOUR)
        found = World(database, clock, {"send": LOCAL} | rules, hold_minutes=hold_minutes)
        found.provider = Timed(clock, can_hold=hold_minutes > 0)
        schedule = found.process()
        found.until("2026-11-29T17:00", schedule)
        if found.rules.get("unattended") != "send":
            found.approve("2026-W48")
        return found

    yield world
    for database in databases:
        database.close()


def tick(world: World, service: Any = None) -> None:
    (service or world.process()).tick(Passing(world.clock))
    world.clock.move(STEP)


def got(world: World) -> dict[str, list[dt.datetime]]:
    """Return by zone when its readers get it."""
    assert isinstance(world.provider, Timed)
    times = world.provider.got
    numbers = {zone: (2 * n + 1, 2 * n + 2) for n, zone in enumerate(ZONES)}
    return {
        zone: [times[address(number)] for number in some if address(number) in times]
        for zone, some in numbers.items()
    }


def own_time(zone: str) -> dt.datetime:
    return dt.datetime.combine(MONDAY, dt.time(7), ZoneInfo(zone or "Europe/Berlin"))


@pytest.mark.parametrize("hold_minutes", [0, 20])
@pytest.mark.parametrize("is_one_process", [True, False])
def test_every_reader_gets_it_once_at_their_own_seven_o_clock(
    make: Make, hold_minutes: int, is_one_process: bool
) -> None:
    world = make(hold_minutes)
    service = world.process() if is_one_process else None
    states = set()
    while world.clock.now() < WEEK_ENDS + 27 * HOUR:
        tick(world, service)
        states.add(world.states()["2026-W48"])
    assert states == {"sending", "done"}
    for zone, times in got(world).items():
        assert len(times) == 2
        late = max(at - own_time(zone) for at in times)
        if zone == "Pacific/Kiritimati":  # there it is seven when the week ends
            assert dt.timedelta() <= late <= hold_minutes * MINUTE + STEP
        else:
            assert dt.timedelta() <= late <= (dt.timedelta() if hold_minutes else STEP)
    report = world.process()._parts.ledger.report(world.editions()["2026-W48"])
    assert (report.is_balanced, report.accepted, report.candidates) == (True, 28, 28)
    assert world.told == [("drafted", "2026-W48"), ("sent", "2026-W48")]
    actions = [entry.action for entry in world.audit.entries()]
    assert (actions.count("planned"), actions.count("sending")) == (1, 1)


def test_edition_that_is_approved_late_goes_at_once_to_those_whose_time_has_passed(
    make: Make,
) -> None:
    world = make(20)
    editions, _freezer = world.desk()
    editions.hold("2026-W48", reason="Wait.", now=world.clock.now())
    world.clock.move(dt.timedelta(hours=15))
    approved_at = world.clock.now()
    world.approve("2026-W48")
    while world.states()["2026-W48"] != "done":
        tick(world)
    for zone, times in got(world).items():
        assert set(times) == {max(own_time(zone), approved_at + 20 * MINUTE)}


def test_nobody_needs_to_have_approved_it_before_the_newsletters_own_time(make: Make) -> None:
    world = make(0)
    editions, freezer = world.desk()
    freezer.reopen("2026-W48", now=world.clock.now())
    editions.draft("2026-W48", now=world.clock.now())
    while world.clock.now() < own_time(""):
        tick(world)
        assert world.states() == {"2026-W48": "draft"}
    assert ("waiting", "2026-W48") in world.told
    tick(world)
    assert world.states() == {"2026-W48": "held"}


def test_by_the_rule_it_is_approved_for_the_first_wave(make: Make) -> None:
    world = make(0, unattended="send")
    assert world.states() == {"2026-W48": "sending"}
    assert [zone for zone, times in got(world).items() if times] == ["Pacific/Kiritimati"]


def test_pause_between_waves_delays_those_whose_time_it_was_and_nobody_else(make: Make) -> None:
    world = make(0)
    while world.clock.now() < own_time("Asia/Kathmandu") + HOUR:
        tick(world)
    number = world.editions()["2026-W48"].id or 0
    ledger = world.process()._parts.ledger
    assert ledger.change_state(number, ["sending"], "paused")
    while world.clock.now() < own_time("Europe/London") + 3 * STEP:
        tick(world)
    resumed_at = world.clock.now()
    assert ledger.change_state(number, ["paused"], "sending")
    while world.states()["2026-W48"] != "done":
        tick(world)
    for zone, times in got(world).items():
        late = max(at - own_time(zone) for at in times)
        is_delayed = zone in ("", "Europe/Kyiv", "Europe/Berlin", "Europe/London")
        assert (late >= 3 * STEP) is is_delayed
        assert not is_delayed or set(times) == {resumed_at}


# One run that stays


def local_desk(*, can_hold: bool, url: str = "sqlite://") -> Desk:
    """Return a desk that has planned an edition for ten readers each in three zones in a row."""
    desk = open_desk(url, can_hold=can_hold)
    desk.schedule = ScheduleSettings(send=LOCAL)
    desk.clock.move(-2 * HOUR)  # 04:00 UTC
    for zone in ("Europe/London", "Europe/Kyiv", ""):
        add_readers(desk.database, [()] * 10, timezone=zone)
    desk.plan(0)
    return desk


def hours(desk: Desk) -> list[int]:
    """Return the hours in UTC at which batches went out, in the order of acceptance."""
    return [
        kept.handover.release_at.hour if kept.handover.release_at else 0
        for kept in desk.provider.book.sent()
    ]


@pytest.mark.parametrize("can_hold", [True, False])
def test_a_run_stays_until_the_last_wave_is_handed_over(can_hold: bool) -> None:
    desk = local_desk(can_hold=can_hold)
    assert desk.run() is None
    desk.assert_once_each(30)
    ahead = 25 * MINUTE if can_hold else dt.timedelta()
    assert desk.clock.now() == dt.datetime(2026, 11, 30, 7, tzinfo=dt.UTC) - ahead
    desk.clock.move(HOUR)
    assert hours(desk) == ([5, 6, 7] if can_hold else [0, 0, 0])


def test_others_may_send_between_two_waves() -> None:
    desk = local_desk(can_hold=True)
    free = []

    def look() -> None:
        try:
            with desk.store.hold("send"):
                free.append(len(desk.provider.seen))
        except HeldElsewhere:
            pass

    desk.on_wait = look
    assert desk.run() is None
    assert {1, 2} <= set(free)
    desk.assert_once_each(30)


def test_run_that_is_stopped_or_paused_between_waves_says_so_and_can_go_on() -> None:
    desk = local_desk(can_hold=True)

    def pause() -> None:
        if len(desk.provider.seen) == 1:
            desk.pause()

    desk.on_wait = pause
    stopped = desk.run()
    assert stopped is not None
    assert (stopped.kind, desk.report().pending) == ("paused", 20)
    desk.on_wait = lambda: desk.stop.set() if len(desk.provider.seen) == 2 else None
    stopped = desk.run()
    assert stopped is not None
    assert (stopped.kind, desk.report().pending) == ("interrupted", 10)
    assert desk.edition().state is EditionState.SENDING
    desk.stop.clear()
    desk.on_wait = lambda: None
    assert desk.run() is None
    desk.assert_once_each(30)


def test_cancelled_between_waves_nobody_else_gets_it() -> None:
    desk = local_desk(can_hold=False)
    desk.on_wait = lambda: desk.stop.set() if len(desk.provider.seen) == 2 else None
    desk.run()
    report = desk.service().cancel(desk.edition())
    assert (report.accepted, report.cancelled, report.state) == (20, 10, "done")


@pytest.mark.parametrize("wave", [1, 2, 3])
@pytest.mark.parametrize("is_crash", [True, False])
def test_batch_of_a_wave_in_doubt_is_fenced_before_its_own_release(
    tmp_path: Path, wave: int, is_crash: bool
) -> None:
    desk = local_desk(can_hold=True, url=f"sqlite:///{tmp_path}/waves.db")

    def after(_handover: Handover) -> None:
        if is_crash and len(desk.provider.seen) == wave:
            raise Crash

    if is_crash:
        desk.provider.after = after
        with pytest.raises(Crash):
            desk.run()
    else:

        def answer(handover: Handover) -> Outcome | None:
            if len(desk.provider.seen) != wave:
                return None
            desk.provider.book.script(Unknown(reason="cut off"), is_kept=True)
            return desk.provider.book.submit(handover, now=desk.clock.now())

        desk.provider.answer = answer
    assert desk.run() is None
    desk.assert_once_each(30)
    desk.clock.move(HOUR)
    assert sorted(hours(desk)) == [5, 6, 7]
    desk.database.close()


def test_who_was_planned_moves_no_more_and_who_is_in_no_known_zone_is_of_the_newsletters() -> None:
    desk = open_desk(can_hold=True)
    desk.schedule = ScheduleSettings(send=LOCAL)
    desk.clock.move(-2 * HOUR)
    add_readers(desk.database, [(), ()], timezone="Moon/Tranquility")
    desk.plan(0)
    assert desk.edition().release_at == dt.datetime(2026, 11, 30, 6, tzinfo=dt.UTC)
    assert desk.run() is None
    desk.assert_once_each(2)
