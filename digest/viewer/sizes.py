"""What each story weighs in the HTML, in bytes; all that is no story's is the frame's."""

import html
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_PART = re.compile(
    r"<!--.*?(?:-->|\Z)|<(/?)([a-zA-Z][^\s/>]*+)(?:[^>\"']|\"[^\"]*\"|'[^']*')*+>", re.DOTALL
)
_RAW = frozenset({"script", "style", "textarea", "title"})
_VOID = frozenset(
    "area base br col embed hr img input link meta param source track wbr".split()  # noqa: SIM905
)
_ANCHOR = frozenset({"a", "h1", "h2", "h3", "h4", "h5", "h6"})
"""Where a headline stands."""


class Weights(NamedTuple):
    """Bytes of UTF-8. `stories` has one number for each headline, 0 for one that is not found."""

    frame: int
    stories: tuple[int, ...]


class _Element(NamedTuple):
    name: str
    start: int
    end: int


class _Text(NamedTuple):
    words: str
    start: int


def weigh(mail: str, headlines: Sequence[str]) -> Weights:
    """Return how many bytes of `mail` (HTML, which may be anything) are each story's.

    A story is the largest element with its headline in it and no other story's. The numbers add up
    to the size of the mail.
    """
    elements, texts = _read(mail)
    places = _places(texts, headlines)
    stories = [0] * len(headlines)
    for number, place in places.items():
        others = [other for other in places.values() if other != place]
        if found := _element_of(place, others, elements):
            stories[number] = len(mail[found.start : found.end].encode())
    return Weights(len(mail.encode()) - sum(stories), tuple(stories))


def _places(texts: Sequence[_Text], headlines: Sequence[str]) -> dict[int, int]:
    """Return where each headline stands, by its number; equal headlines stand in their order."""
    free: dict[str, list[int]] = {}
    for text in reversed(texts):
        free.setdefault(text.words, []).append(text.start)
    found = {}
    for number, headline in enumerate(headlines):
        if starts := free.get(" ".join(headline.split())):
            found[number] = starts.pop()
    return found


def _element_of(place: int, others: Sequence[int], elements: Sequence[_Element]) -> _Element | None:
    around = [element for element in elements if element.start < place < element.end]
    alone = [
        element
        for element in around
        if not any(element.start < other < element.end for other in others)
    ]
    if not others:  # nothing sets one story apart from the frame but its row
        alone = [element for element in around if element.name == "tr"][-1:] or around[-1:]
    return min(alone, key=lambda element: element.start, default=None)


def _read(mail: str) -> tuple[list[_Element], list[_Text]]:
    """Return the elements with their places, and the texts that may be headlines."""
    elements: list[_Element] = []
    texts: list[_Text] = []
    open_tags: list[tuple[str, int]] = []
    done = 0
    for found in _parts(mail):
        words = " ".join(html.unescape(mail[done : found.start()]).split())
        if words and any(name in _ANCHOR for name, _start in open_tags):
            texts.append(_Text(words, done))
        done = found.end()
        name = (found[2] or "").lower()
        if not name or name in _VOID:
            continue
        if not found[1]:
            open_tags.append((name, found.start()))
        elif any(name == opened for opened, _start in open_tags):
            while True:
                opened, start = open_tags.pop()
                end = done if opened == name else found.start()
                elements.append(_Element(opened, start, end))
                if opened == name:
                    break
    elements += [_Element(name, start, len(mail)) for name, start in open_tags]
    return sorted(elements, key=lambda element: element.start), texts


def _parts(mail: str) -> Iterator[re.Match[str]]:
    """Yield the tags and comments; what stands in a style or a title is passed over."""
    place = 0
    while found := _PART.search(mail, place):
        place = found.end()
        yield found
        name = (found[2] or "").lower()
        if name in _RAW and not found[1]:
            end = re.compile(f"</{name}", re.IGNORECASE).search(mail, place)
            place = end.start() if end else len(mail)
