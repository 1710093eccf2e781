"""What a mail still needs behind the inliner: colours, braces and lines that every client reads."""

import re

MAX_LINE = 998
"""Bytes of a line (RFC 5322); a mail server may cut a longer one anywhere."""

_START = re.compile(r"""<!--.*?-->|<[A-Za-z](?:[^<>"']|"[^"]*"|'[^']*')*>""", re.DOTALL)
_ATTRIBUTE = re.compile(r"""(\s)([\w:-]+)=("[^"]*"|'[^']*')""")
_COLOURED = frozenset({"style", "bgcolor", "color"})
_KEPT = re.compile(r"(<style[^>]*>)(.*?)(</style>)", re.DOTALL)
_RULES = re.compile(r"\{[^{}]*\}")
_SHORT = re.compile(r"(?<![\w/&])#([0-9a-fA-F]{3})(?![0-9a-fA-F])")
_COLOUR = re.compile(r"(?<![\w/&])#([0-9a-fA-F]{6})(?![0-9a-fA-F])")
_TAG = re.compile(r"<!--.*?-->|<[^<>]*>", re.DOTALL)


def finished(html: str) -> str:
    """Return an inlined mail with the same looks, fit for clients and servers with old rules.

    Colours of styles have six digits in lower case; two closing braces of a style sheet have a
    blank between them; lines end where that changes nothing, so that they have at most MAX_LINE
    bytes unless a single word has more.
    """
    html = _START.sub(_coloured, html)
    html = _KEPT.sub(lambda found: found[1] + _sheet(found[2]) + found[3], html)
    return "\n".join(_short_lines(line) for line in html.split("\n"))


def _coloured(tag: re.Match[str]) -> str:
    """Return a start tag with six-digit colours; a comment, and what is only text, stays."""
    if tag[0].startswith("<!--"):
        return tag[0]

    def attribute(found: re.Match[str]) -> str:
        value = _six_digits(found[3]) if found[2] in _COLOURED else found[3]
        return f"{found[1]}{found[2]}={value}"

    return _ATTRIBUTE.sub(attribute, tag[0])


def _six_digits(css: str) -> str:
    css = _SHORT.sub(lambda found: "#" + "".join(2 * digit for digit in found[1]), css)
    return _COLOUR.sub(lambda found: found[0].lower(), css)


def _sheet(css: str) -> str:
    """Return a kept style sheet; the names before its braces stay as they are."""
    css = _RULES.sub(lambda found: _six_digits(found[0]), css)
    return re.sub(r"\}(?=\})", "} ", css)


def _short_lines(line: str) -> str:
    """Break a line where HTML reads a line end as a blank that stands there already.

    Between the attributes of a tag that is everywhere; in text, at a blank that the reader sees as
    one anyway.
    """
    if len(line.encode()) <= MAX_LINE:
        return line
    lines, length = [""], 0
    for piece in _pieces(line):
        size = len(piece.encode())
        if length + size > MAX_LINE and piece[0] == " " and lines[-1]:
            lines.append("")
            piece, size, length = piece[1:], size - 1, 0
        lines[-1] += piece
        length += size
    return "\n".join(lines)


def _pieces(line: str) -> list[str]:
    """Cut a line before each blank at which it may end."""
    pieces, place = [""], 0
    for tag in [*_TAG.finditer(line), None]:
        text = line[place : tag.start() if tag else len(line)]
        _add(pieces, re.split(r"(?= )", text))
        if tag:
            is_comment = tag[0].startswith("<!")
            _add(pieces, [tag[0]] if is_comment else _attributes(tag[0]))
            place = tag.end()
    return [piece for piece in pieces if piece]


def _attributes(tag: str) -> list[str]:
    """Cut a tag before each of its attributes; blanks in their values stay whole."""
    parts, quote, start = [], "", 0
    for index, sign in enumerate(tag):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif sign == " ":
            parts.append(tag[start:index])
            start = index
    return [*parts, tag[start:]]


def _add(pieces: list[str], more: list[str]) -> None:
    """Append `more`; a piece that does not begin with a blank belongs to the one before."""
    for piece in more:
        if piece.startswith(" "):
            pieces.append(piece)
        else:
            pieces[-1] += piece
