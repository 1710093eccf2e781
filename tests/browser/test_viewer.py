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
FRAMES = ["desktop", "dark", "inverted", "gmail", "stripped", "word", "images"]
VIEWS = ["desktop", "phone", "small", *FRAMES[1:], "text"]
WIDTHS = {"desktop": 0, "phone": 390, "small": 320}


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
    )
    picture = tmp_path / "lead.png"
    picture.write_bytes(bytes.fromhex("89504e470d0a1a0a"))

    def written(more: str = "") -> str:
        out = tmp_path / "previews"
        html = page.html.replace("</body>", f"{more}</body>")
        line = next(n for n, text in enumerate(html.split("\n"), 1) if "<img" in text)
        found = FindingRow("picture-text", "warning", "This <img> has " + "x" * 90, line=line)
        shown = replace(page, html=html, findings=(found,))
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
        for name in VIEWS:
            page.locator(f"#view-{name}").check()
        page.wait_for_load_state("networkidle")
        assert [frame.url for frame in page.frames[1:]] == ["about:srcdoc"] * len(FRAMES)
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
        for name in VIEWS:
            page.locator(f"#view-{name}").check()
            assert visible(page) == [name]
        page.keyboard.press("ArrowLeft")
        assert visible(page) == ["images"]


def visible(page: Page) -> list[str]:
    """Return the views whose panel and whose words are shown."""
    return [
        name
        for name in VIEWS
        if page.locator(f".panel-{name}").is_visible()
        and page.locator(f".said.show-{name}").is_visible()
    ]


def test_phones_share_the_frame_and_give_it_their_width(
    open_page: OpenPage, write: Callable[[str], str]
) -> None:
    with open_page(width=1200) as page:
        page.goto(write(""))
        frame = page.frames[1]
        for name, width in WIDTHS.items():
            page.locator(f"#view-{name}").check()
            shown = frame.evaluate("innerWidth")
            assert shown == width if width else shown > 700
            assert frame.evaluate("document.documentElement.scrollWidth") <= shown


def test_simulations_of_clients_show_the_whole_mail(
    open_page: OpenPage, write: Callable[[str], str]
) -> None:
    headlines = [story.headline for story in rich_edition().stories]
    with open_page(width=1200) as page:
        page.goto(write(""))
        for name in FRAMES:
            page.locator(f"#view-{name}").check()
            frame = page.frame_locator(f".panel-{name} iframe")
            heights = [
                frame.get_by_text(headline, exact=True).last.bounding_box()
                for headline in headlines
            ]
            tops = [box["y"] for box in heights if box]
            assert len(tops) == len(headlines), name
            assert tops == sorted(tops), name
            assert frame.locator("body").evaluate("e => e.scrollWidth <= innerWidth"), name


def test_show_me_opens_by_keyboard_and_marks_the_place(
    open_page: OpenPage, write: Callable[[str], str]
) -> None:
    with open_page(width=1200) as page:
        page.goto(write(""))
        mark = page.locator("#checks mark")
        assert not mark.is_visible()
        page.locator("#checks summary").focus()
        page.keyboard.press("Enter")
        assert mark.is_visible()
        assert mark.inner_text().startswith("<img ")


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


@pytest.mark.parametrize("width", [320, 390, 600, 961, 1200, 1600])
def test_viewer_never_scrolls_sideways(
    open_page: OpenPage, write: Callable[[str], str], width: int
) -> None:
    with open_page(width=width) as page:
        page.goto(write(""))
        page.locator("#checks summary").press("Enter")
        for name in VIEWS:
            page.locator(f"#view-{name}").check()
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
