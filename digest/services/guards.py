"""What keeps the schedule from acting on a database that is not what it seems.

A copied machine, a restored backup and a wrong clock all look like a schedule that is behind, and
catching up would mail an old edition again.
"""

import datetime as dt
from collections.abc import Callable

import structlog

from digest.ports import Clock, Marks

SLACK = dt.timedelta(minutes=5)  # clocks are set back a little now and then
OFTEN_ENOUGH = dt.timedelta(minutes=1)
HOW_ON = "If all is as it should be: digest schedule accept"

log = structlog.get_logger(__name__)


class Guards:
    """Says why the schedule must not act, if it must not.

    Args:
        marks: What schedulers remember.
        clock: Tells the time.
        home: Names this installation: the machine and the folder, or the database's address.
        is_current: Tells whether the database still holds what this installation knows it held.
        note: Lets this installation know what the database holds now.
    """

    def __init__(
        self,
        marks: Marks,
        clock: Clock,
        *,
        home: str,
        is_current: Callable[[], bool],
        note: Callable[[], None],
    ) -> None:
        self._marks, self._clock, self._home = marks, clock, home
        self._is_current, self._note = is_current, note
        self._told = ""

    def objection(self, now: dt.datetime) -> str:
        """Return why nothing is done at the aware instant `now`, in words, or "" if nothing is."""
        reason = self._clock_objection(now) or self._home_objection(now)
        if not reason and not self._is_current():
            reason = (
                "The database is older than what was sent from here: it was restored from a backup."
            )
        if reason and reason != self._told:
            log.error("schedule_stands_still", reason=reason, hint=HOW_ON)
        self._told = reason
        return reason

    def _clock_objection(self, now: dt.datetime) -> str:
        last = self._marks.get("tick")
        if last is None or now >= last[0] + OFTEN_ENOUGH:
            self._marks.put("tick", now)
            return ""
        if now >= last[0] - SLACK:
            return ""
        return (
            f"The clock says {now:%Y-%m-%d %H:%M} UTC, and the schedule was at work at "
            f"{last[0]:%Y-%m-%d %H:%M} UTC already."
        )

    def _home_objection(self, now: dt.datetime) -> str:
        found = self._marks.get("home")
        if found is None:
            self._marks.claim("home", now, value=self._home)
            found = self._marks.get("home")
        if found is None or found[1] == self._home:
            return ""
        return "The database belongs to another machine or folder: this may be a copy."

    def remember(self) -> None:
        """Let this installation know what the database holds now."""
        self._note()

    def accept(self) -> None:
        """Take this clock, this place and this database for the right ones from now on."""
        now = self._clock.now()
        self._marks.put("tick", now)
        self._marks.put("home", now, self._home)
        self._note()
