"""What stops a send by itself: bad signs in the provider's events, and a new address's warm-up."""

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass

from digest.errors import ConfigError, NotApproved
from digest.model.deliveries import DeliveryState
from digest.ports import Clock, Ledger
from digest.settings import DeliverySettings

ENOUGH = 500  # outcomes before a share of them says anything
MAX_BOUNCED = 0.05
MAX_COMPLAINED = 0.001
TOLERANCE = 0.02  # of the expected number of readers
LOOK_EVERY = dt.timedelta(seconds=10)
# The days that a new sending address takes to be trusted, and what it may send on the first and
# the last of them: the same growth every day in between.
WARM_UP_DAYS = 42
WARM_UP_FIRST, WARM_UP_LAST = 200, 200_000
SHARE = 4  # batches that a day of the warm-up takes at least
DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """Why a run ended before every batch was settled; the rest stays as it is.

    `kind` is one of interrupted, provider, alarm, warm-up, paused, wave. With wave a run may go on
    at `until_at`, an aware UTC instant; it is None otherwise.
    """

    kind: str
    reason: str
    hint: str = ""
    until_at: dt.datetime | None = None


INTERRUPTED = Stopped(kind="interrupted", reason="It was interrupted.")
PAUSED_BY_SOMEBODY = Stopped(kind="paused", reason="Somebody paused or cancelled it.")


def require_expected(planned: int, expected: int) -> None:
    """Raise unless the audience is as large as whoever sends it believes.

    Raises:
        NotApproved: It is more than 2 % off; nothing was planned.
    """
    if abs(planned - expected) > expected * TOLERANCE:
        raise NotApproved(
            f"{planned:,} readers would get it, and {expected:,} were expected: more than "
            f"{TOLERANCE:.0%} off. Nothing was planned.",
            hint="Look at the audience (digest send --preview), then give the number it shows.",
        )


def alarm(events: Mapping[str, int]) -> str:
    """Return why to stop, in words for people, or "" while the events are as they should be."""
    total = sum(events.values())
    if total < ENOUGH:
        return ""
    bounced = events.get(DeliveryState.BOUNCED, 0) + events.get(DeliveryState.DROPPED, 0)
    complained = events.get(DeliveryState.COMPLAINED, 0)
    if bounced / total > MAX_BOUNCED:
        return f"{bounced:,} of {total:,} mails bounced; more than {MAX_BOUNCED:.0%} is too many."
    if complained / total > MAX_COMPLAINED:
        return (
            f"{complained:,} readers of {total:,} complained; more than {MAX_COMPLAINED:.1%} "
            "is too many."
        )
    return ""


def warm_up_limit(day: int) -> int | None:
    """Return how many readers may be mailed on a day of the warm-up (0 is the first), or None.

    Providers and mailbox hosts trust an address that grows slowly; the limit grows by the same
    factor each day.
    """
    if not 0 <= day < WARM_UP_DAYS:
        return None if day >= WARM_UP_DAYS else 0
    share = day / (WARM_UP_DAYS - 1)
    return round(WARM_UP_FIRST * math.pow(WARM_UP_LAST / WARM_UP_FIRST, share))


def largest_batch(settings: DeliverySettings, now: dt.datetime) -> int:
    """Return how many readers a batch may have that is planned now.

    During the warm-up that is a quarter of the day's readers, so that whole batches fill a day.

    Raises:
        ConfigError: The warm-up has not begun.
    """
    _first, limit = _today(settings, now)
    if limit is None:
        return settings.batch_size
    if limit == 0:
        raise ConfigError(
            f"The warm-up begins on {settings.warm_up_from}, and nobody may be mailed before; "
            "nothing was planned.",
            hint="Send it then, or correct delivery.warm_up_from.",
        )
    return min(settings.batch_size, max(1, limit // SHARE))


def _today(settings: DeliverySettings, now: dt.datetime) -> tuple[dt.datetime, int | None]:
    """Return when the day of the warm-up began (at midnight UTC), and its limit; None for none."""
    if not settings.warm_up_from:
        return now, None
    first = dt.datetime.fromisoformat(settings.warm_up_from).replace(tzinfo=dt.UTC)
    day = (now - first) // DAY
    return first + day * DAY, warm_up_limit(day)


class Brakes:
    """Looks at events and warm-up before each batch; the database at most every ten seconds.

    What the events said before its first look does not count: whoever started this run knew it.
    """

    def __init__(self, ledger: Ledger, clock: Clock, settings: DeliverySettings) -> None:
        self._ledger = ledger
        self._clock = clock
        self._settings = settings
        self._looked_at: dt.datetime | None = None
        self._before: Mapping[str, int] | None = None

    def alarm(self, edition_id: int) -> str:
        """Return why the edition must stop, or ""."""
        now = self._clock.now()
        if self._looked_at is not None and now - self._looked_at < LOOK_EVERY:
            return ""
        self._looked_at = now
        counts = self._ledger.event_counts(edition_id)
        if self._before is None:
            self._before = counts
        before = self._before
        return alarm({state: number - before.get(state, 0) for state, number in counts.items()})

    def is_warm_up_over(self) -> bool:
        """Tell whether one more batch would be over the warm-up's limit for today."""
        now = self._clock.now()
        began, limit = _today(self._settings, now)
        if limit is None:
            return False
        size = min(self._settings.batch_size, max(1, limit // SHARE))
        return self._ledger.handed_over_since(began) + size > limit
