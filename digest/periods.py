"""The week: which period an instant lies in, and which edition is due. Pure; no clock.

Boundaries are wall times in the newsletter's zone, turned into instants once. A wall time that a
clock change skips means the first instant after the gap; one that happens twice means the first.
Each boundary ends the week named by the ISO week of the last wall time before it, so that the
weeks are numbered one by one whatever the clocks do.
"""

import datetime as dt
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from digest.errors import UsageError
from digest.model.editions import Period
from digest.settings import ScheduleSettings

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WEEK = dt.timedelta(days=7)
TICK = dt.timedelta(microseconds=1)
# How many weeks around an instant its period is looked for. Where no setting was changed, one
# would do; a changed zone or weekday moves an end by at most a week and a day.
REACH = 4
YEARS = range(1970, 9000)  # beyond them the calendar's own limits are near
_LABEL = re.compile(r"([0-9]{4})-W([0-9]{2})")


def wall_times_of(wall: dt.datetime, zone: ZoneInfo) -> list[dt.datetime]:
    """Return the instants, in UTC, at which clocks in `zone` show the naive time `wall`: 0 to 2."""
    both = (wall.replace(tzinfo=zone, fold=fold).astimezone(dt.UTC) for fold in (0, 1))
    return [at for at in dict.fromkeys(both) if at.astimezone(zone).replace(tzinfo=None) == wall]


