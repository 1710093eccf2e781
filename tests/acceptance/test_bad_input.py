"""Whatever goes wrong: one clear sentence with the next step, the right exit code, nothing lost."""

import gzip
import os
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import Digest, Process
from tests.acceptance.feeds import NOW, rss, use_sources
from tests.loopback import Loopback, Reply, Request

Start = Callable[..., Process]


def test_one_bad_source_harms_no_other(digest: Digest, project: Path, server: Loopback) -> None:
    bomb = gzip.compress(b" " * 20_000_000)
    pages = {
        "good": Reply(body=rss("One good article", "Another good one")),
        "broken": Reply(body=b"<rss><channel><item><title>cut off"),
        "page": Reply(body=b"<!doctype html><title>Hello</title><p>A page</p>"),
        "fault": Reply(500),
        "bomb": Reply(body=bomb, headers={"Content-Encoding": "gzip"}),
        "inward": Reply(302, headers={"Location": "http://127.0.0.2:1/"}),
    }
    server.pages |= {f"/{name}": page for name, page in pages.items()}
    urls = {name: server.url(f"/{name}") for name in pages}
    urls |= {"local": "file:///etc/passwd", "private": "http://10.0.0.1/feed"}
    use_sources(project, urls)
    told = digest("collect", "--json", "--now", NOW)
    assert told.code == 7
    by_name = {source["name"]: source for source in told.document["sources"]}
    assert by_name["good"]["new"] == 2
    assert {name for name, source in by_name.items() if source["error"]} == set(urls) - {
        "good",
        "broken",
    }
    for name, words in {
        "page": "It is a web page, not a feed",
        "fault": "500 Internal Server Error",
        "bomb": "more than 5 MB",
        "inward": "leads to port 1 of 127.0.0.2",
        "local": "http and https only",
        "private": "not on the public internet",
    }.items():
        assert words in by_name[name]["error"], by_name[name]
        assert by_name[name]["hint"]
    assert [s["name"] for s in digest("source", "list", "--json").document["sources"]] == list(urls)


def test_all_wrong_keys_are_told_at_once_with_what_is_right(digest: Digest, project: Path) -> None:
    path = project / "config" / "digest.toml"
    path.write_text(
        path.read_text()
        .replace('timezone = "Europe/Berlin"  ', 'timezone = "Europe/Berlinn"  ')
        .replace("stories = 10", 'stories = "ten"')
        .replace("prior_votes", "prior_vote")
    )
    told = digest("rank")
    told.refuses(3, "3 settings are wrong", "Europe/Berlinn", "edition.stories", "prior_votes?")
    assert not (project / "var").exists()


def test_template_with_a_syntax_error_is_named_with_its_line(digest: Digest, project: Path) -> None:
    path = project / "templates" / "edition.html.j2"
    path.write_text(path.read_text().replace("{% endblock %}", "{% endblok %}"))
    digest("send", "--preview", "--no-open").refuses(3, "templates/edition.html.j2, line")
    assert not (project / "previews").exists()


def test_template_that_asks_for_what_does_not_exist_is_named(digest: Digest, project: Path) -> None:
    path = project / "templates" / "components.html.j2"
    path.write_text(path.read_text().replace("story.summary", "story.sumary"))
    digest("send", "--preview", "--no-open").refuses(3, "templates/components.html.j2", "sumary")


def test_database_of_a_newer_version_is_left_alone(digest: Digest, project: Path) -> None:
    assert digest("db", "upgrade").code == 0
    path = project / "var" / "digest.db"
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    for command in (["send", "--preview"], ["collect"], ["db", "upgrade"], ["edition", "list"]):
        digest(*command).refuses(3, "schema 9999", "newer digest")


def test_file_that_is_no_database_is_left_alone(digest: Digest, project: Path) -> None:
    path = project / "var" / "digest.db"
    path.parent.mkdir()
    path.write_bytes(b"This is a letter, not a database. " * 100)
    digest("collect").refuses(1, "no database", "Name another file")
    assert path.read_bytes().startswith(b"This is a letter")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB, which holds an empty database and its log."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root can make a small disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk: Path) -> None:
    with (disk / "ballast").open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            return


