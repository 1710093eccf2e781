"""Words of mails that several rules compare: invisible filler, leftovers of templates, scripts."""

import re
from collections.abc import Iterator

from digest.normalising.text import clean_text

_FILLER = re.compile("[\u00ad\u034f\u2007\u200b-\u200f\u2060\u2800\ufeff]")
_LEFTOVER = re.compile(
    r"\{\{[^{}]{0,200}\}\}|\{%[^{}]{0,200}%\}|\[\[[^\[\]]{0,200}\]\]|\{\{|\{%|\[\["
)
_NOTHING = frozenset({"None", "undefined", "null", "NaN", "nan", "[object Object]"})
_SCRIPTS = (
    ("Greek", 0x370, 0x3FF),
    ("Cyrillic", 0x400, 0x52F),
    ("Hebrew", 0x590, 0x5FF),
    ("Arabic", 0x600, 0x77F),
    ("Devanagari", 0x900, 0x97F),
    ("Thai", 0xE00, 0xE7F),
    ("Hangul", 0x1100, 0x11FF),
    ("Chinese or Japanese", 0x3040, 0x30FF),
    ("Chinese or Japanese", 0x3400, 0x9FFF),
    ("Hangul", 0xAC00, 0xD7AF),
)


def unpadded(text: str) -> str:
    """Return `text` without the invisible filler of preheaders, with single blanks."""
    return " ".join(_FILLER.sub("", text).split())


def joined(text: str) -> str:
    """Return `text` as a mail may show it, without any blank: line breaks make no difference."""
    return "".join(clean_text(text).split())


def leftovers(text: str, known: str) -> Iterator[str]:
    """Yield each piece of a template in `text`, unless it is in `known`, the stories' words."""
    for match in _LEFTOVER.finditer(text):
        if joined(match[0]) not in known:
            yield match[0]
    if text.strip() in _NOTHING and text.strip() not in known:
        yield text.strip()


def script(text: str) -> str:
    """Return the name of the script that most of 8 or more letters are in; "" where it is Latin."""
    letters = [ord(c) for c in text if c.isalpha()]
    counts: dict[str, int] = {}
    for letter in letters:
        for name, first, last in _SCRIPTS if letter > 0x36F else ():
            if first <= letter <= last:
                counts[name] = counts.get(name, 0) + 1
    best = max(counts, key=lambda name: counts[name], default="")
    return best if best and len(letters) >= 8 and counts[best] > 0.6 * len(letters) else ""


def printable(text: str) -> str:
    """Return `text` with a sign for each character that would steer a terminal."""
    return "".join(c if c.isprintable() else "�" for c in text)


def shown(text: str, limit: int = 60) -> str:
    """Return `text` quoted for a message: one line, cut where it is long."""
    line = printable(" ".join(text.split()))
    return f"“{line[: limit - 1]}…”" if len(line) > limit else f"“{line}”"
