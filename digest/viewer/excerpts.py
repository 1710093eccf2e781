"""The lines of HTML around a finding, cut so that a person sees the place at once."""

import html
import re
from typing import NamedTuple

AROUND = 2  # lines before and after
WIDE = 220  # characters of the line that is marked
NARROW = 110  # characters of the lines around it
_QUOTED = re.compile(r"“([^”]{2,})”|\"([^\"]{2,})\"|'([^']{2,})'|(<[a-zA-Z][\w:]*)")
_TAG_END = re.compile(r"[^<>]*>?")


class Line(NamedTuple):
    """A line of the HTML; `marked` is its part that the finding means, "" on the lines around."""

    number: int
    before: str
    marked: str = ""
    after: str = ""


def excerpt(source: str, line: int, *, hints: str = "") -> tuple[Line, ...]:
    """Return the lines around line number `line`, or none where there is no such line.

    Args:
        source: The HTML.
        line: Counted from 1.
        hints: The finding's words and the story's headline; what stands in quotes there, and a tag
            such as <img>, is looked for in the line.
    """
    lines = source.split("\n")
    if not 1 <= line <= len(lines):
        return ()
    first = max(1, line - AROUND)
    return tuple(
        _marked(number, text.rstrip("\r"), hints)
        if number == line
        else Line(number, text.rstrip("\r")[:NARROW] + ("…" if len(text) > NARROW else ""))
        for number, text in enumerate(lines[first - 1 : line + AROUND], first)
    )


def _marked(number: int, text: str, hints: str) -> Line:
    start, end = _place(text, hints)
    end = min(end, start + WIDE)
    room = max(0, WIDE - (end - start)) // 2
    left, right = max(0, start - room), min(len(text), end + room)
    return Line(
        number,
        ("…" if left else "") + text[left:start],
        text[start:end],
        text[end:right] + ("…" if right < len(text) else ""),
    )


def _place(text: str, hints: str) -> tuple[int, int]:
    """Return the begin and the end of what the hints name, else of the whole line."""
    for groups in _QUOTED.findall(hints):
        quoted = next(filter(None, groups)).rstrip("….")
        for wanted in (quoted, html.escape(quoted, quote=False), quoted.replace(": ", ":", 1)):
            start = text.find(wanted) if wanted else -1
            if start >= 0:
                is_tag = re.fullmatch(r"<\w+", wanted)
                rest = _TAG_END.match(text, start + len(wanted)) if is_tag else None
                return start, rest.end() if rest else start + len(wanted)
    begin = len(text) - len(text.lstrip())
    return begin, len(text)
