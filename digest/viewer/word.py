"""What Word draws, the engine of classic Outlook: an approximation."""

import re
from collections.abc import Iterable, Iterator, Mapping

from lxml import etree, html

from digest.viewer.css import Declaration, read_sheet, read_style, write_style

VERSION = 16  # what the Outlooks of today answer to <!--[if gte mso 9]>
WIDEST_BORDER = 8

_CONDITIONAL = re.compile(  # hidden from others, or shown to them as well
    r"<!(?:--)?\s*\[if\s([^\]]*)\]\s*>(?:\s*<!--+>|\s*-->)?(.*?)"
    r"(?:<!--\s*)?<!\s*\[endif\]\s*(?:--)?>",
    re.IGNORECASE | re.DOTALL,
)
_TERM = re.compile(r"(!*)\s*(?:(gte|gt|lte|lt|eq)\s+)?mso(?:\s+(\d+))?", re.IGNORECASE)
_OFFICE_DATA = re.compile(r"<xml\b.*?</xml\s*>", re.IGNORECASE | re.DOTALL)
_KEPT = re.compile(
    r"background(-color)?|border(-(top|right|bottom|left))?(-(color|style|width))?|border-collapse"
    r"|color|direction|display|font(-(family|size|style|variant|weight))?|height|letter-spacing"
    r"|line-height|list-style(-type)?|margin(-(top|right|bottom|left))?|max-width"
    r"|padding-(top|right|bottom|left)|text-(align|decoration|indent|transform)|unicode-bidi"
    r"|vertical-align|width"
)
_UNKNOWN_VALUE = re.compile(
    r"\b(rgba|hsla?|hwb|lab|lch|oklab|oklch|color-mix|var|calc|min|max|clamp|light-dark)\(|gradient"
    r"|\d(rem|vw|vh|vmin|vmax|ch|ex)\b|\b(initial|unset|revert)\b|^(start|end|match-parent)$",
    re.IGNORECASE,
)
_COLOUR = re.compile(r"#[0-9a-f]{3,6}\b|\brgb\([^)]*\)|\b[a-z]+\b", re.IGNORECASE)
_SELECTOR = re.compile(
    r"([a-z][a-z0-9]*)?([.#][a-z_][\w-]*)?(\s+(?=[a-z.#])([a-z][a-z0-9]*)?([.#][a-z_][\w-]*)?)*",
    re.IGNORECASE,
)
_SIDES = ("top", "right", "bottom", "left")
_SHORT = {1: (0, 0, 0, 0), 2: (0, 1, 0, 1), 3: (0, 1, 2, 1), 4: (0, 1, 2, 3)}
_CELLS = ("td", "th")
_SIZED = ("table", "td", "th", "tr", "col", "hr")


def as_word_reads(mail: str) -> str:
    """Return the HTML with the comments for Outlook opened and what is hidden from it gone."""

    def choose(found: re.Match[str]) -> str:
        return found[2] if _holds(found[1]) else ""

    return _OFFICE_DATA.sub("", _CONDITIONAL.sub(choose, mail))


def _holds(condition: str) -> bool:
    """Return whether Word finds the condition of a comment true."""
    either = re.sub(r"[()]", " ", condition).split("|")
    return any(all(_holds_term(term.strip()) for term in one.split("&")) for one in either)


def _holds_term(term: str) -> bool:
    found = _TERM.fullmatch(term)
    if not found:  # another program, such as IE
        return term.startswith("!")
    number = int(found[3] or VERSION)
    answers = {
        "gte": number <= VERSION,
        "gt": number < VERSION,
        "lte": number >= VERSION,
        "lt": number > VERSION,
    }
    answer = answers.get((found[2] or "").lower(), number == VERSION)
    return answer != bool(len(found[1]) % 2)


