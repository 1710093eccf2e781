"""How text looks where style sheets are dropped: inline styles and attributes, handed down."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from digest.checking import css

BLACK, WHITE, LINK = (0, 0, 0), (255, 255, 255), (0, 0, 238)
_UNSEEN = frozenset({"head", "style", "script", "title", "template", "noscript", "textarea"})
_HEADINGS = {"h1": 2.0, "h2": 1.5, "h3": 1.17, "h4": 1.0, "h5": 0.83, "h6": 0.67}
_BOLD = frozenset({"b", "strong", "th", *_HEADINGS})


@dataclass(frozen=True, slots=True)
class Look:
    """How text looks. Colours are None where they cannot be told from inline styles.

    `size` is in CSS pixels; `line` is a multiple of `size`, 0 where nothing sets it, unless
    `line_pixels` holds it in CSS pixels.
    """

    colour: css.Colour | None = BLACK
    background: css.Colour | None = WHITE
    size: float = 16.0
    line: float = 0.0
    line_pixels: float = 0.0
    bold: bool = False
    hidden: bool = False
    language: str = ""
    direction: str = ""

    @property
    def line_ratio(self) -> float:
        """The line height as a multiple of the size, 0 where nothing sets it."""
        return self.line_pixels / self.size if self.line_pixels and self.size else self.line


def text_runs(root: Any) -> Iterator[tuple[str, Any, Look]]:
    """Yield each text below `root` with its element and its look, in document order."""
    stack: list[tuple[Any, Look, str]] = [(root, Look(), "")]
    while stack:
        element, look, tail = stack.pop()
        if tail:
            yield tail, element, look
            continue
        if not isinstance(element.tag, str) or element.tag in _UNSEEN:
            continue
        look = _look_of(element, look)
        if element.text:
            yield element.text, element, look
        for child in reversed(element):
            if child.tail:
                stack.append((element, look, child.tail))
            stack.append((child, look, ""))


def _look_of(element: Any, look: Look) -> Look:
    style = dict(css.declarations(element.get("style") or ""))
    look = _by_tag(element, look)
    look = _sized(style, look)
    look = _coloured(element, style, look)
    hidden = (
        look.hidden
        or style.get("display") == "none"
        or style.get("visibility") == "hidden"
        or element.get("hidden") is not None
    )
    return replace(
        look,
        hidden=hidden,
        bold=_bold(style.get("font-weight", ""), look.bold),
        language=element.get("lang") or look.language,
        direction=(element.get("dir") or look.direction).lower(),
    )


def _by_tag(element: Any, look: Look) -> Look:
    if element.tag in _BOLD:
        look = replace(look, bold=True, size=look.size * _HEADINGS.get(element.tag, 1.0))
    if element.tag == "a" and element.get("href") is not None:
        look = replace(look, colour=LINK)
    return look


def _sized(style: dict[str, str], look: Look) -> Look:
    parent = look.size
    size = css.pixels(style.get("font-size", ""), em=parent, percent_of=parent)
    if size is not None:
        look = replace(look, size=size)
    line = style.get("line-height", "")
    if line and (height := css.pixels(line, em=look.size, percent_of=look.size)) is not None:
        if line[-1].isdigit():  # a plain number is handed down as a multiple
            return replace(look, line=float(line), line_pixels=0.0)
        return replace(look, line_pixels=height)
    return look


def _coloured(element: Any, style: dict[str, str], look: Look) -> Look:
    colour = style.get("color") or (element.get("color") if element.tag == "font" else "")
    if colour and colour not in ("inherit", "currentcolor"):
        look = replace(look, colour=css.colour(colour))
    background = style.get("background-color") or style.get("background") or element.get("bgcolor")
    if background and background not in ("transparent", "inherit", "none"):
        look = replace(look, background=css.colour(background))
    if style.get("background-image", "none") != "none" or element.get("background"):
        look = replace(look, background=None)
    return look


def _bold(weight: str, inherited: bool) -> bool:
    if not weight or weight == "inherit":
        return inherited
    return weight in ("bold", "bolder") or re.fullmatch("[6-9]00|1000", weight) is not None
