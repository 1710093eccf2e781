"""WebKit, the engine of Apple's mail programs, puts everything where Chromium does."""

import base64
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import OpenPage
from tests.engines.conftest import Mail, RunEngine, Sample, do_without, need

pytestmark = pytest.mark.long

HERE = Path(__file__).parent
SYSTEM_PYTHON = "/usr/bin/python3"  # Debian's bindings to GTK belong to it
PLACES = (HERE / "places.js").read_text(encoding="utf-8")
WIDTH = 700
NEAR = 12  # pixels
ONE_FONT = '<style>* { font-family: "DejaVu Sans" !important; }</style>'
BINDINGS = """import gi
gi.require_version("Gtk", "3.0")
gi.require_version("WebKit2", "4.1")
from gi.repository import Gtk, WebKit2
"""


@pytest.fixture
def webkit(display: dict[str, str], tmp_path: Path, run_engine: RunEngine) -> "WebKit":
    need(SYSTEM_PYTHON)
    if subprocess.run([SYSTEM_PYTHON, "-c", BINDINGS], capture_output=True, env=display).returncode:
        do_without("WebKitGTK is not installed; .ci/run names Debian's packages.")
    return WebKit(display, tmp_path, run_engine)


class WebKit:
    """Shows mails in WebKitGTK."""

    def __init__(self, display: dict[str, str], folder: Path, run_engine: RunEngine) -> None:
        self._display = display
        self._folder = folder
        self._run = run_engine

    def show(self, html: str) -> tuple[list[dict[str, Any]], Path]:
        """Return the place of every block, and the picture of the whole page."""
        page, out = self._folder / "mail.html", self._folder / "shown"
        page.write_text(html, encoding="utf-8")
        shot = [SYSTEM_PYTHON, HERE / "webkit_shot.py", page, WIDTH, HERE / "places.js", out]
        self._run("dbus-run-session", "--", *shot, env=self._display)
        return json.loads(out.with_suffix(".json").read_text("utf-8")), out.with_suffix(".png")


def with_picture(html: str, picture: bytes) -> str:
    """Return the mail with `picture` in it in place of every address of one."""
    source = f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}"
    return re.sub(r'(<img [^>]*)src="[^"]*"', rf'\1src="{source}"', html)


def far_apart(one: list[dict[str, Any]], other: list[dict[str, Any]], *sides: str) -> list[str]:
    """Return the blocks of which a side differs by more than a hair's breadth."""
    assert [place["name"] for place in one] == [place["name"] for place in other]
    assert len(one) > 40
    return [
        f"{a['name']}: {side} {a[side]} and {b[side]}"
        for a, b in zip(with_gaps(one), with_gaps(other), strict=True)
        for side in sides
        if abs(a[side] - b[side]) > NEAR
    ]


def with_gaps(places: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the blocks with the room between each and the one before it."""
    ends = [0, *(place["y"] + place["height"] for place in places)]
    return [{**p, "gap": p["y"] - end} for p, end in zip(places, ends, strict=False)]


def in_chromium(html: str, open_page: OpenPage) -> list[dict[str, Any]]:
    with open_page(html, width=WIDTH) as page:
        page.wait_for_function("[...document.images].every(image => image.complete)")
        found: list[dict[str, Any]] = json.loads(page.evaluate(PLACES))
    return found


def test_webkit_and_chromium_put_every_block_at_the_same_place(
    webkit: "WebKit", open_page: OpenPage, mail: Mail, sample: Sample
) -> None:
    # Each engine has its own choice of fonts for scripts that the first font lacks.
    html = mail.inlined.replace("</head>", f"{ONE_FONT}</head>")
    html = with_picture(html, (sample.folder / "media" / "lead.jpg").read_bytes())
    there, _ = webkit.show(html)
    here = in_chromium(html, open_page)
    assert far_apart(there, here, "x", "width", "gap") == []
    a_word_at_the_end_of_a_line = 2
    assert len(far_apart(there, here, "height")) <= a_word_at_the_end_of_a_line


def test_webkit_paints_the_sample_as_chromium_does(
    webkit: "WebKit", open_page: OpenPage, sample: Sample, run_engine: RunEngine
) -> None:
    need("identify")
    html = with_picture(sample.html, (sample.folder / "media" / "lead.jpg").read_bytes())
    there, shot = webkit.show(html)
    here = in_chromium(html, open_page)
    assert far_apart(there, here, "x", "y", "width", "height") == []
    shown = run_engine("identify", "-format", "%w %h %k %[fx:mean]", shot).split()
    width, height, colours, brightness = map(float, shown)
    assert width == WIDTH
    assert 2000 < height < 5000
    assert colours > 1000
    assert 0.7 < brightness < 0.97
