"""The week is half-open, has no gap and no overlap, and is numbered one by one."""

import datetime as dt
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from digest.errors import UsageError
from digest.model.editions import Period
from digest.periods import (
    TICK,
    WEEK,
    WEEKDAYS,
    due_period,
    instant,
    is_first_of_month,
    local_send_at,
    period_containing,
    period_labelled,
    send_at,
)
from digest.settings import ScheduleSettings

BERLIN = "Europe/Berlin"
DEFAULT = ScheduleSettings()
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
# Zones whose clocks do what clocks rarely do: change at midnight, by half an hour, twice around
# Ramadan, skip a whole day, or change on any weekday.
ODD_ZONES = (
    "Africa/Casablanca",
    "America/Asuncion",
    "America/Havana",
    "America/Sao_Paulo",
    "Asia/Amman",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kiritimati",
    "Pacific/Honolulu",
    "UTC",
    BERLIN,
)
ZONES = st.sampled_from(ODD_ZONES) | st.sampled_from(sorted(available_timezones() - {"localtime"}))
WEEKLY = st.builds(
    "{} {:02d}:{:02d}".format,
    st.sampled_from(WEEKDAYS),
    st.integers(0, 23),
    st.sampled_from([0, 15, 30, 59]),
)
INSTANTS = st.integers(
    int(dt.datetime(2011, 1, 1, tzinfo=dt.UTC).timestamp() * 1_000_000),
    int(dt.datetime(2037, 1, 1, tzinfo=dt.UTC).timestamp() * 1_000_000),
).map(lambda microseconds: EPOCH + microseconds * TICK)


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def weeks(period_ends: str, send: str = "mon 07:00") -> ScheduleSettings:
    return ScheduleSettings(period_ends=period_ends, send=send)


def test_the_week_ends_on_sunday_evening_of_the_newsletter_and_not_of_the_machine() -> None:
    period = period_containing(utc("2026-11-24T12:00"), DEFAULT, BERLIN)
    assert period == Period(
        start=utc("2026-11-22T17:00"),
        end=utc("2026-11-29T17:00"),
        timezone=BERLIN,
        label="2026-W48",
    )


@pytest.mark.parametrize(
    ("zone", "wall", "expected"),
    [
        (BERLIN, "2026-07-01T18:00", "2026-07-01T16:00"),
        (BERLIN, "2026-03-29T02:30", "2026-03-29T01:00"),  # skipped: the first instant after
        (BERLIN, "2026-10-25T02:30", "2026-10-25T00:30"),  # twice: the first of the two
        ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:30"),  # half an hour skipped
        ("Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T14:45"),  # half an hour twice
        ("Pacific/Apia", "2011-12-30T18:00", "2011-12-30T10:00"),  # a whole day skipped
        ("Pacific/Apia", "2011-12-31T00:00", "2011-12-30T10:00"),
        ("Africa/Casablanca", "2026-03-22T02:30", "2026-03-22T02:00"),
        ("America/Sao_Paulo", "2018-11-04T00:00", "2018-11-04T03:00"),  # midnight skipped
        ("America/Havana", "2026-11-01T00:30", "2026-11-01T04:30"),  # just after midnight, twice
    ],
)
def test_a_wall_time_is_one_instant_also_when_clocks_change(
    zone: str, wall: str, expected: str
) -> None:
    assert instant(dt.datetime.fromisoformat(wall), ZoneInfo(zone)) == utc(expected)


@given(ZONES, WEEKLY, INSTANTS)
@example("Pacific/Apia", "fri 18:00", utc("2011-12-30T09:59:59"))
@example("Pacific/Apia", "fri 18:00", utc("2011-12-30T10:00"))
@example("Asia/Tehran", "mon 00:30", utc("2016-03-20T20:30"))
@example("America/Sao_Paulo", "sun 00:00", utc("2018-11-04T02:59:59.999999"))
@example("America/Havana", "sun 00:30", utc("2026-11-01T05:15"))
@example("Africa/Casablanca", "sun 02:30", utc("2026-03-22T02:00"))
@example("Australia/Lord_Howe", "sun 02:15", utc("2026-10-03T15:30"))
def test_every_instant_is_in_exactly_one_period(zone: str, weekly: str, at: dt.datetime) -> None:
    schedule = weeks(weekly)
    period = period_containing(at, schedule, zone)
    before = period_containing(period.start - TICK, schedule, zone)
    after = period_containing(period.end, schedule, zone)
    assert period.start <= at < period.end
    assert before.end == period.start
    assert after.start == period.end
    assert period_containing(period.start, schedule, zone) == period
    assert period_containing(period.end - TICK, schedule, zone) == period


