"""Clients that recolour the mail themselves: every text is still read."""

import re

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Mail, OpenPage, show
from tests.browser.pixels import SCALE, Painted, painted_lines

pytestmark = pytest.mark.browser

INVERSION = "<style>html { background: #ffffff; filter: invert(1) hue-rotate(180deg); }</style>"


def as_recolouring_clients_keep_it(mail: Mail) -> str:
    """Return the mail without what they ignore: its own dark colours, and that it has some."""
    bare = re.sub(r"<style[^>]*>.*?</style>", "", mail.inlined, flags=re.DOTALL)
    return re.sub(r'<meta name="(supported-)?color-schemes?"[^>]*>', "", bare)


def faint(lines: list[Painted]) -> list[Painted]:
    assert len(lines) > 80
    return [line for line in lines if line.contrast < (3 if line.is_large else 4.5)]


def darken(page: Page) -> None:
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setAutoDarkModeOverride", {"enabled": True})


def share_of_dark(lines: list[Painted]) -> float:
    return sum(line.ground < 0.2 for line in lines) / len(lines)


def test_mail_is_read_as_it_is_painted(open_page: OpenPage, mail: Mail) -> None:
    with open_page(mail.inlined, scale=SCALE) as page, open_page() as canvas:
        lines = painted_lines(page, canvas)
    assert faint(lines) == []
    assert share_of_dark(lines) < 0.1


def test_mail_with_every_colour_inverted_is_still_read(open_page: OpenPage, mail: Mail) -> None:
    html = as_recolouring_clients_keep_it(mail).replace("</head>", f"{INVERSION}</head>")
    with open_page(html, scale=SCALE) as page, open_page() as canvas:
        lines = painted_lines(page, canvas)
    assert faint(lines) == []
    assert share_of_dark(lines) > 0.9


def test_mail_darkened_by_the_client_is_still_read(open_page: OpenPage, mail: Mail) -> None:
    with open_page(scale=SCALE) as page, open_page() as canvas:
        darken(page)
        show(page, as_recolouring_clients_keep_it(mail))
        lines = painted_lines(page, canvas)
    assert faint(lines) == []
    assert share_of_dark(lines) > 0.9


def test_text_that_the_client_makes_faint_is_found(open_page: OpenPage) -> None:
    words = "".join(f"<p>Words number {number}</p>" for number in range(90))
    html = f'<!DOCTYPE html><body style="background:#ffffff;color:#8a8a8a">{words}'
    with open_page(html, scale=SCALE) as page, open_page() as canvas:
        assert len(faint(painted_lines(page, canvas))) == 90
