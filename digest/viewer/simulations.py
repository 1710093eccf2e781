"""Copies of a mail that show in a browser what kinds of mail clients would do to it.

A copy is for a sandboxed frame: it has no script, loads nothing from the web and follows no link.
The mail itself is never changed.
"""

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass

from lxml import etree, html

from digest.viewer.gmail import PAGE_CSS, as_gmail_shows
from digest.viewer.word import as_word_reads, as_word_shows

NOT_LOADED = (
    "data:image/svg+xml,%3Csvg%20xmlns='http://www.w3.org/2000/svg'%20viewBox='0%200%2040%2024'"
    "%20preserveAspectRatio='xMidYMid%20slice'%3E%3Cpath%20fill='%23c9ced6'"
    "%20d='M0%200h40v24H0z'/%3E%3Cpath%20fill='%23aeb5c0'%20d='m9%2019%207-9%205%206%203-3%206"
    "%206zM27%206a2%202%200%201%200%200%204%202%202%200%200%200%200-4'/%3E%3C/svg%3E"
)
"""Stands in for a picture that is on the web: the viewer sends no request."""

_ACTIVE = ("script", "iframe", "frame", "frameset", "object", "embed", "applet", "base", "link")
_LOADING = ("src", "background", "poster", "data", "srcset", "imagesrcset", "ping", "action")
_CONTROL = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")  # no tree may hold them
_SCHEME = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(dark|light)\s*\)", re.IGNORECASE)
_CSS_IMPORT = re.compile(r"@import[^;]*;?", re.IGNORECASE)
_CSS_URL = re.compile(r"url\(\s*(?:\"[^\"]*\"|'[^']*'|[^)]*)\s*\)", re.IGNORECASE)
_ALWAYS, _NEVER = "(min-width:0)", "(max-width:0)"
_INVERTED = "img{filter:invert(1) hue-rotate(180deg)!important}"  # clients leave pictures alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulations:
    """The copies, each a whole HTML document for `<iframe sandbox srcdoc>`.

    `inverted` expects the frame itself to be inverted by the page around it. `stripped` is what
    Gmail's apps show with an account of another provider. `web_pictures` counts the pictures that
    are not at hand and show as a placeholder.
    """

    light: str
    dark: str
    inverted: str
    images_off: str
    gmail: str
    stripped: str
    word: str
    has_dark_rules: bool
    web_pictures: int


def picture_urls(mail: str) -> frozenset[str]:
    """Return the URLs of all pictures that `mail` (HTML) shows."""
    return frozenset(
        url.strip()
        for element in _elements(_parse(mail))
        for name in ("src", "background")
        if (url := element.get(name))
    )


def simulate(mail: str, pictures: Mapping[str, str]) -> Simulations:
    """Return the copies of `mail` (HTML).

    Args:
        mail: The mail as it would go; it may be hostile.
        pictures: For the public URL of a picture at hand, the picture as a data: URL.
    """
    tree = _parse(mail)
    has_dark_rules = any(m[1].lower() == "dark" for m in _SCHEME.finditer(mail))
    web_pictures = len(picture_urls(mail) - pictures.keys())
    _quieten(tree, pictures)
    return Simulations(
        light=_copy(tree),
        dark=_copy(tree, scheme="dark" if has_dark_rules else "light"),
        inverted=_copy(tree, css=_INVERTED),
        images_off=_copy(tree, images=False),
        gmail=_in_gmail(tree, sheets=True),
        stripped=_in_gmail(tree, sheets=False),
        word=_in_word(mail, pictures),
        has_dark_rules=has_dark_rules,
        web_pictures=web_pictures,
    )


def _in_gmail(tree: html.HtmlElement, *, sheets: bool) -> str:
    shown = deepcopy(tree)
    as_gmail_shows(shown, sheets=sheets)
    return _copy(shown, css=PAGE_CSS)


def _in_word(mail: str, pictures: Mapping[str, str]) -> str:
    shown = _parse(as_word_reads(mail))
    _quieten(shown, pictures)
    as_word_shows(shown)
    return _copy(shown)


def _parse(mail: str) -> html.HtmlElement:
    # A mail may nest deeper than the parser's guard allows; it would drop the rest in silence.
    parser = html.HTMLParser(huge_tree=True)
    text = _CONTROL.sub("", mail)
    try:
        tree = html.document_fromstring(text or "<p></p>", parser=parser)
    except etree.ParserError:  # nothing but comments or blanks
        tree = html.document_fromstring("<p></p>", parser=parser)
    if tree.body is None:
        tree.append(html.Element("body"))
    return tree


def _elements(tree: html.HtmlElement) -> Iterator[html.HtmlElement]:
    return (element for element in tree.iter() if isinstance(element.tag, str))


def _quieten(tree: html.HtmlElement, pictures: Mapping[str, str]) -> None:
    """Take out what acts or loads. The sandbox stops it too; this spares its error pages."""
    etree.strip_tags(tree, etree.Comment, etree.ProcessingInstruction)
    etree.strip_elements(tree, *_ACTIVE, with_tail=False)
    for meta in tree.xpath("//meta[@http-equiv]"):
        meta.drop_tree()
    for element in _elements(tree):
        if element.tag == "style" and element.text:
            element.text = _loadless(element.text)
        for name, value in element.attrib.items():
            if _CONTROL.search(value):  # written as &#8;
                element.set(name, _CONTROL.sub("", value))
            _quieten_attribute(element, name, _CONTROL.sub("", value), pictures)


def _quieten_attribute(
    element: html.HtmlElement, name: str, value: str, pictures: Mapping[str, str]
) -> None:
    lower = name.lower().rpartition(":")[2]
    if lower in ("src", "background"):
        element.set(name, pictures.get(value.strip(), NOT_LOADED))
    elif lower == "style":
        element.set(name, _loadless(value))
    elif lower == "href":
        if element.tag != "a" or not value.strip().lower().startswith(("http", "mailto:", "#")):
            del element.attrib[name]
    elif lower in _LOADING or lower.startswith("on") or lower in ("autofocus", "http-equiv"):
        del element.attrib[name]


def _loadless(css: str) -> str:
    return _CSS_URL.sub("none", _CSS_IMPORT.sub("", css))


def _copy(
    tree: html.HtmlElement,
    *,
    scheme: str = "light",
    css: str = "",
    images: bool = True,
) -> str:
    copy = deepcopy(tree)
    for element in list(_elements(copy)):
        if element.tag == "style":
            element.text = _force_scheme(element.text or "", scheme)
        elif element.get("media"):
            element.set("media", _force_scheme(element.get("media"), scheme))
        elif not images and element.tag == "img":
            element.set("src", "")
        if not images and element.get("background"):
            del element.attrib["background"]
    head = copy.find("head")
    if head is None:
        head = html.Element("head")
        copy.insert(0, head)
    # Links go nowhere: a new window is what the sandbox refuses without a word.
    head.insert(0, html.Element("base", target="_blank"))
    style = html.Element("style")
    style.text = f":root{{color-scheme:{scheme} only!important}}{css}"
    head.append(style)
    return str(html.tostring(copy, encoding="unicode", doctype="<!DOCTYPE html>"))


def _force_scheme(css: str, scheme: str) -> str:
    """Make the rules for `scheme` hold and those for the other one not, whatever this machine's."""
    return _SCHEME.sub(lambda m: _ALWAYS if m[1].lower() == scheme else _NEVER, css)