@given(ZONES, WEEKLY, INSTANTS)
@example("Asia/Tehran", "mon 00:30", utc("2016-03-20T20:30"))
def test_weeks_are_numbered_one_by_one_and_found_by_their_number(
    zone: str, weekly: str, at: dt.datetime
) -> None:
    schedule = weeks(weekly)
    period = period_containing(at, schedule, zone)
    after = period_containing(period.end, schedule, zone)
    assert monday_of(after.label) - monday_of(period.label) == WEEK
    assert period_labelled(period.label, schedule, zone) == period


def monday_of(label: str) -> dt.datetime:
    return dt.datetime.strptime(label + "-1 +0000", "%G-W%V-%u %z")


@given(ZONES, INSTANTS)
def test_the_label_is_the_iso_week_of_the_last_day_inside(zone: str, at: dt.datetime) -> None:
    period = period_containing(at, DEFAULT, zone)
    last_day = (period.end - TICK).astimezone(ZoneInfo(zone)).date()
    assert period.label == f"{last_day:%G-W%V}"


@pytest.mark.parametrize(
    ("weekly", "at", "label"),
    [
        ("mon 00:00", "2026-11-29T12:00", "2026-W48"),  # ends with Sunday
        ("mon 00:15", "2026-11-29T12:00", "2026-W49"),  # has a quarter of an hour of Monday
        ("sun 18:00", "2027-01-03T12:00", "2026-W53"),
        ("sun 18:00", "2027-01-03T17:00", "2027-W01"),
    ],
)
def test_a_week_is_named_by_the_day_it_ends_in(weekly: str, at: str, label: str) -> None:
    assert period_containing(utc(at), weeks(weekly), BERLIN).label == label


@given(st.sampled_from(sorted(available_timezones() - {"localtime"})), st.integers(2015, 2036))
def test_a_week_of_any_zone_lasts_a_week_give_or_take_a_clock_change(zone: str, year: int) -> None:
    at = dt.datetime(year, 1, 4, tzinfo=dt.UTC)
    lengths = set()
    while at.year == year:
        period = period_containing(at, DEFAULT, zone)
        lengths.add((period.end - period.start) / dt.timedelta(hours=1))
        at = period.end
    assert min(lengths) >= 165
    assert max(lengths) <= 171


# Editions that exist, and settings that change


@given(ZONES, ZONES, WEEKLY, WEEKLY, INSTANTS, st.integers(-30 * 24, 30 * 24))
@example(BERLIN, "America/New_York", "sun 18:00", "sun 18:00", utc("2026-11-24T12:00"), 125)
@example("America/New_York", BERLIN, "sun 18:00", "sun 18:00", utc("2026-11-24T12:00"), 125)
@example(BERLIN, BERLIN, "tue 18:00", "sun 18:00", utc("2026-11-24T12:00"), 30)
@example("Pacific/Honolulu", "Pacific/Kiritimati", "sun 18:00", "mon 00:30", utc("2026-11-24"), 170)
def test_a_changed_zone_or_boundary_opens_no_gap_and_names_no_week_twice(
    old_zone: str, zone: str, old_weekly: str, weekly: str, at: dt.datetime, hours: int
) -> None:
    edition = period_containing(at, weeks(old_weekly), old_zone)
    known, schedule = [edition], weeks(weekly)
    found = period_containing(at + dt.timedelta(hours=hours), schedule, zone, known=known)
    after = period_containing(found.end, schedule, zone, known=known)
    before = period_containing(found.start - TICK, schedule, zone, known=known)
    assert found.start <= at + dt.timedelta(hours=hours) < found.end
    assert before.end == found.start
    assert after.start == found.end
    assert monday_of(before.label) < monday_of(found.label) < monday_of(after.label)
    assert period_labelled(found.label, schedule, zone, known=known) == found


def test_a_changed_zone_starts_at_the_stored_end() -> None:
    edition = period_containing(utc("2026-11-24T12:00"), DEFAULT, BERLIN)
    moved = period_containing(edition.end, DEFAULT, "America/New_York", known=[edition])
    assert moved.start == edition.end
    assert moved.end == utc("2026-12-06T23:00")
    assert (edition.label, moved.label) == ("2026-W48", "2026-W49")


def test_two_editions_with_a_week_between_them_keep_it_whole() -> None:
    first = period_containing(utc("2026-11-10T12:00"), DEFAULT, BERLIN)
    third = period_containing(utc("2026-11-24T12:00"), DEFAULT, BERLIN)
    for zone in ("Pacific/Kiritimati", "Pacific/Honolulu", BERLIN):
        second = period_containing(first.end, DEFAULT, zone, known=[third, first])
        assert (second.start, second.end) == (first.end, third.start)
        assert second.label == "2026-W47"


