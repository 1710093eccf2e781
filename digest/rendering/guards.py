"""What must hold of a mail before it goes into the inliner, and of what comes out."""

import re
from html.parser import HTMLParser
from typing import NamedTuple

from digest.errors import RenderError
from digest.merging import count_tokens

DEEPEST = 100
_START = "<!DOCTYPE html>"
_CHARSET = '<meta charset="utf-8">'
_CHARSET_WITHIN = 1024
"""Characters in which a client looks for it."""

_VOID = re.compile("area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr")
_KEPT = ("data-premailer", "ignore")
_CSS_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_IMPORT = re.compile(r"@import", re.IGNORECASE)
_AT_RULE = re.compile(r"@[\w-]+")
_STAR = re.compile(r"(?:^|[\s,>+~}])\*[^{};]*\{")
_COMMA_IN_BRACKETS = re.compile(r"\[[^\]{}]*,[^\]{}]*\][^{}]*\{")


class Sheet(NamedTuple):
    """A style sheet of the mail; the inliner leaves it alone where `is_kept`."""

    css: str
    is_kept: bool


class Outline(HTMLParser):
    """A document as a mail client's tokenizer meets it, before any parser mends it.

    Attributes:
        tags: Start and end tags in their order, with their lines; elements without an end are only
            starts, style sheets are left out.
        sheets: The style sheets.
        depth: How deep the elements nest.
        faults: What no mail may hold, in words.
    """

    def __init__(self, document: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, int]] = []
        self.sheets: list[Sheet] = []
        self.faults: list[str] = []
        self.depth = 0
        self._open = 0
        self._words: list[str] = []
        self._style: bool | None = None
        self.feed(document)
        self.close()

    @property
    def text(self) -> str:
        """All text without blanks."""
        return "".join("".join(self._words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        if tag == "style":
            self._style = _KEPT in attrs
            self.sheets.append(Sheet("", self._style))
            return
        if tag == "base":
            self.faults.append("<base>, which bends every link")
        if tag == "link" and "stylesheet" in (dict(attrs).get("rel") or "").lower():
            self.faults.append("a linked style sheet, which mail clients drop")
        self.tags.append((f"<{tag}>", self.getpos()[0]))
        if not _VOID.fullmatch(tag):
            self._open += 1
            self.depth = max(self.depth, self._open)

    def handle_endtag(self, tag: str) -> None:
        """Note the end of an element."""
        if tag == "style":
            self._style = None
        elif not _VOID.fullmatch(tag):
            self._open -= 1
            self.tags.append((f"</{tag}>", self.getpos()[0]))

    def handle_data(self, data: str) -> None:
        """Note text, or the rules of a style sheet."""
        if self._style is None:
            self._words.append(data)
        else:
            sheet = self.sheets[-1]
            self.sheets[-1] = sheet._replace(css=sheet.css + data)


def check_before(html: str) -> None:
    """Refuse a rendered mail with which the inliner cannot be trusted.

    Raises:
        RenderError: It says what the mail has or lacks.
    """
    if not html.startswith(_START):
        raise _broken(f"does not begin with {_START}, so mail clients would guess its rules")
    if _CHARSET not in html[:_CHARSET_WITHIN]:
        raise _broken(f"has no {_CHARSET} near its beginning")
    outline = Outline(html)
    if outline.faults:
        raise _broken(f"has {outline.faults[0]}")
    if outline.depth > DEEPEST:
        raise _broken(f"nests {outline.depth} elements, and {DEEPEST} are allowed")
    for sheet in outline.sheets:
        _check_sheet(_CSS_COMMENT.sub("", sheet.css), sheet.is_kept)


def _check_sheet(css: str, is_kept: bool) -> None:
    if _IMPORT.search(css):
        raise _broken("has @import in a style sheet, which could fetch something")
    if is_kept:
        return
    if found := _AT_RULE.search(css):
        raise _broken(f"has {found[0]} in its base sheet; it belongs into enhance.css.j2")
    if _STAR.search(css):
        raise _broken("has a rule for * in its base sheet, which the inliner leaves out")
    if found := _COMMA_IN_BRACKETS.search(css):
        raise _broken(f"has a comma in the brackets of a selector: {found[0].strip(' {')}")


def check_after(before: str, after: str) -> None:
    """Refuse an inlined mail that is not the same mail any more.

    Raises:
        RenderError: It says what was lost or changed.
    """
    if count_tokens(before) != count_tokens(after):
        raise _broken("lost a reader's token on its way through the inliner")
    old, new = Outline(before), Outline(after)
    if [sheet.css for sheet in old.sheets if sheet.is_kept] != [sheet.css for sheet in new.sheets]:
        raise _broken(
            "has rules in its base sheet that fit into no element, such as :hover; "
            "they belong into enhance.css.j2"
        )
    for (was, line), (now, _) in zip(old.tags, new.tags, strict=False):
        if was != now:
            raise _broken(
                f"has {was} in line {line}, where an HTML parser sees {now}: close every element, "
                "and put no table or block into a link, a paragraph or a heading"
            )
    if len(old.tags) != len(new.tags) or old.text != new.text:
        raise _broken("lost elements or text on its way through the inliner")


def _broken(what: str) -> RenderError:
    return RenderError(
        f"The rendered mail {what}. Nothing was written.",
        hint="Compare your templates/ with the starter's; docs/templates.md lists the rules.",
    )
