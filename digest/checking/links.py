"""Rules for where a mail's links lead, what they are called, and what it loads."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from digest.checking import css
from digest.checking.findings import Fault, Rule, Severity
from digest.checking.parsing import Document
from digest.checking.words import shown
from digest.merging import TOKENS

_RUNS = ("javascript:", "vbscript:", "data:")
_TOKENS = frozenset(TOKENS.values())
_RATING = f"{TOKENS['rate_url']}/"  # the article and the stars follow
_SCHEMES = frozenset({"http", "https", "mailto", "tel"})
_LEADING = ("href", "action", "formaction", "xlink:href")
_LOADING = ("src", "background", "poster", "data", "lowsrc")
_VAGUE = frozenset(
    {
        "click", "click here", "details", "here", "learn more", "link", "more", "read more",
        "read on", "see more", "this", "this link", "view", "en savoir plus",
        "hier", "hier klicken", "ici", "klicken sie hier", "leer más", "lire la suite",
        "mehr", "mehr erfahren", "mehr lesen", "weiterlesen",
    }
)  # fmt: skip


def script_url(document: Document) -> Iterator[Fault]:
    """Find addresses that run something."""
    for element, name, value in _attributes(document, (*_LEADING, *_LOADING)):
        runs = _RUNS if name in _LEADING else _RUNS[:2]
        if value.startswith((*runs, "data:text/html")):
            yield Fault(f"{name} of <{element.tag}> is {shown(value)}", element)
    for value, where, element in _css_urls(document):
        if _squeezed(value).startswith(_RUNS[:2]):
            yield Fault(f"a url() in {where} is {shown(value)}", element)


def target(document: Document) -> Iterator[Fault]:
    """Find links that lead nowhere."""
    ids = {e.get("id") or e.get("name") for e in document.elements}
    for _name, href, element in document.links:
        is_filled_later = href in _TOKENS or href.startswith(_RATING)
        if is_filled_later or _squeezed(href).startswith(_RUNS):
            continue
        if href.startswith("#") and href[1:] and href[1:] in ids:
            continue
        if fault := _fault_of(href):
            yield Fault(f"the link to {shown(href)} {fault}", element)


def plain_link(document: Document) -> Iterator[Fault]:
    """Find links that travel in the open."""
    for _name, href, element in document.links:
        if href.lower().startswith("http:"):
            yield Fault(f"the link to {shown(href)} is not https", element)


def plain_load(document: Document) -> Iterator[Fault]:
    """Find pictures and style resources that clients would not load."""
    for element, name, value in _attributes(document, _LOADING):
        if not value.startswith(("https://", "cid:", *_RUNS)):
            yield Fault(f"{name} of <{element.tag}> is {shown(value)}", element)
    for value, where, element in _css_urls(document):
        if not _squeezed(value).startswith(("https://", "cid:", *_RUNS)):
            yield Fault(f"a url() in {where} is {shown(value)}", element)


def data_uri(document: Document) -> Iterator[Fault]:
    """Find pictures inside the HTML, which Gmail and Outlook do not show."""
    for element, name, value in _attributes(document, _LOADING):
        if value.startswith("data:") and not value.startswith("data:text/html"):
            yield Fault(f"{name} of <{element.tag}> is a data: URI", element)
    for value, where, element in _css_urls(document):
        if _squeezed(value).startswith("data:"):
            yield Fault(f"a url() in {where} is a data: URI", element)


def name(document: Document) -> Iterator[Fault]:
    """Find links of which a screen reader could only read the address."""
    for words, href, element in document.links:
        if not words:
            yield Fault(f"the link to {shown(href)} has no words", element)


def vague_name(document: Document) -> Iterator[Fault]:
    """Find links that only say "here"."""
    for words, href, element in document.links:
        if _plain(words) in _VAGUE:
            yield Fault(f"the link to {shown(href)} only says {shown(words)}", element)


def same_name(document: Document) -> Iterator[Fault]:
    """Find links that sound alike and lead to different places."""
    first: dict[str, str] = {}
    for words, href, element in document.links:
        plain = _plain(words)
        if plain and plain not in _VAGUE and first.setdefault(plain, href) != href:
            yield Fault(
                f"the links {shown(words)} lead to {shown(first[plain])} and {shown(href)}", element
            )


def _attributes(document: Document, names: tuple[str, ...]) -> Iterator[tuple[Any, str, str]]:
    """Yield element, name and squeezed value of each attribute with one of `names`."""
    for element in document.elements:
        for attribute, value in element.attrib.items():
            if attribute in names:
                yield element, attribute, _squeezed(value)


def _css_urls(document: Document) -> Iterator[tuple[str, str, Any]]:
    for text, element in document.styles:
        for url in css.urls(text):
            yield url, "a style sheet", element
    for element in document.elements:
        for url in css.urls((element.get("style") or "")[: css.MAX_STYLE]):
            yield url, f"the style of <{element.tag}>", element


def _squeezed(value: str) -> str:
    """Return the start of an address as a browser reads it: no blanks or controls, lower case."""
    return re.sub(r"[\x00-\x20]", "", value[:300]).lower()


def _fault_of(href: str) -> str:
    if href.strip() in ("", "#"):
        return "is empty"
    if re.search(r"[\s\x00-\x1f]", href):
        return "has a blank in it"
    try:
        parts = urlsplit(href)
        host = parts.hostname
    except ValueError:
        return "is no address"
    if parts.scheme not in _SCHEMES:
        return "is no web address"
    if parts.scheme in ("http", "https") and not host:
        return "names no host"
    return ""


def _plain(words: str) -> str:
    """Return a link's name without signs around it, in lower case."""
    text = unicodedata.normalize("NFKC", words).casefold()
    return " ".join("".join(c if c.isalnum() else " " for c in text).split())


RULES: tuple[Rule[Document], ...] = (
    Rule(
        "script-url", Severity.ERROR,
        "No address that runs something, such as javascript:",
        "link to a web page", script_url, is_fixed=True,
    ),
    Rule(
        "link-target", Severity.ERROR,
        "Every link leads to a whole web, mail or telephone address",
        "give the whole address with https://", target,
    ),
    Rule(
        "load-https", Severity.WARNING,
        "Pictures and url() are on https or inside the mail (cid:)",
        "put it on the web and name it by its whole https address", plain_load,
    ),
    Rule(
        "data-uri", Severity.WARNING,
        "No picture is written into the HTML as data:",
        "put it on the web and link it", data_uri,
    ),
    Rule(
        "link-name", Severity.WARNING,
        "Every link has words or a picture with alt",
        "write into it where it leads", name,
    ),
    Rule(
        "link-vague", Severity.WARNING,
        "No link only says “here” or “read more”",
        "name what is behind it, such as the headline", vague_name,
    ),
    Rule(
        "link-same-name", Severity.WARNING,
        "Links with the same words lead to the same place",
        "name in each what sets it apart", same_name,
    ),
    Rule(
        "link-https", Severity.INFO,
        "Links are on https",
        "use the https address if the site has one", plain_link,
    ),
)  # fmt: skip