# Which edition is due


ENDED, SENDS = utc("2026-11-29T17:00"), utc("2026-11-30T06:00")
HOUR = dt.timedelta(hours=1)


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (ENDED - TICK, "2026-W48"),
        (ENDED, "2026-W48"),
        (SENDS, "2026-W48"),
        (SENDS + 24 * HOUR, "2026-W48"),
        (SENDS + 24 * HOUR + TICK, "2026-W49"),
        (ENDED + WEEK - TICK, "2026-W49"),
        (ENDED + WEEK, "2026-W49"),
    ],
)
def test_a_late_edition_is_due_until_it_is_too_late(now: dt.datetime, due: str) -> None:
    assert due_period(now, DEFAULT, BERLIN).label == due


def test_catching_up_takes_as_long_as_the_settings_say() -> None:
    schedule = ScheduleSettings(catch_up_hours=0)
    assert due_period(SENDS, schedule, BERLIN).label == "2026-W48"
    assert due_period(SENDS + TICK, schedule, BERLIN).label == "2026-W49"


def test_a_finished_edition_makes_way_for_the_running_week() -> None:
    due = due_period(SENDS, DEFAULT, BERLIN, is_finished={"2026-W48"}.__contains__)
    assert due.label == "2026-W49"
    due = due_period(SENDS, DEFAULT, BERLIN, is_finished={"2026-W47"}.__contains__)
    assert due.label == "2026-W48"


def test_after_a_change_of_zone_the_same_edition_is_still_due() -> None:
    edition = period_containing(utc("2026-11-24T12:00"), DEFAULT, BERLIN)
    for zone in ("America/New_York", "Asia/Tokyo", "Pacific/Kiritimati"):
        assert due_period(SENDS, DEFAULT, zone, known=[edition]) == edition


@given(ZONES, WEEKLY, WEEKLY, INSTANTS)
def test_an_edition_goes_out_at_the_first_send_time_after_its_end(
    zone: str, weekly: str, send: str, at: dt.datetime
) -> None:
    period = period_containing(at, weeks(weekly), zone)
    goes = send_at(period, weeks(weekly, send))
    # At most a week and what a clock can be changed by: a day, in Apia.
    assert period.end <= goes <= period.end + WEEK + dt.timedelta(days=1)
    wall = goes.astimezone(ZoneInfo(zone))
    day, clock = send.split()
    if f"{wall:%H:%M}" == clock:
        assert WEEKDAYS[wall.weekday()] == day


def test_a_send_time_at_the_very_end_of_the_week_is_that_end() -> None:
    period = period_containing(utc("2026-11-24T12:00"), DEFAULT, BERLIN)
    assert send_at(period, weeks("sun 18:00", "sun 18:00")) == period.end
    assert send_at(period, weeks("sun 18:00", "sun 17:59")) == period.end + WEEK - HOUR / 60


@given(ZONES, ZONES, WEEKLY, WEEKLY, INSTANTS)
def test_each_reader_gets_it_at_that_time_of_their_own_zone(
    zone: str, theirs: str, weekly: str, send: str, at: dt.datetime
) -> None:
    period = period_containing(at, weeks(weekly), zone)
    local = weeks(weekly, f"{send} local")
    own = send_at(period, local)
    assert (
        own == send_at(period, weeks(weekly, send)) == local_send_at(period, local, ZoneInfo(zone))
    )
    goes = local_send_at(period, local, ZoneInfo(theirs))
    assert period.end <= goes
    # No two zones are further apart; Apia once skipped a day.
    assert abs(goes - own) <= dt.timedelta(hours=26 + 24)
    wall, day = goes.astimezone(ZoneInfo(theirs)), own.astimezone(ZoneInfo(zone)).date()
    if f"{wall:%H:%M}" == send.partition(" ")[2] and goes > period.end:
        assert wall.date() == day


@pytest.mark.parametrize(
    ("theirs", "goes"),
    [
        (BERLIN, "2026-11-30T06:00"),
        ("Asia/Tokyo", "2026-11-29T22:00"),
        ("Pacific/Kiritimati", "2026-11-29T17:00"),  # when the week ends
        ("America/New_York", "2026-11-30T12:00"),
        ("Pacific/Pago_Pago", "2026-11-30T18:00"),
    ],
)
def test_the_same_monday_morning_everywhere(theirs: str, goes: str) -> None:
    period = period_containing(utc("2026-11-24T12:00"), DEFAULT, BERLIN)
    local = weeks("sun 18:00", "mon 07:00 local")
    assert local_send_at(period, local, ZoneInfo(theirs)) == utc(goes)


