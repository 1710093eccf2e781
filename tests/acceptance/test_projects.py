"""Projects of all kinds: the sample beside sources of one's own, odd folders, changes at once."""

import codecs
import os
import sqlite3
import threading
from collections.abc import Callable
from email.utils import parseaddr
from pathlib import Path

import pytest

from tests.acceptance.conftest import Digest, Process
from tests.acceptance.feeds import NOW, rss, use_sources
from tests.loopback import Loopback, Reply, Request


def add(digest: Digest, name: str, url: str) -> None:
    told = digest("source", "add", name, url, "--allow-private")
    assert told.code == 0, told.err


def candidates(digest: Digest) -> list[str]:
    told = digest("rank", "--json", "--now", NOW)
    return [candidate["title"] for candidate in told.document["candidates"]]


def test_sample_steps_aside_for_a_source_of_ones_own(
    digest: Digest, project: Path, server: Loopback
) -> None:
    assert digest("send", "--preview", "--no-open", "--now", NOW).code == 0
    assert len(candidates(digest)) > 20
    server.pages["/feed"] = Reply(body=rss("One", "Two", "Three"))
    add(digest, "My feed", server.url("/feed"))
    collected = digest("collect", "--json", "--now", NOW).document
    assert [source["name"] for source in collected["sources"]] == ["My feed"]
    assert candidates(digest) == ["Three", "Two", "One"]
    assert "steps aside" in digest("source", "list").out
    use_sources(project, {"My feed": server.url("/feed")})
    assert candidates(digest) == ["Three", "Two", "One"]


def test_source_that_is_removed_is_gone_from_the_settings(
    digest: Digest, project: Path, server: Loopback
) -> None:
    server.pages["/feed"] = Reply(body=rss("One"))
    before = (project / "config" / "digest.toml").read_text()
    add(digest, "My feed", server.url("/feed"))
    assert digest("source", "remove", "My feed").code == 0
    assert (project / "config" / "digest.toml").read_text() == before
    for name in ("Sample feed", "Sample pages"):
        assert digest("source", "remove", name).code == 0
    digest("collect").refuses(2, "no source yet")
    add(digest, "My feed", server.url("/feed"))
    assert [s["name"] for s in digest("source", "list", "--json").document["sources"]] == [
        "My feed"
    ]


def test_sample_alone_can_be_curated(digest: Digest, project: Path) -> None:
    assert digest("collect", "--now", NOW).code == 0
    told = digest("edition", "lead", "grocery list", "--json", "--now", NOW)
    assert "grocery list" in told.document["stories"][0]["title"]


def test_what_somebody_changes_meanwhile_is_kept(
    digest: Digest, project: Path, server: Loopback
) -> None:
    path = project / "config" / "digest.toml"

    def page(_request: Request) -> Reply:
        path.write_text(path.read_text().replace("stories = 10", "stories = 7"))
        return Reply(body=rss("One"))

    server.pages["/feed"] = page
    add(digest, "My feed", server.url("/feed"))
    assert "stories = 7" in path.read_text()
    assert 'name = "My feed"' in path.read_text()


def test_source_is_not_paused_under_a_collect(
    digest: Digest, project: Path, server: Loopback, start: Callable[..., Process]
) -> None:
    reached, gate = threading.Event(), threading.Event()

    def page(_request: Request) -> Reply:
        reached.set()
        gate.wait(20)
        return Reply(body=rss("One"))

    server.pages["/feed"] = page
    use_sources(project, {"Slow": server.url("/feed")})
    running = start("collect", "--now", NOW, cwd=project)
    assert reached.wait(20)
    digest("source", "pause", "Slow").refuses(9, "under way")
    gate.set()
    assert running.result().code == 0
    assert digest("source", "pause", "Slow").code == 0
    [source] = digest("source", "list", "--json").document["sources"]
    assert source["paused_because"]


