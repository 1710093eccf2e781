"""Two newsletters of one project: each has its own schedule, sources, looks and readers."""

import json
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.acceptance.conftest import Digest, Process, Result
from tests.acceptance.feeds import NOW, rss
from tests.loopback import Loopback, Reply
from tests.website import FORM, ONE_CLICK, ask

NEXT_WEEK = "2026-12-01T12:00:00+00:00"
LISTS = {"apps": ("ada", "ben"), "games": ("ada", "cy")}
STORIES = {
    "apps": {"Both wires", "Everywhere", "Maps", "Notes"},
    "games": {"Both wires", "Everywhere", "Chess", "Go"},
}


def source(server: Loopback, name: str) -> str:
    url = server.url(f"/{name}")
    return f'[[source]]\nname = "{name}"\nurl = "{url}"\nallow_private = true\n'


def letter(name: str, zone: str, theme: str, send: str) -> str:
    slug = name.lower()
    return (
        f'[newsletter]\nname = "{name} Weekly"\nfrom = "{name} <{slug}@example.com>"\n'
        f'timezone = "{zone}"\ntheme = "{theme}"\npublic_url = "https://news.example.com/{slug}"\n'
        f'[schedule]\nsend = "{send}"\n'
    )


@pytest.fixture
def project(project: Path, server: Loopback) -> Path:
    """A project of two newsletters, which have some sources in common and some not."""
    wire = rss("Both wires", host="wire.example.com")
    everywhere = rss("Everywhere", host="all.example.com").decode()
    both = everywhere[everywhere.index("<item>") : everywhere.index("</rss>")].encode()
    apps = rss("Maps", "Notes", host="apps.example.com").replace(b"</channel>", both)
    games = rss("Chess", "Go", host="games.example.com").replace(b"</channel>", both)
    for name, body in (("Wire", wire), ("Apps", apps), ("Games", games)):
        server.pages[f"/{name}"] = Reply(body=body)
    folder = project / "config" / "newsletters"
    folder.mkdir()
    path = project / "config" / "digest.toml"
    path.write_text(path.read_text().replace('slug = "app-news-weekly"', "# no slug here"))
    (folder / "apps.toml").write_text(
        letter("Apps", "Europe/Berlin", "plain", "mon 07:00")
        + source(server, "Wire")
        + source(server, "Apps")
    )
    (folder / "games.toml").write_text(
        letter("Games", "Asia/Tokyo", "magazine", "sun 20:00")
        + source(server, "Wire")
        + source(server, "Games")
    )
    return project


@pytest.fixture
def desk(digest: Digest, project: Path) -> Digest:
    """Collect once for both, and import their readers."""

    def call(*arguments: object) -> Result:
        return digest(*arguments, *(() if "--now" in arguments else ("--now", NOW)))

    assert call("collect").code == 0
    for slug, names in LISTS.items():
        Path("readers.csv").write_text("email\n" + "".join(f"{n}@example.com\n" for n in names))
        assert call("subscribers", "import", "readers.csv", "--newsletter", slug).code == 0
    return call


def send(desk: Digest, slug: str, *more: object) -> None:
    for command in (
        ("edition", "draft"),
        ("edition", "freeze"),
        ("edition", "approve", "--by", "Ana"),
        ("send", "--yes", "--expect", 2),
    ):
        told = desk("--newsletter", slug, *command, *more)
        assert told.code == 0, told.err


def outbox(project: Path) -> list[EmailMessage]:
    files = sorted((project / "outbox").glob("*/batch-*/*.eml"))
    return [message_from_bytes(path.read_bytes(), policy=policy.default) for path in files]


def text_of(mail: EmailMessage) -> str:
    return str(mail.get_body(("plain",)).get_content())  # type: ignore[union-attr]


def test_each_newsletter_goes_to_its_own_readers_with_its_own_stories(
    desk: Digest, project: Path
) -> None:
    for slug in LISTS:
        send(desk, slug)
    mails = outbox(project)
    assert len(mails) == 4
    for slug, names in LISTS.items():
        own = [mail for mail in mails if slug in str(mail["From"])]
        assert {str(mail["To"]) for mail in own} == {f"{name}@example.com" for name in names}
        for mail in own:
            assert str(mail["List-Id"]) == f"<{slug}.news.example.com>"
            text = text_of(mail)
            titles = STORIES["apps"] | STORIES["games"]
            assert {title for title in titles if title in text} == STORIES[slug]
            assert f"https://news.example.com/{slug}/archive/2026-W48" in text
    looks = [str(mail.get_body(("html",)).get_content()) for mail in mails]  # type: ignore[union-attr]
    assert len({look[: look.index("</head>")] for look in looks}) > 1  # two themes


def test_files_of_one_newsletter_do_not_overwrite_those_of_another(
    desk: Digest, project: Path
) -> None:
    for slug in LISTS:
        assert desk("send", "--preview", "--no-open", "--newsletter", slug).code == 0
        page = project / "previews" / slug / "2026-W48" / "index.html"
        assert f"{slug.capitalize()} Weekly" in page.read_text()
        send(desk, slug)
    for slug in LISTS:
        report = project / "var" / "reports" / slug / "2026-W48.json"
        assert json.loads(report.read_text())["accepted"] == 2
    assert len(outbox(project)) == 4


