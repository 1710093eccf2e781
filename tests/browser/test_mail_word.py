"""Outlook with the Word engine, by an approximation: the mail stays whole."""

from typing import Any

import pytest
from lxml import html

from digest.viewer.word import as_word_reads, as_word_shows
from tests.browser.conftest import Mail, OpenPage

pytestmark = pytest.mark.browser

WIDTH = 800  # of the reading pane
DOT = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAAAAACH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
HEADINGS = """() => [...document.querySelectorAll("h1, h2, h3")].map(element =>
  [element.innerText.trim(), element.getBoundingClientRect().top])"""
BOXES = """() => [...document.querySelectorAll("h1, h2, h3, p, img, a")].map(element => {
  const {left, right} = element.getBoundingClientRect();
  return {left, right, name: element.outerHTML};
})"""
BUTTON = """element => {
  const cell = element.closest("td");
  const {width, height} = cell.getBoundingClientRect();
  return {width, height, cell: getComputedStyle(cell).backgroundColor,
    around: getComputedStyle(cell.closest("table").closest("td")).backgroundColor};
}"""


def as_word_shows_it(mail: str) -> str:
    """Return the mail as Word draws it, with one dot of a picture wherever there is a picture."""
    tree = html.document_fromstring(as_word_reads(mail))
    as_word_shows(tree)
    for picture in tree.iter("img"):
        picture.set("src", DOT)
    return str(html.tostring(tree, encoding="unicode", doctype="<!DOCTYPE html>"))


def test_column_keeps_its_width_and_nothing_reaches_out(open_page: OpenPage, mail: Mail) -> None:
    with open_page(as_word_shows_it(mail.inlined), width=WIDTH) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH
        column = page.locator("table.column").bounding_box()
        assert column is not None
        assert 560 <= column["width"] <= 640
        assert column["x"] == pytest.approx((WIDTH - column["width"]) / 2, abs=1)
        boxes: list[dict[str, Any]] = page.evaluate(BOXES)
    left, right = column["x"], column["x"] + column["width"]
    assert len(boxes) > 40
    assert [b["name"] for b in boxes if b["left"] < left - 1 or b["right"] > right + 1] == []


def test_stories_keep_their_order(open_page: OpenPage, mail: Mail) -> None:
    with open_page(mail.inlined) as page:
        before = [text for text, _ in page.evaluate(HEADINGS)]
    with open_page(as_word_shows_it(mail.inlined), width=WIDTH) as page:
        after: list[tuple[str, float]] = page.evaluate(HEADINGS)
    assert [text for text, _ in after] == before
    assert len(after) == 12
    assert [top for _, top in after] == sorted(top for _, top in after)


def test_button_is_still_a_box(open_page: OpenPage, mail: Mail) -> None:
    with open_page(as_word_shows_it(mail.inlined), width=WIDTH) as page:
        link = page.locator("td[class~=button] a")
        box = link.evaluate(BUTTON)
        text = link.bounding_box()
    assert text is not None
    assert box["cell"] != box["around"]
    assert box["width"] - text["width"] >= 16
    assert box["height"] - text["height"] >= 8


def test_picture_has_the_width_of_its_attribute(open_page: OpenPage, mail: Mail) -> None:
    with open_page(as_word_shows_it(mail.inlined), width=WIDTH) as page:
        boxes = [picture.bounding_box() for picture in page.locator("img").all()]
        widths = [int(p.get_attribute("width") or 0) for p in page.locator("img").all()]
    assert [box["width"] for box in boxes if box] == widths
