"""Plain text that is safe to show anywhere. Standard library only; the command line imports it."""

import re
import unicodedata

MAX_MARKS = 4
"""Marks on one letter; more is decoration that covers other lines."""

_BLANKS = "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85"
_JOINERS = "\u200c\u200d"
_DROPPED = frozenset({"Cc", "Cf", "Cs", "Co"})
# Between two visible characters beyond ASCII, scripts and emoji need one joiner; nobody needs more.
_STRAY_JOINERS = re.compile(
    f"(?<![^\x00-\x7f])[{_JOINERS}]+|[{_JOINERS}]+(?![^\x00-\x7f])|(?<=[{_JOINERS}])[{_JOINERS}]+"
)
# Tag characters hide text, except where they spell the flag of a region (UTS 51, C.1.1).
_FLAG = re.compile("(\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f)")
_CLOSING = {")": "(", "]": "[", "}": "{", "）": "（", "」": "「", "』": "『", "】": "【"}  # noqa: RUF001  # Chinese and Japanese
_VIRAMA = 9  # the combining class of signs that join two consonants


def clean_text(text: str, *, limit: int = 0) -> str:
    """Return `text` as one tidy line: NFC, single blanks, nothing invisible that steers.

    Control characters, bidirectional controls, lone surrogates, noncharacters, private code points
    and hidden tags are dropped, and so are marks beyond MAX_MARKS on one letter; the joiners that
    scripts and emoji need stay. Cleaning twice changes nothing.

    Args:
        text: Any text.
        limit: The longest result in characters; longer text is shortened. 0: no limit.
    """
    fates = _Fates()
    parts = _FLAG.split(unicodedata.normalize("NFC", text))
    text = "".join(part if odd % 2 else part.translate(fates) for odd, part in enumerate(parts))
    if fates.marks:
        marks = f"[{re.escape(fates.marks)}{_JOINERS}]"
        text = re.sub(f"({marks}{{{MAX_MARKS}}}){marks}+", r"\1", text)
    text = " ".join(_STRAY_JOINERS.sub("", text).split())
    text = unicodedata.normalize("NFC", text)
    return shorten(text, limit) if limit else text


class _Fates(dict[int, str | None]):
    """What becomes of each character that occurs, worked out once; for `str.translate`."""

    def __init__(self) -> None:
        super().__init__({ord(blank): " " for blank in _BLANKS})
        self.marks = ""

    def __missing__(self, code: int) -> str | None:
        character = chr(code)
        category = unicodedata.category(character)
        if category in ("Mn", "Me"):
            self.marks += character
        if category.startswith("Z"):
            fate: str | None = " "
        elif character in _JOINERS:
            fate = character
        elif category in _DROPPED or code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF:
            fate = None
        else:
            fate = character
        self[code] = fate
        return fate


def header_text(text: str, *, limit: int = 200) -> str:
    """Return `text` fit for a mail header: one line, at most `limit` characters.

    What looks like an encoded word is broken up, so that no mail client decodes it.
    """
    return shorten(clean_text(text).replace("=?", "= ?"), limit)


def shorten(text: str, limit: int) -> str:
    """Cut clean `text` that is longer than `limit` characters after a word, and end it in "…".

    The cut is never inside what is seen as one character (an emoji of several code points, a flag,
    a letter with its marks), and where there is a better place within reach neither inside a word,
    a number or a URL nor behind an open bracket.
    """
    if len(text) <= limit:
        return text
    end = limit - 1
    bracket = _open_bracket(text[:end])
    if bracket > end // 3:
        end = bracket
    end = _grapheme_start(text, _word_end(text, end))
    return text[:end].rstrip(" ,;:–—-" + _JOINERS) + "…"


def _word_end(text: str, end: int) -> int:
    """Return the last place up to `end` between two words; `end` if that is too far away."""
    place = end
    while place > 0 and not _is_between_words(text, place):
        place -= 1
    is_near = place > end // 3 or "://" in text[place : place + 10]
    return place if place and is_near else end


def _is_between_words(text: str, place: int) -> bool:
    before, after = text[place - 1], text[place]
    if after == " ":
        around = text[place - 1] + text[place + 1 : place + 2]
    elif before == " ":
        around = text[place - 2 : place - 1] + after
    else:
        return _needs_no_blanks(before) or _needs_no_blanks(after)
    return not (len(around) == 2 and around.isdigit())  # "12 000" is one number


def _needs_no_blanks(character: str) -> bool:
    """Tell whether a character's script is written without blanks between the words."""
    return "\u3001" <= character <= "\u9fff" or "\uff01" <= character <= "\uffef"


def _open_bracket(text: str) -> int:
    """Return where the outermost bracket that is not closed stands, or -1."""
    opened: list[tuple[str, int]] = []
    for place, character in enumerate(text):
        if character in _CLOSING.values():
            opened.append((character, place))
        elif character in _CLOSING and opened and opened[-1][0] == _CLOSING[character]:
            opened.pop()
    return opened[0][1] if opened else -1


def _grapheme_start(text: str, place: int) -> int:
    """Return the last place up to `place` that is not inside one visible character."""
    start = place
    while 0 < start < len(text) and _is_inside_grapheme(text, start):
        start -= 1
    return start if start or not place else place


def _is_inside_grapheme(text: str, place: int) -> bool:
    """Tell whether `place` parts what UAX 29 keeps together, as far as a line of news needs it."""
    before, after = text[place - 1], text[place]
    if unicodedata.category(after) in ("Mn", "Me", "Mc") or after in _JOINERS or after in "ำຳ":
        return True
    if "\U0001f3fb" <= after <= "\U0001f3ff" or "\U000e0020" <= after <= "\U000e007f":
        return True  # the colour of a skin, the letters of a flag
    if before == "\u200d" or unicodedata.combining(before) == _VIRAMA:
        return True
    flags = text[:place][::-1] if _is_flag_letter(after) else ""
    letters = next((i for i, letter in enumerate(flags) if not _is_flag_letter(letter)), len(flags))
    return letters % 2 == 1


def _is_flag_letter(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
