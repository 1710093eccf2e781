"""A mail taken apart once, as all rules see it: elements, the text between them, the source."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lxml import etree, html

from digest.checking.cascade import Look, text_runs
from digest.merging import TOKENS

_OPENING = re.compile(r"<(?=[a-zA-Z/!])")
_COMMENT = re.compile(r"!--(?:-?>|(.*?)(?:--!?>|(\Z)))", re.DOTALL)
_TAG = re.compile(r"(/?)([a-zA-Z][^\s/>]*+)(?:[^>\"']|\"[^\"]*\"|'[^']*')*+>")
_RAW = ("script", "style", "textarea", "title", "xmp")
"""Elements whose content is text up to their end tag."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag as it stands in the source; `name` is "/p" for an end tag, in lower case."""

    name: str
    line: int


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment's inside, and whether it ends at all."""

    text: str
    line: int
    closed: bool


@dataclass(frozen=True, slots=True)
class Run:
    """A piece of text, the element around it, and how it looks there."""

    text: str
    element: Any
    look: Look

    @property
    def words(self) -> str:
        """Its text with single blanks."""
        return " ".join(self.text.split())

    @property
    def speaks(self) -> bool:
        """Whether there is a letter, a digit or a star in it; all else is ornament."""
        return any(c.isalnum() or c in "★☆" for c in self.text)


class Document:
    """A parsed mail.

    Args:
        source: Its HTML, which may be anything.
        stories: For each story its headline, its URL and its summary.
    """

    def __init__(self, source: str, stories: Sequence[tuple[str, str, str]] = ()) -> None:
        self.source = source
        self.stories = tuple(stories)
        self.encoded = source.encode("utf-8", "replace")
        self.root = _parse(self.encoded)
        self.elements = tuple(e for e in self.root.iter() if isinstance(e.tag, str))

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """All text of the body, in order, the hidden as well."""
        return tuple(Run(*run) for run in text_runs(self.root))

    @cached_property
    def visible(self) -> tuple[Run, ...]:
        """The text that readers see."""
        return tuple(run for run in self.runs if not run.look.hidden and run.text.strip())

    @cached_property
    def wrapper(self) -> Any:
        """The element around the whole mail that says so, or None."""
        return next((e for e in self.elements if e.get("role") == "article"), None)

    @cached_property
    def styles(self) -> tuple[tuple[str, Any], ...]:
        """The text and the element of each `<style>`."""
        return tuple((e.text or "", e) for e in self.named("style"))

    @cached_property
    def parts(self) -> tuple[Tag | Comment, ...]:
        """The source's tags and comments, in order."""
        return tuple(_scan(self.source))

    @cached_property
    def links(self) -> tuple[tuple[str, str, Any], ...]:
        """The name, the target and the element of each link."""
        return tuple(
            (_name(e), str(e.get("href")), e) for e in self.named("a") if e.get("href") is not None
        )

    def named(self, *names: str) -> tuple[Any, ...]:
        """Return the elements with one of these names, in order."""
        return tuple(e for e in self.elements if e.tag in names)

    def story_of(self, element: Any) -> str:
        """Return the headline of the story in which `element` stands, or ""."""
        while element is not None:
            if landmarks := self._landmarks.get(element):
                return next(iter(landmarks)) if len(landmarks) == 1 else ""
            element = element.getparent()
        return ""

    @cached_property
    def _landmarks(self) -> dict[Any, set[str]]:
        """For each element the headlines in it; "" stands for what belongs to no story."""
        headlines = {" ".join(headline.split()) for headline, _url, _summary in self.stories}
        found: dict[Any, set[str]] = {}
        for run in self.visible if headlines else ():
            words = run.words
            if words in headlines:
                _mark(run.element, words, found)
        for element in self.elements if headlines else ():
            if element.tag == "h1" or element.get("href") == TOKENS["unsubscribe_url"]:
                _mark(element, "", found)
        return found


def _mark(element: Any, name: str, found: dict[Any, set[str]]) -> None:
    while element is not None:
        found.setdefault(element, set()).add(name)
        element = element.getparent()


def _parse(source: bytes) -> Any:
    # A mail may nest deeper than the parser's guard allows; it would drop the rest in silence.
    parser = html.HTMLParser(encoding="utf-8", huge_tree=True)
    try:
        return html.document_fromstring(source.replace(b"\0", b"") or b"<p></p>", parser=parser)
    except etree.ParserError:  # nothing but comments or blanks
        return html.document_fromstring(b"<p></p>", parser=parser)


def _name(link: Any) -> str:
    """Return what a screen reader says for the link."""
    words = [str(link.get("aria-label") or "")]
    if not words[0]:
        words = [text for text in link.itertext() if isinstance(text, str)]
        words += [str(image.get("alt") or "") for image in link.iter("img")]
    return " ".join(" ".join(words).split()) or str(link.get("title") or "").strip()


def _scan(source: str) -> Iterator[Tag | Comment]:
    """Yield tags and comments as HTML5 reads them; one that never ends takes the rest with it."""
    place, line, counted = 0, 1, 0
    while opening := _OPENING.search(source, place):
        start = opening.end()
        line += source.count("\n", counted, start)
        counted = place = start
        if comment := _COMMENT.match(source, start):
            yield Comment(comment[1] or "", line, comment[2] is None)
            place = comment.end()
        elif source[start] == "!":
            continue
        elif tag := _TAG.match(source, start):
            name = tag[2].lower()
            yield Tag(tag[1] + name, line)
            place = tag.end()
            if name in _RAW and not tag[1]:
                end = re.compile(f"</{name}", re.IGNORECASE).search(source, place)
                place = end.start() if end else len(source)
        elif re.match("/?[a-zA-Z]", source[start : start + 2]):
            return
