"""The mail renderer: views, then templates, then the inliner, then the hash."""

import hashlib
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from jinja2 import Environment

from digest.errors import RenderError
from digest.merging import TOKENS, count_tokens
from digest.model.editions import Edition, Variant
from digest.rendering.environment import make_environment, render_template
from digest.rendering.inlining import inline
from digest.rendering.views import mail_view
from digest.settings import NewsletterSettings

REQUIRED = ("unsubscribe_url", "preferences_url", "address")


class MailRenderer:
    """Renders editions of one newsletter with the templates of its project.

    Args:
        template_folders: Where templates are looked up, first found first.
        newsletter: Its name, language, addresses and theme.
    """

    def __init__(self, template_folders: Sequence[Path], newsletter: NewsletterSettings) -> None:
        self._folders = template_folders
        self._newsletter = newsletter

    @cached_property
    def _environment(self) -> Environment:
        return make_environment(self._folders)

    def render(self, edition: Edition) -> Variant:
        """Return the mail for `edition`: same edition and templates, same bytes.

        Raises:
            RenderError: A template is broken or lacks what every mail must have.
        """
        mail = mail_view(edition, self._newsletter)
        theme = f"themes/{self._newsletter.theme}"
        values = {
            "mail": mail,
            "base_css": f"{theme}/base.css",
            "enhance_css": f"{theme}/enhance.css",
        }
        html = inline(render_template(self._environment, "edition.html.j2", values).lstrip())
        text = _tidied(render_template(self._environment, "edition.txt.j2", values))
        _require_tokens(html, "edition.html.j2")
        _require_tokens(text, "edition.txt.j2", names=("unsubscribe_url",))
        return Variant(
            subject=mail.subject,
            preheader=mail.preheader,
            html=html,
            text=text,
            tokens=count_tokens(html),
            sha256=_digest(mail.subject, mail.preheader, html, text),
        )


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


def _digest(*parts: str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()
