"""The archive in a real browser: no script, keyboard only, small, dark, right to left."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from digest.model.editions import Edition
from tests.archives import ArchiveSite, archive_site, put
from tests.browser.conftest import OpenPage, Scheme
from tests.browser.test_accessibility import faults
from tests.golden.editions import arabic_edition, rich_edition

pytestmark = pytest.mark.browser


def fill(site: ArchiveSite, model: Edition, *, count: int = 11) -> Edition:
    """Put editions that say what the model does, and correct the newest."""
    for weeks in reversed(range(count)):
        first = site.app.store.article_count() + 1
        stories = tuple(
            replace(story, article_id=first + number) for number, story in enumerate(model.stories)
        )
        words = {"subject": model.subject, "preheader": model.preheader, "intro": model.intro}
        edition = put(site.app, weeks, count=len(stories), stories=stories, **words)
    lead, other = edition.stories[0], edition.stories[1]
    site.correct("It costs 4 euros a month, not 40.", reference=str(lead.article_id))
    new = {"headline": f"{other.headline} (Android)", "reference": str(other.article_id)}
    site.correct("That version is for Android only.", **new)
    return edition


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ArchiveSite, str]]:
    """A site, and the path of the page on which its reader rates."""
    with archive_site(tmp_path_factory.mktemp("english") / "weekly") as site:
        edition = fill(site, rich_edition(4))
        yield site, f"/archive/2026-W48/{site.token(edition)}"


def go(page: Page, site: ArchiveSite, path: str) -> None:
    page.route("https://**", lambda route: route.abort())  # pictures of the stories
    page.goto(site.address.rstrip("/") + path, wait_until="domcontentloaded")


def require_good(page: Page, width: int) -> None:
    assert faults(page) == {}
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (320, "dark"),
        (1280, "light"),
        pytest.param(320, "light", marks=pytest.mark.long),
        pytest.param(1280, "dark", marks=pytest.mark.long),
    ],
)
def test_archive_has_no_fault_and_fits(
    open_page: OpenPage, english: tuple[ArchiveSite, str], scheme: Scheme, width: int
) -> None:
    site, signed = english
    with open_page(width=width, scheme=scheme) as page:
        for path in ("/archive", "/archive?q=maps", "/archive/2026-W48", signed):
            go(page, site, path)
            require_good(page, width)


@pytest.mark.parametrize("theme", ["magazine", pytest.param("compact", marks=pytest.mark.long)])
def test_archive_is_read_from_right_to_left(
    open_page: OpenPage, tmp_path: Path, theme: str
) -> None:
    settings = f'[newsletter]\nlanguage = "ar"\ntheme = "{theme}"\n'
    with archive_site(tmp_path / "weekly", settings) as site, open_page(width=320) as page:
        go(page, site, "/archive")
        require_good(page, 320)
        edition = fill(site, arabic_edition(3), count=2)
        for path in ("/archive", f"/archive/2026-W48/{site.token(edition)}"):
            go(page, site, path)
            require_good(page, 320)
            assert page.evaluate("getComputedStyle(document.body).direction") == "rtl"


def test_edition_is_found_and_read_by_keyboard_without_scripts(
    browser: Browser, english: tuple[ArchiveSite, str]
) -> None:
    site, _ = english
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        go(page, site, "/archive")
        page.keyboard.press("Tab")  # the first that can be reached is the field
        page.keyboard.type("signal OFFLINE")
        page.keyboard.press("Enter")
        page.get_by_text("11 editions have all of these words.").wait_for()
        page.get_by_role("link", name="Older editions").focus()
        page.keyboard.press("Enter")
        page.get_by_text("Page 2 of 2").wait_for()
        page.go_back()
        found = page.locator(".hits a").first
        found.focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/archive/2026-W48#s-*")
        assert page.locator(":target").count() == 1


def test_archive_can_be_read_with_the_colours_of_the_reader(
    browser: Browser, english: tuple[ArchiveSite, str]
) -> None:
    site, signed = english
    with browser.new_context(forced_colors="active") as context:
        page = context.new_page()
        for path in ("/archive?q=maps", signed):
            go(page, site, path)
            assert faults(page) == {}


def test_pages_ask_nobody_else_and_keep_nothing(
    browser: Browser, english: tuple[ArchiveSite, str]
) -> None:
    site, signed = english
    with browser.new_context() as context:
        page = context.new_page()
        asked: list[str] = []
        said: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        for path in ("/archive", signed):
            page.goto(site.address.rstrip("/") + path)
        assert {url.partition("/archive")[0] for url in asked} == {site.address.rstrip("/")}
        assert not said
        assert not context.cookies()
