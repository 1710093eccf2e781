"""JSON Feed 1.0 and 1.1 (jsonfeed.org), with one extension of our own for ratings.

The extension follows the specification's rule for custom objects (a name with an underscore):
`"_rating": {"value": 4.6, "count": 120, "best": 5, "worst": 1}`, best and worst optional.
"""

import datetime as dt
from typing import Any

import msgspec

from digest.errors import SourceMalformed, SourceRefused
from digest.model.articles import Image, RawEntry, RawRating
from digest.sources.markup import plain_text, single_line, web_url
from digest.sources.parsing import Parsed

MAX_ENTRIES = 500
_VERSIONS = ("https://jsonfeed.org/version/1", "http://jsonfeed.org/version/1")
_MAX_TOPICS = 50


def parse_json_feed(text: str, url: str) -> Parsed:
    """Read a JSON Feed; a field of a wrong type counts as missing.

    Raises:
        SourceRefused: It is nested too deeply.
        SourceMalformed: It is no JSON, or other JSON.
    """
    try:
        feed = msgspec.json.decode(text.encode("utf-8", "replace"))
    except RecursionError:
        raise SourceRefused("It is nested too deeply.") from None
    except msgspec.DecodeError:
        raise SourceMalformed(
            "It begins like JSON but is not: it is damaged or cut off.",
            hint="It is tried again at the next run.",
        ) from None
    if not isinstance(feed, dict) or not _word(feed, "version").startswith(_VERSIONS):
        raise SourceMalformed(
            "It is JSON, but not a JSON Feed.", hint="Look on the site for its feed."
        )
    base = web_url(url) or web_url(feed.get("feed_url")) or web_url(feed.get("home_page_url"))
    entries: list[RawEntry] = []
    refused: list[tuple[str, str]] = []
    items = [item for item in _list(feed, "items") if isinstance(item, dict)]
    for number, item in enumerate(_newest(items), start=1):
        entry = _entry(item, base)
        if entry.title or entry.url or entry.summary or entry.text:
            entries.append(entry)
        else:
            refused.append((f"entry {number}", "It has neither a title nor a link nor text."))
    if len(items) > MAX_ENTRIES:
        reason = f"Of one feed the newest {MAX_ENTRIES} entries are read."
        refused.append((f"{len(items) - MAX_ENTRIES} older entries", reason))
    return Parsed(
        entries=tuple(entries),
        refused=tuple(refused),
        title=single_line(_word(feed, "title")),
        language=_word(feed, "language"),
    )


def _newest(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    if len(items) <= MAX_ENTRIES:
        return items
    oldest = dt.datetime.min.replace(tzinfo=dt.UTC)
    order = sorted(
        range(len(items)), key=lambda i: (_date(items[i])[1] or oldest, -i), reverse=True
    )
    return [items[index] for index in sorted(order[:MAX_ENTRIES])]


def _entry(item: dict[str, Any], base: str) -> RawEntry:
    published, guess = _date(item)
    markup = _word(item, "content_html")
    return RawEntry(
        title=single_line(plain_text(_word(item, "title"))),
        id=_word(item, "id"),
        url=web_url(item.get("url"), base) or web_url(item.get("external_url"), base),
        summary=plain_text(_word(item, "summary")),
        text=plain_text(markup) if markup else _word(item, "content_text"),
        author=_author(item),
        published=published,
        published_guess=guess,
        language=_word(item, "language"),
        topics=tuple(
            dict.fromkeys(
                single_line(tag) for tag in _list(item, "tags") if isinstance(tag, str) and tag
            )
        )[:_MAX_TOPICS],
        image=_image(item, base),
        rating=_rating(item),
    )


def _date(item: dict[str, Any]) -> tuple[str, dt.datetime | None]:
    raw = _word(item, "date_published") or _word(item, "date_modified")
    try:
        instant = dt.datetime.fromisoformat(raw)
    except ValueError:
        return raw, None
    return raw, instant.astimezone(dt.UTC) if instant.tzinfo else None


def _author(item: dict[str, Any]) -> str:
    people = [*_list(item, "authors"), item.get("author")]
    names = [_word(person, "name") for person in people if isinstance(person, dict)]
    return ", ".join(dict.fromkeys(single_line(name) for name in names if name))


def _image(item: dict[str, Any], base: str) -> Image | None:
    url = web_url(item.get("image"), base) or web_url(item.get("banner_image"), base)
    return Image(url=url) if url else None


def _rating(item: dict[str, Any]) -> RawRating | None:
    stars = item.get("_rating")
    if not isinstance(stars, dict) or not _word(stars, "value"):
        return None
    return RawRating(
        value=_word(stars, "value"),
        count=_word(stars, "count"),
        best=_word(stars, "best") or "5",
        worst=_word(stars, "worst") or "1",
    )


def _word(holder: dict[str, Any], name: str) -> str:
    """Return a string or number as a string; ids may be numbers (specification 1.0)."""
    value = holder.get(name)
    return str(value).strip() if isinstance(value, str | int | float) else ""


def _list(holder: dict[str, Any], name: str) -> list[Any]:
    value = holder.get(name)
    return value if isinstance(value, list) else []
