"""What a mail is made of, in the words of the table of clients: elements, attributes, CSS."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from digest.checking import css
from digest.checking.parsing import Document

_URL = re.compile(r"url\([^)]*\)?", re.IGNORECASE)
_UNIT = re.compile(r"(?<![\w#.-])-?(?:\d++(?:\.\d*+)?|\.\d++)(%|[a-z]++)")
_FUNCTION = re.compile(r"([a-z-]++)\(")
_WORD = re.compile(r"[a-z-]++")
_MEDIA = re.compile(r"\(\s*+([\w-]++)")
_PSEUDO = re.compile(r"(::?)([a-z-]++)")
_BRACKETS = re.compile(r"\[[^\]]*\]?")
_OLD_ELEMENTS = frozenset({"after", "before", "first-letter", "first-line"})
_KIND = re.compile(r"\.([a-z0-9]{2,5})(?:[?#]|$)")


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a feature: its kind, such as "property", its name, and the line of the HTML."""

    kind: str
    name: str
    line: int

    @property
    def key(self) -> str:
        """Its kind and its name, as the table of clients writes them."""
        return f"{self.kind} {self.name}"


def uses(document: Document) -> Iterator[Use]:
    """Yield all that a client could lack, first the HTML with its inline styles, then the sheets.

    The same use is yielded as often as it comes.
    """
    for element in document.elements:
        line = element.sourceline or 0
        for kind, name in _of_element(element):
            yield Use(kind, name, line)
    for text, element in document.styles:
        first = element.sourceline or 0
        for kind, name, line in _of_sheet(text):
            yield Use(kind, name, first + line if first else 0)


def _of_element(element: Any) -> Iterator[tuple[str, str]]:
    yield "element", element.tag
    for name, value in element.attrib.items():
        yield "attribute", name.lower()
        if name == "style":
            style = value[: css.MAX_STYLE]
            if "!important" in style.lower():
                yield "value", "!important"
            for declaration in css.declarations(style):
                yield from _of_declaration(*declaration)
    href, source = (element.get(name) or "" for name in ("href", "src"))
    if element.tag == "meta":
        yield "meta", (element.get("name") or "").lower()
    elif element.tag == "a" and href.startswith(("#", "mailto:")):
        yield "link", "#" if href[0] == "#" else "mailto:"
    elif element.tag == "img":
        kind = _KIND.search(source[:2_000].lower().rpartition("/")[2])
        yield "image", "data:" if source.startswith("data:") else kind[1] if kind else ""


def _of_declaration(name: str, value: str) -> Iterator[tuple[str, str]]:
    yield "property", name
    yield "pair", f"{name}: {value}"
    value = _URL.sub("", css.bare(value))
    for function in _FUNCTION.findall(value):
        yield "function", function
    for unit in _UNIT.findall(value):
        yield "unit", unit
    for word in _WORD.findall(value):
        yield "value", word


def _of_sheet(text: str) -> Iterator[tuple[str, str, int]]:
    """Yield kind, name and line (from 0) of what a style sheet uses."""
    parts = re.split(r"([{};])", css.bare(text))
    line = 0
    for part, end in zip(parts[::2], [*parts[1::2], ""], strict=True):
        words = part.strip().lower()
        begins = line + part[: len(part) - len(part.lstrip())].count("\n")
        for kind, name in _of_part(words, end) if words else ():
            yield kind, name, begins
        line += part.count("\n")


def _of_part(words: str, end: str) -> Iterator[tuple[str, str]]:
    """Yield what an at-rule, a selector or a declaration uses; `end` is the sign behind it."""
    if words.startswith("@"):
        yield "at", words.split(None, 1)[0].partition("(")[0]
        if words.startswith("@media"):
            for feature in _MEDIA.findall(words):
                yield "media", feature
    elif end == "{":
        yield from _of_selector(words)
    elif ":" in words:
        if "!important" in words:
            yield "value", "!important"
        name, _colon, value = words.partition(":")
        yield from _of_declaration(name.strip(), value.replace("!important", "").strip())


def _of_selector(words: str) -> Iterator[tuple[str, str]]:
    if "[" in words:
        yield "selector", "[attribute]"
    words = _BRACKETS.sub("", words)
    for colons, name in _PSEUDO.findall(words):
        yield "pseudo", ("::" if name in _OLD_ELEMENTS else colons) + name
    words = re.sub(r"\([^()]*\)", "", words)
    for sign in ">+~*":
        if sign in words:
            yield "selector", sign
