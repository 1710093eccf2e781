"""The mail renderer: views, then templates, then the inliner, then the hash."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import Environment

from digest.documents import learn_types
from digest.errors import RenderError
from digest.merging import TOKENS, compile_variant, count_tokens, hash_parts, shown_text
from digest.model.archive import PastPage
from digest.model.editions import Edition, Variant
from digest.model.letterforms import Occasion
from digest.model.notices import Notice
from digest.rendering.archive import page_view
from digest.rendering.environment import make_environment, render_template
from digest.rendering.finishing import finished
from digest.rendering.inlining import inline
from digest.rendering.letters import letter_frame, letter_view
from digest.rendering.locales import Words, load_words
from digest.rendering.themes import Theme, load_theme
from digest.rendering.views import Mode, mail_view
from digest.settings import NewsletterSettings

REQUIRED = ("unsubscribe_url", "preferences_url", "address")


class MailRenderer:
    """Renders editions of one newsletter with the templates of its project.

    What it reads of the project (theme, words, templates) it reads once, when it is first used.

    Args:
        template_folders: Where templates are looked up, first found first.
        newsletter: Its name, language, addresses and theme.
    """

    def __init__(self, template_folders: Sequence[Path], newsletter: NewsletterSettings) -> None:
        learn_types([Theme])
        self._folders = template_folders
        self._newsletter = newsletter

    @cached_property
    def _words(self) -> Words:
        return load_words(self._folders, self._newsletter.language)

    @cached_property
    def _theme(self) -> Theme:
        return load_theme(self._folders, self._newsletter.theme, script=self._words.script)

    @cached_property
    def _environment(self) -> Environment:
        return make_environment(self._folders, self._words)

    def render(self, edition: Edition) -> Variant:
        """Return the mail for `edition`: same edition and templates, same bytes.

        Raises:
            ConfigError: There is no such theme.
            RenderError: A template is broken or lacks what every mail must have.
        """
        values = self._values(edition, "mail")
        mail = values["mail"]
        html = finished(inline(self._page("edition.html.j2", values)))
        text = _tidied(render_template(self._environment, "edition.txt.j2", values))
        _require_tokens(html, "edition.html.j2")
        _require_tokens(text, "edition.txt.j2", names=("unsubscribe_url",))
        variant = Variant(
            subject=mail.subject,
            preheader=mail.preheader,
            html=html,
            text=text,
            tokens=count_tokens(html),
            sha256=hash_parts(mail.subject, mail.preheader, html, text),
        )
        _require_whole(variant)
        return variant

    def render_document(self, edition: Edition) -> str:
        """Return the mail's HTML as its templates make it, before the base sheet is inlined.

        Raises:
            ConfigError: There is no such theme.
            RenderError: A template is broken.
        """
        return self._page("edition.html.j2", self._values(edition, "mail"))

    def render_web(
        self,
        edition: Edition,
        *,
        is_indexed: bool = True,
        past_page: PastPage | None = None,
        rate_url: str = "",
    ) -> str:
        """Return the edition as a page of the archive: same edition and templates, same bytes.

        Its style sheets stay in the head, and without `rate_url` nothing in it is about a reader.

        Args:
            edition: The one to show.
            is_indexed: Whether search engines may list the page.
            past_page: What stands around it in the archive and what was corrected, if anything.
            rate_url: Where the reader rates whose page it is; see `mail_view`.

        Raises:
            ConfigError: There is no such theme.
            RenderError: A template is broken, or the page holds a reader's token.
        """
        values = self._values(edition, "web", rate_url)
        values |= {
            "is_indexed": is_indexed,
            "page": page_view(past_page, self._newsletter, self._words),
        }
        page = self._page("web.html.j2", values)
        if found := count_tokens(page):
            raise RenderError(
                f"templates/web.html.j2 holds a reader's {', '.join(found)}; nothing was written.",
                hint='Show tokens and marks only where mail.mode is "mail".',
            )
        return page

    def render_notice(self, edition: Edition, notice: Notice) -> tuple[str, str]:
        """Return HTML and text of a notice to an editor about `edition`, in the theme of its mail.

        Notices are in English, like the pages that they lead to.

        Raises:
            ConfigError: There is no such theme.
            RenderError: A template is broken.
        """
        values = self._values(edition, "mail")
        shown = replace(
            notice,
            title=shown_text(notice.title),
            lines=tuple(shown_text(line) for line in notice.lines),
        )
        mail = replace(
            values["mail"],
            language="en",
            direction="ltr",
            start="left",
            end="right",
            subject=shown_text(notice.subject),
            preheader=" ".join(shown.lines[:1]),
        )
        values |= {"mail": mail, "notice": shown}
        html = finished(inline(self._page("notice.html.j2", values)))
        return html, _tidied(render_template(self._environment, "notice.txt.j2", values))

    def render_letter(self, occasion: Occasion) -> Variant:
        """Return the letter of a form, in the theme of the mail, for all who get it now.

        Raises:
            ConfigError: There is no such theme.
            RenderError: A template is broken.
        """
        letter = letter_view(occasion, self._newsletter, self._words)
        values = self._values(letter_frame(letter, self._newsletter), "mail")
        values["letter"] = letter
        html = finished(inline(self._page("letter.html.j2", values)))
        text = _tidied(render_template(self._environment, "letter.txt.j2", values))
        return Variant(
            subject=values["mail"].subject,
            preheader=letter.preheader,
            html=html,
            text=text,
            tokens=count_tokens(html),
            sha256=hash_parts(letter.subject, letter.preheader, html, text),
        )

    def _page(self, template: str, values: Mapping[str, Any]) -> str:
        """Return the rendered HTML without the empty lines that macros leave."""
        html = render_template(self._environment, template, values).strip()
        return re.sub(r"\n\s*\n", "\n", html) + "\n"

    def _values(self, edition: Edition, mode: Mode, rate_url: str = "") -> dict[str, Any]:
        """Return all that a template gets, by name."""
        theme = f"themes/{self._newsletter.theme}"
        mail = mail_view(
            edition, self._newsletter, self._words, self._theme, mode=mode, rate_url=rate_url
        )
        return {
            "mail": mail,
            "theme": self._theme,
            "base_css": [f"{theme}/base.css.j2", "css/base.css.j2"],
            "enhance_css": [f"{theme}/enhance.css.j2", "css/enhance.css.j2"],
        }


def _require_whole(variant: Variant) -> None:
    """Raise if the variant could not be put together for a reader."""
    try:
        compile_variant(variant)
    except ValueError as error:
        raise RenderError(
            f"templates/edition.html.j2 or edition.txt.j2 cannot be used: {error}. "
            "Nothing was written.",
            hint="docs/templates.md says where tokens and marks stand.",
        ) from error


def _tidied(text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.strip().split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines) + "\n"


def _require_tokens(body: str, template: str, names: Sequence[str] = REQUIRED) -> None:
    for name in names:
        if TOKENS[name] not in body:
            raise RenderError(
                f"templates/{template} does not show the reader's {name}; nothing was written.",
                hint=f"Put {{{{ mail.tokens.{name} }}}} into it.",
            )
