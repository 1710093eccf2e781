"""Rules for style sheets and for how text looks where only inline styles count."""

import re
from collections.abc import Iterator
from typing import Any

from digest.checking import css
from digest.checking.findings import Fault, Rule, Severity
from digest.checking.parsing import Document, Run
from digest.checking.words import script, shown

MOST_STYLE, MUCH_STYLE = 16_384, 8_192
"""Bytes of `<style>`; beyond the first Gmail drops blocks."""

SMALLEST = 13
LEAST_LINE, LEAST_LINE_CJK = 1.4, 1.6
PROSE = 40
"""Characters from which text is likely to wrap, so that the distance of lines counts."""

LARGE, LARGE_BOLD = 24.0, 18.66
UNREADABLE = 1.5
_ACTIVE = re.compile(r"@import|expression\s*\(|-moz-binding|behavior\s*:", re.IGNORECASE)
_MODERN_RGB = re.compile(r"rgba?\(\s*[\d.]+%?\s+[\d.]+", re.IGNORECASE)
_NOT_WORD = re.compile(
    r"(rgba|hsla?|var|calc|clamp|min|max|(?:repeating-)?(?:linear|radial|conic)-gradient)\(|[\d.](rem|vw|vh|ch)\b"
)
_NOT_WORD_DISPLAY = ("flex", "inline-flex", "grid", "inline-grid")
_COLOUR_FORM = re.compile(r"#([0-9a-f]+)\b|\b(rgb|hsl|hwb|lab|oklch)\(")
_LATIN = frozenset(
    {"cs", "da", "de", "en", "es", "fi", "fr", "hu", "id", "it", "nb", "nl", "pl", "pt", "sv", "tr"}
)


def sheet_size(document: Document) -> Iterator[Fault]:
    """Find style sheets that Gmail drops."""
    if (total := _sheet_bytes(document)) > MOST_STYLE:
        yield Fault(f"the style sheets have {total:,} bytes, and Gmail keeps {MOST_STYLE:,}")


def near_sheet_size(document: Document) -> Iterator[Fault]:
    """Find style sheets on their way to that."""
    if MUCH_STYLE < (total := _sheet_bytes(document)) <= MOST_STYLE:
        yield Fault(f"the style sheets have {total:,} bytes, and Gmail keeps {MOST_STYLE:,}")


def active_css(document: Document) -> Iterator[Fault]:
    """Find CSS that fetches or runs something."""
    for text, where, element in _all_css(document):
        if found := _ACTIVE.search(css.bare(text)):
            yield Fault(f"{where} has {shown(found[0])}", element)


def nested(document: Document) -> Iterator[Fault]:
    """Find at-rules for which Gmail deletes the whole block."""
    for text, element in document.styles:
        for name in css.nested_at_rules(text):
            yield Fault(f"{name} stands inside another @ rule", element)


def braces(document: Document) -> Iterator[Fault]:
    """Find braces after which Outlook.com drops the rest of the block."""
    for text, element in document.styles:
        if "}}" in css.bare(text):
            yield Fault("a style sheet has “}}” without a blank between", element)


def unreadable(document: Document) -> Iterator[Fault]:
    """Find text that has nearly the colour of what is behind it."""
    for run, ratio in _contrasts(document):
        if ratio < UNREADABLE:
            yield Fault(f"{shown(run.text)} has a contrast of {ratio:.1f} to 1", run.element)


def contrast(document: Document) -> Iterator[Fault]:
    """Find text with less contrast than WCAG 2.2 AA asks for."""
    for run, ratio in _contrasts(document):
        is_large = run.look.size >= (LARGE_BOLD if run.look.bold else LARGE)
        if UNREADABLE <= ratio < (3 if is_large else 4.5):
            least = "3" if is_large else "4.5"
            what = f"{shown(run.text)} has a contrast of {ratio:.2f} to 1 instead of {least}"
            yield Fault(what, run.element)


def text_size(document: Document) -> Iterator[Fault]:
    """Find text that is too small to read on a phone."""
    for run in _speaking(document):
        if run.look.size < SMALLEST:
            yield Fault(f"{shown(run.text)} is {run.look.size:.3g} px high", run.element)


