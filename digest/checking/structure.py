"""Rules for what a mail is made of: tables, headings, pictures, stars and forbidden elements."""

import re
from collections.abc import Iterator
from typing import Any

from digest.checking.findings import Fault, Rule, Severity
from digest.checking.parsing import Document, Tag
from digest.checking.words import shown

LONGEST_ALT = 125
_FORBIDDEN = frozenset(
    {
        "applet", "audio", "base", "button", "canvas", "embed", "form", "frame", "frameset",
        "iframe", "input", "math", "object", "script", "select", "svg", "textarea", "video",
    }
)  # fmt: skip
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_FILE_NAME = re.compile(r"[\w%.-]+\.(jpe?g|png|gif|webp|svg|bmp)", re.IGNORECASE)
_BLOCKS = frozenset({"div", "dl", "hr", "li", "ol", "p", "td", "th", "tr", "ul", *_HEADINGS})


def forbidden(document: Document) -> Iterator[Fault]:
    """Find elements that run, fetch or ask, in the tree and in the source."""
    seen: set[tuple[str, int]] = set()
    for element in document.elements:
        if element.tag in _FORBIDDEN or _is_active(element):
            seen.add((element.tag, element.sourceline or 0))
            yield Fault(f"the mail has a <{element.tag}>", element)
    for part in document.parts:
        if not isinstance(part, Tag) or part.name not in _FORBIDDEN:
            continue
        if (part.name, part.line) not in seen:
            yield Fault(f"the mail has a <{part.name}>", line=part.line)


def handlers(document: Document) -> Iterator[Fault]:
    """Find attributes that run something."""
    for element in document.elements:
        for name in element.attrib:
            if re.match("on[a-z]", name):
                yield Fault(f"<{element.tag}> has {name}", element)


def table_role(document: Document) -> Iterator[Fault]:
    """Find tables of which a screen reader cannot tell whether they hold data."""
    for table in document.named("table"):
        own = [e for e in table.iter("th", "caption") if _table_of(e) is table]
        has_caption = any(e.tag == "caption" for e in own)
        heads = [e for e in own if e.tag == "th"]
        if (table.get("role") or "").lower() in ("presentation", "none"):
            if own:
                yield Fault(f"a table for layout has a <{own[0].tag}>", table)
        elif not has_caption or not heads or any(not e.get("scope") for e in heads):
            yield Fault(
                "a table is neither marked as layout nor has a caption and th with scope", table
            )


def table_place(document: Document) -> Iterator[Fault]:
    """Find tables in the source where parsers would tear them out of a link or a paragraph."""
    opened: list[str] = []
    for part in document.parts:
        if not isinstance(part, Tag):
            continue
        name = part.name
        if name in _BLOCKS and opened[-1:] == ["p"]:
            opened.pop()  # a block ends the paragraph before it
        if name == "table" and (around := _around(opened)):
            yield Fault(f"a table stands in a <{around}>", line=part.line)
        if name in ("a", "p", "td", "th", "table", *_HEADINGS):
            opened.append(name)
        elif name[:1] == "/" and name[1:] in opened:
            while opened.pop() != name[1:]:
                pass


def alt(document: Document) -> Iterator[Fault]:
    """Find pictures of which readers with pictures off would see the file's name."""
    for image in document.named("img"):
        if image.get("alt") is None:
            yield Fault(f"the picture {_source(image)} has no alt", image)


def alt_words(document: Document) -> Iterator[Fault]:
    """Find alternative texts that say nothing or too much."""
    for image in document.named("img"):
        words = (image.get("alt") or "").strip()
        if _FILE_NAME.fullmatch(words):
            yield Fault(f"the alt {shown(words)} is a file's name", image)
        elif len(words) > LONGEST_ALT:
            yield Fault(f"the alt {shown(words)} has {len(words)} characters", image)


def image_size(document: Document) -> Iterator[Fault]:
    """Find pictures that Outlook would show at the size of their file."""
    for image in document.named("img"):
        for name in ("width", "height"):
            if not re.fullmatch("[0-9]{1,5}", image.get(name) or ""):
                yield Fault(f"the picture {_source(image)} has no {name} in whole pixels", image)


def one_h1(document: Document) -> Iterator[Fault]:
    """Find mails with no main heading, or with several."""
    found = document.named("h1")
    if len(found) != 1:
        yield Fault(f"the mail has {len(found) or 'no'} h1", found[1] if found else None)


