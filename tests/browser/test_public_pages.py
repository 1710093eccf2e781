"""The readers' pages in a real browser: by keyboard, with and without scripts, small and dark."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from digest.model.letters import Letter, LetterKind, LetterState
from tests.browser.conftest import OpenPage, Scheme
from tests.browser.test_accessibility import faults
from tests.browser.test_desk import tab_to
from tests.website import Site, served

pytestmark = pytest.mark.browser

LOOKS = [
    pytest.param("light", 1280, "en", marks=pytest.mark.long),
    ("dark", 320, "de"),
    ("light", 320, "ar"),
]
SETTINGS = """
[newsletter]
language = "{}"
[[source]]
name = "Feed"
url = "https://feed.example.com/rss"
topics = ["Android", "A topic with a rather long name"]
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with served(tmp_path / "weekly", SETTINGS.format("en")) as running:
        yield running


def confirm_path(site: Site) -> str:
    """Keep a letter that was sent, and return the path of its link."""
    now, address = site.clock.now(), "new@example.org"
    letter = Letter(
        newsletter="app-news-weekly",
        kind=LetterKind.SIGN_UP,
        address=address,
        key=address,
        asked_at=now,
        state=LetterState.SENT,
        settled_at=now,
    )
    number = site.app.letters_store.ask(letter)
    return f"confirm/{site.app.tokens.confirm(number)}"


def paths(site: Site) -> list[str]:
    token, now = site.token(), site.clock.now()
    account = site.app.tokens.account(site.sent.readers[0], now=now)
    places = [f"u/{token}", f"preferences/{token}", f"account/{account}", "u/x", "confirm/x"]
    return ["", "link", confirm_path(site), *places, "nothing"]


def good(page: Page, width: int) -> None:
    """Prove what each page promises to everybody."""
    assert faults(page) == {}
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    small = page.evaluate(
        """selector => [...document.querySelectorAll(selector)]
        .filter(e => e.offsetParent && e.getBoundingClientRect().height < 44)
        .map(e => e.innerText)""",
        "button, .button, input[type=email], select, label:has(input), .ways a",
    )
    assert small == []


@pytest.mark.parametrize(("scheme", "width", "language"), LOOKS)
def test_each_page_is_good_to_read_and_to_press(
    open_page: OpenPage, tmp_path: Path, scheme: Scheme, width: int, language: str
) -> None:
    with (
        served(tmp_path / "weekly", SETTINGS.format(language)) as site,
        open_page(width=width, scheme=scheme) as page,
    ):
        said: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("request", lambda request: asked.append(request.url))
        before = None
        for path in paths(site):
            before = before or site.rows()
            page.goto(site.address + path)
            good(page, width)
            assert page.get_attribute("html", "lang") == language
            turned = page.evaluate("getComputedStyle(document.body).direction")
            assert turned == ("rtl" if language == "ar" else "ltr")
        assert site.rows() == before
        assert [line for line in said if "404" not in line and "410" not in line] == []
        assert all(url.startswith(site.address) for url in asked)


def test_signing_up_takes_a_keyboard_only(open_page: OpenPage, site: Site) -> None:
    with open_page(width=390) as page:
        page.goto(site.address)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == "address"
        page.keyboard.type("nobody@")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.tagName") == "BUTTON"
        site.clock.move(dt.timedelta(seconds=10))
        page.keyboard.press("Enter")
        page.get_by_text("This is no mail address").wait_for()
        assert page.title().startswith("Error:")
        assert page.evaluate("document.activeElement.id") == "address"
        good(page, 390)
        page.keyboard.press("Control+A")
        page.keyboard.type("new@example.org")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Look into your inbox").wait_for()
        good(page, 390)


def test_reader_confirms_chooses_leaves_and_comes_back_without_scripts(
    browser: Browser, site: Site
) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.goto(site.address + confirm_path(site))
        page.get_by_role("button", name="Yes, subscribe me").click()
        page.get_by_role("heading", name="You are subscribed").wait_for()
        reader = site.app.reader("new@example.org")
        assert reader
        assert reader.id
        token = site.app.tokens.reader(0, reader.id)
        page.goto(f"{site.address}preferences/{token}")
        page.get_by_label("Once a month").check()
        page.get_by_label("Android").check()
        page.get_by_label("Language of these pages").select_option("de")
        page.get_by_role("button", name="Save").click()
        page.get_by_role("status").wait_for()
        page.get_by_role("button", name="Von der Liste nehmen").click()
        page.get_by_label("Er ist zu lang").check()
        page.get_by_role("button", name="Abschicken").click()
        page.get_by_text("Danke").wait_for()
        left = site.app.subscribers.subscriber_by_id(reader.id)
        assert left
        assert (left.state, left.left_why, left.topics) == ("left", "too long", ("Android",))
        page.get_by_role("button", name="Rückgängig").click()
        page.get_by_role("heading", name="Sie stehen wieder auf der Liste").wait_for()


def test_preferences_are_changed_by_keyboard(open_page: OpenPage, site: Site) -> None:
    with open_page(width=320, scheme="dark") as page:
        page.goto(f"{site.address}preferences/{site.token()}")
        page.keyboard.press("Tab")
        page.keyboard.press("ArrowDown")
        tab_to(page, "Save")
        page.keyboard.press("Enter")
        page.get_by_role("status").wait_for()
        good(page, 320)
        reader = site.app.subscribers.subscriber_by_id(site.sent.readers[0])
        assert reader
        assert reader.frequency == "monthly"
        tab_to(page, "Take me off the list")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="You are not on the list").wait_for()
        good(page, 320)
        tab_to(page, "Undo: put me back on the list")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="You are back on the list").wait_for()
        good(page, 320)


def test_pages_can_be_read_with_the_colours_of_the_reader(browser: Browser, site: Site) -> None:
    with browser.new_context(forced_colors="active") as context:
        page = context.new_page()
        for path in paths(site)[2:5]:  # those with the most to press
            page.goto(site.address + path)
            assert faults(page) == {}
            for button in page.locator("button, .button").all():
                assert button.evaluate("b => getComputedStyle(b).borderTopWidth") == "2px"


def test_data_is_downloaded_and_erased_behind_two_buttons(open_page: OpenPage, site: Site) -> None:
    token = site.app.tokens.account(site.sent.readers[0], now=site.clock.now())
    with open_page(width=390) as page:
        page.goto(f"{site.address}account/{token}")
        with page.expect_download() as download:
            page.get_by_role("button", name="Download my data").click()
        assert "Reader0@example.com" in Path(download.value.path()).read_text()
        page.get_by_role("button", name="Erase me").click()
        good(page, 390)
        page.get_by_role("link", name="No, go back").click()
        page.get_by_role("button", name="Erase me").click()
        page.get_by_role("button", name="Yes, erase everything").click()
        page.get_by_role("heading", name="Nothing about you is stored here").wait_for()
        good(page, 390)
    assert site.state() == "gone"
