"""The timetable: one slot a week, without a gap, and what the clocks do in it."""

import datetime as dt
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.periods import WEEKDAYS
from digest.settings import ScheduleSettings
from digest.timetable import Slot, clock_changes, timetable
from tests.scheduled import ZONES

WEEKLY = st.builds(
    "{} {:02d}:{:02d}".format,
    st.sampled_from(WEEKDAYS),
    st.integers(0, 23),
    st.sampled_from([0, 10, 30, 59]),
)
INSTANTS = st.integers(1_262_304_000, 2_082_758_400).map(
    lambda seconds: dt.datetime.fromtimestamp(seconds, dt.UTC)
)


def slots(now: str, count: int, timezone: str = "Europe/Berlin", **schedule: str) -> list[Slot]:
    moment = dt.datetime.fromisoformat(now).replace(tzinfo=ZoneInfo(timezone))
    rules = ScheduleSettings(**schedule)  # type: ignore[arg-type]
    return list(islice(timetable(moment.astimezone(dt.UTC), rules, timezone), count))


@given(now=INSTANTS, zone=st.sampled_from(ZONES), ends=WEEKLY, sends=WEEKLY)
def test_slots_follow_each_other_without_a_gap_and_go_out_in_order(
    now: dt.datetime, zone: str, ends: str, sends: str
) -> None:
    schedule = ScheduleSettings(period_ends=ends, send=sends)
    found = list(islice(timetable(now, schedule, zone), 60))
    assert all(one.period.end == two.period.start for one, two in pairwise(found))
    # Where a zone leaves out a whole day, two may go at one instant: Samoa had no 2011-12-30.
    assert all(one.send_at <= two.send_at for one, two in pairwise(found))
    assert all(one.send_at < two.send_at for one, two in zip(found, found[2:], strict=False))
    assert len({slot.period.label for slot in found}) == 60
    assert all(slot.send_at >= slot.period.end for slot in found)


def test_weeks_are_numbered_across_a_year_of_53() -> None:
    labels = [slot.period.label for slot in slots("2026-12-22T12:00", 4)]
    assert labels == ["2026-W52", "2026-W53", "2027-W01", "2027-W02"]


@pytest.mark.parametrize(
    ("now", "zone", "schedule", "notes"),
    [
        ("2027-03-24T12:00", "Europe/Berlin", {}, ["forward by 1 hour on Sun 2027-03-28"]),
        ("2027-10-27T12:00", "Europe/Berlin", {}, ["back by 1 hour on Sun 2027-10-31"]),
        ("2027-02-01T12:00", "Europe/Berlin", {}, []),
        (
            "2026-09-30T12:00",
            "Australia/Lord_Howe",
            {"period_ends": "sat 23:00", "send": "sun 02:10"},
            [
                "forward by 30 minutes on Sun 2026-10-04",
                "does not exist that day: it goes at 02:30",
            ],
        ),
        (
            "2027-10-29T12:00",
            "Europe/Berlin",
            {"period_ends": "sat 23:00", "send": "sun 02:30"},
            ["02:30 comes twice that day"],
        ),
    ],
)
def test_slot_says_what_the_clocks_do(
    now: str, zone: str, schedule: dict[str, str], notes: list[str]
) -> None:
    [slot] = slots(now, 1, zone, **schedule)
    assert len(slot.notes) == len(notes)
    assert all(words in note for words, note in zip(notes, slot.notes, strict=True))


def test_week_that_a_changed_setting_makes_shorter_says_so() -> None:
    [old] = slots("2026-11-25T12:00", 1)
    moved = ScheduleSettings(period_ends="wed 12:00")
    now = old.period.end + dt.timedelta(hours=1)
    found = list(islice(timetable(now, moved, "Europe/Berlin", known=[old.period]), 3))
    lengths = [slot.period.end - slot.period.start for slot in found]
    assert lengths[1:] == [dt.timedelta(days=2, hours=18), dt.timedelta(days=7)]
    assert [bool(slot.notes) for slot in found] == [False, True, False]
    assert "Its week has 2 days 18 hours" in found[1].notes[0]


@given(start=INSTANTS, zone=st.sampled_from(ZONES))
def test_changes_of_the_clocks_add_up_to_the_change_of_the_offset(
    start: dt.datetime, zone: str
) -> None:
    end, place = start + dt.timedelta(days=200), ZoneInfo(zone)
    moved = sum((by for _, by in clock_changes(start, end, place)), dt.timedelta())
    before, after = (at.astimezone(place).utcoffset() for at in (start, end))
    assert before is not None
    assert after == before + moved