def as_word_shows(tree: html.HtmlElement) -> None:
    """Change the quiet copy `tree`, made of `as_word_reads`, into what Word draws."""
    for element in tree.iter(etree.Element):
        if names := (element.get("class") or "").split():
            element.set("class", names[0])  # Word knows an element by its first class alone
    sheets = _sheet_styles(tree)
    for style in tree.xpath("//style"):
        style.drop_tree()
    for element in tree.iter(etree.Element):
        if ":" in element.tag:
            element.tag = "span"  # VML, which browsers do not draw
        own = read_style(element.get("style") or "")
        inline = (declaration for declaration in own if not declaration.important)
        kept = _kept(element.tag, [*sheets.get(element, ()), *inline])
        element.attrib.pop("style", None)
        if kept:
            element.set("style", write_style(Declaration(*pair) for pair in kept.items()))
        _size_by_attribute(element)
    for row in tree.xpath("//tr"):
        _share_padding(row)


def _sheet_styles(tree: html.HtmlElement) -> Mapping[html.HtmlElement, list[Declaration]]:
    """Return what the sheets say of each element, the weakest first; Word knows no @ rule."""
    found = []
    for style in tree.xpath("//style"):
        for rule in read_sheet(style.text or "").rules:
            names = [name.strip() for name in rule.prelude.split(",") if not rule.at]
            for name in filter(None, names):
                if _SELECTOR.fullmatch(name):
                    weight = (name.count("#"), name.count("."), len(name.split()))
                    found.append((weight, name, read_style(rule.body)))
    styles: dict[html.HtmlElement, list[Declaration]] = {}
    for _weight, name, declarations in sorted(found, key=lambda each: each[0]):
        for element in tree.cssselect(name):
            styles.setdefault(element, []).extend(declarations)
    return styles


def _kept(tag: str, declarations: Iterable[Declaration]) -> dict[str, str]:
    kept: dict[str, str] = {}
    for declaration in declarations:
        for name, value in _spelt_out(declaration):
            if name == "mso-hide" and value == "all":
                name, value = "display", "none"
            if value := _known(tag, name, value):
                kept.pop(name, "")  # the later one wins, and so stands later
                kept[name] = value
    return kept


def _spelt_out(declaration: Declaration) -> Iterator[tuple[str, str]]:
    """Yield a declaration, and padding side by side; only tables know "mso-padding-alt"."""
    name, value = declaration.name, declaration.value
    if name not in ("padding", "mso-padding-alt"):
        yield name, value
        return
    parts = value.split()
    for side, place in zip(_SIDES, _SHORT.get(len(parts), ()), strict=False):
        yield f"padding-{side}", parts[place]


def _known(tag: str, name: str, value: str) -> str:
    """Return the value as Word takes it on an element, or "" where it drops the declaration."""
    if not _KEPT.fullmatch(name) or _UNKNOWN_VALUE.search(value):
        return ""
    allowed = {
        "display": value.lower() == "none" and tag != "img",
        "max-width": tag == "table",
        "width": tag in _SIZED,
        "height": tag in _SIZED,
    }
    if not allowed.get(name, True) or (name.startswith("padding") and tag not in _CELLS):
        return ""
    if name.startswith("margin"):
        has_unknown = re.search(r"(^|\s)-|auto", value) or tag in ("body", "span")
        return "" if has_unknown else value
    if name == "background":
        colour = _COLOUR.search(re.sub(r"url\([^)]*\)|\bnone\b", "", value))
        return colour[0] if colour else ""
    if name.startswith("border"):
        return re.sub(r"(\d+)px", lambda m: f"{min(int(m[1]), WIDEST_BORDER)}px", value)
    return value


def _size_by_attribute(element: html.HtmlElement) -> None:
    """Size a picture by its attributes in pixels: a share would be one of the file's own width."""
    for name in ("width", "height") if element.tag == "img" else ():
        if not (element.get(name) or "").isdigit():
            element.attrib.pop(name, None)


def _share_padding(row: html.HtmlElement) -> None:
    """Give all cells of a row the largest padding above and below that one of them has."""
    cells = [cell for cell in row if cell.tag in _CELLS]
    styles = [{d.name: d.value for d in read_style(cell.get("style") or "")} for cell in cells]
    for name in ("padding-top", "padding-bottom"):
        sizes = [found[0] for s in styles if (found := re.match(r"\d+(?=px)", s.get(name, "")))]
        if sizes:
            for style in styles:
                style[name] = f"{max(map(int, sizes))}px"
    for cell, style in zip(cells, styles, strict=True):
        if style:
            cell.set("style", write_style(Declaration(*pair) for pair in style.items()))
