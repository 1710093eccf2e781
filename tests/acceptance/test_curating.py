"""An editor's week on the command line, and the commands around it."""

import tomllib
from pathlib import Path

import click
import pytest

from digest.cli.main import COMMANDS, LazyGroup
from tests.acceptance.conftest import Digest
from tests.acceptance.feeds import NOW, rss, use_sources
from tests.loopback import Loopback, Reply

TITLES = ("Maps", "Notes", "Music", "Photos", "Mail")
BEST_FIRST = ["Mail", "Photos", "Music", "Notes", "Maps"]


@pytest.fixture
def newsroom(digest: Digest, project: Path, server: Loopback) -> Digest:
    """A project with five articles of this week."""
    server.pages["/feed"] = Reply(body=rss(*TITLES))
    use_sources(project, {"News": server.url("/feed")})
    assert digest("collect", "--now", NOW).code == 0

    def call(*arguments: object) -> object:
        told = digest(*arguments, "--json", "--now", NOW)
        assert told.code == 0, told.err
        return told.document

    return call  # type: ignore[return-value]


def titles(document: object) -> list[str]:
    assert isinstance(document, dict)
    return [story["title"] for story in document["stories"]]


def test_collecting_twice_adds_nothing(newsroom: Digest, digest: Digest) -> None:
    told = newsroom("collect")
    assert isinstance(told, dict)
    assert (told["new"], told["updated"], told["failed"]) == (0, 0, 0)


def test_rank_shows_the_order_and_explains_it(newsroom: Digest, digest: Digest) -> None:
    ranked = newsroom("rank")
    assert isinstance(ranked, dict)
    assert [c["title"] for c in ranked["candidates"]] == BEST_FIRST
    said = digest("rank", "--explain", "mail", "--now", NOW)
    assert "Number 1 of 5 candidates of 2026-W48." in said.out
    assert "4.50★ from 40 votes" in said.out


def test_edition_is_curated_and_stays_so(newsroom: Digest) -> None:
    assert titles(newsroom("edition", "draft")) == BEST_FIRST
    assert titles(newsroom("edition", "lead", "maps"))[0] == "Maps"
    assert titles(newsroom("edition", "pin", "notes", "2"))[:2] == ["Maps", "Notes"]
    assert "Photos" not in titles(newsroom("edition", "hide", "photos"))
    newsroom("edition", "edit", "mail", "--headline", "Mail, anew")
    newsroom("edition", "edit", "--subject", "Five apps", "--intro", "Hello.")
    shown = newsroom("edition", "draft")
    assert titles(shown) == ["Maps", "Notes", "Mail, anew", "Music"]
    assert isinstance(shown, dict)
    assert (shown["subject"], shown["intro"]) == ("Five apps", "Hello.")
    preview = newsroom("send", "--preview", "--no-open")
    assert titles(preview) == titles(shown)
    assert titles(newsroom("edition", "move", "music", "2"))[:2] == ["Maps", "Music"]
    assert "Photos" in titles(newsroom("edition", "unhide", "photos"))
    assert titles(newsroom("edition", "unpin", "maps"))[0] != "Maps"
    listed = newsroom("edition", "list")
    assert isinstance(listed, dict)
    assert [edition["edition"] for edition in listed["editions"]] == ["2026-W48"]


def test_empty_words_bring_back_what_was_there(newsroom: Digest) -> None:
    newsroom("edition", "edit", "mail", "--headline", "Other")
    newsroom("edition", "edit", "--subject", "Other")
    shown = newsroom("edition", "edit", "mail", "--headline", "", "--subject", "")
    assert isinstance(shown, dict)
    assert titles(shown)[0] == "Mail"
    assert shown["subject"] == "Mail, and four more"


