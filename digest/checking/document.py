"""Rules for the document as a whole: its size, its head, its frame and its comments."""

import re
from collections.abc import Iterator
from typing import Any

from digest.checking.findings import Fault, Rule, Severity
from digest.checking.parsing import Comment, Document
from digest.checking.words import joined, leftovers, shown
from digest.normalising.languages import direction_of

CLIPPED = 102_400
"""Bytes of HTML after which Gmail hides the rest."""

NEAR_CLIPPED = 75_000
DEEPEST = 100
"""Elements inside each other; parsers of clients stop not far beyond."""

DOCTYPE = "<!DOCTYPE html>"
_LANGUAGE = re.compile(  # the form of BCP 47: language, script, region, variants, extensions
    "[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?"
    "(-([A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*(-[A-Za-z0-9](-[A-Za-z0-9]{2,8})+)*"
)
_UTF8 = re.compile(rb"""<meta\s[^>]*charset\s*=\s*["']?\s*utf-8\b""", re.IGNORECASE)
_CONDITION = re.compile(r"\[if[^\]]*\]>")
_VML = re.compile(r"<v:(rect|roundrect|shape|oval|image)\b[^>]*>", re.IGNORECASE)


def size(document: Document) -> Iterator[Fault]:
    """Find HTML that Gmail cuts off."""
    if len(document.encoded) > CLIPPED:
        yield Fault(_weight(document))


def near_size(document: Document) -> Iterator[Fault]:
    """Find HTML that link tracking could bring over the limit."""
    if NEAR_CLIPPED < len(document.encoded) <= CLIPPED:
        yield Fault(_weight(document))


def doctype(document: Document) -> Iterator[Fault]:
    """Find HTML that browsers would read by the rules of 1998."""
    if not document.source.startswith(DOCTYPE):
        yield Fault(f"the HTML does not begin with {DOCTYPE}", line=1)


def charset(document: Document) -> Iterator[Fault]:
    """Find HTML that does not say early that it is UTF-8."""
    if not _UTF8.search(document.encoded[:1024]):
        yield Fault('the first 1,024 bytes have no <meta charset="utf-8">', line=1)


def end(document: Document) -> Iterator[Fault]:
    """Find HTML that was cut off."""
    if not document.source.rstrip().lower().endswith("</html>"):
        yield Fault("the HTML does not end with </html>", line=document.source.count("\n") + 1)


def title(document: Document) -> Iterator[Fault]:
    """Find a mail without a title."""
    if not any(e.text_content().strip() for e in document.named("title")):
        yield Fault("the mail has no <title>")


def language(document: Document) -> Iterator[Fault]:
    """Find a frame that does not say its language, or says two."""
    said = []
    for name, element in _frames(document):
        value = element.get("lang") or ""
        said.append(value)
        if not _LANGUAGE.fullmatch(value):
            what = f"lang={value!r} on {name} is no language" if value else f"{name} has no lang"
            yield Fault(what, element)
    if len({value.lower() for value in said}) > 1 and all(map(_LANGUAGE.fullmatch, said)):
        yield Fault(f"the page says lang={said[0]!r} and the wrapper {said[1]!r}", document.wrapper)


def direction(document: Document) -> Iterator[Fault]:
    """Find a frame without its writing direction, or with one that its language does not have."""
    for name, element in _frames(document):
        value = (element.get("dir") or "").lower()
        code = element.get("lang") or ""
        if value not in ("ltr", "rtl"):
            yield Fault(f"{name} has no dir of ltr or rtl", element)
        elif _LANGUAGE.fullmatch(code) and direction_of(code) != value:
            yield Fault(
                f"{name} has dir={value!r}, but its language {code!r} runs the other way", element
            )


def wrapper(document: Document) -> Iterator[Fault]:
    """Find a mail without one element around all text that says what it is."""
    found = document.wrapper
    if found is None:
        yield Fault('no element has role="article"')
        return
    for name in ("aria-roledescription", "aria-label"):
        if not (found.get(name) or "").strip():
            yield Fault(f"the wrapper has no {name}", found)
    inside = set(found.iter())
    for run in document.visible:
        if run.speaks and run.element not in inside:
            yield Fault(f"{shown(run.text)} stands outside the wrapper", run.element)


def depth(document: Document) -> Iterator[Fault]:
    """Find elements so deep inside each other that clients drop them."""
    depths = {document.root: 1}
    for element in document.elements[1:]:
        depths[element] = depths.get(element.getparent(), 0) + 1
    deepest = max(depths, key=lambda element: depths[element])
    if depths[deepest] > DEEPEST:
        yield Fault(f"elements stand {depths[deepest]} deep inside each other", deepest)


