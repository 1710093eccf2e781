"""Lines of plain text that fit a terminal and a quoted reply, in every script."""

import re
import unicodedata

COLUMNS = 72

# Where a line may end: at a blank, and behind a wide character unless a closing sign follows it.
_WIDE = "\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff01-\uff60"
_CLOSING = "\u3001\u3002\u300d\u300f\u3011\uff01\uff09\uff0c\uff1a\uff1b\uff1f\u30fc\u3005"
_PIECE = re.compile(rf"[^\s{_WIDE}]+\s*|[{_WIDE}][{_CLOSING}]*\s*")


def width(text: str) -> int:
    """Return how many columns of a terminal `text` takes: wide characters two, marks none."""
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def wrapped(text: str, columns: int = COLUMNS) -> str:
    """Return `text` in lines of at most `columns`; a longer word, such as a link, stays whole."""
    lines: list[str] = []
    line = ""
    for piece in _PIECE.findall(text):
        if line and width(line + piece.rstrip()) > columns:
            lines.append(line.rstrip())
            line = ""
        line += piece
    return "\n".join([*lines, line.rstrip()])
