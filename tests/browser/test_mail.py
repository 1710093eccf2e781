import re
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import SCHEMES, Mail, OpenPage, Scheme

pytestmark = pytest.mark.browser

STYLES = """() => {
  const names = (
    "display color backgroundColor fontFamily fontSize fontWeight fontStyle lineHeight textAlign " +
    "textDecorationLine verticalAlign whiteSpace direction width height maxWidth marginTop " +
    "marginRight marginBottom marginLeft paddingTop paddingRight paddingBottom paddingLeft " +
    "borderTopWidth borderTopColor borderBottomWidth borderRadius overflow visibility"
  ).split(" ");
  return [...document.querySelectorAll("body, body *")].map(element => {
    const style = getComputedStyle(element);
    const named = [["element", element.tagName + "." + element.className]];
    return Object.fromEntries(named.concat(names.map(name => [name, style[name]])));
  });
}"""
# Every text that can be seen: itself, its colour, the first background behind it, whether it is
# large in the sense of WCAG.
TEXTS = """() => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; node = walker.nextNode();) {
    const text = node.textContent.trim();
    const element = node.parentElement;
    if (!text || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    let behind = element;
    const ground = () => getComputedStyle(behind).backgroundColor;
    while (behind.parentElement && ground() === "rgba(0, 0, 0, 0)") behind = behind.parentElement;
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    found.push([text, style.color, ground(), large]);
  }
  return found;
}"""


def linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def luminance(colour: str) -> float:
    """Return the relative luminance of "rgb(1, 2, 3)" (WCAG 2.2)."""
    red, green, blue = (linear(int(part) / 255) for part in re.findall(r"\d+", colour)[:3])
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def styles(page: Page) -> list[dict[str, str]]:
    found: list[dict[str, str]] = page.evaluate(STYLES)
    return found


def differences(
    old: list[dict[str, str]], new: list[dict[str, str]]
) -> list[tuple[str, str, str, str]]:
    assert len(old) == len(new) > 100
    assert len(old[0]) > 25
    return [
        (before["element"], name, was, after[name])
        for before, after in zip(old, new, strict=True)
        for name, was in before.items()
        if was != after[name]
    ]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", [700, 400])
def test_inlined_mail_looks_as_its_style_sheets_say(
    open_page: OpenPage, mail: Mail, width: int, scheme: Scheme
) -> None:
    with open_page(mail.template, width=width, scheme=scheme) as page:
        before = styles(page)
    with open_page(mail.inlined, width=width, scheme=scheme) as page:
        assert differences(before, styles(page)) == []


def test_client_that_drops_style_sheets_shows_the_same_at_desktop_width(
    open_page: OpenPage, mail: Mail
) -> None:
    with open_page(mail.inlined) as page:
        before = styles(page)
    with open_page(re.sub(r"<style>.*?</style>", "", mail.inlined, flags=re.DOTALL)) as page:
        assert differences(before, styles(page)) == []


@pytest.mark.parametrize("width", [320, 375, 600, 1200])
def test_mail_never_scrolls_sideways(open_page: OpenPage, mail: Mail, width: int) -> None:
    with open_page(mail.inlined, width=width) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        column = page.locator("table.column").bounding_box()
        assert column is not None
        assert column["width"] <= 640


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_text_stands_out_from_its_background(
    open_page: OpenPage, mail: Mail, scheme: Scheme
) -> None:
    with open_page(mail.inlined, scheme=scheme) as page:
        texts: list[tuple[str, str, str, bool]] = page.evaluate(TEXTS)
    assert len(texts) > 80
    faint = [
        (text, colour, ground)
        for text, colour, ground, is_large in texts
        if contrast(colour, ground) < (3 if is_large else 4.5)
    ]
    assert faint == []


def test_dark_mail_is_dark_and_light_mail_is_light(open_page: OpenPage, mail: Mail) -> None:
    grounds: dict[str, set[str]] = {}
    for scheme in SCHEMES:
        with open_page(mail.inlined, scheme=scheme) as page:
            grounds[scheme] = {ground for _, _, ground, _ in page.evaluate(TEXTS)}
    buttons_are_the_other_way_round = 1
    assert sum(luminance(g) < 0.5 for g in grounds["light"]) == buttons_are_the_other_way_round
    assert sum(luminance(g) > 0.5 for g in grounds["dark"]) == buttons_are_the_other_way_round


def test_pictures_off_leave_every_headline_and_the_room_of_the_picture(
    open_page: OpenPage, mail: Mail
) -> None:
    with open_page(mail.inlined) as page:
        assert page.evaluate("[...document.images].every(image => !image.naturalWidth)")
        headings = page.locator("h1, h2, h3")
        assert headings.count() == 12
        assert all(heading.is_visible() for heading in headings.all())
        height: Any = page.evaluate("document.body.scrollHeight")
        assert 1500 < height < 4500


def test_whole_headline_is_a_link_and_the_button_is_large_enough_for_a_thumb(
    open_page: OpenPage, mail: Mail
) -> None:
    with open_page(mail.inlined, width=375) as page:
        for heading in page.locator("h2.lead-headline, h3").all():
            link = heading.locator("a")
            assert link.inner_text().strip() == heading.inner_text().strip()
        button = page.locator("a.button-link").bounding_box()
        assert button is not None
        assert button["height"] >= 44


def test_place_stands_where_lines_begin(open_page: OpenPage, mail: Mail) -> None:
    with open_page(mail.inlined) as page:
        is_right_to_left = page.evaluate("document.documentElement.dir") == "rtl"
        place = page.locator(".place").first.bounding_box()
        words = page.locator(".words").first.bounding_box()
    assert place is not None
    assert words is not None
    assert (place["x"] > words["x"]) is is_right_to_left
