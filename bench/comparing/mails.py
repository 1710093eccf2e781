"""The sample edition, as digest and as MJML are given it."""

import datetime as dt
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from digest.app import App
from digest.clocks import FixedClock
from digest.merging import compile_variant
from digest.model.editions import Edition
from digest.project import load, starter_root
from digest.rendering.locales import load_words
from digest.rendering.renderer import MailRenderer
from digest.rendering.themes import load_theme
from digest.rendering.views import mail_view
from digest.settings import NewsletterSettings

NOW = dt.datetime(2026, 11, 24, 8, tzinfo=dt.UTC)
FOLDERS = (starter_root() / "templates",)
PICTURE = starter_root() / "config" / "media" / "lead.jpg"
TEMPLATE = "digest.mjml.j2"


@dataclass(frozen=True, slots=True)
class Material:
    """The sample's edition, and all that is made of it."""

    edition: Edition
    newsletter: NewsletterSettings

    def renderer(self) -> MailRenderer:
        """Return a renderer that has read nothing yet."""
        return MailRenderer(FOLDERS, self.newsletter)

    def mail(self) -> str:
        """Return our mail, inlined, as it goes out but for the reader's own values."""
        return compile_variant(self.renderer().render(self.edition)).whole()[0]

    def page(self) -> str:
        """Return our mail before inlining; its second sheet is marked to stay for all inliners."""
        marks = 'data-css-inline="keep" data-embed="" data-premailer="ignore"'
        page = self.renderer().render_document(self.edition)
        assert page.count('data-premailer="ignore"') >= 1
        return page.replace('data-premailer="ignore"', marks)

    def mjml(self) -> str:
        """Return the same mail's MJML."""
        words = load_words(FOLDERS, self.newsletter.language)
        theme = load_theme(FOLDERS, self.newsletter.theme, script=words.script)
        view = mail_view(self.edition, self.newsletter, words, theme)
        environment = Environment(
            loader=FileSystemLoader(Path(__file__).parent),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        return environment.get_template(TEMPLATE).render(mail=view)


@contextmanager
def sample() -> Iterator[Material]:
    """Yield the sample's edition; it is collected into memory, and quietly."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with App(load(starter_root(), {}), FixedClock(NOW)) as app:
        app.collect()
        edition = app.editions.compose("", now=NOW)
        yield Material(edition, app.project.settings.newsletter)
