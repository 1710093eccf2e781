"""What Chromium makes of a mail: computed styles, pictures."""

import base64
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Route, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
LOOKS = tuple((width, scheme) for width in (700, 400) for scheme in ("light", "dark"))
Styles = list[Mapping[str, str]]
HEIGHT = 1240
SCALE = 0.75  # of the pictures, which stand side by side
STYLES = """() => [...document.querySelectorAll("body, body *")].map(element => {
  const style = getComputedStyle(element);
  return Object.fromEntries([...style].map(name => [name, style.getPropertyValue(name)]));
})"""


def chromium() -> str:
    """Return the browser's path, or "" where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), "")


@contextmanager
def browser() -> Iterator[Browser]:
    """Yield a Chromium."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield started
        started.close()


@contextmanager
def _page(browser: Browser, html: str, width: int, scheme: str, scale: float = 1) -> Iterator[Page]:
    size: Any = {"width": width, "height": HEIGHT}
    look: Any = scheme
    with browser.new_context(
        viewport=size, color_scheme=look, device_scale_factor=scale
    ) as context:
        page = context.new_page()
        page.route("**/*", _refuse)
        page.set_content(html, wait_until="load")
        yield page


def _refuse(route: Route) -> None:
    route.abort()


def looks(browser: Browser, html: str) -> list[Styles]:
    """Return the computed styles of every element, for each of LOOKS."""
    found = []
    for look in LOOKS:
        with _page(browser, html, *look) as page:
            found.append(page.evaluate(STYLES))
    return found


def differences(one: list[Styles], other: list[Styles]) -> list[int | str]:
    """Return for each of LOOKS how many computed values differ, element by element."""
    found: list[int | str] = []
    for before, after in zip(one, other, strict=True):
        if len(before) != len(after):
            found.append(f"{len(after) - len(before):+} elements")
            continue
        pairs = zip(before, after, strict=True)
        found.append(sum(a[name] != b.get(name) for a, b in pairs for name in a))
    return found


def shoot(browser: Browser, html: str, scheme: str, picture: Path, out: Path) -> None:
    """Write a picture of the top of the mail, with `picture` in its place."""
    source = f"data:image/jpeg;base64,{base64.b64encode(picture.read_bytes()).decode()}"
    shown = re.sub(r'(<img[^>]*?\s)src="[^"]*"', rf'\1src="{source}"', html)
    with _page(browser, shown, 700, scheme, SCALE) as page:
        page.screenshot(path=out)
