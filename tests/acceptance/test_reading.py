"""A reader's whole way: they subscribe, rate what they read, leave, and are never mailed again."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

from digest.keyfile import open_keys
from digest.tokens import Tokens
from tests.acceptance.conftest import Digest, Process, Result
from tests.acceptance.feeds import NOW, rss, use_sources
from tests.loopback import Loopback, Reply
from tests.reading import PUBLIC, Visitor, link, links, mails, recipient, until

NEXT_WEEK = "2026-12-02T12:00:00+00:00"
READER = "ada@example.com"


def test_reader_subscribes_rates_leaves_and_is_never_mailed_again(
    digest: Digest, project: Path, server: Loopback, start: Callable[..., Process]
) -> None:
    def at(now: str, *arguments: object) -> Result:
        told = digest(*arguments, "--now", now)
        assert told.code == 0, told.err
        return told

    outbox = project / "outbox"
    server.pages["/feed"] = Reply(body=rss("Maps", "Notes", "Music"))
    use_sources(project, {"News": server.url("/feed")})
    process = start("serve", "--no-scheduler", "--bind", "127.0.0.1:0", "--now", NOW, cwd=project)
    visitor = Visitor(served_at(process), lambda: older_form(project))

    # They subscribe, and confirm from the mail.
    assert "Look into your inbox" in visitor.press("/", address=READER)
    [asked] = until(lambda: mails(outbox))
    assert recipient(asked) == READER
    assert digest("subscribers", "list", "--json").document["counts"] == {}
    confirming = link(asked, "/confirm/")
    visitor.press(confirming, confirm="yes")
    assert visitor.ask("POST", confirming, b"confirm=yes").status == 410  # it is good once
    welcome = until(lambda: mails(outbox)[1:])[0]
    assert recipient(welcome) == READER

    # They get an edition, and rate a story from it.
    for command in (("collect",), ("edition", "freeze"), ("edition", "approve", "--by", "Ana")):
        at(NOW, *command)
    at(NOW, "send", "--yes", "--expect", "1")
    [mail] = mails(outbox, "2026-W48/*")
    assert recipient(mail) == READER
    starred = sorted(url for url in links(mail) if url.startswith(f"{PUBLIC}/r/"))
    star = next(url for url in starred if url.endswith("/2"))
    assert "2 of 5" in visitor.press(star, stars="2")
    [story] = [s for s in figures(digest)["stories"] if s["votes"]]
    assert (story["mean"], story["article"]) == (2, int(star.split("/")[-2]))

    # Their vote is named in next week's order.
    fresh = rss("Tea", "Rain", "Fog", day=30, host="news.example.com").replace(b".com/", b".com/b")
    server.pages["/feed"] = Reply(body=fresh)
    at(NEXT_WEEK, "collect")
    assert "1 vote of your readers" in at(NEXT_WEEK, "rank", "--explain", "tea").out

    # They leave with one click, and no list brings them back.
    one_click = link(mail, "/u/")
    assert str(mail["List-Unsubscribe-Post"]) == "List-Unsubscribe=One-Click"
    for _ in range(2):
        assert visitor.ask("POST", one_click, b"List-Unsubscribe=One-Click").status == 200
    lists = project / "readers.csv"
    lists.write_text(f"email\n{READER}\nADA@Example.COM\nbo@example.com\n")
    imported = at(NEXT_WEEK, "subscribers", "import", lists, "--json").document
    assert imported["new"] == 1
    for command in (("edition", "freeze"), ("edition", "approve", "--by", "Ana")):
        at(NEXT_WEEK, *command)
    at(NEXT_WEEK, "send", "--yes", "--expect", "1")
    assert [recipient(mail) for mail in mails(outbox, "2026-W49/*")] == ["bo@example.com"]
    assert figures(digest)["left"] == 1
    process.interrupt()
    told = process.result()
    assert told.code == 0
    assert READER not in told.err + told.out


def served_at(process: Process) -> str:
    """Wait until the command serves; return its address."""
    assert process.child.stdout is not None
    line = process.child.stdout.readline()
    assert line.startswith("Served at  "), line + process.result().err
    return line.split()[2]


def older_form(project: Path) -> str:
    """Return what stands in a form that was opened a minute ago: programs are quicker."""
    keys = open_keys(project / "var" / "keys.toml", create=False)
    return Tokens(keys).form(now=dt.datetime.fromisoformat(NOW) - dt.timedelta(minutes=1))


def figures(digest: Digest) -> Any:
    return digest("stats", "--edition", "2026-W48", "--json").document
