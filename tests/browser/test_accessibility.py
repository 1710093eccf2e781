"""axe-core on the mail and on the viewer, light and dark: it finds nothing."""

import subprocess
import sys
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.conftest import SCHEMES, THEMES, Mail, OpenPage, Scheme, mail_of
from tests.golden.editions import ENGLISH, combined, rich_edition

pytestmark = pytest.mark.browser

# A mail is shown inside another program's page, which brings the landmarks.
ONLY_FOR_PAGES = frozenset({"region", "landmark-one-main"})
OPTIONS = {
    "iframes": False,
    "resultTypes": ["violations"],
    "rules": {"target-size": {"enabled": True}},
}
PLANTED = """<!DOCTYPE html><html lang="en"><head><title>A</title></head><body><main>
<h1>A</h1><h3>B</h3><img src="a.png"><p style="color:#999999;background:#ffffff">Faint</p>
<a href="/a" style="font-size:9px">a</a><a href="/b" style="font-size:9px">b</a>
</main></body></html>"""


def faults(page: Page) -> dict[str, list[str]]:
    """Return what axe-core calls a violation: for each rule, the elements."""
    found = Axe().run(page, options=OPTIONS).response["violations"]
    return {fault["id"]: [node["html"] for node in fault["nodes"]] for fault in found}


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file: address of the viewer that a stranger sees: the sample's."""
    folder = tmp_path_factory.mktemp("viewer")
    command = [sys.executable, "-m", "digest", "send", "--preview", "--no-open", "--out", "shown"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)
    return Path(folder, "shown", "index.html").as_uri()


def test_planted_faults_are_found(open_page: OpenPage) -> None:
    with open_page(PLANTED) as page:
        assert faults(page).keys() == {
            "color-contrast",
            "heading-order",
            "image-alt",
            "target-size",
        }


@pytest.mark.parametrize("scheme", SCHEMES)
def test_mail_has_no_fault(open_page: OpenPage, mail: Mail, scheme: Scheme) -> None:
    with open_page(mail.inlined, width=600, scheme=scheme) as page:
        found = faults(page)
    assert {rule: found[rule] for rule in found.keys() - ONLY_FOR_PAGES} == {}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("theme", THEMES)
def test_mail_with_merged_and_updated_stories_has_no_fault(
    open_page: OpenPage, theme: str, scheme: Scheme
) -> None:
    mail = mail_of(combined(rich_edition(3)), ENGLISH, theme)
    with open_page(mail.inlined, width=390, scheme=scheme) as page:
        found = faults(page)
    assert {rule: found[rule] for rule in found.keys() - ONLY_FOR_PAGES} == {}


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark")])
def test_viewer_has_no_fault_in_any_of_its_views(
    open_page: OpenPage, viewer: str, width: int, scheme: Scheme
) -> None:
    with open_page(width=width, scheme=scheme) as page:
        page.goto(viewer)
        views = page.locator("input[type=radio]").all()
        assert len(views) >= 7
        for view in views:
            view.check(force=True)
            assert faults(page) == {}, view.get_attribute("id")
