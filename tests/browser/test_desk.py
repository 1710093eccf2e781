"""The editors' page and their mail in a real browser: no script, keyboard only, light and dark."""

import email
import email.policy
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from digest.model.editions import EditionState
from digest.model.notices import Event, NoticeKind
from tests.browser.conftest import SCHEMES, OpenPage, Scheme, show
from tests.browser.test_accessibility import ONLY_FOR_PAGES, faults
from tests.desks import EditorsDesk, editors_desk, open_project

pytestmark = pytest.mark.browser


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[EditorsDesk]:
    with editors_desk(tmp_path / "weekly") as running:
        yield running


def address(desk: EditorsDesk) -> str:
    return desk.address.rstrip("/") + desk.path()


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the control of this name has the focus."""
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.innerText || document.activeElement.id") == name:
            return
    pytest.fail(f"{name} cannot be reached")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", [320, 1280])
def test_edition_is_approved_by_keyboard(
    open_page: OpenPage, desk: EditorsDesk, scheme: Scheme, width: int
) -> None:
    with open_page(width=width, scheme=scheme) as page:
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(address(desk))
        assert faults(page) == {}
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        tab_to(page, "Approve this mail")
        assert desk.edition.state is EditionState.DRAFT
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="2026-W48 is approved").wait_for()
        assert faults(page) == {}
        assert desk.edition.approved_by == "Maria"
        page.get_by_role("link", name="Open the edition").click()
        page.get_by_role("button", name="Hold").wait_for()
        assert faults(page) == {}
        assert not said


def test_edition_is_skipped_without_scripts_and_only_with_a_reason(
    browser: Browser, desk: EditorsDesk
) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(address(desk))
        page.get_by_role("button", name="Skip").click()
        assert desk.edition.state is EditionState.DRAFT
        page.get_by_label("Why does it not go out?").fill("Holiday")
        page.get_by_role("button", name="Skip").click()
        page.get_by_text("It is skipped: Holiday.").wait_for()
    assert desk.edition.state is EditionState.SKIPPED


def test_page_can_be_read_with_the_colours_of_the_reader(
    browser: Browser, desk: EditorsDesk
) -> None:
    with browser.new_context(forced_colors="active") as context:
        page = context.new_page()
        page.goto(address(desk))
        for button in page.get_by_role("button").all():
            width, style = button.evaluate(
                "b => [getComputedStyle(b).borderTopWidth, getComputedStyle(b).borderTopStyle]"
            )
            assert (width, style) == ("2px", "solid")
        assert faults(page) == {}


def test_mail_is_shown_in_its_colours_and_runs_nothing(
    open_page: OpenPage, desk: EditorsDesk
) -> None:
    before = desk.rows()
    with open_page() as page:
        page.route("https://**", lambda route: route.abort())
        page.goto(address(desk))
        page.get_by_role("link", name="See it as a reader does").click()
        page.get_by_role("heading", name="Article number 4").wait_for()
        assert page.evaluate("getComputedStyle(document.querySelector('h2')).fontWeight") == "700"
        assert page.evaluate("self.origin") == "null"
        page.go_back()
        page.get_by_role("button", name="Approve").wait_for()
    assert desk.rows() == before


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize(
    "theme", ["plain", *(pytest.param(t, marks=pytest.mark.long) for t in ("magazine", "compact"))]
)
def test_notice_is_good_to_read(
    open_page: OpenPage, tmp_path: Path, scheme: Scheme, theme: str
) -> None:
    settings = (
        f'[newsletter]\ntheme = "{theme}"\n[[editor]]\nname = "M"\naddress = "m@example.com"\n'
    )
    with open_project(tmp_path / "weekly", settings) as app:
        edition = app.editions.all()[0]
        now, [editor] = app.clock.now(), app.notices.editors()
        event = Event(kind=NoticeKind.DRAFTED, at=now, reason="It is Sunday")
        app.notices.tell(event, edition, editor, now=now)
        [path] = app.project.root.rglob("*.eml")
    mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert isinstance(mail, EmailMessage)
    body = mail.get_body(("html",))
    assert body is not None
    for width in (320, 700):
        with open_page(width=width, scheme=scheme) as page:
            show(page, body.get_content())
            found = faults(page)
            assert {rule: found[rule] for rule in found.keys() - ONLY_FOR_PAGES} == {}
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            link = page.get_by_role("link", name="Open the edition")
            assert "/desk/edition/" in (link.get_attribute("href") or "")
