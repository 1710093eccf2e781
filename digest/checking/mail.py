"""Rules for a whole mail: subject, preheader, way out, stories, and the text part."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from digest.checking.findings import Fault, Rule, Severity
from digest.checking.parsing import Document
from digest.checking.words import joined, leftovers, shown, unpadded
from digest.merging import TOKENS, count_tokens
from digest.normalising.urls import web_link

LONGEST_SUBJECT = 78
SHORTEST_PREHEADER, LONGEST_PREHEADER = 40, 130
HEAVY_PICTURE, HEAVY_PICTURES = 200_000, 1_000_000  # bytes
CLIPPED = 100_000
"""Bytes of HTML within which the way out must stand, so that no client cuts it off."""

FOOTER_SHARE, FOOTER_BYTES = 0.15, 4_000
TEXT_COLUMNS = 78
_MARKUP = re.compile(
    r"</?(?:a|b|body|br|div|em|h[1-6]|html|i|img|li|p|span|strong|style|table|td|tr|ul)\b[^<>]*>"
    r"|&(?:amp|lt|gt|quot|apos|nbsp|#\d{1,6}|#x[0-9a-f]{1,6});|[\u034f\u200b\u2060\ufeff]",
    re.IGNORECASE,
)
_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_URL = re.compile(r"https?://\S+|mailto:\S+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A rendered mail; `known` are the feeds' own words, `weights` the bytes of pictures by URL.

    `also` has headline and URL of what is merged into stories.
    The tokens of `digest.merging` are still in it, unless it is one reader's own: `is_filled`.
    """

    document: Document
    text: str
    subject: str
    preheader: str
    tokens: Mapping[str, int]
    postal_address: str
    known: str
    weights: Mapping[str, int] = field(default_factory=dict)
    is_filled: bool = False
    also: Sequence[tuple[str, str]] = ()


def subject_signs(letter: Letter) -> Iterator[Fault]:
    """Find subjects that are empty or that could forge a header or turn text around."""
    if not letter.subject.strip():
        yield Fault("the mail has no subject")
    elif found := _STEERING.search(letter.subject):
        yield Fault(f"the subject has the control character U+{ord(found[0]):04X}")


def picture_weight(letter: Letter) -> Iterator[Fault]:
    """Find pictures that phones on a weak line wait for."""
    total = 0
    for image in letter.document.named("img"):
        weight = letter.weights.get(image.get("src") or "", 0)
        total += weight
        if weight > HEAVY_PICTURE:
            yield Fault(f"a picture has {weight:,} bytes", image)
    if total > HEAVY_PICTURES:
        yield Fault(f"the pictures have {total:,} bytes in all")


def subject_length(letter: Letter) -> Iterator[Fault]:
    """Find subjects that inboxes cut off."""
    if len(letter.subject) > LONGEST_SUBJECT:
        yield Fault(f"the subject has {len(letter.subject)} characters")


def leftover_words(letter: Letter) -> Iterator[Fault]:
    """Find template code and empty values outside the HTML."""
    parts = {"subject": letter.subject, "preheader": letter.preheader}
    lines = [("text part", line) for line in letter.text.split("\n")]
    for where, words in [*parts.items(), *lines]:
        for found in leftovers(words, letter.known):
            yield Fault(f"the {where} holds {shown(found)}")


def preheader_place(letter: Letter) -> Iterator[Fault]:
    """Find mails whose line in the inbox would be something else than the preheader."""
    first = next((run for run in letter.document.runs if unpadded(run.text)), None)
    wanted = unpadded(letter.preheader)
    if not wanted:
        yield Fault("the mail has no preheader")
    elif first is None or not unpadded(first.text).startswith(wanted):
        found = shown(first.text) if first else "nothing"
        yield Fault(
            f"the mail begins with {found} instead of its preheader", first and first.element
        )
    elif not first.look.hidden:
        yield Fault("the preheader is visible in the mail", first.element)
    elif first.look.colour == first.look.background:
        yield Fault("the preheader has the colour of its background", first.element)


def preheader_words(letter: Letter) -> Iterator[Fault]:
    """Find preheaders that only repeat the line above."""
    if letter.preheader.strip() and joined(letter.preheader) == joined(letter.subject):
        yield Fault("the preheader repeats the subject")


def preheader_length(letter: Letter) -> Iterator[Fault]:
    """Find preheaders that inboxes fill with other text or cut off."""
    length = len(unpadded(letter.preheader))
    if length and not SHORTEST_PREHEADER <= length <= LONGEST_PREHEADER:
        yield Fault(f"the preheader has {length} characters")


def unknown_tokens(letter: Letter) -> Iterator[Fault]:
    """Find tokens that nobody fills."""
    for where, body in (("HTML", letter.document.source), ("text part", letter.text)):
        filled_later = () if letter.is_filled else TOKENS.values()
        for name in sorted(count_tokens(body).keys() - set(filled_later)):
            yield Fault(f"nobody fills {name} in the {where}")


