"""The week: which period an instant lies in, and which edition is due. Pure; no clock.

Boundaries are wall times in the newsletter's zone, turned into instants once. A wall time that a
clock change skips means the first instant after the gap; one that happens twice means the first.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfo

from digest.errors import UsageError
from digest.model.editions import Period
from digest.settings import ScheduleSettings

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WEEK = dt.timedelta(days=7)
TICK = dt.timedelta(microseconds=1)


def instant(wall: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    """Return the aware UTC instant at which clocks in `zone` show the naive time `wall`."""
    early = wall.replace(tzinfo=zone, fold=0).astimezone(dt.UTC)
    if early.astimezone(zone).replace(tzinfo=None) == wall:
        return early
    # The wall time is skipped: fold=1 reads it with the offset after the change, which lands
    # before the change. The change itself lies between the two readings.
    low = wall.replace(tzinfo=zone, fold=1).astimezone(dt.UTC)
    high = early
    before = low.astimezone(zone).utcoffset()
    while high - low > dt.timedelta(seconds=1):
        middle = low + dt.timedelta(seconds=int((high - low).total_seconds()) // 2)
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


def _first_at_or_after(start: dt.datetime, weekly: str, zone: ZoneInfo) -> dt.datetime:
    """Return the first instant >= `start` at which the weekly wall time "mon 07:00" comes."""
    day, _, clock = weekly.partition(" ")
    hour, minute = (int(part) for part in clock.split(":"))
    local = start.astimezone(zone).date()
    # Starts a week early: a gap can push a boundary past midnight into the day of `start`.
    offset = (WEEKDAYS.index(day) - local.weekday()) % 7 - 7
    for week in range(4):
        date = local + dt.timedelta(days=offset + 7 * week)
        found = instant(dt.datetime.combine(date, dt.time(hour, minute)), zone)
        if found >= start:
            return found
    raise AssertionError("a weekly time comes every week")  # pragma: no cover


def _label(end: dt.datetime, zone: ZoneInfo) -> str:
    year, week, _ = (end - TICK).astimezone(zone).isocalendar()
    return f"{year}-W{week:02d}"


def period_containing(
    at: dt.datetime, schedule: ScheduleSettings, timezone: str, *, known: Sequence[Period] = ()
) -> Period:
    """Return the period [start, end) with start <= `at` < end.

    Args:
        at: Aware instant.
        schedule: Names the weekly boundary, `period_ends`.
        timezone: IANA name of the newsletter's zone.
        known: Periods that editions already have. They are kept as they are, and the next one
            starts where the last of them ended, so a changed zone or boundary opens no gap.
    """
    for period in known:
        if period.start <= at < period.end:
            return period
    zone = ZoneInfo(timezone)
    end = _first_at_or_after(at + TICK, schedule.period_ends, zone)
    start = _first_at_or_after(end - WEEK - dt.timedelta(days=1), schedule.period_ends, zone)
    ended = [p.end for p in known if start - WEEK < p.end <= at]
    if ended:
        start = max(ended)
    return Period(start=start, end=end, timezone=timezone, label=_label(end, zone))


def period_before(
    period: Period, schedule: ScheduleSettings, *, known: Sequence[Period] = ()
) -> Period:
    """Return the period that ends where `period` starts."""
    return period_containing(period.start - TICK, schedule, period.timezone, known=known)


def send_at(period: Period, schedule: ScheduleSettings) -> dt.datetime:
    """Return the aware UTC instant at which the edition of `period` goes out."""
    return _first_at_or_after(period.end, schedule.send, ZoneInfo(period.timezone))


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
    last = period_before(current, schedule, known=known)
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
        year, week = label.split("-W")
        monday = dt.date.fromisocalendar(int(year), int(week), 1)
    except ValueError as error:
        raise UsageError(
            f"{label!r} is no edition.",
            hint="Editions are named like 2026-W48: digest edition list",
        ) from error
    middle = dt.datetime.combine(monday, dt.time(12), dt.UTC)
    for day in range(15):
        found = period_containing(middle + dt.timedelta(days=day), schedule, timezone, known=known)
        if found.label == label:
            return found
    raise UsageError(f"No period has the label {label}.", hint="See: digest edition list")
