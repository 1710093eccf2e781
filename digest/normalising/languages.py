"""The language of an article: stated, or told from its text where nobody states it."""

import re

_TAG = re.compile(
    r"([A-Za-z]{2,3})(?:[-_]([A-Za-z]{4}))?(?:[-_]([A-Za-z]{2}|[0-9]{3}))?(?:[-_].*)?"
)
MIN_LETTERS = 40
_UNTOLD = frozenset({"und", "mul", "mis", "zxx"})  # ISO 639: undetermined, several, none
_RIGHT_TO_LEFT = re.compile(
    "ar|arc|azb|ckb|dv|fa|glk|he|iw|ji|khw|ks|lrc|mzn|nqo|pnb|prs|ps|sd|syr|ug|ur|yi"
)
_RIGHT_TO_LEFT_SCRIPT = re.compile("adlm|arab|hebr|nkoo|rohg|syrc|thaa")


def language_tag(tag: str) -> str:
    """Return a well-formed BCP 47 tag ("en", "zh-Hant", "pt-BR"), or ""."""
    found = _TAG.fullmatch(tag.strip())
    if not found:
        return ""
    language, script, region = found.groups()
    if language.lower() in _UNTOLD:
        return ""
    parts = [language.lower(), (script or "").title(), (region or "").upper()]
    return "-".join(part for part in parts if part)


def language_of(text: str, *stated: str) -> str:
    """Return the first valid tag of `stated`, else the language of a long enough `text`, else "".

    Telling the language costs a large import, so it only happens where nothing is stated.
    """
    for tag in stated:
        if known := language_tag(tag):
            return known
    if sum(character.isalpha() for character in text) < MIN_LETTERS:
        return ""
    import py3langid

    found = str(py3langid.classify(text[:1000])[0])
    # English headlines full of names are now and then taken for Nigerian Pidgin.
    return language_tag({"pcm": "en"}.get(found, found))


def direction_of(language: str) -> str:
    """Return "ltr" or "rtl": how text in the language (a BCP 47 tag) runs."""
    parts = language.lower().split("-")
    if len(parts) > 1 and len(parts[1]) == 4:
        return "rtl" if _RIGHT_TO_LEFT_SCRIPT.fullmatch(parts[1]) else "ltr"
    return "rtl" if _RIGHT_TO_LEFT.fullmatch(parts[0]) else "ltr"