def test_whose_time_is_before_the_end_of_the_week_gets_it_at_that_end() -> None:
    period = period_containing(utc("2026-11-24T12:00"), weeks("sun 22:00"), BERLIN)
    local = weeks("sun 22:00", "mon 07:00 local")
    assert local_send_at(period, local, ZoneInfo("Pacific/Auckland")) == period.end
    assert local_send_at(period, local, ZoneInfo("Asia/Seoul")) == utc("2026-11-29T22:00")


@pytest.mark.parametrize(
    ("end", "theirs", "goes"),
    [
        ("2026-03-22", "America/New_York", "2026-03-29T06:30"),  # nothing happens there that day
        ("2026-03-22", BERLIN, "2026-03-29T01:00"),  # 02:30 is skipped
        ("2026-10-18", BERLIN, "2026-10-25T00:30"),  # 02:30 comes twice
        ("2026-03-22", "Asia/Gaza", "2026-03-28T23:30"),
    ],
)
def test_readers_clocks_may_skip_the_time_or_show_it_twice(
    end: str, theirs: str, goes: str
) -> None:
    local = weeks("sun 18:00", "sun 02:30 local")
    period = period_containing(utc(f"{end}T12:00"), local, "UTC")
    assert local_send_at(period, local, ZoneInfo(theirs)) == utc(goes)


# Labels


@pytest.mark.parametrize(
    "label",
    [
        *("", "48", "2026", "2026-48", "2026-w48", "2026-W00", "2026-W54", "2027-W53"),
        *("2026-W048", "2026-W4٨", "2026-W48\n", "-2026-W48", "2026-W48-W48", "W" * 9999),
        *("0001-W01", "9999-W52"),
    ],
)
def test_a_wrong_label_is_a_wrong_command_and_says_what_a_right_one_is(label: str) -> None:
    with pytest.raises(UsageError) as caught:
        period_labelled(label, DEFAULT, BERLIN)
    assert "2026-W48" in caught.value.hint


def test_a_week_that_a_changed_setting_swallowed_has_no_edition() -> None:
    honolulu = period_containing(utc("2026-11-24T12:00"), DEFAULT, "Pacific/Honolulu")
    schedule, zone = weeks("mon 00:30"), "Pacific/Kiritimati"
    swallowed = period_containing(honolulu.end, schedule, zone, known=[honolulu])
    assert (honolulu.label, swallowed.label) == ("2026-W48", "2026-W50")
    with pytest.raises(UsageError, match="2026-W49"):
        period_labelled("2026-W49", schedule, zone, known=[honolulu])


@pytest.mark.parametrize("year", [1, 9999])
def test_a_year_without_newsletters_is_a_wrong_command(year: int) -> None:
    with pytest.raises(UsageError, match=f"year {year}"):
        due_period(dt.datetime(year, 1, 1, tzinfo=dt.UTC), DEFAULT, BERLIN)


# Monthly readers


@given(ZONES, WEEKLY, INSTANTS)
def test_one_week_of_each_month_is_the_monthly_readers(
    zone: str, weekly: str, at: dt.datetime
) -> None:
    schedule = ScheduleSettings(period_ends=weekly)
    month = period_containing(at, schedule, zone).end.astimezone(ZoneInfo(zone)).date()
    first = dt.datetime(month.year, month.month, 1, tzinfo=ZoneInfo(zone)) - 2 * WEEK
    found, period = [], period_containing(first, schedule, zone)
    for _ in range(9):
        last = period.end.astimezone(ZoneInfo(zone)).date()
        if (last.year, last.month) == (month.year, month.month) and is_first_of_month(period):
            found.append(period)
        period = period_containing(period.end, schedule, zone)
    assert len(found) == 1


@pytest.mark.parametrize(
    ("end", "is_first"),
    [
        ("2026-12-06T17:00", True),
        ("2026-12-13T17:00", False),
        ("2026-11-29T17:00", False),
        ("2026-11-30T22:59", False),
        ("2026-11-30T23:00", True),  # in Berlin it is December
        ("2026-12-07T22:59", True),
        ("2026-12-07T23:00", False),
    ],
)
def test_a_week_is_the_months_first_by_the_day_it_ends_on_in_its_own_zone(
    end: str, is_first: bool
) -> None:
    period = Period(start=utc(end) - WEEK, end=utc(end), timezone=BERLIN, label="2026-W49")
    assert is_first_of_month(period) is is_first
