"""The only import of premailer: the base style sheet goes into the elements, once per variant.

Premailer is right under the rules here and wrong or unsafe beside them (email-html research, 2):
it opens `@import` even with the network off, forgets a lower-case doctype, and mends nothing.
So it sees our own templates with escaped text only, and its work is checked afterwards.
"""

import os
import re
import threading
from functools import lru_cache
from typing import Any

from digest.errors import RenderError
from digest.merging import count_tokens

CACHE_ENTRIES = "4096"
_LOCK = threading.Lock()
_FORBIDDEN = (
    (re.compile(r"@import", re.IGNORECASE), "@import"),
    (re.compile(r"<link[^>]+stylesheet", re.IGNORECASE), "a linked style sheet"),
    (re.compile(r"<base\b", re.IGNORECASE), "<base>"),
)
_LEFTOVERS = re.compile(r"\{\{|\{%|\{#")
_KEPT_STYLE = re.compile(r'<style data-premailer="ignore">(.*?)</style>', re.DOTALL)


def inline(html: str) -> str:
    """Return the document with its base style sheet moved into style attributes.

    A `<style data-premailer="ignore">` stays where it is, byte for byte. Same input, same bytes;
    nothing is fetched and no file is read.

    Raises:
        RenderError: The templates hold what Premailer cannot be trusted with, or it lost something.
    """
    _check_before(html)
    with _LOCK:  # its CSS library keeps state for the whole process
        inlined = str(_premailer()(html).transform(pretty_print=False))
    _check_after(html, inlined)
    return inlined + "\n"


def _check_before(html: str) -> None:
    if not html.startswith("<!DOCTYPE html>"):
        raise _broken("does not begin with <!DOCTYPE html>, so mail clients would guess its rules")
    if '<meta charset="utf-8">' not in html:
        raise _broken('has no <meta charset="utf-8">')
    for pattern, name in _FORBIDDEN:
        if pattern.search(html):
            raise _broken(f"has {name}, which mail clients drop and which could fetch something")
    if found := _LEFTOVERS.search(html):
        raise _broken(f"still holds {found[0]!r}")


def _check_after(before: str, after: str) -> None:
    if count_tokens(before) != count_tokens(after):
        raise _broken("lost a reader's token on its way through the inliner")
    for kept in _KEPT_STYLE.findall(before):
        if kept not in after:
            raise _broken("lost a style sheet on its way through the inliner")


def _broken(what: str) -> RenderError:
    return RenderError(
        f"The rendered mail {what}; nothing was written.",
        hint="Compare your templates/ with the packaged ones: digest init --help",
    )


@lru_cache(maxsize=1)
def _premailer() -> Any:
    """Import Premailer and return a subclass that fetches nothing and has its options pinned."""
    os.environ.setdefault("PREMAILER_CACHE_MAXSIZE", CACHE_ENTRIES)  # read when it is imported
    import logging

    import cssutils
    from premailer import Premailer

    cssutils.log.setLevel(logging.CRITICAL)
    parser = cssutils.CSSParser(fetcher=lambda _url: ("utf-8", b""), validate=False)

    class QuietPremailer(Premailer):  # type: ignore[misc]  # it has no types
        def __init__(self, html: str) -> None:
            super().__init__(
                html,
                allow_network=False,
                allow_loading_external_files=False,
                strip_important=False,
                keep_style_tags=False,
                remove_classes=False,
                align_floating_images=False,
                disable_basic_attributes=["width", "height"],
                disable_validation=True,
                cssutils_logging_level=logging.CRITICAL,
            )

        def _parse_css_string(self, css_body: str, validate: bool = True) -> Any:
            return parser.parseString(css_body)

    return QuietPremailer
