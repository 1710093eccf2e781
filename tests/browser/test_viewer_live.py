"""The served preview in a browser: it follows its templates, and keeps where the person is."""

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from digest.viewer.live import Board, serving
from digest.viewer.page import error_page, viewer_page
from digest.viewer.watching import stamps, watch
from tests.browser.conftest import OpenPage
from tests.unit.test_viewer_page import HOSTILE, PAGE

pytestmark = pytest.mark.browser


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file whose text is the mail; one that begins with "broken" cannot be rendered."""
    path = tmp_path / "mail.html"
    path.write_text(PAGE.html)
    return path


@pytest.fixture
def address(file: Path) -> Iterator[str]:
    """Serve what the file says, for as long as the test runs."""
    board, over = Board(), threading.Event()

    def draw() -> None:
        text = file.read_text()
        is_broken = text.startswith("broken")
        board.show(
            error_page(text, "Mend it.") if is_broken else viewer_page(replace(PAGE, html=text))
        )

    draw()
    keywords = {"since": stamps([file]), "over": over}
    watcher = threading.Thread(target=watch, args=(lambda: [file], draw), kwargs=keywords)
    watcher.start()
    with serving(board) as url:
        yield url
        over.set()
        watcher.join(10)


def put(file: Path, text: str) -> None:
    new = file.with_name(".new")
    new.write_text(text)
    new.replace(file)


def mail(page: Page, name: str = "desktop") -> Callable[[str], None]:
    """Return what waits until the view shows a text."""
    frame = page.frame_locator(f".panel-{name} iframe")
    return lambda words: frame.get_by_text(words).wait_for()


def test_page_shows_a_change_and_keeps_tab_place_and_focus(
    open_page: OpenPage, file: Path, address: str
) -> None:
    with open_page(width=1200) as page:
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(address)
        page.locator("#view-gmail").check()
        page.evaluate("scrollTo({top: 120, behavior: 'instant'})")
        for words in ("First words", "Second words"):
            put(file, f"<p>{words}</p>")
            mail(page, "gmail")(words)
            assert page.evaluate("scrollY") == 120
            assert page.evaluate("document.activeElement.id") == "view-gmail"
        page.keyboard.press("ArrowRight")
        mail(page, "stripped")("Second words")
        assert said == []


def test_broken_template_is_told_in_place_of_the_mail_until_it_is_mended(
    open_page: OpenPage, file: Path, address: str
) -> None:
    with open_page(width=1200) as page:
        page.goto(address)
        page.locator("#view-word").check()
        put(file, "broken <b>here</b>")
        page.get_by_role("alert").get_by_text("broken <b>here</b>").wait_for()
        assert page.title() == "No preview · digest"
        put(file, "<p>Mended</p>")
        mail(page, "word")("Mended")
        assert page.locator("#view-word").is_checked()


def test_hostile_mail_neither_runs_nor_asks_for_anything_when_it_is_served(
    open_page: OpenPage, file: Path, address: str
) -> None:
    with open_page(width=1200) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        put(file, HOSTILE)
        mail(page)("Text")
        nonce = re.findall(r"nonce=\"([^\"]+)", page.content())
        put(file, f"<script nonce='{nonce}'>top.ran = 1</script><p onclick='top.ran=1'>Later</p>")
        mail(page)("Later")
        page.frame_locator(".panel-desktop iframe").get_by_text("Later").click()
        assert page.evaluate("window.ran") is None
    foreign = [url for url in asked if not url.startswith(("data:", address, "about:"))]
    assert foreign == []


def test_page_says_when_its_server_ended(open_page: OpenPage) -> None:
    board = Board()
    board.show(viewer_page(PAGE))
    with open_page(width=1200) as page:
        with serving(board) as address:
            page.goto(address)
        expect(page).to_have_title(re.compile(r"^\(ended\) "))