def test_each_has_its_own_schedule_and_its_own_entries_in_one_log(desk: Digest) -> None:
    send(desk, "games")
    due = {}
    for slug in LISTS:
        told = desk("schedule", "show", "--count", "2", "--json", "--newsletter", slug).document
        due[slug] = [row["send_at"] for row in told["editions"]]
        listed = desk("edition", "list", "--newsletter", slug, "--json").document["editions"]
        assert [row["state"] for row in listed] == (["done"] if slug == "games" else [])
    assert due["apps"][0] == "2026-11-30T07:00:00+01:00"
    assert due["games"][0] == "2026-11-29T20:00:00+09:00"
    assert desk("audit", "show", "--newsletter", "apps", "--json").document["entries"] == []
    assert desk("audit", "show", "--newsletter", "games", "--json").document["entries"]
    assert desk("audit", "verify").code == 0


def test_article_comes_in_each_newsletter_once_whoever_had_it_first(
    desk: Digest, project: Path, server: Loopback
) -> None:
    """What one newsletter's sources bring late is news there, though another had it before."""
    for slug in LISTS:
        send(desk, slug)
    server.pages["/Games"] = Reply(body=rss("Maps", "Notes", "Late", host="apps.example.com"))
    assert desk("collect", "--now", NEXT_WEEK).code == 0
    ranked = {
        slug: {
            row["title"]
            for row in desk("rank", "--json", "--newsletter", slug, "--now", NEXT_WEEK).document[
                "candidates"
            ]
        }
        for slug in LISTS
    }
    assert ranked == {"apps": set(), "games": {"Maps", "Notes", "Late"}}


def test_command_for_one_newsletter_asks_which_and_those_for_all_do_not(desk: Digest) -> None:
    for command in (("edition", "show"), ("send", "--preview"), ("subscribers", "list"), ("rank",)):
        desk(*command).refuses(2, "several newsletters: apps, games", "--newsletter apps")
    desk("rank", "--newsletter", "gamse").refuses(2, "did you mean games?")
    assert "it is blank" in desk("rank", "--newsletter", "").err
    for command in (("collect",), ("audit", "verify"), ("db", "upgrade"), ("suppress", "list")):
        assert desk(*command).code == 0
    told = desk("collect", "--newsletter", "games", "--json").document
    assert [row["name"] for row in told["sources"]] == ["Wire", "Games"]


def test_suppressed_reader_gets_neither(desk: Digest, project: Path) -> None:
    assert desk("suppress", "add", "ada@example.com").code == 0
    for slug in LISTS:
        told = desk("send", "--preview", "--no-open", "--json", "--newsletter", slug)
        assert told.document["audience"]["planned"] == 1


def test_settings_tell_from_which_file_they_come(desk: Digest) -> None:
    told = desk("config", "show", "--newsletter", "games", "--json").document
    assert told["newsletter"] == "games"
    origins = {row["key"]: row["origin"] for row in told["settings"]}
    assert origins["newsletter.theme"] == "config/newsletters/games.toml"
    assert origins["edition.stories"] == "config/digest.toml"


def test_pages_of_each_are_served_below_its_own_address(
    desk: Digest, project: Path, start: Callable[..., Process]
) -> None:
    for slug in LISTS:
        send(desk, slug)
    process = start("serve", "--bind", "127.0.0.1:0", cwd=project)
    assert process.child.stdout is not None
    address = process.child.stdout.readline().split()[2]
    for slug, other in (("apps", "games"), ("games", "apps")):
        [mail] = [m for m in outbox(project) if slug in str(m["From"]) and "ada" in str(m["To"])]
        leave = urlsplit(str(mail["List-Unsubscribe"]).strip("<>").split(">")[0]).path
        assert leave.startswith(f"/{slug}/u/")
        page = ask(address, "GET", leave).text
        assert f"{slug.capitalize()} Weekly" in page
        assert ask(address, "POST", leave, ONE_CLICK, FORM).status == 200
        has_left = {
            each: "by one-click"
            in desk("subscribers", "show", "ada@example.com", "--newsletter", each).out
            for each in LISTS
        }
        assert has_left == {slug: True, other: slug == "games"}
        shown = ask(address, "GET", f"/{slug}/archive/2026-W48")
        assert shown.status == 200
        assert STORIES[slug] <= {title for title in STORIES[slug] if title in shown.text}
        assert not any(t in shown.text for t in STORIES[other] - STORIES[slug])
        lost = ask(address, "GET", f"/{slug}/archive/2026-W48/")
        assert lost.status == 404  # and no address that is made of the request's
        assert f"{slug.capitalize()} Weekly" in lost.text
    assert ask(address, "GET", "/archive/2026-W48").status == 404
    process.interrupt()
    assert process.result().code == 0