def counted_tokens(letter: Letter) -> Iterator[Fault]:
    """Find tokens that were lost or doubled on the way through the inliner."""
    found = count_tokens(letter.document.source)
    for name in sorted(found.keys() | letter.tokens.keys()):
        have, want = found.get(name, 0), letter.tokens.get(name, 0)
        if have != want:
            yield Fault(f"{name} stands {have} times in the HTML instead of {want}")


def unsubscribe_link(letter: Letter) -> Iterator[Fault]:
    """Find mails without a visible way out, or with one that Gmail cuts off."""
    if not _ways_out(letter):
        yield Fault("the HTML has no visible unsubscribe link")
    elif _offset_of_way_out(letter) > CLIPPED:
        yield Fault(f"the unsubscribe link stands after {CLIPPED:,} bytes, where Gmail cuts off")


def unsubscribe_text(letter: Letter) -> Iterator[Fault]:
    """Find text parts without a way out."""
    if letter.text.strip() and TOKENS["unsubscribe_url"] not in letter.text:
        yield Fault("the text part has no unsubscribe link")


def unsubscribe_place(letter: Letter) -> Iterator[Fault]:
    """Find ways out that are not where readers look for them: at the end."""
    if not _ways_out(letter):
        return
    total = len(letter.document.encoded)
    if total - _offset_of_way_out(letter) > max(FOOTER_SHARE * total, FOOTER_BYTES):
        yield Fault("the unsubscribe link is not at the end of the mail", _ways_out(letter)[-1])


def address(letter: Letter) -> Iterator[Fault]:
    """Find mails that do not say where their sender lives."""
    if not letter.postal_address.strip():
        yield Fault("the newsletter has no postal address")
        return
    places = [("HTML", _visible(letter))]
    if letter.text.strip():
        places.append(("text part", joined(letter.text)))
    for where, words in places:
        missing = [p for p in letter.postal_address.splitlines() if joined(p) not in words]
        if missing:
            yield Fault(f"the {where} does not show the postal address {shown(missing[0])}")


def reason(letter: Letter) -> Iterator[Fault]:
    """Find mails that do not say whom they are for."""
    if TOKENS["address"] not in _visible(letter):
        yield Fault("the mail does not show the address that it goes to")


def stories_in_html(letter: Letter) -> Iterator[Fault]:
    """Find stories that are missing in the HTML."""
    words, hrefs = _visible(letter), {href for _name, href, _element in letter.document.links}
    for headline, url, _summary in letter.document.stories:
        if joined(headline) not in words:
            yield Fault(f"the HTML lacks the story {shown(headline)}")
        elif url and not {url, web_link(url)} & hrefs:
            yield Fault(f"the HTML has no link to the story {shown(headline)}")
    for headline, url in letter.also:
        if url and not {url, web_link(url)} & hrefs:
            yield Fault(f"the HTML has no link to {shown(headline)}, which is merged into a story")


def order_in_html(letter: Letter) -> Iterator[Fault]:
    """Find stories in another order than their ranks."""
    yield from _out_of_order(_visible(letter), letter, "HTML")


def text_part(letter: Letter) -> Iterator[Fault]:
    """Find mails that are nothing without HTML."""
    if not letter.text.strip():
        yield Fault("the mail has no text part")


def stories_in_text(letter: Letter) -> Iterator[Fault]:
    """Find text parts that lack a story or its address, or have them in another order."""
    words = joined(letter.text)
    for headline, url, _summary in letter.document.stories if words else ():
        if joined(headline) not in words:
            yield Fault(f"the text part lacks the story {shown(headline)}")
        elif url and url not in words and web_link(url) not in words:
            yield Fault(f"the text part has no address of the story {shown(headline)}")
    for headline, url in letter.also if words else ():
        if url and url not in words and web_link(url) not in words:
            yield Fault(f"the text part has no address of {shown(headline)}, merged into a story")
    if words:
        yield from _out_of_order(words, letter, "text part")


def text_markup(letter: Letter) -> Iterator[Fault]:
    """Find HTML and invisible filler in the text part, unless a story's own words are such."""
    for line in letter.text.split("\n"):
        for found in _MARKUP.finditer(line):
            words = joined(found[0])
            if not words or words not in letter.known:
                yield Fault(f"the text part holds {found[0].encode('unicode_escape').decode()!r}")


def text_width(letter: Letter) -> Iterator[Fault]:
    """Find lines that terminals and old clients break anywhere; addresses cannot be shorter."""
    for number, line in enumerate(letter.text.split("\n"), 1):
        if _columns(_URL.sub("", line)) > TEXT_COLUMNS and " " in line.strip():
            yield Fault(f"line {number} of the text part has {_columns(line)} columns")


def _ways_out(letter: Letter) -> list[object]:
    seen = {run.element for run in letter.document.visible if run.speaks}
    return [
        element
        for _name, href, element in letter.document.links
        if href == TOKENS["unsubscribe_url"] and any(part in seen for part in element.iter())
    ]


def _offset_of_way_out(letter: Letter) -> int:
    return letter.document.encoded.rfind(TOKENS["unsubscribe_url"].encode())


