"""When an article was published, as far as it can be believed (collecting research, 1.4, 5.4)."""

import datetime as dt
import re
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo

EARLIEST = dt.datetime(1995, 1, 1, tzinfo=dt.UTC)
AHEAD = dt.timedelta(days=1)
_HAS_ZONE = re.compile(r"(?:[+-]\d{2}:?\d{2}|Z|\b(?:UTC|GMT|UT|[ECMP][SD]T))\s*$", re.IGNORECASE)


def published(
    raw: str, guess: dt.datetime | None, *, timezone: str, language: str, fetched_at: dt.datetime
) -> tuple[dt.datetime | None, bool]:
    """Return the publishing instant (aware UTC) or None, and whether the date lies ahead.

    A date up to a day ahead is taken as the time of fetching, since clocks and zones are often
    wrong by hours; one further ahead is not believed. Before 1995 there were no feeds.

    Args:
        raw: The date as the source states it.
        guess: What the feed parser made of it, aware UTC; used where the text names its zone.
        timezone: IANA zone of dates that name none; "" means UTC.
        language: BCP 47 tag of the source, for month names.
        fetched_at: Aware UTC.
    """
    moment = _read(raw.strip(), guess, timezone, language, fetched_at)
    if moment is None or moment < EARLIEST:
        return None, False
    if moment > fetched_at + AHEAD:
        return None, True
    return min(moment, fetched_at), False


def _read(
    raw: str, guess: dt.datetime | None, timezone: str, language: str, fetched_at: dt.datetime
) -> dt.datetime | None:
    if not raw:
        return guess
    if guess is not None and (_HAS_ZONE.search(raw) or not timezone):
        return guess
    zone = ZoneInfo(timezone or "UTC")
    for reader in (dt.datetime.fromisoformat, parsedate_to_datetime):
        try:
            return _aware(reader(raw), zone)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return _in_words(raw, zone, language, fetched_at) or guess


def _aware(moment: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(dt.UTC)


def _in_words(
    raw: str, zone: ZoneInfo, language: str, fetched_at: dt.datetime
) -> dt.datetime | None:
    # Without a year and a day in it, "yesterday" or "12:30" would be guessing.
    if len(raw) > 80 or not re.search(r"\d{4}", raw):
        return None
    import dateparser

    languages = [language.split("-")[0].lower()] if language else ["en"]
    try:
        found = dateparser.parse(
            raw,
            languages=languages,
            settings={
                "STRICT_PARSING": True,
                "PARSERS": ["absolute-time"],
                "RELATIVE_BASE": fetched_at.astimezone(zone).replace(tzinfo=None),
            },
        )
        return _aware(found, zone) if found else None
    except (ValueError, OverflowError, TypeError):
        return None
