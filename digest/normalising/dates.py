"""When an article was published, as far as it can be believed."""

import datetime as dt
import re
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo

EARLIEST = dt.datetime(1995, 1, 1, tzinfo=dt.UTC)
AHEAD = dt.timedelta(days=1)
MAX_LENGTH = 80

# A 24-hour time with a zone that means the same to everybody, at the end of the text.
_HAS_ZONE = re.compile(
    r":\d\d(?:[.,]\d+)?\s*"
    r"(?:Z|(?:GMT|UTC?)?\s*[+-](?:0\d|1[0-4]):?[0-5]\d|GMT|UTC?|[AECMP][SD]T)\s*(?:\([^()]*\)\s*)?$",
    re.IGNORECASE | re.ASCII,
)
_UNIX_TIME = re.compile(r"([0-9]{10})(?:[0-9]{3})?")
_ZONE_NAME = re.compile(r"(?<= )([A-Z]{2,5})(?= \d{4}$|$)")
_AMERICAN = {  # names without summer or winter in them; which one it is depends on the date
    "ET": "America/New_York",
    "CT": "America/Chicago",
    "MT": "America/Denver",
    "PT": "America/Los_Angeles",
}


def published(
    raw: str, guess: dt.datetime | None, *, timezone: str, language: str, fetched_at: dt.datetime
) -> tuple[dt.datetime | None, bool]:
    """Return the publishing instant (aware UTC) or None, and whether the date lies ahead.

    A date up to a day ahead is taken as the time of fetching, since clocks and zones are often
    wrong by hours; one further ahead is not believed. Before 1995 there were no feeds. A day
    without a time is its noon.

    Args:
        raw: The date as the source states it.
        guess: What the feed parser made of it, aware UTC; used where the text names a zone that
            it knows, or where there is no text.
        timezone: IANA zone of dates that name none; "" means UTC.
        language: BCP 47 tag of the source, for month names and the order of day and month.
        fetched_at: Aware UTC.
    """
    moment = _utc(_read(raw.strip(), guess, ZoneInfo(timezone or "UTC"), language))
    if moment is None or moment < EARLIEST:
        return None, False
    if moment - AHEAD > fetched_at:
        return None, True
    return min(moment, fetched_at), False


def _read(raw: str, guess: dt.datetime | None, zone: ZoneInfo, language: str) -> dt.datetime | None:
    if not raw:
        return guess
    if moment := _in_named_zone(raw, zone, language) or _strictly(raw, zone):
        return moment
    # The feed parser takes zones that it does not know for UTC, and 2 PM for 2 in the morning.
    if guess is not None and _HAS_ZONE.search(raw):
        return guess
    return _in_words(raw, zone, language)


def _strictly(raw: str, zone: ZoneInfo) -> dt.datetime | None:
    if found := _UNIX_TIME.fullmatch(raw):
        return dt.datetime.fromtimestamp(int(found[1]), tz=dt.UTC)
    try:
        return _placed(dt.datetime.fromisoformat(raw), raw, zone)
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(raw)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else None  # without one it may have overread "PM"


def _in_named_zone(raw: str, zone: ZoneInfo, language: str) -> dt.datetime | None:
    """Read a date whose zone's name means the source's own: "IST" is India's for one in India."""
    found = _ZONE_NAME.search(raw)
    if not found:
        return None
    name, rest = found[1], raw[: found.start()] + raw[found.end() :]
    if name in _AMERICAN:
        return _in_words(rest, ZoneInfo(_AMERICAN[name]), language)
    january, july = (dt.datetime(2024, month, 1, tzinfo=zone).tzname() for month in (1, 7))
    if zone.key == "UTC" or name not in (january, july):
        return None
    moment = _in_words(rest, zone, language)
    return moment if moment and moment.tzname() == name else None


def _in_words(raw: str, zone: ZoneInfo, language: str) -> dt.datetime | None:
    # Without a year and a day in it, "yesterday" or "12:30" would be guessing.
    if len(raw) > MAX_LENGTH or not re.search(r"\d{4}", raw):
        return None
    import dateparser

    settings = {"STRICT_PARSING": True, "PARSERS": ["absolute-time"]}
    code = language.split("-")[0].lower()
    for tongue in ({"locales": [language]}, {"languages": [code]}, {"languages": ["en"]}):
        try:
            found = dateparser.parse(raw, settings=settings, **tongue)
        except (ValueError, OverflowError, TypeError):  # a language that it does not know, too
            continue
        if found:
            return _placed(found, raw, zone)
    return None


def _placed(moment: dt.datetime, raw: str, zone: ZoneInfo) -> dt.datetime:
    if moment.tzinfo:
        return moment
    is_day = moment.time() == dt.time() and ":" not in raw
    return moment.replace(hour=12 if is_day else moment.hour, tzinfo=zone)


def _utc(moment: dt.datetime | None) -> dt.datetime | None:
    if moment is None:
        return None
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).astimezone(dt.UTC)
    except OverflowError:
        return None
