"""The feed of past editions: Atom (RFC 4287)."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from lxml import etree

ATOM = "http://www.w3.org/2005/Atom"
XML = "http://www.w3.org/XML/1998/namespace"
MEDIA_TYPE = "application/atom+xml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An edition in the feed. `address` is also its id; texts are clean, `content` is HTML."""

    address: str
    title: str
    published: dt.datetime
    updated: dt.datetime
    summary: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """The feed itself. `address` is the page of the same editions, and also the feed's id."""

    address: str
    own_address: str
    title: str
    language: str
    updated: dt.datetime
    entries: Sequence[Entry]


def atom(feed: Feed) -> bytes:
    """Return the feed as XML in UTF-8: equal feeds, equal bytes."""
    root = etree.Element(f"{{{ATOM}}}feed", nsmap={None: ATOM})
    root.set(f"{{{XML}}}lang", feed.language)
    _text(root, "id", feed.address)
    _text(root, "title", feed.title)
    _text(root, "updated", _instant(feed.updated))
    _text(etree.SubElement(root, f"{{{ATOM}}}author"), "name", feed.title)
    _link(root, "self", feed.own_address, MEDIA_TYPE)
    _link(root, "alternate", feed.address, "text/html")
    for entry in feed.entries:
        element = etree.SubElement(root, f"{{{ATOM}}}entry")
        _text(element, "id", entry.address)
        _text(element, "title", entry.title)
        _text(element, "published", _instant(entry.published))
        _text(element, "updated", _instant(entry.updated))
        _link(element, "alternate", entry.address, "text/html")
        _text(element, "summary", entry.summary)
        _text(element, "content", entry.content).set("type", "html")
    return bytes(etree.tostring(root, encoding="UTF-8", xml_declaration=True))


def _text(parent: etree._Element, name: str, text: str) -> etree._Element:
    element = etree.SubElement(parent, f"{{{ATOM}}}{name}")
    element.text = text
    return element


def _link(parent: etree._Element, relation: str, address: str, media_type: str) -> None:
    etree.SubElement(parent, f"{{{ATOM}}}link", rel=relation, href=address, type=media_type)


def _instant(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")  # RFC 3339, as RFC 4287, 3.3 asks
