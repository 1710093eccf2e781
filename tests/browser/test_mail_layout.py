"""Where things stand: large text, both directions, all scripts, places for thumbs."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Page

from digest.model.editions import Edition
from tests.browser.conftest import THEMES, Mail, OpenPage, mail_of
from tests.browser.pixels import LINES
from tests.golden.editions import ARABIC, ENGLISH, rich_edition

pytestmark = pytest.mark.browser

HEADLINES = (
    "🚀 Rocket launches from Tōkyō, 👩‍🚀 and 🌍 watch",
    "通勤電車で使える、片手で操作できる読書アプリ五選",
    "每周应用精选十个值得一试的工具",
    "매주 새로운 앱 소식을 전해 드립니다",
    "تطبيق جديد يحوّل الملاحظات الصوتية إلى نصوص دون اتصال بالإنترنت",
    "האפליקציה שמחליפה את לוח השנה",
    "Приложение, которое не считает дни",
    "Γιατί τα ημερολόγια κάνουν λάθος",
    "Ứng dụng ghi chú không cần mạng, 100 % miễn phí – £0, €0, ¥0",
    "Die neue Geschwindigkeitsbegrenzung für Lastenfahrräder, als App",
)
LANGUAGES = ("en", "ja", "zh", "ko", "ar", "he", "ru", "el", "vi", "de")
FRAME = (".name", ".week", ".section-name", ".place-number", ".small")
# Text zoom as Apple Mail and Firefox do it: letters and lines, but no box and no picture.
ZOOM = """factor => {
  const sizes = [...document.querySelectorAll("body, body *")].map(element => {
    const {fontSize, lineHeight} = getComputedStyle(element);
    return [element, parseFloat(fontSize), parseFloat(lineHeight)];
  });
  for (const [element, size, height] of sizes) {
    element.style.setProperty("font-size", `${size * factor}px`, "important");
    if (height) element.style.setProperty("line-height", `${height * factor}px`, "important");
  }
}"""
CLIPPED = """() => [...document.querySelectorAll("body *")].filter(element =>
  element.checkVisibility() && getComputedStyle(element).overflow !== "visible" &&
  (element.scrollWidth > element.clientWidth || element.scrollHeight > element.clientHeight)
).map(element => element.outerHTML)"""
# For every place of a sign beyond Latin: is it painted as what no font has (U+10FFFF) is painted?
MISSING = """() => {
  const canvas = new OffscreenCanvas(160, 120);
  const context = canvas.getContext("2d", {willReadFrequently: true});
  const drawn = (font, sign) => {
    context.clearRect(0, 0, 160, 120);
    context.font = font;
    context.fillText(sign, 30, 80);
    const {data} = context.getImageData(0, 0, 160, 120);
    return `${context.measureText(sign).width} ${data}`;
  };
  const unseen = /[\\p{Control}\\p{Format}\\p{Mark}\\p{White_Space}]/u;
  const missing = new Set();
  let seen = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; node = walker.nextNode();) {
    if (!node.parentElement.checkVisibility()) continue;
    const {font} = getComputedStyle(node.parentElement);
    const box = drawn(font, "\\u{10FFFF}");
    for (const sign of node.textContent) {
      if (sign <= "\\u007F" || unseen.test(sign)) continue;
      seen += 1;
      if (drawn(font, sign) === box) missing.add(sign);
    }
  }
  return {seen, missing: [...missing]};
}"""
# How far from the side where lines begin a text starts, and how far from the other one it ends.
MARGINS = """([selector, rtl]) => [...document.querySelectorAll(selector)].map(element => {
  const range = document.createRange();
  range.selectNodeContents(element);
  const {left, right} = range.getBoundingClientRect();
  const column = document.querySelector("table.column").getBoundingClientRect();
  const sides = [left - column.left, column.right - right];
  return rtl ? sides.reverse() : sides;
})"""


def many_scripts() -> Edition:
    edition = rich_edition()
    stories = zip(edition.stories, HEADLINES, LANGUAGES, strict=True)
    changed = tuple(replace(story, headline=h, language=lang) for story, h, lang in stories)
    return replace(edition, stories=changed)


def lines(page: Page) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate(LINES)
    assert len(found) > 80
    return found


def overlaps(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return the texts that stand on one another; letters may reach a little out of their line."""
    boxes = [
        (
            line["text"],
            line["node"],
            line["x"],
            line["y"] + line["height"] / 5,
            line["x"] + line["width"],
            line["y"] + line["height"] * 4 / 5,
        )
        for line in found
    ]
    return [
        (one[0], other[0])
        for at, one in enumerate(boxes)
        for other in boxes[at + 1 :]
        if one[1] != other[1]
        and min(one[4], other[4]) - max(one[2], other[2]) > 2
        and min(one[5], other[5]) - max(one[3], other[3]) > 2
    ]


