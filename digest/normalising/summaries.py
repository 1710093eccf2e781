"""Summaries: the first sentences of an article, whole ones (collecting research, 6)."""

import re

from digest.normalising.text import clean_text

LIMIT = 240
SHORTEST = 60
_READ = 1200
_BOILERPLATE = re.compile(
    r"\s*(?:the post .{1,300}? (?:first )?appeared (?:first )?on .*"
    r"|(?:read|see|view) (?:more|full (?:article|story))\b.{0,80}"
    r"|continue reading\b.{0,200}|\[(?:…|\.\.\.|&hellip;)\]|click here to .{0,100})\s*$",
    re.IGNORECASE,
)
_ENDS = "。！？"  # noqa: RUF001  # sentences of Chinese and Japanese end so


def summarise(title: str, summary: str, text: str, *, language: str) -> str:
    """Return at most LIMIT characters that tell what the article says, ending with a sentence.

    The source's summary is taken when it says something, else the start of its text. A repeated
    title and the boilerplate of feeds are left out.
    """
    for candidate in (summary, text):
        found = _without_noise(clean_text(candidate[:_READ]), title)
        if len(found) >= 20:
            return cut(found, LIMIT, language=language)
    return ""


def count_words(text: str) -> int:
    """Return the number of words; letters of scripts without blanks count as half a word."""
    wide = len(re.findall(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]", text))
    return len(text.split()) + wide // 2


def cut(text: str, limit: int, *, language: str = "") -> str:
    """Cut clean `text` to `limit` characters after a sentence, or after a word with "…"."""
    if len(text) <= limit:
        return text
    best = ""
    for end in _sentence_ends(text[: limit + 200], language):
        if end > limit:
            break
        best = text[:end].rstrip()
    if len(best) >= SHORTEST:
        return best
    part = text[: limit - 1]
    if " " in part[limit // 2 :]:
        part = part[: part.rindex(" ")]
    return part.rstrip(" ,;:–—-") + "…"


def _sentence_ends(text: str, language: str) -> list[int]:
    import pysbd

    code = language.split("-")[0].lower()
    if code in ("zh", "ja"):
        return [i + 1 for i, character in enumerate(text) if character in _ENDS]
    known = code if code in pysbd.languages.LANGUAGE_CODES else "en"
    ends, position = [], 0
    for sentence in pysbd.Segmenter(language=known, clean=False).segment(text):
        start = text.find(sentence.strip(), position)
        if start < 0:
            continue
        position = start + len(sentence.strip())
        ends.append(position)
    return ends


def _without_noise(text: str, title: str) -> str:
    previous = None
    while previous != text:
        previous, text = text, _BOILERPLATE.sub("", text)
    if title and text.casefold().startswith(title.casefold()):
        rest = text[len(title) :].lstrip(" .:–—-|")
        text = rest if len(rest) >= 20 else ""
    return text.strip()