def instant(wall: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """Return the aware UTC instant at which clocks in `zone` show the naive time `wall`."""
    if shown := wall_times_of(wall, zone):
        return shown[0]
    # The wall time is skipped: fold=1 reads it with the offset after the change, which lands
    # before the change. The change itself lies between the two readings.
    low = wall.replace(tzinfo=zone, fold=1).astimezone(dt.UTC)
    high = wall.replace(tzinfo=zone, fold=0).astimezone(dt.UTC)
    before = low.astimezone(zone).utcoffset()
    while high - low > dt.timedelta(seconds=1):
        middle = low + dt.timedelta(seconds=int((high - low).total_seconds()) // 2)
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


@dataclass(frozen=True, slots=True, order=True)
class _Boundary:
    """An instant at which a week ends, and the Monday of the ISO week that it ends."""

    at: dt.datetime
    week: dt.date


def _boundary(week: dt.date, weekly: str, zone: ZoneInfo) -> _Boundary:
    """Return the weekly wall time "sun 18:00" that ends the ISO week of the Monday `week`."""
    day, clock = _weekday_and_time(weekly)
    date = week + dt.timedelta(days=day)
    if (day, clock) == (0, dt.time()):
        date += WEEK  # Monday 00:00 is the end of Sunday
    return _Boundary(instant(dt.datetime.combine(date, clock), zone), week)


def _weekday_and_time(weekly: str) -> tuple[int, dt.time]:
    day, _, clock = weekly.partition(" ")
    hour, minute = (int(part) for part in clock.split(":"))
    return WEEKDAYS.index(day), dt.time(hour, minute)


def _label(week: dt.date) -> str:
    year, number, _ = week.isocalendar()
    return f"{year}-W{number:02d}"


def _week(label: str) -> dt.date:
    """Return the Monday of the ISO week that `label` names; ValueError where it names none."""
    found = _LABEL.fullmatch(label)
    if not found or int(found[1]) not in YEARS:
        raise ValueError(label)
    return dt.date.fromisocalendar(int(found[1]), int(found[2]), 1)


def period_containing(
    at: dt.datetime, schedule: ScheduleSettings, timezone: str, *, known: Sequence[Period] = ()
) -> Period:
    """Return the period [start, end) with start <= `at` < end.

    Args:
        at: Aware instant.
        schedule: Names the weekly boundary, `period_ends`.
        timezone: IANA name of the newsletter's zone.
        known: Periods that editions already have, none overlapping another. They are kept as they
            are, and the weeks between and around them begin and end where they do. So a changed
            zone or boundary opens no gap, and each ISO week names one period at most: the first
            one after the change may last longer or shorter than a week.

    Raises:
        UsageError: The year is none in which newsletters are sent.
    """
    if at.year not in YEARS:
        raise UsageError(
            f"There is no edition in the year {at.year}.", hint="Look at the time in --now."
        )
    for period in known:
        if period.start <= at < period.end:
            return period
    zone = ZoneInfo(timezone)
    before = max((_end_of(p) for p in known if p.end <= at), default=None)
    after = min((_start_of(p) for p in known if p.start > at), default=None)
    free = list(_free_boundaries(at, schedule.period_ends, zone, before, after))
    starts = [b.at for b in free if b.at <= at] + ([before.at] if before else [])
    ends = [b for b in free if b.at > at] + ([after] if after else [])
    end = min(ends)
    return Period(start=max(starts), end=end.at, timezone=timezone, label=_label(end.week))


def _end_of(period: Period) -> _Boundary:
    return _Boundary(period.end, _week(period.label))


def _start_of(period: Period) -> _Boundary:
    """Return the start of a period as what it is: the end of the week before."""
    return _Boundary(period.start, _week(period.label) - WEEK)


def _free_boundaries(
    at: dt.datetime,
    weekly: str,
    zone: ZoneInfo,
    before: _Boundary | None,
    after: _Boundary | None,
) -> Iterator[_Boundary]:
    """Yield the boundaries around `at` that lie between two known ones, in time and in number."""
    local = at.astimezone(zone).date()
    monday = local - dt.timedelta(days=local.weekday())
    for weeks in range(-REACH, REACH + 1):
        found = _boundary(monday + weeks * WEEK, weekly, zone)
        is_behind = before is None or (found.at > before.at and found.week > before.week)
        is_ahead = after is None or (found.at < after.at and found.week < after.week)
        if is_behind and is_ahead:
            yield found


def send_at(period: Period, schedule: ScheduleSettings) -> dt.datetime:
    """Return the aware UTC instant at which the edition of `period` goes out.

    That is the first weekly time `send` that is not before the period's end.
    """
    at, _wall = _send_time(period, schedule)
    return at


def local_send_at(period: Period, schedule: ScheduleSettings, zone: ZoneInfo) -> dt.datetime:
    """Return the aware UTC instant at which readers in `zone` get it, each in their own time.

    That is when clocks there show the wall time, of the same date, at which it goes out in the
    newsletter's own zone: half a day before or a day after it at most. Where that is before the
    period's end, it is the period's end.
    """
    _at, wall = _send_time(period, schedule)
    return max(instant(wall, zone), period.end)


def _send_time(period: Period, schedule: ScheduleSettings) -> tuple[dt.datetime, dt.datetime]:
    """Return the first instant of `send` after the period, and the naive wall time it stands for.

    The two differ where a clock change skips the wall time.
    """
    zone = ZoneInfo(period.timezone)
    day, clock = _weekday_and_time(schedule.send_wall)
    local = period.end.astimezone(zone).date()
    # Starts a week early: a gap can push a wall time past midnight into the day of the end.
    first = local + dt.timedelta(days=(day - local.weekday()) % 7 - 7)
    walls = [dt.datetime.combine(first + n * WEEK, clock) for n in range(4)]
    times = ((instant(wall, zone), wall) for wall in walls)
    return min(time for time in times if time[0] >= period.end)


def is_first_of_month(period: Period) -> bool:
    """Return whether monthly readers get the edition of `period`; see `Frequency`.

    That is so if it ends on one of the first seven days of a month in its own zone. Of weeks that
    end on one weekday, that is exactly one a month.
    """
    return period.end.astimezone(ZoneInfo(period.timezone)).day <= 7


def due_period(
    now: dt.datetime,
    schedule: ScheduleSettings,
    timezone: str,
    *,
    known: Sequence[Period] = (),
    is_finished: Callable[[str], bool] = lambda _label: False,
) -> Period:
    """Return the period whose edition is the next to go out.

    That is the last ended period until its send time plus `catch_up_hours` has passed or its
    edition is finished, and from then on the running one.

    Args:
        now: Aware instant.
        schedule: The weekly times.
        timezone: IANA name of the newsletter's zone.
        known: See `period_containing`.
        is_finished: Tells for a label whether its edition is sent, skipped or cancelled.
    """
    current = period_containing(now, schedule, timezone, known=known)
    last = period_containing(current.start - TICK, schedule, timezone, known=known)
    deadline = send_at(last, schedule) + dt.timedelta(hours=schedule.catch_up_hours)
    if now <= deadline and not is_finished(last.label):
        return last
    return current


def period_labelled(
    label: str, schedule: ScheduleSettings, timezone: str, *, known: Sequence[Period] = ()
) -> Period:
    """Return the period with the label "2026-W48".

    Raises:
        UsageError: The label is not of that form, or names no week.
    """
    for period in known:
        if period.label == label:
            return period
    try:
        week = _week(label)
    except ValueError as error:
        raise UsageError(
            f"{label!r} is no edition.",
            hint="Editions are named like 2026-W48: digest edition list",
        ) from error
    # It ends at its own boundary, or where the edition of the next week begins.
    ends = [_boundary(week, schedule.period_ends, ZoneInfo(timezone))]
    ends += [start for start in map(_start_of, known) if start.week == week]
    for end in ends:
        found = period_containing(end.at - TICK, schedule, timezone, known=known)
        if found.label == label:
            return found
    raise UsageError(f"No period has the label {label}.", hint="See: digest edition list")
