"""Summaries: the first sentences of an article, whole ones."""

import re

from digest.normalising.text import clean_text, shorten

LIMIT = 280
SHORTEST = 40
"""A summary that says something; one sentence shorter than this is not left standing alone."""

_LONGEST = 600  # what feeds call a summary and is longer is the article
_LEAST = 20
_READ = 1200
_CUT_OFF = re.compile(r"\s*(?:[\[(]\s*(?:…|\.\.\.)\s*[\])]|…|\.\.\.)\s*$")
_MORE = (
    r"(?:read|see|view) (?:more|(?:the )?(?:full|whole|rest)\b.{0,40})|continue reading\b.{0,200}"
    r"|click here to .{0,100}|weiterlesen\b.{0,80}|lire la suite\b.{0,80}|leer más\b.{0,80}"
    r"|leggi tutto\b.{0,80}|(?:ler|leia) mais\b.{0,80}|lees verder\b.{0,80}|читать далее\b.{0,80}"
)
# Only where a line or a sentence ends before them are these words not the text's own: "… for those
# who see the full history".
_BEFORE_LAST = r"(?:^|\s*\n|(?:(?<=[.!?…。！？])|(?<=[.!?…。！？][\"”’»)\]]))\s+)"  # noqa: RUF001  # wide
_LAST = re.compile(
    rf"{_BEFORE_LAST}(?:"
    r"the post .{1,300}? (?:first appeared|appeared first) on .*"
    r"|der beitrag .{1,300}? erschien (?:zuerst )?auf .*"
    r"|l[’']article .{1,300}? est apparu en premier sur .*"
    r"|la entrada .{1,300}? (?:se publicó primero|aparece primero|apareció primero) en .*"
    r"|l[’']articolo .{1,300}? proviene da .*"
    r"|o post .{1,300}? apareceu primeiro em .*"
    r"|het bericht .{1,300}? verscheen eerst op .*"
    rf"|(?:{_MORE})\s*(?:[→»>.…]|\.\.\.)*"
    r")\s*$",
    re.IGNORECASE,
)
# Lines around the text, not of it: what aggregators add, captions and buttons.
_ADDED = re.compile(
    r"(?:article|comments) url:\s*\S*|(?:points|# comments):\s*\d+|submitted by\s+/u/.*"
    r"|\[link\].*|(?:read|see|view) more\W*|advertisement\W*",
    re.IGNORECASE,
)
_BESIDE = re.compile(
    rf"(?:{_MORE})\W*|share (?:this|on|via)\b.*"
    r"|(?:image|photo|picture)s?(?: credits?)?(?:\s*[:/]| by | courtesy of ).*"
    r"|sponsored(?: by .*)?|comments?|permalink|table of contents|tweet|filed under:.*",
    re.IGNORECASE,
)
_LONGEST_BESIDE = 60
"""Characters of a line that may be a caption or a button; a longer one is a sentence."""
_AGENCIES = (
    r"\((?i:a\.?p\.?|afp|ani|ansa|apa|bloomberg|business wire|cnn|dpa|efe|globe newswire|ians|kyodo"
    r"|ots|pr ?newswire|pti|reuters|tass|upi|xinhua)\)"
)
_DATE = r"(?i:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*\.? \d{1,2}(?:, \d{4})?"
_DATELINE = re.compile(
    rf"(?:[^\W\d_a-z][^—–():\d]{{1,60}}?(?:,?\s+{_DATE})?\s*{_AGENCIES}"
    rf"|[^\W\d_a-z][^—–():\da-z]{{1,40}}?,?\s+{_DATE})\s*(?:—|–|--?)\s+"
)
_UPDATE = re.compile(
    r"[\[(]?updated?(?: \d{1,2})?(?:[\])]:?\s+|\s*:\s+|\s+[—–-]\s+|(?<=\d)-)", re.IGNORECASE
)
_AROUND_TITLES = " .:–—-|!?"
_WIDE = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_FULL_STOPS = (".", "!", "?", "。", "！", "？")  # noqa: RUF001  # Chinese and Japanese