def test_source_is_tried_added_paused_and_resumed(
    digest: Digest, project: Path, server: Loopback
) -> None:
    server.pages |= {"/feed": Reply(body=rss("One")), "/page": Reply(body=b"<html><p>Hi")}
    tried = digest("source", "test", server.url("/feed"), "--allow-private", "--json")
    assert [article["title"] for article in tried.document["articles"]] == ["One"]
    before = (project / "config" / "digest.toml").read_text()
    refused = digest("source", "add", "Page", server.url("/page"), "--allow-private")
    assert (refused.code, "It is a web page" in refused.out) == (7, True)
    assert (project / "config" / "digest.toml").read_text() == before
    added = digest(
        *("source", "add", "One feed", server.url("/feed"), "--allow-private"),
        *("--topic", "Apps", "--trust", "0.5", "--timezone", "Asia/Tokyo"),
    )
    assert added.code == 0, added.err
    text = (project / "config" / "digest.toml").read_text()
    assert tomllib.loads(text)["source"][-1] == {
        "name": "One feed",
        "kind": "feed",
        "url": server.url("/feed"),
        "timezone": "Asia/Tokyo",
        "trust": 0.5,
        "topics": ["Apps"],
        "allow_private": True,
    }
    assert text.startswith(before[: before.index("[delivery]")])
    assert digest("source", "pause", "One feed").code == 0
    assert "Paused" in digest("collect", "--source", "One feed", "--now", NOW).out
    assert digest("source", "resume", "One feed").code == 0
    assert digest("collect", "--source", "One feed", "--json", "--now", NOW).document["new"] == 1


def test_source_with_a_wrong_setting_is_not_added(digest: Digest, project: Path) -> None:
    before = (project / "config" / "digest.toml").read_text()
    told = digest("source", "add", "X", "https://example.com", "--timezone", "Berlin")
    told.refuses(3, "no time zone")
    assert (project / "config" / "digest.toml").read_text() == before


def test_init_keeps_what_is_there_and_takes_answers(digest: Digest, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    (folder / "templates").mkdir(parents=True)
    (folder / "templates" / "base.html.j2").write_text("my own")
    told = digest(
        *("init", folder, "--name", "Größe & Co", "--from", "Co <co@example.org>", "--json"),
        *("--timezone", "Asia/Tokyo", "--public-url", "https://co.example.org"),
    )
    assert told.code == 0, told.err
    assert told.document["kept"] == ["templates/base.html.j2"]
    assert (folder / "templates" / "base.html.j2").read_text() == "my own"
    shown = digest("config", "show", "--json", "--project", folder).document["settings"]
    values = {setting["key"]: setting["value"] for setting in shown}
    assert values["newsletter.name"] == "Größe & Co"
    assert values["newsletter.slug"] == "grosse-co"
    assert values["newsletter.timezone"] == "Asia/Tokyo"


def test_init_with_a_wrong_answer_writes_nothing(digest: Digest, tmp_path: Path) -> None:
    told = digest("init", tmp_path / "x", "--timezone", "Moon/Base", "--from", "nobody")
    told.refuses(3, "no time zone", "newsletter.from is 'nobody'")
    assert not (tmp_path / "x").exists()


def test_secrets_are_never_shown(
    digest: Digest, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_SENDGRID__API_KEY", "SG.canary-key")
    monkeypatch.setenv("DIGEST_DATABASE__URL", "postgresql://me:canary-word@db.example.com/digest")
    for arguments in (["config", "show"], ["config", "show", "--json"]):
        told = digest(*arguments)
        assert told.code == 0
        assert "canary" not in told.out + told.err
        assert "DIGEST_SENDGRID__API_KEY" in told.out


def all_commands() -> list[list[str]]:
    found: list[list[str]] = [[]]
    group = LazyGroup()
    context = click.Context(group)
    for name in COMMANDS:
        found.append([name])
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            found += [[name, sub] for sub in command.commands]
    return found


@pytest.mark.parametrize("arguments", all_commands(), ids=" ".join)
def test_every_command_has_help(digest: Digest, arguments: list[str]) -> None:
    told = digest(*arguments, "--help")
    assert told.code == 0
    assert told.out.startswith(f"Usage: {' '.join(['digest', *arguments])}")
    assert "Show this message and exit." in told.out


def test_check_of_a_file_from_outside(digest: Digest, tmp_path: Path) -> None:
    (tmp_path / "bad.html").write_text('<html><body><script>x</script><img src="http://x.test/a">')
    told = digest("check", "bad.html", "--json")
    assert told.code == 5
    assert told.document["errors"] > 0
    assert {"rule", "severity", "message", "line", "story"} <= told.document["checks"][0].keys()