def line_height(document: Document) -> Iterator[Fault]:
    """Find prose with its lines close together."""
    for run in _speaking(document):
        is_dense = script(run.text) in ("Chinese or Japanese", "Hangul")
        least = LEAST_LINE_CJK if is_dense else LEAST_LINE
        if not 0 < run.look.line_ratio < least - 0.005 or run.look.size >= LARGE_BOLD:
            continue
        if len(run.words) >= (PROSE / 2 if is_dense else PROSE):
            what = f"{shown(run.text)} has a line height of {run.look.line_ratio:.2f}"
            yield Fault(f"{what} instead of {least}", run.element)


def word_css(document: Document) -> Iterator[Fault]:
    """Find inline CSS that classic Outlook drops."""
    for element in document.elements:
        for name, value in css.declarations(element.get("style") or ""):
            if name.startswith(("mso-", "font-family")):
                continue
            found = _NOT_WORD.search(value)
            if found or (name == "display" and value in _NOT_WORD_DISPLAY):
                yield Fault(f"<{element.tag}> has {shown(f'{name}: {value}')}", element)


def word_padding(document: Document) -> Iterator[Fault]:
    """Find padding that classic Outlook ignores; told once, as it is a matter of looks."""
    found = [
        element
        for element in document.elements
        if element.tag not in ("td", "th", "table", "body", "a")  # a link in a cell is a button
        and any(_is_padding(*pair) for pair in css.declarations(element.get("style") or ""))
    ]
    if found:
        names = ", ".join(sorted({f"<{element.tag}>" for element in found}))
        line = found[0].sourceline or 0
        yield Fault(f"padding is set on {names}, {len(found)} in all", line=line)


def colour_form(document: Document) -> Iterator[Fault]:
    """Find colours that one of the clients does not read."""
    for element, name, value in _colour_values(document):
        match = _COLOUR_FORM.search(value)
        if match and (match[2] or len(match[1]) not in (3, 6)):
            yield Fault(f"<{element.tag}> has {shown(f'{name}: {value}')}", element)
        elif words := css.NAMED.keys() & set(re.findall("[a-z]+", value)):
            yield Fault(f"<{element.tag}> has the colour name {min(words)}", element)
    for text, element in document.styles:
        if found := _MODERN_RGB.search(css.bare(text)):
            yield Fault(f"a style sheet has {shown(found[0])}", element)


def short_colour(document: Document) -> Iterator[Fault]:
    """Find three-digit colours; told once, as few clients stumble over them."""
    found = [
        element
        for element, _name, value in _colour_values(document)
        if any(len(digits) == 3 for digits in re.findall(r"#([0-9a-f]+)\b", value))
    ]
    if found:
        line = found[0].sourceline or 0
        yield Fault(f"colours have three digits, {len(found)} in all", line=line)


def text_language(document: Document) -> Iterator[Fault]:
    """Find text in a script that its language is not written in."""
    for run in _speaking(document):
        code = run.look.language.partition("-")[0].lower()
        if code in _LATIN and (name := script(run.text)):
            yield Fault(f"{shown(run.text)} is {name}, but marked as {code!r}", run.element)


def text_direction(document: Document) -> Iterator[Fault]:
    """Find right-to-left text in a frame that runs the other way."""
    for run in _speaking(document):
        if run.look.direction == "ltr" and script(run.text) in ("Hebrew", "Arabic"):
            yield Fault(f"{shown(run.text)} runs from right to left in dir=ltr", run.element)
        code = run.look.language.partition("-")[0].lower()
        is_latin = code in _LATIN and len(run.words) >= PROSE and not script(run.text)
        if is_latin and run.look.direction == "rtl":
            yield Fault(f"{shown(run.text)} runs from left to right in dir=rtl", run.element)


def _speaking(document: Document) -> Iterator[Run]:
    return (run for run in document.visible if run.speaks)


def _contrasts(document: Document) -> Iterator[tuple[Run, float]]:
    """Yield the texts whose two colours are both known, with their contrast."""
    for run in _speaking(document):
        if run.look.colour is not None and run.look.background is not None:
            yield run, css.contrast(run.look.colour, run.look.background)


