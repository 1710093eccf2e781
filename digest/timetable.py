"""The timetable: which editions come, when each goes out, and what the clocks do in its week. Pure.

Wall times and weeks are those of `digest.periods`.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from digest.model.editions import Period
from digest.periods import due_period, period_containing, send_at, wall_times_of
from digest.settings import ScheduleSettings

HOUR = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One line of the timetable.

    `send_at` is the aware UTC instant at which the edition of `period` goes out; `notes` say what
    the clocks of the newsletter's zone do meanwhile.
    """

    period: Period
    send_at: dt.datetime
    notes: tuple[str, ...] = ()


def timetable(
    now: dt.datetime,
    schedule: ScheduleSettings,
    timezone: str,
    *,
    known: Sequence[Period] = (),
    is_finished: Callable[[str], bool] = lambda _label: False,
) -> Iterator[Slot]:
    """Yield the slots from that of the due edition on, without end; arguments as of `due_period`.

    Raises:
        UsageError: The years that follow are none in which newsletters are sent.
    """
    period = due_period(now, schedule, timezone, known=known, is_finished=is_finished)
    while True:
        due = send_at(period, schedule)
        yield Slot(period=period, send_at=due, notes=tuple(_notes(period, due, schedule)))
        period = period_containing(period.end, schedule, timezone, known=known)


def _notes(period: Period, due: dt.datetime, schedule: ScheduleSettings) -> Iterator[str]:
    zone = ZoneInfo(period.timezone)
    week = period.end - period.start
    for at, moved in clock_changes(period.start, due, zone):
        week += moved if at <= period.end else dt.timedelta()
        way = "forward" if moved > dt.timedelta() else "back"
        when = f"{at.astimezone(zone):%a %Y-%m-%d}"
        yield f"Clocks go {way} by {_length(abs(moved))} on {when}"
    if week != dt.timedelta(days=7):
        yield f"Its week has {_length(week)}, after a change of the settings"
    local = due.astimezone(zone)
    wanted = schedule.send_wall.partition(" ")[2]
    if f"{local:%H:%M}" != wanted:
        yield f"{wanted} does not exist that day: it goes at {local:%H:%M}"
    elif len(wall_times_of(local.replace(tzinfo=None), zone)) > 1:
        yield f"{wanted} comes twice that day: it goes the first time"


def clock_changes(
    start: dt.datetime, end: dt.datetime, zone: ZoneInfo
) -> list[tuple[dt.datetime, dt.timedelta]]:
    """Return when in (start, end] the offset of `zone` changes, to the minute, and by how much."""
    found, at = [], start
    while at < end:
        after = min(at + HOUR, end)
        moved = _offset(after, zone) - _offset(at, zone)
        if moved:
            low, high = at, after
            while high - low > dt.timedelta(minutes=1):
                middle = low + (high - low) / 2
                low, high = (
                    (middle, high) if _offset(middle, zone) == _offset(at, zone) else (low, middle)
                )
            found.append((high, moved))
        at = after
    return found


def _offset(at: dt.datetime, zone: ZoneInfo) -> dt.timedelta:
    return at.astimezone(zone).utcoffset() or dt.timedelta()


def _length(span: dt.timedelta) -> str:
    days, rest = divmod(span, dt.timedelta(days=1))
    minutes = rest // dt.timedelta(minutes=1)
    parts = [(days, "day"), (minutes // 60, "hour"), (minutes % 60, "minute")]
    return " ".join(f"{n} {word}{'' if n == 1 else 's'}" for n, word in parts if n)