def test_project_may_have_any_name(
    digest: Digest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "Größe? & so #1 100%"
    assert digest("init", folder).code == 0
    monkeypatch.chdir(folder)
    assert digest("collect", "--now", NOW).code == 0
    assert (folder / "var" / "digest.db").exists()
    assert digest("send", "--preview", "--no-open", "--now", NOW).code == 0
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


@pytest.mark.parametrize("name", ["App-Woche", 'Maps, "Notes" & more', "أخبار التطبيقات"])
def test_mails_of_a_new_project_come_from_the_newsletter_it_is(
    digest: Digest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    assert digest("init", tmp_path / "mine", "--name", name).code == 0
    monkeypatch.chdir(tmp_path / "mine")
    settings = digest("config", "show", "--json").document["settings"]
    [sender] = [one["value"] for one in settings if one["key"] == "newsletter.from"]
    assert parseaddr(sender) == (name, "news@example.com")
    given = ("--name", name, "--from", "Desk <desk@example.org>")
    assert digest("init", tmp_path / "other", *given).code == 0
    assert "Desk <desk@example.org>" in (tmp_path / "other/config/digest.toml").read_text()


def test_settings_of_another_editor_keep_their_form(
    digest: Digest, project: Path, server: Loopback
) -> None:
    server.pages["/feed"] = Reply(body=rss("One"))
    path = project / "config" / "digest.toml"
    path.write_bytes(codecs.BOM_UTF8 + path.read_bytes().replace(b"\n", b"\r\n"))
    add(digest, "My feed", server.url("/feed"))
    after = path.read_bytes()
    assert after.startswith(codecs.BOM_UTF8)
    assert after.count(b"\n") == after.count(b"\r\n")
    assert b'name = "My feed"' in after


def test_sources_in_an_inline_list_are_left_as_they_are(digest: Digest, project: Path) -> None:
    path = project / "config" / "digest.toml"
    text = path.read_text()
    start = text.index("[[source]]\nname")
    path.write_text(
        'source = [{ name = "A", url = "https://a.example.com/feed" }]\n'
        + text[:start]
        + text[text.index("[delivery]") :]
    )
    before = path.read_text()
    digest("source", "add", "B", "https://b.example.com/").refuses(3, "[[source]]")
    assert path.read_text() == before


def test_linked_settings_stay_a_link(digest: Digest, project: Path, server: Loopback) -> None:
    server.pages["/feed"] = Reply(body=rss("One"))
    path, real = project / "config" / "digest.toml", project / "real.toml"
    path.rename(real)
    path.symlink_to(real)
    add(digest, "My feed", server.url("/feed"))
    assert path.is_symlink()
    assert 'name = "My feed"' in real.read_text()


def test_one_part_can_go_into_a_pipe_of_the_file_system(digest: Digest, project: Path) -> None:
    pipe = project / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    told = digest("send", "--preview", "--now", NOW, "--format", "text", "-o", pipe)
    reader.join(20)
    assert told.code == 0
    assert read[0].startswith(b"App News Weekly")
    assert pipe.is_fifo()


def test_drafted_edition_says_what_came_since(
    digest: Digest, project: Path, server: Loopback
) -> None:
    server.pages["/feed"] = Reply(body=rss("One", "Two", "Three"))
    use_sources(project, {"My feed": server.url("/feed")})
    digest("collect", "--now", "2026-11-25T10:00+00:00")
    digest("edition", "draft", "--now", "2026-11-25T11:00+00:00")
    assert "came since" not in digest("edition", "show", "--now", NOW).out
    server.pages["/feed"] = Reply(body=rss("One", "Two", "Three", "Four"))
    digest("collect", "--now", NOW)
    assert (
        "1 candidate came since: digest edition draft"
        in digest("edition", "show", "--now", NOW).out
    )


def test_story_from_another_week_is_brought_in_and_told(
    digest: Digest, project: Path, server: Loopback
) -> None:
    server.pages["/feed"] = Reply(body=rss("One", "Two", "Three"))
    server.pages["/old"] = Reply(body=rss("Ancient", day=2, host="old.example.com"))
    use_sources(project, {"My feed": server.url("/feed"), "Old": server.url("/old")})
    digest("collect", "--now", NOW)
    assert "no candidate" not in digest("edition", "lead", "Two", "--now", NOW).err
    told = digest("edition", "lead", "Ancient", "--now", NOW)
    assert (told.code, "'Ancient' is no candidate of this week" in told.err) == (0, True)


def test_common_options_stand_anywhere(digest: Digest, project: Path) -> None:
    for words in ("--json edition list", "edition --json list", "edition list --json"):
        assert "due" in digest(*words.split()).document


def test_verbose_run_tells_the_cause(digest: Digest, project: Path) -> None:
    path = project / "var" / "digest.db"
    path.parent.mkdir()
    path.write_bytes(b"no database " * 100)
    assert "Cause: " not in digest("collect").err
    assert "Cause: DatabaseError" in digest("collect", "-v").err


def test_cause_has_no_address_in_it(digest: Digest, project: Path) -> None:
    assert digest("db", "upgrade").code == 0
    with sqlite3.connect(project / "var" / "digest.db") as connection:
        connection.execute("DROP TABLE subscribers")
    connection.close()
    told = digest("subscribers", "show", "ada.reader@example.com", "-v")
    assert told.code == 1
    assert "no such table" in told.err
    assert "ada.reader" not in told.err.lower()


def test_comments_around_a_source_outlive_it(
    digest: Digest, project: Path, server: Loopback
) -> None:
    server.pages["/feed"] = Reply(body=rss("One"))
    path = project / "config" / "digest.toml"
    head = path.read_text()
    head, tail = head[: head.index("# Two sources")], head[head.index("[delivery]") :]
    one = f'[[source]]\nname = "One"\nurl = "{server.url("/feed")}"\ntopics = [\n  "a",\n]\n'
    two = one.replace('"One"', '"Two"')
    path.write_text(f"{head}{one}\n# about Two\n{two}\n# about the delivery\n{tail}")
    assert digest("source", "remove", "One").code == 0
    assert path.read_text() == f"{head}# about Two\n{two}\n# about the delivery\n{tail}"
    assert digest("source", "remove", "Two").code == 0
    assert path.read_text() == f"{head}# about Two\n# about the delivery\n{tail}"