def test_full_disk_keeps_the_earlier_preview(
    digest: Digest, project: Path, small_disk: Path
) -> None:
    out = small_disk / "out"
    arguments = ("send", "--preview", "--no-open", "--now", NOW, "--format", "text", "-o")
    assert digest(*arguments, small_disk / "mail.txt").code == 0
    before = (small_disk / "mail.txt").read_bytes()
    fill(small_disk)
    digest("send", "--preview", "--no-open", "--now", NOW, "--out", out).refuses(
        1, "disk is full", "Free some space"
    )
    digest(*arguments, small_disk / "mail.txt").refuses(1, "disk is full")
    assert (small_disk / "mail.txt").read_bytes() == before
    assert sorted(path.name for path in small_disk.iterdir()) == ["ballast", "mail.txt"]


def test_full_disk_loses_no_article_that_is_stored(
    digest: Digest, project: Path, small_disk: Path, server: Loopback
) -> None:
    path = project / "config" / "digest.toml"
    path.write_text(path.read_text().replace("sqlite:///var", f"sqlite:///{small_disk}"))
    server.pages["/feed"] = Reply(body=rss("First", "Second"))
    use_sources(project, {"News": server.url("/feed")})
    assert digest("collect", "--now", NOW).code == 0
    fill(small_disk)
    server.pages["/feed"] = Reply(body=rss(*(f"Article {n}" * 40 for n in range(50))))
    digest("collect", "--now", NOW).refuses(1, "disk is full", "Nothing half-written")
    (small_disk / "ballast").unlink()
    assert len(digest("rank", "--json", "--now", NOW).document["candidates"]) == 2


def test_read_only_folder_is_named(project: Path, start: Start, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0o555)
    before = ()
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("root may write anywhere, and there is no setpriv to stop it")
        powers = "-dac_override,-dac_read_search"
        before = ("setpriv", f"--bounding-set={powers}", f"--inh-caps={powers}")
    told = start(
        *("send", "--preview", "--no-open", "--out", locked / "out", "--sample"),
        before=before,
        cwd=project,
    ).result()
    told.refuses(1, "may not be written", "permissions")
    start("init", locked / "new", before=before).result().refuses(1, "may not be written")


class Gate:
    """A page that keeps its reader waiting until it is opened."""

    def __init__(self, body: bytes) -> None:
        self.reached, self.open, self._body = threading.Event(), threading.Event(), body

    def __call__(self, _request: Request) -> Reply:
        self.reached.set()
        self.open.wait(20)
        return Reply(body=self._body)


def test_two_collects_at_once_are_one(
    digest: Digest, project: Path, server: Loopback, start: Start
) -> None:
    gate = Gate(rss("Slow article"))
    server.pages["/slow"] = gate
    use_sources(project, {"Slow": server.url("/slow")})
    first = start("collect", "--json", "--now", NOW, cwd=project)
    assert gate.reached.wait(20)
    digest("collect", "--now", NOW).refuses(9, "under way", str(first.child.pid))
    gate.open.set()
    assert first.result().document["new"] == 1
    assert digest("collect", "--now", NOW).code == 0


def test_ctrl_c_keeps_what_is_finished_and_ends_at_once(
    digest: Digest, project: Path, server: Loopback, start: Start
) -> None:
    gate = Gate(rss("Slow article"))
    server.pages |= {"/slow": gate, "/quick": Reply(body=rss("Quick article"))}
    with Loopback("127.0.0.2") as other:
        other.pages["/slow"] = gate
        use_sources(project, {"Quick": server.url("/quick"), "Slow": other.url("/slow")})
        running = start("collect", "--now", NOW, cwd=project)
        assert gate.reached.wait(20)
        wait_for_article(project)
        running.interrupt()
        told = running.result()
        gate.open.set()
    assert told.code == 130
    assert "Traceback" not in told.err
    assert "Stopped. Nothing half-done is kept; run it again to go on." in told.err
    titles = [c["title"] for c in digest("rank", "--json", "--now", NOW).document["candidates"]]
    assert titles == ["Quick article"]
    [quick, slow] = digest("source", "list", "--json").document["sources"]
    assert quick["last_success_at"]
    assert (slow["failures"], slow["last_success_at"]) == (0, None)


