"""A real Chromium, and the mails as it meets them."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

from digest.project import starter_root
from digest.rendering.environment import make_environment, render_template
from digest.rendering.inlining import inline
from digest.rendering.views import mail_view
from tests.golden.editions import ARABIC, ENGLISH, arabic_edition, rich_edition

NAMES = ("chromium", "chromium-browser", "google-chrome")
SCHEMES = ("light", "dark")
Scheme = Literal["light", "dark"]


@dataclass(frozen=True)
class Mail:
    """A mail before and after its base sheet went into the elements."""

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
    def opened(html: str = "", *, width: int = 700, scheme: Scheme = "light") -> Iterator[Page]:
        size = {"width": width, "height": 900}
        with browser.new_context(viewport=size, color_scheme=scheme) as context:  # type: ignore[arg-type]
            page = context.new_page()
            page.set_default_timeout(10_000)
            if html:
                page.route("**/*", _refuse)
                page.set_content(html, wait_until="domcontentloaded")
            yield page

    return opened


def _refuse(route: Route) -> None:
    route.abort()


@pytest.fixture(scope="session", params=["english", "arabic"])
def mail(request: pytest.FixtureRequest) -> Mail:
    """The rich edition of the golden mails, in two directions."""
    return make_mail(request.param)


def make_mail(language: str) -> Mail:
    """Return the golden mail of ten stories in "english" or "arabic"."""
    edition, newsletter = {
        "english": (rich_edition(), ENGLISH),
        "arabic": (arabic_edition(), ARABIC),
    }[language]
    values = {
        "mail": mail_view(edition, newsletter),
        "base_css": "themes/plain/base.css",
        "enhance_css": "themes/plain/enhance.css",
    }
    environment = make_environment([starter_root() / "templates"])
    template = render_template(environment, "edition.html.j2", values).lstrip()
    return Mail(template, inline(template))
