"""Each reader's own time: which wave a reader's zone is of, and waiting from one to the next.

With `send = "mon 07:00 local"` readers whose clocks show that time at one instant are a wave. All
are planned at once, when the first of them is due, and handed over wave by wave.
"""

import datetime as dt
from collections.abc import Callable
from zoneinfo import ZoneInfo

from digest.errors import HeldElsewhere, UsageError
from digest.model.deliveries import Waves
from digest.model.editions import Edition, EditionState, Period
from digest.periods import local_send_at, send_at
from digest.ports import Ledger
from digest.services.brakes import INTERRUPTED, PAUSED_BY_SOMEBODY, Stopped
from digest.services.runs import LONGEST_WAIT, Tools
from digest.settings import Settings, is_zone

EARLY = dt.timedelta(minutes=5)
"""With a hold, a wave is handed over so much sooner than the hold needs: it takes a while."""


class OwnTime:
    """Says when readers get an edition, each in their own time where the settings want that.

    Args:
        ledger: Knows the readers' zones.
        settings: The project's.
    """

    def __init__(self, ledger: Ledger, settings: Settings) -> None:
        self._ledger = ledger
        self._schedule = settings.schedule

    def span(self, edition: Edition) -> tuple[dt.datetime, dt.datetime]:
        """Return when the first and when the last of the readers get the edition, aware UTC.

        The newsletter's own time is among them, whether or not a reader is in its zone.
        """
        own = send_at(edition.period, self._schedule)
        if not self._schedule.is_local:
            return own, own
        zones = self._ledger.zones(edition.newsletter)
        times = [own, *(self._release_at(edition.period, zone) for zone in zones)]
        return min(times), max(times)

    def waves(
        self, edition: Edition, *, hold: dt.timedelta | None, now: dt.datetime
    ) -> Waves | None:
        """Return the waves in which the edition goes out if it is planned now; None without any.

        Those whose time has passed are one wave, which goes at once.

        Args:
            edition: To be planned.
            hold: How long the provider keeps each batch; None where it does not.
            now: Aware instant.
        """
        if not self._schedule.is_local:
            return None
        soonest = now + (hold or dt.timedelta())
        return Waves(
            release_at=lambda zone: max(self._release_at(edition.period, zone), soonest),
            ahead=early(hold),
        )

    def ahead(self, hold: dt.timedelta | None) -> dt.timedelta:
        """Return how long before its time an edition or a wave is handed over."""
        return early(hold) if self._schedule.is_local else hold or dt.timedelta()

    def _release_at(self, period: Period, zone: str) -> dt.datetime:
        # Another machine may have known a zone that this one does not.
        name = zone if zone and is_zone(zone) else period.timezone
        return local_send_at(period, self._schedule, ZoneInfo(name))


def early(hold: dt.timedelta | None) -> dt.timedelta:
    """Return how long before its release a batch of a wave is handed over."""
    return hold + EARLY if hold else dt.timedelta()


def go_through_waves(
    tools: Tools, edition_id: int, hand_over: Callable[[], Stopped | None]
) -> Stopped | None:
    """Hand over each wave in its time, until none is left; return why that ended early, or None.

    Args:
        tools: What the runs work with.
        edition_id: Of the edition, which is under way.
        hand_over: Hands over what is due now.
    """
    while _wait_for_wave(tools, edition_id):
        try:
            stopped = hand_over()
        except HeldElsewhere:  # another edition goes out, or this one by another process
            tools.waiting("another send to end")
            tools.wait(LONGEST_WAIT.total_seconds())
            continue
        except UsageError:  # paused or ended at this moment
            break
        if stopped is None or stopped.kind != "wave":
            return stopped
    if tools.stop.is_set():
        return INTERRUPTED
    has_ended = tools.ledger.state(edition_id) in (EditionState.DONE, EditionState.ATTENTION)
    return None if has_ended else PAUSED_BY_SOMEBODY


def _wait_for_wave(tools: Tools, edition_id: int) -> bool:
    """Wait until a batch is due; return whether the edition is still under way by then."""
    while not tools.stop.is_set() and tools.ledger.state(edition_id) == EditionState.SENDING:
        until, now = tools.ledger.next_wait(edition_id), tools.clock.now()
        if until is None or until <= now:
            return True
        tools.waiting(f"the next wave, at {until:%Y-%m-%d %H:%M} UTC")
        tools.wait(min(until - now, LONGEST_WAIT).total_seconds())
    return False
