"""Plain text that is safe to show anywhere. Standard library only; the command line imports it."""

import re
import unicodedata

MAX_MARKS = 3
"""Combining marks on one letter; more is decoration that covers other lines."""

_JOINERS = "\u200c\u200d"
_UNWANTED = frozenset({"Cc", "Cs", "Co", "Cn"})
_SPACES = re.compile(r"\s+")


def clean_text(text: str, *, limit: int = 0) -> str:
    r"""Return `text` as one tidy line: NFC, single blanks, nothing invisible that steers.

    Control characters, bidirectional controls, lone surrogates, private and unassigned code points
    are dropped (security research, E5); the joiners that scripts and emoji need stay between two
    visible characters. Cleaning twice changes nothing.

    Args:
        text: Any text.
        limit: The longest result in characters; longer text ends in "…". 0: no limit.
    """
    text = unicodedata.normalize("NFC", _SPACES.sub(" ", text))
    text = _SPACES.sub(" ", "".join(_kept(text))).strip(" " + _JOINERS)
    text = unicodedata.normalize("NFC", text)
    if limit and len(text) > limit:
        text = text[: limit - 1].rstrip(" " + _JOINERS) + "…"
    return text


def _kept(text: str) -> list[str]:
    kept: list[str] = []
    marks = 0
    for character in text:
        if " " <= character <= "~":
            marks = 0
            kept.append(character)
            continue
        category = unicodedata.category(character)
        if category in ("Mn", "Me"):
            marks += 1
            if marks > MAX_MARKS:
                continue
        elif category == "Cf":
            is_tag = "\U000e0020" <= character <= "\U000e007f"
            if not is_tag and (character not in _JOINERS or not kept or kept[-1] in _JOINERS):
                continue
        elif category in _UNWANTED:
            continue
        else:
            marks = 0
        kept.append(" " if category in ("Zl", "Zp", "Zs") else character)
    return kept


def header_text(text: str, *, limit: int = 200) -> str:
    """Return `text` fit for a mail header: one line, at most `limit` characters."""
    return clean_text(text, limit=limit)
