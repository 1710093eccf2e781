"""What is to be done with an edition at an instant, by the schedule alone. Pure; no clock.

The schedule never owns anything: it looks at an edition as it is stored and says what is due. So
it may look as often as it likes, from as many processes as there are, after any time away.
"""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from digest.model.editions import Edition, EditionState
from digest.periods import send_at
from digest.settings import ScheduleSettings

PUNCTUAL = dt.timedelta(minutes=15)
"""Who is no later than this is in time, whatever the settings."""


class Step(StrEnum):
    """What is due."""

    WAIT = "wait"
    SEND = "send"  # it is approved, or under way already
    APPROVE = "approve"  # by the rule for editions that nobody looked at, and then send
    HOLD = "hold"
    SKIP = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What is due for an edition; `reason` says for people why it is held or skipped."""

    step: Step
    reason: str = ""


def due(
    edition: Edition, schedule: ScheduleSettings, *, now: dt.datetime, ahead: dt.timedelta
) -> Due:
    """Return what is due for `edition` at the aware instant `now`.

    Args:
        edition: As stored.
        schedule: The newsletter's.
        now: Aware instant.
        ahead: How long before its send time an edition is handed over.
    """
    if edition.state in (EditionState.PLANNED, EditionState.SENDING):
        return Due(step=Step.SEND)
    at = send_at(edition.period, schedule)
    if edition.state is EditionState.APPROVED:
        if now < at - ahead:
            return Due(step=Step.WAIT)
        # Whoever approves it late wants it to go; a copy of an old database approved it long ago.
        decided_at = max(at, edition.approved_at or at)
        if now <= decided_at + grace(schedule):
            return Due(step=Step.SEND)
        return _missed(schedule, now - at)
    if edition.state not in (EditionState.DRAFT, EditionState.FROZEN) or edition.held_at:
        return Due(step=Step.WAIT)
    return _unattended(schedule, now=now, at=at, ahead=ahead)


def _unattended(
    schedule: ScheduleSettings, *, now: dt.datetime, at: dt.datetime, ahead: dt.timedelta
) -> Due:
    """Return what is due for an edition that nobody approved."""
    if now > at + grace(schedule):
        return _missed(schedule, now - at)
    if schedule.unattended == "send":
        return Due(step=Step.WAIT if now < at - ahead else Step.APPROVE)
    if now < at:
        return Due(step=Step.WAIT)
    return Due(step=Step.HOLD, reason="Nobody approved it before its send time.")


def _missed(schedule: ScheduleSettings, late: dt.timedelta) -> Due:
    hours = late // dt.timedelta(hours=1)
    when = f"{hours} hours" if hours > 1 else "an hour" if hours else "some minutes"
    told = f"Its send time was {when} ago when the schedule came to it"
    if schedule.missed == "none":
        return Due(step=Step.SKIP, reason=f"{told}, and missed editions do not go.")
    return Due(
        step=Step.HOLD, reason=f"{told}; after {schedule.catch_up_hours} hours people decide."
    )


def grace(schedule: ScheduleSettings) -> dt.timedelta:
    """Return how long after its send time an edition still goes by itself."""
    if schedule.missed == "none":
        return PUNCTUAL
    return max(PUNCTUAL, dt.timedelta(hours=schedule.catch_up_hours))  # no look comes on the second


def is_missed_whole(schedule: ScheduleSettings, *, is_newest: bool, late: dt.timedelta) -> bool:
    """Tell whether a week that ended while nothing ran gets no edition at all.

    Args:
        schedule: The newsletter's.
        is_newest: Whether no later week has ended.
        late: How long ago its send time was; negative for one to come.
    """
    if schedule.missed == "all":
        return False
    if schedule.missed == "none":
        return late > PUNCTUAL
    return not is_newest
