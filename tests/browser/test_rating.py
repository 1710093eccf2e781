"""The page behind the stars in a real browser: by keyboard, light and dark, right to left."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.model.subscribers import Frequency
from tests.browser.conftest import SCHEMES, OpenPage, Scheme
from tests.browser.test_accessibility import faults
from tests.integration.test_voting import DAY, Polls, publish
from tests.website import served

pytestmark = pytest.mark.browser


@pytest.fixture
def polls(tmp_path: Path) -> Iterator[Polls]:
    with served(tmp_path / "weekly") as site:
        yield Polls(site, publish(site))


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_stars_are_chosen_and_saved_by_keyboard_alone(
    open_page: OpenPage, polls: Polls, scheme: Scheme, language: str
) -> None:
    polls.site.app.choosing.choose(
        polls.site.sent.readers[0],
        topics=(),
        frequency=Frequency.WEEKLY,
        language=language,
        is_uncounted=False,
    )
    with open_page(width=320, scheme=scheme) as page:
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(f"{polls.site.address[:-1]}{polls.link()}/4")
        assert faults(page) == {}
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        assert page.get_by_role("radio", checked=True).get_attribute("value") == "4"
        polls.site.clock.move(DAY / 24)
        page.keyboard.press("Tab")
        page.keyboard.press("ArrowUp")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.tagName") == "BUTTON"
        assert polls.log() == []
        page.keyboard.press("Enter")
        page.get_by_role("status").wait_for()
        assert faults(page) == {}
        assert polls.log() == [3]
        polls.site.clock.move(30 * DAY)
        page.goto(f"{polls.site.address[:-1]}{polls.link()}/4")
        assert page.get_by_role("button").count() == 0
        assert faults(page) == {}
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        assert all("410" in line for line in said)