def _visible(letter: Letter) -> str:
    """Return the HTML's visible text without any blank."""
    return joined("".join(run.text for run in letter.document.visible))


def _out_of_order(words: str, letter: Letter, where: str) -> Iterator[Fault]:
    place, before = 0, ""
    for headline, _url, _summary in letter.document.stories:
        found = words.find(joined(headline), place)
        if found >= 0:
            place, before = found + len(joined(headline)), headline
        elif joined(headline) in words:
            yield Fault(f"the {where} has {shown(headline)} before {shown(before)}")


def _columns(line: str) -> int:
    """Return how many columns of a terminal the line takes."""
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in line)
    return len(line) + wide - sum(unicodedata.category(c) in ("Mn", "Me", "Cf") for c in line)


RULES: tuple[Rule[Letter], ...] = (
    Rule(
        "subject-signs", Severity.ERROR,
        "There is a subject, without control characters",
        "write the subject anew: digest edition edit", subject_signs, is_fixed=True,
    ),
    Rule(
        "leftover-words", Severity.ERROR,
        "No template code, None or undefined in subject, preheader and text part",
        "mend the template or the words of the edition", leftover_words, is_fixed=True,
    ),
    Rule(
        "token-unknown", Severity.ERROR,
        "Every token is one that is filled for each reader",
        "use a token of docs/templates.md", unknown_tokens, is_fixed=True,
    ),
    Rule(
        "token-count", Severity.ERROR,
        "Each token stands in the HTML as often as it was put there",
        "write the token alone into its attribute or text", counted_tokens, is_fixed=True,
    ),
    Rule(
        "unsubscribe-link", Severity.ERROR,
        "The HTML has a visible unsubscribe link within its first 100,000 bytes",
        "put mail.tokens.unsubscribe_url into a link of the footer, and shorten a long mail",
        unsubscribe_link, is_fixed=True,
    ),
    Rule(
        "unsubscribe-text", Severity.ERROR,
        "The text part has the unsubscribe link, too",
        "put mail.tokens.unsubscribe_url into edition.txt.j2", unsubscribe_text, is_fixed=True,
    ),
    Rule(
        "postal-address", Severity.ERROR,
        "HTML and text part show the sender's postal address",
        "set newsletter.postal_address and show it in the footer", address,
    ),
    Rule(
        "story-missing", Severity.ERROR,
        "The HTML has every story's headline and link",
        "let the template show all stories", stories_in_html,
    ),
    Rule(
        "story-order", Severity.ERROR,
        "The stories of the HTML stand in the order of their ranks",
        "let the template keep their order", order_in_html,
    ),
    Rule(
        "text-part", Severity.ERROR,
        "There is a text part",
        "mend edition.txt.j2", text_part,
    ),
    Rule(
        "text-stories", Severity.ERROR,
        "The text part has every story's headline and address, in the same order",
        "let edition.txt.j2 show all stories in their order", stories_in_text,
    ),
    Rule(
        "receipt-reason", Severity.WARNING,
        "The mail says to which address it goes and why",
        "show mail.tokens.address in the footer", reason,
    ),
    Rule(
        "unsubscribe-place", Severity.WARNING,
        "The unsubscribe link stands in the last 15 % of the HTML",
        "put it into the footer", unsubscribe_place,
    ),
    Rule(
        "preheader-place", Severity.WARNING,
        "The preheader is the first text of the HTML, hidden, in its own colour",
        "show mail.preheader first in the body, with display: none", preheader_place,
    ),
    Rule(
        "preheader-words", Severity.WARNING,
        "The preheader says something else than the subject",
        "write it anew: digest edition edit", preheader_words,
    ),
    Rule(
        "text-markup", Severity.WARNING,
        "The text part has no tags, entities or invisible filler",
        "use plain values in edition.txt.j2", text_markup,
    ),
    Rule(
        "text-width", Severity.WARNING,
        "Lines of the text part have at most 78 columns, addresses apart",
        "wrap them with the filter wrapped", text_width,
    ),
    Rule(
        "picture-weight", Severity.WARNING,
        "A picture of the newsletter's own has at most 200,000 bytes, all of them 1,000,000",
        "save it smaller, or with a stronger compression", picture_weight,
    ),
    Rule(
        "subject-length", Severity.WARNING,
        "The subject has at most 78 characters",
        "shorten it: digest edition edit", subject_length,
    ),
    Rule(
        "preheader-length", Severity.INFO,
        "The preheader has 40 to 130 characters",
        "write one that fits: digest edition edit", preheader_length,
    ),
)  # fmt: skip

_ALONE = frozenset(
    {
        "subject-signs", "leftover-words", "token-unknown", "text-part", "text-markup",
        "text-width", "subject-length",
    }
)  # fmt: skip
MESSAGE_RULES = tuple(rule for rule in RULES if rule.id in _ALONE)
"""The rules for a message of which nobody knows the edition."""

_OF_LETTERS = _ALONE | {"postal-address", "preheader-place"}
LETTER_RULES = tuple(rule for rule in RULES if rule.id in _OF_LETTERS)
"""The rules for a mail that somebody asked for: it has no stories, and not always a way out."""
