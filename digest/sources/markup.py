"""From a stranger's bytes to text, and from markup to plain text.

Nothing of a stranger's HTML goes any further than this: tags are taken off, entities are decoded
once, blocks become breaks.
"""

import codecs
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin, urlsplit

import lxml.html

from digest.model.articles import Image

MAX_MARKUP = 500_000
"""Characters of markup that are read of one field; the rest is cut before parsing."""

_CHARSETS = frozenset(
    {
        "utf-8", "utf-16", "utf-16-le", "utf-16-be", "ascii", "iso8859-1", "iso8859-2",
        "iso8859-5", "iso8859-9", "iso8859-15", "cp1250", "cp1251", "cp1252", "cp1254", "koi8-r",
        "koi8-u", "shift_jis", "euc_jp", "euc_kr", "gb2312", "gbk", "gb18030", "big5",
    }
)  # fmt: skip
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(rb"(?:encoding|charset)\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]+)")
_IN_HEADER = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9_.:-]+)", re.IGNORECASE)
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_HALF = re.compile("[\ud800-\udfff]")
_BLANKS = re.compile(r"[ \t\r\f\v\u00a0]+")
_BREAKS = re.compile(r"[ ]*\n[ ]*(?:\n[ ]*)+")
_MARKED_UP = re.compile(r"<[A-Za-z/!?]|&#?\w+;")
_TO_LATIN_1 = {
    ord(bytes([byte]).decode("cp1252")): byte
    for byte in range(0x80, 0xA0)
    if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}
_DROPPED = frozenset(
    {
        "script", "style", "noscript", "template", "head", "title", "iframe", "object", "embed",
        "applet", "svg", "math", "select", "button", "textarea", "audio", "video", "canvas", "map",
    }
)  # fmt: skip
_BLOCKS = frozenset(
    {
        "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details",
        "dialog", "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1",
        "h2", "h3", "h4", "h5", "h6", "header", "hr", "html", "legend", "main", "nav", "ol", "p",
        "pre", "section", "summary", "table", "ul",
    }
)  # fmt: skip
_LINES = frozenset({"br", "li", "tr"})


def decode(body: bytes, content_type: str = "") -> str:
    r"""Decode `body`, whatever its charset is said to be; never fails.

    A byte order mark wins; then UTF-8 that is valid, since other text hardly ever looks like it;
    then the document's own declaration, then the header's, as far as they name a charset of the
    allow-list (a codec like `punycode` breaks parsers); then UTF-8 with a few bad bytes, else
    Windows-1252. Line ends become `\n`; control characters are dropped.
    """
    return _CONTROLS.sub("", _decoded(body, content_type)).replace("\r\n", "\n").replace("\r", "\n")


def _decoded(body: bytes, content_type: str) -> str:
    for mark, charset in _BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(charset, "replace")
    if body[:2] in (b"<\x00", b"\x00<"):
        return body.decode("utf-16-le" if body[0] else "utf-16-be", "replace")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        pass
    declared = _DECLARED.search(body[:4096])
    header = _IN_HEADER.search(content_type)
    names = (declared and declared[1].decode("ascii"), header and header[1])
    for charset in filter(None, map(_allowed_charset, names)):
        if charset not in ("utf-8", "ascii") and not charset.startswith("utf-16"):
            return body.decode(charset, "replace")
    text = body.decode("utf-8", "replace")
    beyond_ascii = sum(character > "\x7f" for character in text)
    if text.count("\ufffd") * 10 <= beyond_ascii:
        return text
    return body.decode("cp1252", "replace")


def _allowed_charset(name: str | None) -> str:
    try:
        canonical = codecs.lookup(name or "").name
    except (LookupError, ValueError):
        return ""
    # Browsers read Latin-1 as Windows-1252, and so do those who write it.
    canonical = {"iso8859-1": "cp1252"}.get(canonical, canonical)
    return canonical if canonical in _CHARSETS else ""


def undoubled(text: str) -> str:
    """Undo UTF-8 that was taken for Windows-1252 and encoded again ("â€™" for "’").

    Only text that is such from end to end is changed; real text hardly ever is.
    """
    if text.isascii():
        return text
    try:
        return text.translate(_TO_LATIN_1).encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def plain_text(markup: str) -> str:
    """Return the text of HTML: blocks apart by an empty line, `<br>` and list items by a line end.

    Scripts, styles, pictures and everything else that is no text is dropped with its content;
    entities are decoded once. Never raises on bad markup.
    """
    markup = _CONTROLS.sub("", markup[:MAX_MARKUP])
    if not _MARKED_UP.search(markup):
        return _tidied(re.sub(r"(?<!\n)\n(?!\s*\n)", " ", markup))
    root = _tree(markup)
    return "" if root is None else _tidied("".join(_pieces(root)))


def single_line(text: str) -> str:
    """Return `text` whole, with all blanks and line ends collapsed to single blanks."""
    return " ".join(whole(text).split())


def whole(text: str) -> str:
    """Drop halves of characters (surrogates), which escapes can spell but nothing can encode."""
    return _HALF.sub("", text)


def first_image(markup: str, base: str) -> Image | None:
    """Return the first picture in HTML that is not a counting pixel, with its stated size."""
    root = _tree(markup[:MAX_MARKUP]) if "<img" in markup[:MAX_MARKUP].lower() else None
    if root is None:
        return None
    for node in root.iter("img"):
        url = web_url(node.get("src") or "", base)
        width, height = pixels(node.get("width")), pixels(node.get("height"))
        if url and min(width or 100, height or 100) >= 40:
            return Image(
                url=url, width=width, height=height, alt=single_line(node.get("alt") or "")
            )
    return None


def web_url(link: object, base: str = "") -> str:
    """Return `link` as an absolute http(s) address, resolved against `base`; else ""."""
    if not isinstance(link, str) or not link.strip():
        return ""
    try:
        url = urljoin(base, whole("".join(link.split("\n"))).strip())
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in ("http", "https") and parts.hostname else ""


def pixels(value: object) -> int | None:
    """Return a stated length in CSS pixels (`"640"`, `640`, `"640px"`), or None."""
    found = re.fullmatch(r"\s*(\d{1,5})(?:\.\d+)?(?:px)?\s*", str(value))
    return int(found[1]) or None if found else None


def _tree(markup: str) -> Any:
    # A parser of its own for each text: one that is shared keeps the errors of all.
    parser = lxml.html.HTMLParser(
        encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True, huge_tree=True
    )
    try:
        return lxml.html.document_fromstring(markup.encode("utf-8", "ignore"), parser=parser)
    except (lxml.etree.LxmlError, ValueError):
        return None


def _pieces(root: Any) -> Iterator[str]:
    """Yield the text of a tree without recursion, so that depth costs no stack."""
    stack: list[Any] = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, str):
            yield node
            continue
        gap = "\n\n" if node.tag in _BLOCKS else "\n" if node.tag in _LINES else ""
        tail = _blanked(node.tail)
        if node.tag in _DROPPED or not isinstance(node.tag, str):
            stack.append(tail)
            continue
        stack.extend((tail, gap if node.tag in _BLOCKS else ""))
        stack.extend(reversed(node))
        yield gap + _blanked(node.text)
        if node.tag in ("td", "th"):
            yield " "


def _blanked(text: str | None) -> str:
    return re.sub(r"\s+", " ", text) if text else ""


def _tidied(text: str) -> str:
    return _BREAKS.sub("\n\n", re.sub(r" ?\n ?", "\n", _BLANKS.sub(" ", text))).strip()
