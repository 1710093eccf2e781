"""Where an edition stands and what becomes of it, in words for people; pages and mails share them.

The rules are those of `digest.scheduling`.
"""

import datetime as dt
from zoneinfo import ZoneInfo

from digest.model.editions import Edition, EditionState
from digest.periods import send_at
from digest.settings import ScheduleSettings

ACTIONABLE = frozenset(
    {EditionState.DRAFT, EditionState.FROZEN, EditionState.APPROVED, EditionState.HELD}
)
"""States in which an editor may still decide about an edition."""

_STANDING = {
    EditionState.DRAFT: "It is a draft. Nobody has approved it.",
    EditionState.FROZEN: "Its mail is fixed. Nobody has approved it.",
    EditionState.PLANNED: "It is written down who gets it, and it is about to be sent.",
    EditionState.SENDING: "It is being sent.",
    EditionState.PAUSED: "Sending is paused.",
    EditionState.DONE: "It went out.",
    EditionState.CANCELLED: "Sending was cancelled.",
    EditionState.ATTENTION: "It went out, and nobody knows of some readers whether they got it.",
}
_UNDER_WAY = {EditionState.PLANNED, EditionState.SENDING, EditionState.PAUSED}


def standing(edition: Edition) -> str:
    """Return where the edition stands, in a sentence or two."""
    if edition.state is EditionState.APPROVED:
        return f"{edition.approved_by or 'Somebody'} approved it."
    if edition.state in (EditionState.HELD, EditionState.SKIPPED):
        why = f": {sentence(edition.reason)}" if edition.reason else "."
        return f"It is {edition.state}{why}"
    return _STANDING[edition.state]


def outlook(
    edition: Edition, schedule: ScheduleSettings, *, now: dt.datetime, ahead: dt.timedelta
) -> str:
    """Return when the edition goes out and what happens if nobody acts, in a sentence or two.

    Args:
        edition: As stored.
        schedule: The newsletter's.
        now: Aware instant.
        ahead: How long before its send time an edition is handed over.
    """
    at, label = send_at(edition.period, schedule), edition.period.label
    if edition.state is EditionState.APPROVED:
        if now >= at - ahead:
            return "It goes out as soon as the schedule comes to it."
        return (
            f"It goes out {moment(at, edition)}{_waves(edition, schedule, first=at - ahead)}, "
            "unless somebody holds or skips it before."
        )
    if edition.state is EditionState.HELD:
        return "It does not go out until somebody approves it."
    if edition.state in _UNDER_WAY:
        return f"To stop what is not sent yet: digest delivery pause --edition {label}"
    if edition.state not in ACTIONABLE:
        return "" if edition.state is not EditionState.SKIPPED else "It does not go out."
    return _unapproved(edition, schedule, now=now, last=at - ahead)


def _unapproved(
    edition: Edition, schedule: ScheduleSettings, *, now: dt.datetime, last: dt.datetime
) -> str:
    at = send_at(edition.period, schedule)
    if edition.held_at is not None:
        return "It was held before, so it goes out only if somebody approves it."
    if schedule.unattended == "send":
        if now >= last:
            return "It goes out as soon as the schedule comes to it, approved or not."
        return (
            f"It goes out {moment(at, edition)}{_waves(edition, schedule, first=last)}, "
            "also if nobody approves it. "
            f"Whoever objects holds or skips it before {moment(last, edition)}."
        )
    if now >= at:
        return f"Its send time was {moment(at, edition)}. It goes out only if somebody approves it."
    return (
        f"It goes out {moment(at, edition)}{_waves(edition, schedule, first=last)} "
        "if somebody approves it. "
        "If nobody does, it is held, and nobody gets it."
    )


def _waves(edition: Edition, schedule: ScheduleSettings, *, first: dt.datetime) -> str:
    """Return when it begins to go out, where each reader gets it in their own time, or ""."""
    if not schedule.is_local:
        return ""
    begins = moment(max(first, edition.period.end), edition)
    return f" (readers elsewhere: at that time of theirs, from {begins} on)"


def moment(at: dt.datetime, edition: Edition) -> str:
    """Return an aware instant as a wall time of the edition's zone: Mon 30 Nov 07:00 Europe/Berlin.

    The year is left out: what is told is at most some weeks away.
    """
    timezone = edition.period.timezone
    local = at.astimezone(ZoneInfo(timezone))
    return f"{local:%a} {local.day} {local:%b %H:%M} {timezone}"


def time_left(span: dt.timedelta) -> str:
    """Return a positive time in whole hours, or in minutes below an hour: 3 hours, 40 minutes."""
    minutes = max(round(span.total_seconds() / 60), 1)
    number, unit = (round(minutes / 60), "hour") if minutes >= 60 else (minutes, "minute")
    return f"{number} {unit}{'' if number == 1 else 's'}"


def sentence(text: str) -> str:
    """Return `text` with a full stop behind it, if it has no end of its own."""
    text = text.strip()
    return text if not text or text.endswith((".", "!", "?", "…")) else f"{text}."
