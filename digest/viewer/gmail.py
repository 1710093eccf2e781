"""What Gmail leaves of a mail: an approximation."""

import re
from collections.abc import Iterable, Iterator

from lxml import html

from digest.viewer.css import Declaration, Rule, read_sheet, read_style, write_style

SHEETS_LIMIT = 16_384  # bytes of all kept sheets together
FRAME = "gmail-message"
# The mail stands in a page of Gmail's, which sets these.
PAGE_CSS = f"body{{margin:16px}}.{FRAME}{{font:small/1.5 Arial,Helvetica,sans-serif}}"

_DROPPED = re.compile(
    r"--.*|accent-color|align-items|animation.*|aspect-ratio|backdrop-filter|border-image.*"
    r"|box-shadow|clip-path|color-scheme|cursor|filter|flex-(direction|wrap)|grid-template.*"
    r"|hyphen.*|inset.*|justify-content|(left|right|top|bottom)|list-style-image|mask.*|orphans"
    r"|outline-offset|overflow-wrap|position|resize|scroll-snap.*|shape-.*|tab-size|text-shadow"
    r"|text-(emphasis-position|wrap|underline-offset|decoration-(skip-ink|thickness))|transform"
    r"|transition.*|user-select|visibility|white-space-collapse|widows|z-index|(min-|max-)?"
    r"(block|inline)-size|(margin|padding|border)-(block|inline).*|border-(start|end)-.*"
)
_MODERN_RGB = re.compile(r"rgba?\(\s*[\d.]+%?\s+[\d.]", re.IGNORECASE)
_KEPT_MEDIA = re.compile(
    r"@media\s+((only\s+)?(screen|all)|(\((min|max)-(device-)?width\s*:[^()]*\)))"
    r"(\s+and\s+\((min|max)-(device-)?width\s*:[^()]*\))*",
    re.IGNORECASE,
)
_KEPT_SELECTOR = re.compile(r"(?:[\w\s.#>+~*-]|:hover|\[class~=[^\]]*\])+")


def as_gmail_shows(tree: html.HtmlElement, *, sheets: bool) -> None:
    """Change the quiet copy `tree` into what Gmail shows.

    With `sheets` false no sheet is kept: so do Gmail's apps with an account of another provider.
    """
    kept = list(_kept_sheets(tree)) if sheets else []
    for style in tree.xpath("//style"):
        style.drop_tree()
    for element in tree.xpath("//*[@style]"):
        element.set("style", _kept_style(element.get("style")))
    _body_as_division(tree)
    style = html.Element("style")
    style.text = "\n".join(kept)
    tree.body.insert(0, style)


def _kept_sheets(tree: html.HtmlElement) -> Iterator[str]:
    used = 0
    for style in tree.xpath("//head//style"):
        css = style.text or ""
        size = len(css.encode())
        sheet = read_sheet(css)
        if used + size > SHEETS_LIMIT or sheet.is_broken or _MODERN_RGB.search(css):
            continue
        if any(inner.at for rule in sheet.rules for inner in rule.rules):
            continue
        used += size
        yield "\n".join(map(str, _kept_rules(sheet.rules)))


def _kept_rules(rules: Iterable[Rule]) -> Iterator[Rule]:
    for rule in rules:
        if rule.at:
            if _KEPT_MEDIA.fullmatch(rule.prelude):
                yield Rule(rule.prelude, rules=tuple(_kept_rules(rule.rules)))
            continue
        names = (selector.strip() for selector in rule.prelude.split(","))
        kept = [f".{FRAME} {name}" for name in names if _KEPT_SELECTOR.fullmatch(name)]
        if kept:
            yield Rule(", ".join(kept), write_style(filter(_is_kept, read_style(rule.body))))


def _kept_style(style: str) -> str:
    if _MODERN_RGB.search(style):
        return ""
    return write_style(filter(_is_kept, read_style(style)))


def _is_kept(declaration: Declaration) -> bool:
    name, value = declaration.name, declaration.value.lower()
    if _DROPPED.fullmatch(name) or "var(" in value:
        return False
    return not (name.startswith("margin") and re.search(r"(^|\s)-\d|(^|\s)-\.", value))


def _body_as_division(tree: html.HtmlElement) -> None:
    """Put the mail into a division with the body's class and style, as Gmail does."""
    division = tree.body
    frame = html.Element("div", {"class": FRAME})
    body = html.Element("body")
    tree.replace(division, body)
    body.append(frame)
    frame.append(html.Element("u"))  # stands where the doctype was; mails recognise Gmail by it
    frame.append(division)
    division.tag = "div"
    for name in set(division.attrib) - {"class", "id", "style", "lang", "dir", "role"}:
        del division.attrib[name]
    for name in ("lang", "dir", "class", "style", "xmlns"):
        tree.attrib.pop(name, None)
