"""The readers' pages in a real browser: by keyboard, light and dark, and open for a while."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import SCHEMES, OpenPage, Scheme
from tests.browser.test_accessibility import faults
from tests.website import Site, served

pytestmark = pytest.mark.browser


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with served(tmp_path / "weekly") as running:
        yield running


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", [320, 1280])
def test_page_is_good_to_read_and_to_press(
    open_page: OpenPage, site: Site, scheme: Scheme, width: int
) -> None:
    with open_page(width=width, scheme=scheme) as page:
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(f"{site.address}u/{site.token()}")
        assert faults(page) == {}
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.tagName") == "BUTTON"
        assert site.state() == "active"
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="You are not on the list").wait_for()
        assert faults(page) == {}
        assert site.state() == "left"
        assert not said


def test_scanner_that_runs_scripts_and_looks_around_changes_nothing(
    open_page: OpenPage, site: Site
) -> None:
    before = site.rows()
    with open_page() as page:
        for path in (f"u/{site.token()}", f"preferences/{site.token()}", "archive/2026-W48"):
            for _ in range(2):
                page.goto(site.address + path, wait_until="networkidle")
                page.mouse.wheel(0, 2000)
                page.evaluate("document.querySelectorAll('a').forEach(a => a.focus())")
    assert site.rows() == before


@pytest.mark.parametrize("scheme", SCHEMES)
def test_archive_keeps_its_styles_under_its_policy(
    open_page: OpenPage, site: Site, scheme: Scheme
) -> None:
    with open_page(scheme=scheme) as page:
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(f"{site.address}archive/2026-W48")
        assert page.evaluate("document.styleSheets.length") == 3
        assert faults(page) == {}
        assert not said
