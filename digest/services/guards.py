"""What keeps the schedule from acting on a database that is not what it seems.

A copied machine, a restored backup and a wrong clock all look like a schedule that is behind, and
catching up would mail an old edition again.
"""

import datetime as dt
import threading
from collections.abc import Callable

import structlog

from digest.ports import Clock, Marks

SLACK = dt.timedelta(minutes=5)  # clocks are set back a little now and then
OFTEN_ENOUGH = dt.timedelta(minutes=1)
STANDING = "stands still/"  # how the names of marks begin that say who was told of it
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
        tell: Has editors told why the schedule stands still: a key, which is the same as long as
            that is for one reason, and the reason in words. It may be called again and again.
    """

    def __init__(
        self,
        marks: Marks,
        clock: Clock,
        *,
        home: str,
        is_current: Callable[[], bool],
        note: Callable[[], None],
        tell: Callable[[str, str], None],
    ) -> None:
        self._marks, self._clock, self._home = marks, clock, home
        self._is_current, self._note = is_current, note
        self._tell = tell
        self._told, self._telling = "", threading.Lock()

    def objection(self, now: dt.datetime) -> str:
        """Return why nothing is done at the aware instant `now`, in words, or "" if nothing is.

        Editors are told of it.
        """
        key, reason = self._clock_objection(now) or self._home_objection(now) or ("", "")
        if not key and not self._is_current():
            key, reason = (
                "backup",
                "The database is older than what was sent from here: it was restored from a "
                "backup.",
            )
        with self._telling:  # several threads ask at once, and one line says it
            is_new, self._told = key not in ("", self._told), key
        if is_new:
            log.error("schedule_stands_still", reason=reason, hint=HOW_ON)
            self._tell(key, reason)
        return reason

    def _clock_objection(self, now: dt.datetime) -> tuple[str, str] | None:
        last = self._marks.get("tick")
        if last is None or now >= last[0] + OFTEN_ENOUGH:
            self._marks.put("tick", now)
            return None
        if now >= last[0] - SLACK:
            return None
        # Another machine, whose clock is right, may be at work meanwhile: that is told once a day.
        return (
            f"clock {last[0]:%Y-%m-%d}",
            f"The clock says {now:%Y-%m-%d %H:%M} UTC, and the schedule was at work at "
            f"{last[0]:%Y-%m-%d %H:%M} UTC already.",
        )

    def _home_objection(self, now: dt.datetime) -> tuple[str, str] | None:
        found = self._marks.get("home")
        if found is None:
            self._marks.claim("home", now, value=self._home)
            found = self._marks.get("home")
        if found is None or found[1] == self._home:
            return None
        return (
            f"home {self._home}",
            "The database belongs to another machine or folder: this may be a copy.",
        )

    def remember(self) -> None:
        """Let this installation know what the database holds now."""
        self._note()

    def accept(self) -> None:
        """Take this clock, this place and this database for the right ones from now on."""
        now = self._clock.now()
        self._marks.put("tick", now)
        self._marks.put("home", now, self._home)
        self._marks.remove(STANDING)  # what happens from now on is told anew
        self._note()