@pytest.mark.parametrize("width", [390, 700])
def test_text_of_double_size_is_neither_cut_nor_covered(
    open_page: OpenPage, mail: Mail, width: int
) -> None:
    with open_page(mail.inlined, width=width) as page:
        before = lines(page)
        page.evaluate(ZOOM, 2)
        after = lines(page)
        assert after[0]["height"] > 1.8 * before[0]["height"]
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(CLIPPED) == []
    outside = [
        line["text"] for line in after if line["x"] < 0 or line["x"] + line["width"] > width + 0.5
    ]
    assert outside == []
    assert overlaps(after) == []


def test_covered_and_cut_text_is_found(open_page: OpenPage) -> None:
    words = "".join(f"<p>Words {number}</p>" for number in range(90))
    covered = '<p style="margin-bottom:-32px">One</p><p>Other</p>'
    cut = '<div style="overflow:hidden;height:5px">Cut</div>'
    with open_page(f"<!DOCTYPE html><body>{words}{covered}{cut}") as page:
        assert ("One", "Other") in overlaps(lines(page))
        assert len(page.evaluate(CLIPPED)) == 1


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", [375, 700])
def test_right_to_left_mirrors_the_frame(open_page: OpenPage, theme: str, width: int) -> None:
    margins: list[dict[str, list[tuple[float, float]]]] = []
    for language in ("en", "ar"):
        newsletter = msgspec.structs.replace(ENGLISH, language=language)
        with open_page(mail_of(rich_edition(), newsletter, theme).inlined, width=width) as page:
            is_right_to_left = page.evaluate("document.dir") == "rtl"
            assert is_right_to_left is (language == "ar")
            margins.append(
                {name: page.evaluate(MARGINS, [name, is_right_to_left]) for name in FRAME}
            )
    here, there = margins
    assert [(name, len(here[name])) for name in FRAME if not here[name]] == []
    assert [
        (name, one, other)
        for name in FRAME
        for one, other in zip(here[name], there[name], strict=True)
        if not keeps_to_one_side(one, other)
    ] == []


def keeps_to_one_side(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Tell whether both texts begin, or end, at the same distance, or stand in the middle."""
    starts, ends = zip(one, other, strict=True)
    is_centred = all(start == pytest.approx(end, abs=1) for start, end in (one, other))
    return is_centred or min(abs(starts[0] - starts[1]), abs(ends[0] - ends[1])) <= 1


@pytest.mark.parametrize("theme", THEMES)
def test_signs_of_every_script_are_painted(open_page: OpenPage, theme: str) -> None:
    html = mail_of(many_scripts(), ENGLISH, theme).inlined
    with open_page(html) as page:
        found = page.evaluate(MISSING)
    assert found["seen"] > 200
    assert found["missing"] == []


def test_sign_that_no_font_has_is_found(open_page: OpenPage) -> None:
    with open_page("<!DOCTYPE html><p>日 \u0378 \ue0ff") as page:
        assert page.evaluate(MISSING) == {"seen": 3, "missing": ["\u0378", "\ue0ff"]}


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("language", ["en", "ar"])
def test_headlines_of_every_script_fit_a_small_phone(
    open_page: OpenPage, theme: str, language: str
) -> None:
    newsletter = ENGLISH if language == "en" else ARABIC
    with open_page(mail_of(many_scripts(), newsletter, theme).inlined, width=320) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        assert overlaps(lines(page)) == []


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("place", [1, 10])
def test_word_that_is_wider_than_a_phone_is_broken(
    open_page: OpenPage, theme: str, place: int
) -> None:
    word = "Donaudampfschifffahrtsgesellschaft"
    edition = rich_edition()
    stories = tuple(
        replace(s, headline=f"Die {word}", summary=f"{word}.") if s.position == place else s
        for s in edition.stories
    )
    html = mail_of(replace(edition, stories=stories), ENGLISH, theme).inlined
    with open_page(html, width=320) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.parametrize("width", [320, 700])
def test_every_headline_and_the_button_is_large_enough_for_a_finger(
    open_page: OpenPage, mail: Mail, width: int
) -> None:
    with open_page(mail.inlined, width=width) as page:
        boxes = [link.bounding_box() for link in page.locator("h2 a, h3 a").all()]
        assert len(boxes) == 10
        assert all(box and box["width"] >= 24 and box["height"] >= 24 for box in boxes)
        button = page.locator("td[class~=button] a").bounding_box()
        assert button is not None
        assert button["height"] >= 44
        assert button["width"] >= 44
        assert button["x"] >= 0
        assert button["x"] + button["width"] <= width
