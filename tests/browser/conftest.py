"""A real Chromium, and the mails as it meets them."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import msgspec
import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

from digest.merging import compile_variant
from digest.model.editions import Edition
from digest.project import starter_root
from digest.rendering.renderer import MailRenderer
from digest.settings import NewsletterSettings
from tests.golden.editions import ARABIC, ENGLISH, arabic_edition, rich_edition

NAMES = ("chromium", "chromium-browser", "google-chrome")
SCHEMES = ("light", "dark")
TEMPLATES = starter_root() / "templates"
THEMES = sorted(path.parent.name for path in TEMPLATES.glob("themes/*/tokens.toml"))
LANGUAGES = ("english", "arabic")
# The first theme is shown in English, the next in Arabic, and so on; the packaged one in both.
MAILS = sorted(
    {(LANGUAGES[number % 2], theme) for number, theme in enumerate(THEMES)}
    | {(language, "plain") for language in LANGUAGES}
)
READER = {
    "address": "reader@example.com",
    "unsubscribe_url": "https://news.example.com/u/4f1c",
    "preferences_url": "https://news.example.com/preferences/4f1c",
    "rate_url": "https://news.example.com/r/4f1c",
    "web_url": "https://news.example.com/archive/2026-W47",
}
Scheme = Literal["light", "dark"]


@dataclass(frozen=True)
class Mail:
    """A mail to one reader, before and after its base sheet went into the elements."""

    template: str
    inlined: str


OpenPage = Callable[..., AbstractContextManager[Page]]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One browser for the tests of this folder: its event loop would disturb other tests."""
    found = os.environ.get("DIGEST_TEST_CHROMIUM") or next(
        filter(None, map(shutil.which, NAMES)), ""
    )
    if not found:
        why = "No Chromium here: install it, or name it in DIGEST_TEST_CHROMIUM."
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Browser) -> OpenPage:
    """Return what opens a page that shows `html`; no picture and nothing else is loaded."""

    @contextmanager
    def opened(
        html: str = "", *, width: int = 700, scheme: Scheme = "light", scale: int = 1
    ) -> Iterator[Page]:
        size = {"width": width, "height": 900}
        with browser.new_context(
            viewport=size,  # type: ignore[arg-type]
            color_scheme=scheme,
            device_scale_factor=scale,
        ) as context:
            page = context.new_page()
            page.set_default_timeout(10_000)
            if html:
                show(page, html)
            yield page

    return opened


def show(page: Page, html: str) -> None:
    """Show `html` on the page, and let it load nothing."""
    page.route("**/*", _refuse)
    page.set_content(html, wait_until="domcontentloaded")


def _refuse(route: Route) -> None:
    route.abort()


@pytest.fixture(scope="session", params=MAILS, ids="-".join)
def mail(request: pytest.FixtureRequest) -> Mail:
    """The rich edition of the golden mails, in each theme, in one direction or both."""
    return make_mail(*request.param)


@cache
def make_mail(language: str, theme: str = "plain") -> Mail:
    """Return the golden mail of ten stories in "english" or "arabic"."""
    edition, newsletter = {
        "english": (rich_edition(), ENGLISH),
        "arabic": (arabic_edition(), ARABIC),
    }[language]
    return mail_of(edition, newsletter, theme)


def mail_of(edition: Edition, newsletter: NewsletterSettings, theme: str = "plain") -> Mail:
    """Return the mail of `edition` as one reader gets it."""
    themed = msgspec.structs.replace(newsletter, theme=theme)
    renderer = MailRenderer([TEMPLATES], themed)
    variant, template = renderer.render(edition), renderer.render_document(edition)
    bodies = [
        compile_variant(replace(variant, html=html)).fill(READER)[0]
        for html in (template, variant.html)
    ]
    return Mail(*bodies)
