"""What all readers of entries share: how many are kept, and how dates, stars and pictures count."""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from digest.model.articles import Image, RawEntry, RawRating

MAX_ENTRIES = 500
MAX_TOPICS = 50

_Item = TypeVar("_Item")


def gathered(
    items: Sequence[_Item],
    *,
    date: Callable[[_Item], dt.datetime | None],
    entry: Callable[[_Item], RawEntry],
    left_out: int = 0,
) -> tuple[tuple[RawEntry, ...], tuple[tuple[str, str], ...]]:
    """Return the entries of a feed in its order, and what is refused, as (what, why).

    Args:
        items: What the feed holds; of more than MAX_ENTRIES the newest are kept.
        date: Reads an item's instant, aware UTC.
        entry: Reads the item.
        left_out: How many items were cut off before these were read.
    """
    entries: list[RawEntry] = []
    refused: list[tuple[str, str]] = []
    kept = _newest(items, date)
    for number, item in enumerate(kept, start=1):
        found = entry(item)
        if found.title or found.url or found.summary or found.text:
            entries.append(found)
        else:
            refused.append((f"entry {number}", "It has neither a title nor a link nor text."))
    if older := len(items) - len(kept) + left_out:
        reason = f"Of one feed the newest {MAX_ENTRIES} entries are read."
        refused.append((f"{older} older entries", reason))
    return tuple(entries), tuple(refused)


def _newest(items: Sequence[_Item], date: Callable[[_Item], dt.datetime | None]) -> Sequence[_Item]:
    """Keep the newest in the feed's order; undated ones count as old, the first as newer."""
    if len(items) <= MAX_ENTRIES:
        return items
    oldest = dt.datetime.min.replace(tzinfo=dt.UTC)
    order = sorted(
        range(len(items)), key=lambda index: (date(items[index]) or oldest, -index), reverse=True
    )
    return [items[index] for index in sorted(order[:MAX_ENTRIES])]


def stated_instant(stated: str, timezone: str | None = None) -> dt.datetime | None:
    """Read a date in a form of ISO 8601 as aware UTC; None where it cannot be known.

    Args:
        stated: The date as it is written.
        timezone: IANA zone of a date that names none; None where such a date is not to be read.
    """
    try:
        moment = dt.datetime.fromisoformat(stated.strip())
    except ValueError:
        return None
    return in_utc(moment, timezone)


def in_utc(moment: dt.datetime, timezone: str | None = None) -> dt.datetime | None:
    """Return `moment` as aware UTC, or None where its zone is not known or no year holds it."""
    if moment.tzinfo is None:
        if timezone is None:
            return None
        moment = moment.replace(tzinfo=_zone(timezone))
    try:
        return moment.astimezone(dt.UTC)
    except OverflowError:  # in the first hours of the year 1, or in the last of 9999
        return None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def distinct(names: Iterable[str]) -> tuple[str, ...]:
    """Return the first MAX_TOPICS of the names that are not empty, each once."""
    return tuple(dict.fromkeys(name for name in names if name))[:MAX_TOPICS]


def stated_rating(
    value: str, count: str, *, best: str = "", worst: str = "", origin: str = "feed"
) -> RawRating | None:
    """Return stars as they are stated, on a scale from 1 to 5 where none is; None without any."""
    if not value:
        return None
    return RawRating(value=value, count=count, best=best or "5", worst=worst or "1", origin=origin)


def best_image(images: Iterable[Image]) -> Image | None:
    """Choose the largest of the pictures; of several the first, and without sizes the first of all.

    What one mention of an address leaves out, its size or its description, comes from another.
    """
    known: dict[str, Image] = {}
    for image in images:
        before = known.get(image.url, image)
        sized = image if _area(image) and not _area(before) else before
        alt = before.alt or image.alt
        known[image.url] = replace(before, width=sized.width, height=sized.height, alt=alt)
    return max(known.values(), key=_area, default=None)


def _area(image: Image) -> int:
    return (image.width or 0) * (image.height or 0)
