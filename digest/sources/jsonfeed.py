"""JSON Feed 1.0 and 1.1 (jsonfeed.org), with one extension of our own for ratings.

The extension follows the specification's rule for custom objects (a name with an underscore):
`"_rating": {"value": 4.6, "count": 120, "best": 5, "worst": 1}`, best and worst optional.
"""

import datetime as dt
import re
from typing import Any

import msgspec

from digest.errors import SourceMalformed, SourceRefused
from digest.model.articles import Image, RawEntry, RawRating
from digest.sources.entries import best_image, distinct, gathered, stated_instant, stated_rating
from digest.sources.markup import first_image, plain_text, single_line, web_url
from digest.sources.parsing import Parsed

_VERSIONS = ("https://jsonfeed.org/version/1", "http://jsonfeed.org/version/1")
_HALVES = re.compile(
    r"\\(?:u[dD][89aAbB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(?P<half>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
"""An escape in JSON: two halves of a character (surrogates), one without the other, or another."""


def parse_json_feed(text: str, url: str) -> Parsed:
    """Read a JSON Feed; a field of a wrong type counts as missing.

    Raises:
        SourceRefused: It is nested too deeply.
        SourceMalformed: It is no JSON, or other JSON.
    """
    feed = _decoded(text)
    if not isinstance(feed, dict) or not _word(feed, "version").startswith(_VERSIONS):
        raise SourceMalformed(
            "It is JSON, but not a JSON Feed.", hint="Look on the site for its feed."
        )
    base = web_url(url) or web_url(feed.get("feed_url")) or web_url(feed.get("home_page_url"))
    entries, refused = gathered(
        [item for item in _list(feed, "items") if isinstance(item, dict)],
        date=lambda item: _date(item)[1],
        entry=lambda item: _entry(item, base),
    )
    return Parsed(
        entries=entries,
        refused=refused,
        title=single_line(_word(feed, "title")),
        language=_word(feed, "language"),
    )


def _decoded(text: str) -> Any:
    try:
        return msgspec.json.decode(text.encode("utf-8", "replace"))
    except RecursionError:
        raise SourceRefused("It is nested too deeply.") from None
    except msgspec.DecodeError:
        mended = _HALVES.sub(_without_halves, text)
    if mended != text:
        return _decoded(mended)
    raise SourceMalformed(
        "It begins like JSON but is not: it is damaged or cut off.",
        hint="It is tried again at the next run.",
    )


def _without_halves(escape: re.Match[str]) -> str:
    """Put a replacement character for an escape of half a character, which is no Unicode."""
    return r"\ufffd" if escape["half"] else escape[0]


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
        topics=distinct(single_line(tag) for tag in _list(item, "tags") if isinstance(tag, str)),
        image=_image(item, markup, base),
        rating=_rating(item),
    )


def _date(item: dict[str, Any]) -> tuple[str, dt.datetime | None]:
    raw = _word(item, "date_published") or _word(item, "date_modified")
    return raw, stated_instant(raw)


def _author(item: dict[str, Any]) -> str:
    people = [*_list(item, "authors"), item.get("author")]
    names = [_word(person, "name") for person in people if isinstance(person, dict)]
    return ", ".join(dict.fromkeys(single_line(name) for name in names if name))


def _image(item: dict[str, Any], markup: str, base: str) -> Image | None:
    stated = (web_url(item.get(name), base) for name in ("image", "banner_image"))
    images = [Image(url=url) for url in stated if url]
    shown = first_image(markup, base)
    return best_image([*images, shown] if shown else images)


def _rating(item: dict[str, Any]) -> RawRating | None:
    stars = item.get("_rating")
    if not isinstance(stars, dict):
        return None
    return stated_rating(
        _word(stars, "value"),
        _word(stars, "count"),
        best=_word(stars, "best"),
        worst=_word(stars, "worst"),
    )


def _word(holder: dict[str, Any], name: str) -> str:
    """Return a string or number as a string; ids may be numbers (specification 1.0)."""
    value = holder.get(name)
    return str(value).strip() if isinstance(value, str | int | float) else ""


def _list(holder: dict[str, Any], name: str) -> list[Any]:
    value = holder.get(name)
    return value if isinstance(value, list) else []