def summarise(title: str, summary: str, text: str, *, language: str) -> str:
    """Return at most LIMIT characters that tell what the article says: whole sentences.

    The source's summary is taken when it stands alone, else the start of the text, else what there
    is of the summary. A repeated title, datelines, captions and what feeds put around the text are
    left out.

    Args:
        title: Clean.
        summary: Plain text with its line ends.
        text: Plain text with its line ends.
        language: BCP 47 tag, for the ends of sentences; "" is read as English.
    """
    short, full = _without_noise(summary, title), _without_noise(text, title)
    if SHORTEST <= len(short) <= _LONGEST and not _CUT_OFF.search(short):
        return cut(short, LIMIT, language=language)
    for candidate in (full, short):
        # A sign of Chinese, Japanese or Korean says about as much as two letters.
        if len(candidate) + len(_WIDE.findall(candidate)) >= _LEAST:
            return _completed(candidate, language)
    return ""


def count_words(text: str) -> int:
    """Return the number of words; letters of scripts without blanks count as half a word."""
    return len(re.findall(r"\w\S*", _WIDE.sub(" ", text))) + len(_WIDE.findall(text)) // 2


def cut(text: str, limit: int, *, language: str = "") -> str:
    """Cut clean `text` to `limit` characters after a sentence, or after a word with "…"."""
    if len(text) <= limit:
        return text
    return _sentences(text, limit, language) or shorten(text, limit)


def _completed(text: str, language: str) -> str:
    """Return the start of `text`, which may break off in the middle of a sentence."""
    if len(text) > LIMIT or not _CUT_OFF.search(text):
        return cut(text, LIMIT, language=language)
    text = _CUT_OFF.sub("", text)
    if text.endswith(_FULL_STOPS):
        return text
    return _sentences(text, len(text) - 1, language) or text.rstrip(" ,;:–—-") + "…"


def _sentences(text: str, limit: int, language: str) -> str:
    """Return the whole sentences within `limit` characters, or "" where they say too little."""
    ends = [end for end in _sentence_ends(text[: limit + 80], language) if end <= limit]
    return text[: ends[-1]] if ends and ends[-1] >= min(SHORTEST, limit // 2) else ""


def _sentence_ends(text: str, language: str) -> list[int]:
    import pysbd

    code = language.split("-")[0].lower()
    known = code if code in pysbd.languages.LANGUAGE_CODES else "en"
    ends, position = [], 0
    # `segment` would look for each sentence with a regular expression of its own: twice the time.
    for sentence in pysbd.Segmenter(language=known, clean=False).processor(text).process():
        start = text.find(sentence.strip(), position)
        if start < 0:
            continue
        position = start + len(sentence.strip())
        ends.append(position)
    return ends


def _is_beside(line: str) -> bool:
    is_sentence = len(line) > _LONGEST_BESIDE or line.endswith((".", "。"))
    return bool(_ADDED.fullmatch(line) or (not is_sentence and _BESIDE.fullmatch(line)))


def _without_noise(raw: str, title: str) -> str:
    lines = [clean_text(line) for line in raw[:_READ].splitlines()]
    repeated = title.casefold().strip(_AROUND_TITLES)
    text = "\n".join(
        line
        for line in lines
        if line and line.casefold().strip(_AROUND_TITLES) != repeated and not _is_beside(line)
    )
    previous = None
    while previous != text:
        previous, text = text, _LAST.sub("", text)
    text = text.replace("\n", " ")
    for beginning in (_UPDATE, _DATELINE, _UPDATE):
        if found := beginning.match(text):
            text = text[found.end() :]
    # Only with a mark behind it is it the title, and not the start of a sentence.
    if repeated and text.casefold().startswith(repeated):
        rest = text[len(repeated) :]
        if rest.lstrip(" ")[:1] in tuple(_AROUND_TITLES.strip()) or not rest:
            text = rest.lstrip(_AROUND_TITLES)
    return text