def conditional(document: Document) -> Iterator[Fault]:
    """Find comments for Outlook that hide more than they should, or that other clients show."""
    opened: Comment | None = None
    for part in document.parts:
        if not isinstance(part, Comment):
            continue
        text = part.text.strip()
        if not part.closed:
            yield Fault("a comment never ends and hides all that follows", line=part.line)
        elif re.fullmatch(r"\[if[^\]]*\]><!", text):
            opened = opened or part
        elif text == "<![endif]":
            opened = None
        elif _CONDITION.match(text) and not text.endswith("<![endif]"):
            yield Fault("a comment for Outlook has no <![endif]", line=part.line)
    if opened:
        yield Fault("a part that is hidden from Outlook has no <!--<![endif]-->", line=opened.line)
    yield from _bare_conditions(document)


def vml(document: Document) -> Iterator[Fault]:
    """Find Outlook drawings that screen readers cannot read or follow."""
    for part in document.parts:
        for match in _VML.finditer(part.text) if isinstance(part, Comment) else ():
            tag = match[0].lower()
            if " href" in tag:
                yield Fault("a link stands in a VML drawing", line=part.line)
            elif " alt=" not in tag:
                yield Fault("a VML drawing has no alt", line=part.line)


def leftover(document: Document) -> Iterator[Fault]:
    """Find template code and empty values that readers would see."""
    known = joined(" ".join(part for story in document.stories for part in story))
    for element in document.named("title"):
        for found in leftovers(element.text_content(), known):
            yield Fault(f"the title holds {shown(found)}", element)
    for run in document.runs:
        for found in leftovers(run.text, known):
            yield Fault(f"the text holds {shown(found)}", run.element)
    for element in document.elements:
        for name, value in element.attrib.items():
            for found in leftovers(value, known):
                yield Fault(f"{name} of <{element.tag}> holds {shown(found)}", element)


def _weight(document: Document) -> str:
    return f"the HTML has {len(document.encoded):,} bytes, and Gmail hides what follows {CLIPPED:,}"


def _frames(document: Document) -> Iterator[tuple[str, Any]]:
    yield "<html>", document.root
    if document.wrapper is not None:
        yield "the wrapper", document.wrapper


def _bare_conditions(document: Document) -> Iterator[Fault]:
    text = re.sub(
        r"<!--.*?(-->|\Z)", lambda m: "\n" * m[0].count("\n"), document.source, flags=re.DOTALL
    )
    for match in re.finditer(r"<!\[(if|endif)", text):
        yield Fault(
            "a condition for Outlook stands outside a comment",
            line=text.count("\n", 0, match.start()) + 1,
        )


RULES: tuple[Rule[Document], ...] = (
    Rule(
        "html-size", Severity.ERROR,
        "At most 102,400 bytes of HTML: Gmail cuts off the rest, the unsubscribe link first",
        "take fewer stories or shorten summaries", size,
    ),
    Rule(
        "html-size-near", Severity.WARNING,
        "At most 75,000 bytes of HTML, because link tracking adds to it",
        "take fewer stories or shorten summaries", near_size,
    ),
    Rule(
        "charset", Severity.ERROR,
        "UTF-8 is named within the first 1,024 bytes",
        'put <meta charset="utf-8"> first in the head', charset,
    ),
    Rule(
        "leftover", Severity.ERROR,
        "No template code ({{ }}, {% %}, [[ ]]) and no None or undefined where readers see it",
        "mend the template or the words of the edition", leftover, is_fixed=True,
    ),
    Rule(
        "mso-comment", Severity.ERROR,
        "Each conditional comment for Outlook ends, and the others hide nothing",
        "close it with <![endif]-->, or write <!--[if !mso]><!--> … <!--<![endif]-->", conditional,
    ),
    Rule(
        "doctype", Severity.WARNING,
        "The HTML begins with <!DOCTYPE html>",
        "begin with it, without a blank before it", doctype,
    ),
    Rule(
        "html-end", Severity.WARNING,
        "The HTML ends with </html>, so nothing was cut off",
        "render it anew, and end base.html.j2 with it", end,
    ),
    Rule(
        "title", Severity.WARNING,
        "The document has a title",
        "put the subject into <title>", title,
    ),
    Rule(
        "language", Severity.WARNING,
        "The page and the wrapper say the same language as a BCP 47 tag",
        'set lang, such as lang="en", on <html> and on the wrapper', language,
    ),
    Rule(
        "direction", Severity.WARNING,
        "The page and the wrapper say the writing direction of their language",
        'set dir="ltr" or dir="rtl" on <html> and on the wrapper', direction,
    ),
    Rule(
        "wrapper", Severity.WARNING,
        "One element with role=article, aria-roledescription and aria-label holds all text",
        'put all of it into <div role="article" aria-roledescription="email" aria-label="…">',
        wrapper,
    ),
    Rule(
        "nesting-depth", Severity.WARNING,
        "At most 100 elements inside each other",
        "take out tables that only hold another table", depth,
    ),
    Rule(
        "vml", Severity.WARNING,
        "VML drawings hold no link and have alt",
        "draw buttons with a coloured cell instead", vml,
    ),
)  # fmt: skip