def _sheet_bytes(document: Document) -> int:
    return sum(len(text.encode("utf-8", "replace")) for text, _element in document.styles)


def _all_css(document: Document) -> Iterator[tuple[str, str, Any]]:
    for text, element in document.styles:
        yield text, "a style sheet", element
    for element in document.elements:
        if style := element.get("style"):
            yield style[: css.MAX_STYLE], f"the style of <{element.tag}>", element


def _colour_values(document: Document) -> Iterator[tuple[Any, str, str]]:
    """Yield element, name and value of each inline place for a colour that Word could read."""
    for element in document.elements:
        pairs = css.declarations(element.get("style") or "")
        for name, value in pairs:
            is_colour = re.search("color|background|border|outline", name) and "url(" not in value
            if is_colour and not _NOT_WORD.search(value):
                yield element, name, value
        for name in ("bgcolor", "color"):
            if value := (element.get(name) or "").strip().lower():
                yield element, name, value


def _is_padding(name: str, value: str) -> bool:
    return name.startswith("padding") and re.search("[1-9]", value) is not None


RULES: tuple[Rule[Document], ...] = (
    Rule(
        "css-active", Severity.ERROR,
        "No CSS that fetches or runs something: @import, expression(), behavior",
        "write the rules into the mail's own sheet", active_css, is_fixed=True,
    ),
    Rule(
        "text-unreadable", Severity.ERROR,
        "No text has nearly the colour of what is behind it",
        "set color and background-color together in base.css", unreadable,
    ),
    Rule(
        "style-size", Severity.WARNING,
        "At most 16,384 bytes of kept style sheets: Gmail drops what is beyond",
        "move rules into base.css or take them out", sheet_size,
    ),
    Rule(
        "css-nested", Severity.WARNING,
        "No @ rule inside another: Gmail deletes the whole block for it",
        "put it beside the other one", nested,
    ),
    Rule(
        "css-braces", Severity.WARNING,
        "Closing braces have a blank between: Outlook.com drops what follows “}}”",
        "write “} }”", braces,
    ),
    Rule(
        "contrast", Severity.WARNING,
        "Text has a contrast of 4.5 to 1, large text of 3 to 1 (WCAG 2.2 AA)",
        "choose a darker or a lighter colour", contrast,
    ),
    Rule(
        "text-size", Severity.WARNING,
        "No text is smaller than 13 pixels",
        "set font-size to 14px or more", text_size,
    ),
    Rule(
        "line-height", Severity.WARNING,
        "Prose has a line height of 1.4, in Chinese, Japanese and Korean of 1.6",
        "set line-height to at least that multiple of font-size", line_height,
    ),
    Rule(
        "word-css", Severity.WARNING,
        "No inline CSS that classic Outlook drops: rgba(), gradients, rem, var(), flex, grid",
        "use pixels, six-digit colours and table cells", word_css,
    ),
    Rule(
        "colour-form", Severity.WARNING,
        "Inline colours are hexadecimal, and no sheet writes rgb() with blanks",
        "write six digits after #", colour_form,
    ),
    Rule(
        "text-language", Severity.WARNING,
        "Text in another script says its language",
        "set lang on the element around it, for a story by its language", text_language,
    ),
    Rule(
        "text-direction", Severity.WARNING,
        "Text runs in the direction of its script",
        "set dir on the element around it, for a story by its language", text_direction,
    ),
    Rule(
        "style-size-near", Severity.INFO,
        "At most 8,192 bytes of kept style sheets",
        "move rules into base.css or take them out", near_sheet_size,
    ),
    Rule(
        "word-padding", Severity.INFO,
        "Only table cells and buttons have padding: classic Outlook ignores it elsewhere",
        "put padding on the cell around, and use margins between paragraphs", word_padding,
    ),
    Rule(
        "colour-short", Severity.INFO,
        "Inline colours have six digits: old clients do not read three",
        "write all six digits after #", short_colour,
    ),
)  # fmt: skip
