"""A reader's whole way in a real browser, and a scanner that runs scripts on every page."""

import datetime as dt
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route

from digest.testing.factories import NOON
from tests.acceptance.feeds import rss, use_sources
from tests.loopback import Loopback, Reply
from tests.reading import PUBLIC, body, link, mails, recipient, until
from tests.scanning import call, mailed, project, send

pytestmark = pytest.mark.browser

READER = "ada@example.com"
A_WEEK = dt.timedelta(days=7)
TABS = 20


@contextmanager
def tab(browser: Browser, address: str) -> Iterator[Page]:
    """Yield a page for which what is served at `address` is at the newsletter's public address."""

    def answer(route: Route) -> None:
        url = route.request.url
        if url.startswith(PUBLIC):
            path = url.removeprefix(PUBLIC) or "/"
            route.fulfill(response=route.fetch(url=address.rstrip("/") + path, max_redirects=0))
        else:
            route.abort()

    with browser.new_context() as context:
        context.route("**/*", answer)
        page = context.new_page()
        page.set_default_timeout(60_000)
        yield page


def test_reader_subscribes_rates_and_leaves_in_a_browser(
    browser: Browser, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "weekly"
    outbox = root / "outbox"
    with (
        project(root) as (_app, address, clock),
        Loopback() as server,
        tab(browser, address) as page,
    ):
        server.pages["/feed"] = Reply(body=rss("Maps", "Notes", "Music"))
        use_sources(root, {"News": server.url("/feed")})
        page.goto(f"{PUBLIC}/")
        page.get_by_label("Your mail address").fill(READER)
        clock.move(dt.timedelta(seconds=10))  # a person takes their time
        page.get_by_role("button", name="Subscribe").click()
        page.get_by_role("heading", name="Look into your inbox").wait_for()
        [asked] = until(lambda: mails(outbox))
        page.goto(link(asked, "/confirm/"))
        page.get_by_role("button", name="Yes, subscribe me").click()
        page.get_by_role("button").wait_for(state="detached")
        until(lambda: mails(outbox)[1:])

        send(root, readers=1)
        [mail] = mails(outbox, "2026-W48/*")
        page.set_content(body(mail, "html"), wait_until="domcontentloaded")
        page.get_by_role("link", name=re.compile(r"^2 of 5 stars")).first.click()
        assert page.get_by_role("radio", checked=True).get_attribute("value") == "2"
        clock.move(dt.timedelta(seconds=10))
        page.get_by_role("button", name="Save my stars").click()
        page.get_by_role("status").wait_for()
        fresh = rss("Tea", "Rain", "Fog", day=30).replace(b"example.com/", b"example.com/b/")
        server.pages["/feed"] = Reply(body=fresh)
        call(root, "collect", now=NOON + A_WEEK)
        capsys.readouterr()
        call(root, "rank", "--explain", "tea", now=NOON + A_WEEK)
        assert "1 vote of your readers" in capsys.readouterr().out

        page.set_content(body(mail, "html"), wait_until="domcontentloaded")
        page.get_by_role("link", name="Unsubscribe").click()
        page.locator('button[name="leave"]').click()
        page.get_by_role("heading", name="You are not on the list").wait_for()

        (root / "readers.csv").write_text(f"email\n{READER}\nbo@example.com\n")
        call(root, "subscribers", "import", str(root / "readers.csv"))
        send(root, readers=1, now=NOON + A_WEEK)
        assert [recipient(mail) for mail in mails(outbox, "2026-W49/*")] == ["bo@example.com"]


@pytest.mark.parametrize("stays", [0, pytest.param(10, marks=pytest.mark.long)])
def test_scanner_with_a_browser_changes_nothing(
    browser: Browser, tmp_path: Path, stays: int
) -> None:
    """It opens every link with scripts on; the patient one stays ten seconds on each page."""
    with mailed(tmp_path / "weekly") as site:
        before = site.rows()
        one_of_each = {path.split("/")[1]: path for path in site.paths}.values()
        paths = [path for path in (site.paths if stays else one_of_each) if "/media/" not in path]
        with tab(browser, site.address) as first:
            for start in range(0, len(paths), TABS):
                pages = [first.context.new_page() for _ in paths[start : start + TABS]]
                for page, path in zip(pages, paths[start:], strict=False):
                    assert page.goto(PUBLIC + path) is not None
                    page.mouse.move(100, 100)
                pages[-1].wait_for_timeout(stays * 1000)
                for page in pages:
                    page.close(run_before_unload=False)
        assert site.rows() == before
