from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page

from digest.viewer.folder import write_preview
from digest.viewer.page import FindingRow, PreviewPage, StoryRow
from tests.browser.conftest import SCHEMES, OpenPage, Scheme, make_mail
from tests.golden.editions import PICTURE, rich_edition

pytestmark = pytest.mark.browser

SCRIPTS = """<script>console.log("ran")</script><img src="x" onerror="console.log('ran')">
<a href="javascript:console.log('ran')">run</a><img src="https://evil.test/a.png">
<iframe src="https://evil.test/b"></iframe><link rel="stylesheet" href="https://evil.test/c.css">"""
PANELS = ["desktop", "phone", "dark", "inverted", "images", "stripped", "text"]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], str]:
    """Return what writes a preview of the mail, with more in it, and gives its file: address."""
    edition = rich_edition()
    page = PreviewPage(
        newsletter="App News Weekly",
        edition=edition.period.label,
        starts_at=edition.period.start,
        ends_at=edition.period.end,
        timezone=edition.period.timezone,
        state="draft",
        subject=edition.subject,
        preheader=edition.preheader,
        sender="App News Weekly <news@example.com>",
        reader="reader@example.com",
        sha256="ab" * 32,
        html=make_mail("english").inlined,
        text="Ten apps\n" + "https://news.example.com/" + "long" * 60,
        stories=tuple(
            StoryRow(
                position=story.position,
                headline=story.headline,
                source=story.outlet,
                score=4.2,
                rating="4.6 of 5 from 120 votes",
                reasons=(("4.60★ from 120 votes", 4.6), ("because of " + "w" * 60, -0.4)),
            )
            for story in edition.stories
        ),
        findings=(FindingRow("picture-text", "warning", "A picture has no text. " * 5),),
    )
    picture = tmp_path / "lead.png"
    picture.write_bytes(bytes.fromhex("89504e470d0a1a0a"))

    def written(more: str = "") -> str:
        out = tmp_path / "previews"
        shown = replace(page, html=page.html.replace("</body>", f"{more}</body>"))
        write_preview(shown, b"mail", out, media={PICTURE: picture}, report=lambda _files: b"{}")
        return (out / "index.html").as_uri()

    return written


def test_viewer_from_disk_runs_no_script_and_asks_for_nothing(
    open_page: OpenPage, write: Callable[[str], str]
) -> None:
    address = write(SCRIPTS)
    asked: list[str] = []
    said: list[str] = []
    with open_page() as page:
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(address)
        for name in PANELS:
            page.locator(f"#view-{name}").check()
            page.locator(f".panel-{name}").scroll_into_view_if_needed()
        page.wait_for_load_state("networkidle")
        assert [frame.url for frame in page.frames[1:]] == ["about:srcdoc"] * 6
    assert [url for url in asked if not url.startswith("data:") and url != "about:srcdoc"] == [
        address
    ]
    assert said == []


def test_each_tab_shows_its_panel_and_no_other(
    open_page: OpenPage, write: Callable[[str], str]
) -> None:
    with open_page(width=1200) as page:
        page.goto(write(""))
        assert visible(page) == ["desktop"]
        for name in PANELS:
            page.locator(f"#view-{name}").check()
            assert visible(page) == [name]
        page.keyboard.press("ArrowLeft")
        assert visible(page) == ["stripped"]


def visible(page: Page) -> list[str]:
    return [name for name in PANELS if page.locator(f".panel-{name}").is_visible()]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_frames_show_the_mail_light_or_dark_whatever_the_machine_prefers(
    open_page: OpenPage, write: Callable[[str], str], scheme: Scheme
) -> None:
    grounds = {}
    with open_page(width=1200, scheme=scheme) as page:
        page.goto(write(""))
        for name in ("desktop", "dark"):
            page.locator(f"#view-{name}").check()
            frame = page.frame_locator(f".panel-{name} iframe")
            sheet = frame.locator("td.masthead")
            grounds[name] = sheet.evaluate("e => getComputedStyle(e).backgroundColor")
    assert grounds == {"desktop": "rgb(255, 255, 255)", "dark": "rgb(28, 27, 25)"}


@pytest.mark.parametrize("width", [320, 375, 600, 1200])
def test_viewer_never_scrolls_sideways(
    open_page: OpenPage, write: Callable[[str], str], width: int
) -> None:
    with open_page(width=width) as page:
        page.goto(write(""))
        for name in PANELS:
            page.locator(f"#view-{name}").check()
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
