"""Feeds: RSS 0.9x, 1.0 and 2.0, Atom 0.3 and 1.0, and the way to JSON Feed.

Runs in the parser's child process. A feed's text is made well-formed first where it is known how,
held against limits that keep the quadratic parts of the feed parser out of reach, and only then
parsed, from memory.
"""

import datetime as dt
import html
import io
import re
import time
import zlib
from html.entities import html5
from typing import Any
from xml.parsers import expat

import feedparser

from digest.errors import SourceMalformed, SourceRefused
from digest.model.articles import Image, RawEntry, RawRating
from digest.sources.entries import best_image, distinct, gathered, stated_rating
from digest.sources.jsonfeed import parse_json_feed
from digest.sources.markup import (
    decode,
    first_image,
    pixels,
    plain_text,
    single_line,
    undoubled,
    web_url,
)
from digest.sources.parsing import MAX_BODY_BYTES, Job, Parsed

MAX_DEPTH = 200
MAX_ATTRIBUTES = 200
MAX_CHILDREN = 1000
"""Direct parts of one entry; the feed parser's time grows with their square."""

_READ_AT_EACH_END = 1000
_SHELL = 1000
_PROLOG = re.compile(
    r"\s+|<!--(?:.*?-->|.*\Z)|<\?(?:.*?\?>|.*\Z)|<!DOCTYPE[^\[>]*(?:\[.*?\]\s*)?>",
    re.DOTALL | re.IGNORECASE,
)
_DECLARATION = re.compile(r"<\?xml\s[^>]*>")
_ROOT = re.compile(r"<(?:[\w.-]+:)?([A-Za-z][\w.-]*)")
_FEED_ROOT = re.compile(r"<(?:[\w.-]+:)?(?:rss|rdf|feed)[\s>]", re.IGNORECASE)
_HTML_ROOT = re.compile(r"<(?:!doctype\s+html|html|head|body)[\s>]", re.IGNORECASE)
_ENTRY_END = re.compile(r"</(?:[\w.-]+:)?(?:item|entry)\s*>", re.IGNORECASE)
_RSS_PREFIX = re.compile(r"<(/?)rss:")
_MEANT_AS_MARKUP = re.compile(r"<[A-Za-z]\w*\s[^<>]*=[^<>]*>")
_TAG = re.compile(r"<[A-Za-z][^<>]*>")
_LINK = re.compile(r"<link\b[^<>]*>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"([a-z-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))", re.IGNORECASE)
_FEED_TYPES = ("application/rss+xml", "application/atom+xml", "application/feed+json")
_REFERENCE = re.compile(
    r"<!\[CDATA\[(?:.*?\]\]>|.*\Z)|<!--(?:.*?-->|.*\Z)|&(?:#(\d{1,7});|#[xX]([0-9a-fA-F]{1,6});|(\w{1,40};))?",
    re.DOTALL,
)
_CLOSED_REFERENCE = re.compile(r"&#?\w{1,40};")
_XML_ENTITIES = frozenset({"amp;", "lt;", "gt;", "quot;", "apos;"})
_HTML_STARTS = frozenset({"html", "head", "title", "meta", "body", "p", "div"})
_OTHER_ROOTS = {
    "opml": "It is an OPML list of feeds, not a feed.",
    "urlset": "It is a sitemap, not a feed.",
    "sitemapindex": "It is a sitemap, not a feed.",
}


def parse_feed(job: Job) -> Parsed:
    """Read a feed of any form; the form is told by the content, never by the Content-Type.

    Raises:
        SourceRefused: It breaks a limit.
        SourceMalformed: It is no feed; where it is a page that names its feed, the hint does too.
    """
    text = decode(_inflated(job.body), job.content_type)
    start = text.lstrip()
    if not start:
        raise SourceMalformed("It is empty.", hint="Open the address in a browser.")
    if start[0] in "{[":
        return parse_json_feed(start, job.url)
    prepared, left_out = _prepared(text, job.url)
    found = feedparser.parse(
        io.BytesIO(prepared.encode("utf-8", "replace")),
        sanitize_html=False,
        resolve_relative_uris=False,
        response_headers={
            "content-type": "application/xml; charset=utf-8",
            "content-location": web_url(job.url),
        },
    )
    if not found.entries and not (found.feed.get("title") or found.feed.get("link")):
        raise SourceMalformed("It is a feed without a channel or entries.")
    return _parsed(found, job, left_out)


def _prepared(text: str, url: str) -> tuple[str, int]:
    """Return the feed's XML from its root on, and how many entries were cut out of its middle.

    Declarations and document types go, and with them every entity definition. If the XML is not
    well-formed, each `&` that starts no reference is escaped, and HTML's entities become numbers.

    Raises:
        SourceRefused: It breaks a limit.
        SourceMalformed: Its root is none of a feed.
    """
    text = _from_root(text, url)
    ends = [match.end() for match in _ENTRY_END.finditer(text)]
    left_out = max(0, len(ends) - 2 * _READ_AT_EACH_END)
    if left_out:
        text = text[: ends[_READ_AT_EACH_END - 1]] + text[ends[-_READ_AT_EACH_END - 1] :]
    if _well_formed(text):
        return text, left_out
    text = _REFERENCE.sub(_repaired_reference, text)
    if "xmlns:rss" not in text:  # the one prefix of its own that the feed parser does not know
        text = _RSS_PREFIX.sub(r"<\1", text)
    if not _well_formed(text):
        _check_loosely(text)
    return text, left_out


def _inflated(body: bytes) -> bytes:
    """Unpack gzip that came without its header, to the exact limit."""
    if not body.startswith(b"\x1f\x8b"):
        return body
    inflater = zlib.decompressobj(31)
    try:
        inflated = inflater.decompress(body, MAX_BODY_BYTES + 1)
    except zlib.error:
        raise SourceMalformed("It is a damaged gzip file.") from None
    if len(inflated) > MAX_BODY_BYTES:
        raise SourceRefused(f"It unpacks to more than {MAX_BODY_BYTES // 1024**2} MB.")
    if not inflater.eof:
        raise SourceMalformed("It is a gzip file that breaks off.")
    return inflated


def _from_root(text: str, url: str) -> str:
    position = 0
    while match := _PROLOG.match(text, position):
        position = match.end()
    text = text[position:]
    if not _FEED_ROOT.match(text):
        # Warnings of a server's script may stand before the feed,
        feed, page = _FEED_ROOT.search(text, 0, 65_536), _HTML_ROOT.search(text, 0, 65_536)
        # or it stands in a page's shell, close to its start.
        if feed and (not page or feed.start() < page.start() + _SHELL):
            text = text[feed.start() :]
        else:
            raise _not_a_feed(text, url, is_page=bool(page))
    return _DECLARATION.sub("", text[:2000]) + text[2000:]


def _not_a_feed(text: str, url: str, *, is_page: bool) -> SourceMalformed:
    root = _ROOT.match(text)
    name = root[1].lower() if root else ""
    if name in _OTHER_ROOTS:
        return SourceMalformed(_OTHER_ROOTS[name], hint="Add each feed by its own address.")
    if is_page or name in _HTML_STARTS:
        feed = _linked_feed(text, url)
        hint = f"The page names its feed: {feed}" if feed else "Look on the page for its feed."
        return SourceMalformed("It is a web page, not a feed.", hint=hint)
    return SourceMalformed("It is not a feed.", hint="Open the address in a browser to see it.")


def _linked_feed(page: str, url: str) -> str:
    for tag in _LINK.findall(page[:200_000]):
        attributes = {m[1].lower(): m[2] or m[3] or m[4] or "" for m in _ATTRIBUTE.finditer(tag)}
        if "alternate" in attributes.get("rel", "").lower() and (
            attributes.get("type", "").lower() in _FEED_TYPES
        ):
            return web_url(html.unescape(attributes.get("href", "")), url)
    return ""


def _repaired_reference(match: re.Match[str]) -> str:
    decimal, hexadecimal, name = match.groups()
    if decimal or hexadecimal:
        code = int(decimal) if decimal else int(hexadecimal, 16)
        return match[0] if _is_xml_character(code) else ""
    if name and name not in _XML_ENTITIES:
        characters = html5.get(name)
        if characters is None:
            return "&amp;" + match[0][1:]
        return "".join(f"&#{ord(character)};" for character in characters)
    return "&amp;" if match[0] == "&" else match[0]


def _is_xml_character(code: int) -> bool:
    """Tell whether XML 1.0 (section 2.2) allows the character, other than as a control."""
    if code < 0x20:
        return code in (0x9, 0xA, 0xD)
    return code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or 0x10000 <= code <= 0x10FFFF


class _Limits:
    """Counts depth, attributes and an entry's parts while the XML goes by."""

    def __init__(self) -> None:
        self.depth = self.entry_depth = self.children = 0

    def start(self, name: str, attributes: list[str]) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise SourceRefused(f"It is nested more than {MAX_DEPTH} levels deep.")
        if len(attributes) > 2 * MAX_ATTRIBUTES:
            raise SourceRefused(f"It has a tag with more than {MAX_ATTRIBUTES} attributes.")
        if self.entry_depth and self.depth == self.entry_depth + 1:
            self.children += 1
            if self.children > MAX_CHILDREN:
                raise SourceRefused(f"It has an entry of more than {MAX_CHILDREN} parts.")
        elif name.rpartition(" ")[2].lower() in ("item", "entry"):
            self.entry_depth, self.children = self.depth, 0

    def end(self, _name: str) -> None:
        if self.depth == self.entry_depth:
            self.entry_depth = 0
        self.depth -= 1


def _well_formed(text: str) -> bool:
    limits = _Limits()
    parser = expat.ParserCreate("utf-8", " ")
    parser.ordered_attributes = True
    parser.StartElementHandler = limits.start
    parser.EndElementHandler = limits.end
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except expat.ExpatError:
        return False
    return True


def _check_loosely(text: str) -> None:
    """Hold what no XML parser can read against the limits that regular expressions can tell."""
    if any(tag.group().count("=") > 2 * MAX_ATTRIBUTES for tag in _TAG.finditer(text)):
        raise SourceRefused(f"It has a tag with more than {MAX_ATTRIBUTES} attributes.")


def _parsed(found: Any, job: Job, left_out: int) -> Parsed:
    base = web_url(job.url) or web_url(found.feed.get("link"))
    entries, refused = gathered(
        found.entries,
        date=lambda item: _date(item)[1],
        entry=lambda item: _entry(item, base),
        left_out=left_out,
    )
    return Parsed(
        entries=entries,
        refused=refused,
        title=_text(found.feed, "title", one_line=True),
        language=_word(found.feed, "language"),
    )


def _entry(item: Any, feed_base: str) -> RawEntry:
    title_detail = item.get("title_detail") or {}
    base = web_url(title_detail.get("base"), feed_base) or feed_base
    contents = [part for part in item.get("content") or () if _is_text(part)]
    content: Any = max(contents, key=lambda part: len(part.get("value") or ""), default={})
    summary, text = _text(item, "summary"), _plain(content)
    enclosures = [link for link in item.get("links") or () if link.get("rel") == "enclosure"]
    enclosed = next((_word(link, "href") for link in enclosures), "")
    return RawEntry(
        title=_text(item, "title", one_line=True),
        id=_word(item, "id") or enclosed,
        url=_link(item, base),
        summary="" if summary == text else summary,
        text=text,
        author=_text(item, "author", one_line=True),
        outlet=_text(item.get("source") or {}, "title", one_line=True),
        published=_date(item)[0],
        published_guess=_date(item)[1],
        language=_word(title_detail, "language"),
        topics=_topics(item),
        image=_image(item, enclosures, content.get("value") or _word(item, "summary"), base),
        rating=_rating(item),
    )


def _link(item: Any, base: str) -> str:
    """Choose the entry's page: past a feed proxy, then the first HTML alternate, then any link."""
    alternates = [
        link.get("href")
        for link in item.get("links") or ()
        if link.get("rel", "alternate") == "alternate"
        and link.get("type", "text/html") in ("text/html", "application/xhtml+xml", "")
    ]
    for candidate in (item.get("feedburner_origlink"), *alternates, item.get("link")):
        if url := web_url(candidate, base):
            return url
    return ""


def _date(item: Any) -> tuple[str, dt.datetime | None]:
    """Return the raw date and what the parser made of it: first published, then updated."""
    for name in ("published", "updated", "created"):
        raw = _word(item, name)
        if raw:
            return raw, _instant(item.get(f"{name}_parsed"))
    return "", None


def _instant(parsed: time.struct_time | None) -> dt.datetime | None:
    if parsed is None:
        return None
    try:
        return dt.datetime(*parsed[:6], tzinfo=dt.UTC)
    except (ValueError, OverflowError):
        return None


def _topics(item: Any) -> tuple[str, ...]:
    names = (tag.get("label") or tag.get("term") or "" for tag in item.get("tags") or ())
    return distinct(single_line(plain_text(name)) for name in names)


def _image(item: Any, enclosures: list[Any], markup: str, base: str) -> Image | None:
    """Choose the largest of the stated pictures and the first in the text."""
    stated = [
        *(part for part in item.get("media_content") or () if _is_picture(part)),
        *(item.get("media_thumbnail") or ()),
        *({**link, "url": link.get("href")} for link in enclosures if _is_picture(link)),
    ]
    if picture := item.get("image"):
        stated.append({"url": picture.get("href")})
    images = [
        Image(url=url, width=pixels(part.get("width")), height=pixels(part.get("height")))
        for part in stated
        if (url := web_url(part.get("url"), base))
    ]
    shown = first_image(markup, base)
    return best_image([*images, shown] if shown else images)


def _is_picture(part: Any) -> bool:
    return part.get("medium") == "image" or str(part.get("type") or "").startswith("image/")


def _is_text(part: Any) -> bool:
    kind = str(part.get("type") or "text/html")
    return kind.startswith("text/") or kind == "application/xhtml+xml"


def _rating(item: Any) -> RawRating | None:
    """Read Media RSS `starRating`: average and count, on a scale from min to max."""
    stars = item.get("media_starrating")
    if not stars:
        return None
    return stated_rating(
        _word(stars, "average"),
        _word(stars, "count"),
        best=_word(stars, "max"),
        worst=_word(stars, "min"),
    )


def _text(holder: Any, name: str, *, one_line: bool = False) -> str:
    detail = holder.get(f"{name}_detail") or {}
    kind = detail.get("type") or "text/html"
    text = _plain({"type": kind, "value": holder.get(name)})
    return single_line(text) if one_line else text


def _plain(part: Any) -> str:
    """Return a text construct as plain text.

    What the parser takes for plain keeps its angle brackets, unless they are tags with attributes;
    its references are resolved, because sites put HTML's into titles of any type.
    """
    value = undoubled(str(part.get("value") or ""))
    if part.get("type") != "text/plain" or _MEANT_AS_MARKUP.search(value):
        return plain_text(value)
    return _CLOSED_REFERENCE.sub(lambda match: html.unescape(match[0]), value).strip()


def _word(holder: Any, name: str) -> str:
    return str(holder.get(name) or "").strip()