def heading_order(document: Document) -> Iterator[Fault]:
    """Find headings that skip a level on the way down."""
    before = 0
    for heading in document.named(*_HEADINGS):
        level = int(heading.tag[1])
        if before and level > before + 1:
            yield Fault(
                f"the h{level} {shown(heading.text_content())} follows an h{before}", heading
            )
        before = level


def heading_words(document: Document) -> Iterator[Fault]:
    """Find headings without words."""
    for heading in document.named(*_HEADINGS):
        alts = "".join(image.get("alt") or "" for image in heading.iter("img"))
        if not (heading.text_content() + alts).strip():
            yield Fault(f"an h{heading.tag[1]} is empty", heading)


def rating(document: Document) -> Iterator[Fault]:
    """Find stars that are only to be seen: no number beside them, or read out one by one."""
    for run in document.visible:
        if not re.search("[★☆]{2}", run.text):
            continue
        around = run.element
        while (
            around.tag not in ("p", "td", "th", "li", "div", "body")
            and around.getparent() is not None
        ):
            around = around.getparent()
        if not re.search(r"\d", around.text_content()):
            yield Fault(f"no number stands beside the stars {shown(run.text)}", run.element)
        elif not _is_named(run.element):
            yield Fault(f"a screen reader reads {shown(run.text)} star by star", run.element)


def _is_active(element: Any) -> bool:
    if element.tag == "link":
        return (element.get("rel") or "").lower() not in ("canonical", "author", "license")
    return element.tag == "meta" and (element.get("http-equiv") or "").lower() in (
        "refresh",
        "set-cookie",
    )


def _table_of(element: Any) -> Any:
    return next(element.iterancestors("table"), None)


def _around(opened: list[str]) -> str:
    """Return which of a, p and h1 to h6 is open within the innermost cell, or ""."""
    for name in reversed(opened):
        if name in ("td", "th", "table"):
            return ""
        return name
    return ""


def _source(image: Any) -> str:
    return shown((image.get("src") or "without src").rpartition("/")[2] or "without name")


def _is_named(element: Any) -> bool:
    while element is not None:
        if element.get("aria-hidden") == "true":
            return True
        if element.get("role") == "img" and re.search(r"\d", element.get("aria-label") or ""):
            return True
        element = element.getparent()
    return False


RULES: tuple[Rule[Document], ...] = (
    Rule(
        "forbidden-element", Severity.ERROR,
        "No script, frame, form, media, SVG, base or linked style sheet",
        "take it out, because mail clients drop it or warn of the mail", forbidden, is_fixed=True,
    ),
    Rule(
        "event-handler", Severity.ERROR,
        "No attribute that runs something, such as onclick",
        "take it out", handlers, is_fixed=True,
    ),
    Rule(
        "image-alt", Severity.ERROR,
        "Every picture has an alt",
        'say what it shows, or write alt="" where a title beside it says it', alt,
    ),
    Rule(
        "image-alt-words", Severity.WARNING,
        "An alt is no file's name and has at most 125 characters",
        "say in a few words what the picture shows", alt_words,
    ),
    Rule(
        "image-size", Severity.WARNING,
        "Every picture has a width and a height in whole pixels",
        "set both attributes to numbers without a unit", image_size,
    ),
    Rule(
        "table-role", Severity.WARNING,
        "A table has role=presentation, or else a caption and th with scope",
        'set role="presentation" on it, or give it caption and th scope', table_role,
    ),
    Rule(
        "table-place", Severity.WARNING,
        "No table stands in a link, a paragraph or a heading",
        "close that element before the table", table_place,
    ),
    Rule(
        "heading-one", Severity.WARNING,
        "There is exactly one h1",
        "make the newsletter's name the only h1", one_h1,
    ),
    Rule(
        "heading-order", Severity.WARNING,
        "Headings skip no level on the way down",
        "use the next level and set its size with CSS", heading_order,
    ),
    Rule(
        "heading-empty", Severity.WARNING,
        "Every heading has words",
        "take it out or fill it", heading_words,
    ),
    Rule(
        "rating-words", Severity.WARNING,
        "Stars have a number beside them, and screen readers get words instead of signs",
        'write "4.5 of 5" beside them and set role="img" with that aria-label',
        rating,
    ),
)  # fmt: skip
