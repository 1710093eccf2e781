"""From the stars of a mail to next week's order, with the program as it is run."""

import datetime as dt
import email
import email.policy
import re
import threading
from pathlib import Path
from urllib.parse import urlencode

from digest.app import App
from digest.project import load
from digest.testing.clock import FrozenClock
from digest.web.server import serving
from tests.acceptance.conftest import Digest, Result
from tests.acceptance.feeds import NOW, rss, use_sources
from tests.loopback import Loopback, Reply
from tests.website import FORM, ask, rows_of

NEXT_WEEK = "2026-12-02T12:00:00+00:00"
LINK = re.compile(r"https://[^/\s\"]+(/r/[\w-]{36}/(\d+)(?:/(\d))?)")


def press(app: App, clock: FrozenClock, path: str, stars: int) -> str:
    """Open a link of the mail twice, then press its button; return what the page says."""
    with serving(app, "127.0.0.1:0", threading.Event()) as address:
        before = rows_of(app)
        shown = [ask(address, method, path).text for method in ("HEAD", "GET", "GET")][-1]
        assert rows_of(app) == before
        [token] = re.findall(r'name="form" value="([\w-]+)"', shown)
        clock.move(dt.timedelta(seconds=2))
        body = urlencode({"form": token, "stars": stars}).encode()
        return ask(address, "POST", path, body, FORM).text


def test_vote_of_a_reader_moves_the_next_week_and_is_named_there(
    digest: Digest, project: Path, server: Loopback
) -> None:
    def at(now: str, *arguments: object) -> Result:
        return digest(*arguments, "--now", now)

    server.pages["/feed"] = Reply(body=rss("Maps", "Notes", "Photos"))
    use_sources(project, {"App News": server.url("/feed")})
    assert at(NOW, "collect").code == 0
    assert at(NOW, "subscribers", "add", "reader@example.com", "--origin", "asked").code == 0
    assert at(NOW, "edition", "freeze").code == 0
    assert at(NOW, "edition", "approve", "--by", "Ana").code == 0
    told = at(NOW, "send", "--yes", "--expect", "1")
    assert told.code == 0, told.err

    [path] = (project / "outbox").rglob("*.eml")
    mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    html, text = (mail.get_body([kind]).get_content() for kind in ("html", "plain"))  # type: ignore[attr-defined]
    links = [match.groups() for match in LINK.finditer(html)]
    assert [(article, stars) for _, article, stars in links] == [
        (article, str(stars)) for article in ("3", "2", "1") for stars in range(1, 6)
    ]
    assert [match.groups()[1:] for match in LINK.finditer(text)] == [
        ("3", None), ("2", None), ("1", None),
    ]  # fmt: skip

    fresh = rss("Tea", "Rain", day=30, host="fresh.example.com")
    unrated = re.sub(rb"<media:starRating[^>]*>", b"", fresh)
    server.pages["/feed"] = Reply(body=unrated)
    assert at(NEXT_WEEK, "collect").code == 0
    before = at(NEXT_WEEK, "rank", "--explain", "tea", "--json").document
    assert "readers" not in before["reasons"][0]["text"]

    clock = FrozenClock(dt.datetime.fromisoformat(NEXT_WEEK))
    with App(load(project, {}), clock) as app:
        said = press(app, clock, links[4][0], 5)
    assert "5 of 5. Thank you." in said

    after = at(NEXT_WEEK, "rank", "--explain", "tea", "--json").document
    assert after["score"] > before["score"]
    told = at(NEXT_WEEK, "rank", "--explain", "tea")
    assert "of 3 rated articles, 1 vote of your readers among them" in told.out
    update = at(NEXT_WEEK, "edition", "pin", "3", "1", "--update", "--json").document
    [story] = [story for story in update["stories"] if story["update_of"]]
    assert story["votes"] == 41
    assert "1 vote of your readers and 40 stated by the source" in story["reasons"][0]["text"]
