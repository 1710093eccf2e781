"""The only import of premailer: the base style sheet goes into the elements, once per variant.

Premailer is right under the rules here and wrong or unsafe beside them:
it opens `@import` even with the network off, forgets a lower-case doctype, and mends nothing.
So it sees our own templates with escaped text only, and its work is checked afterwards.
"""

import os
import threading
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from digest.errors import RenderError
from digest.rendering.guards import check_after, check_before

CACHE_ENTRIES = "4096"
"""The default of 128 is less than one mail needs, and slower than no cache at all."""

_LOCK = threading.Lock()
_WITH_ATTRIBUTES = frozenset({"body", "table", "tr", "th", "td"})


def inline(html: str) -> str:
    """Return the document with its base style sheet moved into style attributes.

    A `<style data-premailer="ignore">` stays where it is, byte for byte. Same input, same bytes;
    nothing is fetched and no file is read.

    Raises:
        RenderError: The templates hold what Premailer cannot be trusted with, or it lost something.
    """
    check_before(html)
    with _LOCK:  # its CSS library keeps state for the whole process
        try:
            inlined = str(_premailer()(html).transform(pretty_print=False))
        except Exception as error:  # three libraries, each with errors of its own
            raise RenderError(
                f"The mail's style sheet cannot be moved into the elements: {error}. "
                "Nothing was written.",
                hint="Look at css/base.css.j2; docs/templates.md lists what it may hold.",
            ) from error
    check_after(html, inlined)
    return inlined + "\n"


@lru_cache(maxsize=1)
def _premailer() -> Any:
    """Import Premailer and return a subclass that fetches nothing and has its options pinned."""
    os.environ.setdefault("PREMAILER_CACHE_MAXSIZE", CACHE_ENTRIES)  # read when it is imported
    import logging

    import cssutils
    from premailer import Premailer, premailer
    from premailer.merge_style import csstext_to_pairs

    cssutils.log.setLevel(logging.CRITICAL)
    cssutils.ser.prefs.minimizeColorHash = False  # some clients know six digits only
    # It raises, because a rule with a typing error would be left out without a word.
    parser = cssutils.CSSParser(
        fetcher=lambda _url: ("utf-8", b""), validate=False, raiseExceptions=True
    )

    def merge(inline_style: str, styles: Any, _pseudo_classes: Any, **_options: Any) -> str:
        # Named, so that this call and a selector of the same text are two entries of the cache.
        own = csstext_to_pairs(inline_style, validate=False)
        return merge_in_order([*styles, own])

    premailer.merge_styles = merge  # it is a function of the module, not a method

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

        def _style_to_basic_html_attributes(
            self, element: Any, style_content: str, force: bool = False
        ) -> None:
            # bgcolor and align are attributes of tables; elsewhere they are no HTML.
            if element.tag in _WITH_ATTRIBUTES:
                super()._style_to_basic_html_attributes(element, style_content, force=force)

    return QuietPremailer


def merge_in_order(styles: Sequence[Iterable[tuple[str, str]]]) -> str:
    """Return one style attribute of declarations in rising weight; the last word counts.

    Premailer's own merge leaves a property where it first stood, so that a shorthand between two
    declarations of one side wins against the later one.
    """
    merged: dict[str, str] = {}
    for style in styles:
        for name, value in style:
            merged.pop(name, None)
            merged[name] = value
    return "; ".join(f"{name}:{value}" for name, value in merged.items())