def wait_for_article(project: Path) -> None:
    """Wait until the store holds an article."""
    database = project / "var" / "digest.db"
    pause = threading.Event()
    for _ in range(200):
        connection = sqlite3.connect(database)
        try:
            if connection.execute("SELECT count(*) FROM articles").fetchone()[0]:
                return
        finally:
            connection.close()
        pause.wait(0.05)
    raise AssertionError("no article was stored")


def test_empty_week_is_nothing_to_send(digest: Digest, project: Path, server: Loopback) -> None:
    server.pages["/feed"] = Reply(body=rss("Old news", day=3))
    use_sources(project, {"News": server.url("/feed")})
    told = digest("send", "--preview", "--no-open", "--now", NOW)
    told.refuses(4, "2026-W48 has no stories", "digest collect")
    assert not (project / "previews").exists()


def refuse_words(*arguments: str) -> tuple[list[str], str]:
    return list(arguments[:-1]), arguments[-1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        refuse_words("snd", "Did you mean send?"),
        refuse_words("send", "--preview", "-o", "x", "--format"),
        refuse_words("send", "--preview", "--edition", "W1", "no edition"),
        refuse_words("send", "--preview", "--as", "not an address", "one address"),
        refuse_words("send", "--preview", "--as", "a@b.example\nBcc: x@example.com", "address"),
        refuse_words("rank", "--now", "yesterday", "no time"),
        refuse_words("rank", "--now", "", "blank"),
        refuse_words("check", "--clients", "", "blank"),
        refuse_words("check", "--clients", ",", "No client is named"),
        refuse_words("send", "--preview", "--as", "", "blank"),
        refuse_words("send", "--preview", "--format", "text", "-o", ".", "directory"),
        refuse_words("send", "--preview", "--serve", "--out", "templates/p", "watches"),
        refuse_words("source", "test", "Sample feed", "--kind", "x", "for an address"),
        refuse_words("rank", "--edition", " ", "blank"),
        refuse_words("edition", "edit", "1", "--subject", "x", "goes with --headline"),
        refuse_words("source", "test", "Fed 1", "no source named"),
        refuse_words("source", "remove", "Fed 1", "no source named"),
        refuse_words("source", "add", "A\nB", "https://example.com", "plain name"),
        refuse_words("rank", "--explain", "99999", "There is no article 99999"),
        refuse_words("edition", "lead", "nothing like it", "No article has"),
        refuse_words("edition", "pin", "1", "99", "no article 1"),
        refuse_words("edition", "edit", "Say what to write"),
        refuse_words("edition", "edit", "--headline", "x", "Name the story"),
        refuse_words("source", "add", "Sample feed", "https://example.com", "already"),
        refuse_words("source", "pause", "Nobody", "no source named"),
        refuse_words("collect", "--source", "Nobody", "no source named"),
        refuse_words("check", "missing.html", "does not exist"),
        refuse_words("check", "--edition", "2026-W48", "config/digest.toml", "not both"),
        refuse_words("init", ".", "already"),
    ],
)
def test_wrong_command_line_gets_a_sentence_and_2(
    digest: Digest, project: Path, arguments: list[str], words: str
) -> None:
    digest(*arguments).refuses(2, words)


def test_folder_that_is_no_project_is_told(digest: Digest, tmp_path: Path) -> None:
    digest("rank", "--project", tmp_path).refuses(3, "no project", "digest init")


@pytest.mark.parametrize("command", ["collect", "edition draft", "db upgrade", "source pause x"])
def test_starter_keeps_nothing_and_says_how_to_begin(digest: Digest, command: str) -> None:
    told = digest(*command.split())
    assert told.code in (2, 3)
    assert "digest init DIR" in told.err
