"""`digest send --preview`: its contract, and its promise to touch nobody."""

import email
import email.policy
import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.conftest import Digest
from tests.acceptance.feeds import NOW, rss, use_sources
from tests.loopback import Loopback, Reply

FILES = {"mail.html", "mail.txt", "mail.eml", "index.html", "report.json"}
HOSTILE = (
    "</td></table><script>alert(1)</script> markup",
    "{{ 7919*7907 }} {% import os %} jinja",
    "Right\u202eleft bidi and \x1b[31mcontrol",
    "=?utf-8?q?x=0D=0ABcc=3A_v=40example.com?= header",
    "xDIGESTunsubscribeurlx token",
)


def preview(digest: Digest, *arguments: object) -> tuple[int, dict[str, object]]:
    told = digest("send", "--preview", "--no-open", "--json", "--now", NOW, *arguments)
    return told.code, told.document


def test_stranger_sees_the_sample_without_a_project(digest: Digest, tmp_path: Path) -> None:
    told = digest("send", "--preview", "--no-open")
    assert told.code == 0, told.err
    [folder] = (tmp_path / "previews").iterdir()
    assert {path.name for path in folder.iterdir()} >= FILES
    assert f"previews/{folder.name}/index.html" in told.out
    assert [path.name for path in tmp_path.iterdir()] == ["previews"]


@pytest.mark.parametrize(
    "now",
    ["2026-11-22T18:00+01:00", "2026-11-24T06:59+01:00", "2026-11-24T07:01+01:00", "2024-02-29"],
)
def test_sample_fills_an_edition_on_any_day(digest: Digest, now: str) -> None:
    told = digest("send", "--preview", "--no-open", "--json", "--now", now)
    assert told.code == 0
    assert len(told.document["stories"]) == 10


def test_report_has_the_promised_keys_and_tells_the_truth(digest: Digest, project: Path) -> None:
    code, report = preview(digest)
    assert code == 0
    assert report.keys() >= {
        *("edition", "period", "subject", "preheader", "sha256", "stories", "audience", "size"),
        *("checks", "files"),
    }
    stories = report["stories"]
    assert isinstance(stories, list)
    assert [story["position"] for story in stories] == list(range(1, 11))
    assert [story["lead"] for story in stories] == [True] + [False] * 9
    for story in stories:
        cents = sum(round(reason["stars"] * 100) for reason in story["reasons"])
        assert cents == round(story["score"] * 100), story
    files = report["files"]
    assert isinstance(files, dict)
    html, text = Path(files["mail.html"]).read_bytes(), Path(files["mail.txt"]).read_bytes()
    assert report["size"] == {"html": len(html), "text": len(text)}
    assert report["audience"] == {"planned": 0, "excluded": {}}
    for story in stories:
        assert story["url"].encode().replace(b"&", b"&amp;") in html
    assert digest("send", "--preview", "--no-open", "--now", NOW).out.count(report["sha256"]) == 1


def test_same_preview_twice_is_the_same_bytes(digest: Digest, project: Path) -> None:
    def hashes(folder: str) -> dict[str, str]:
        code, _ = preview(digest, "--out", folder)
        assert code == 0
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in Path(folder).iterdir()
            if path.is_file() and path.name != "report.json"  # it names its own folder
        }

    assert hashes("one") == hashes("two")


def test_folder_in_which_it_runs_is_never_replaced(
    digest: Digest, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = project / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    for out in (".", ".."):
        told = digest("send", "--preview", "--no-open", "--now", NOW, "--out", out)
        told.refuses(2, "the folder in which this runs")
    assert list(empty.iterdir()) == []


def test_preview_needs_no_network_and_no_key(project: Path) -> None:
    guard = (
        "import sys\n"
        "def refuse(event, args):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo'): raise SystemExit(99)\n"
        "sys.addaudithook(refuse)\n"
        "sys.argv = ['digest', 'send', '--preview', '--no-open']\n"
        "from digest.cli.main import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", guard], cwd=project, capture_output=True)
    assert done.returncode == 0, done.stderr


def test_preview_changes_no_edition_and_collects_only_an_empty_store(
    digest: Digest, project: Path, server: Loopback
) -> None:
    server.pages["/feed"] = Reply(body=rss("One", "Two", "Three", "Four"))
    use_sources(project, {"News": server.url("/feed")})
    code, report = preview(digest)
    assert (code, len(server.requests)) == (0, 1)
    assert report["subject"] == "Four, and three more"
    assert preview(digest)[0] == 0
    assert len(server.requests) == 1
    assert digest("edition", "list", "--json", "--now", NOW).document["editions"] == []


def test_no_collect_leaves_an_empty_store_empty(digest: Digest, project: Path) -> None:
    told = digest("send", "--preview", "--no-open", "--no-collect", "--now", NOW)
    told.refuses(4, "2026-W48 has no stories", "digest collect")
    assert digest("rank", "--json", "--now", NOW).document["candidates"] == []


def test_sample_in_a_project_leaves_its_store_alone(digest: Digest, project: Path) -> None:
    code, report = preview(digest, "--sample")
    assert code == 0
    assert isinstance(report["stories"], list)
    assert len(report["stories"]) == 10
    assert [path.name for path in (project / "previews").iterdir()] == ["sample-2026-W48"]
    assert digest("rank", "--json", "--now", NOW).document["candidates"] == []


@pytest.mark.parametrize(("form", "begin"), [("html", "<!DOCTYPE html>"), ("text", "App News")])
def test_one_part_goes_to_a_pipe_and_nothing_else(
    digest: Digest, project: Path, form: str, begin: str
) -> None:
    told = digest("send", "--preview", "--now", NOW, "--format", form, "-o", "-")
    assert told.code == 0
    assert told.out.startswith(begin)
    assert not (project / "previews").exists()
    assert digest("send", "--preview", "--now", NOW, "--format", form, "-o", "part").code == 0
    assert (project / "part").read_text() == told.out


def test_message_is_addressed_to_the_reader_and_can_be_left(digest: Digest, project: Path) -> None:
    code, report = preview(digest, "--as", "ana@example.org")
    assert code == 0
    files = report["files"]
    assert isinstance(files, dict)
    raw = Path(files["mail.eml"]).read_bytes()
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert message.defects == []
    assert message["To"] == "ana@example.org"
    assert message["Subject"] == report["subject"]
    assert message["List-Unsubscribe"].startswith("<https://news.example.com/u/")
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    kinds = [part.get_content_type() for part in message.walk()]
    assert kinds == ["multipart/alternative", "text/plain", "text/html"]
    assert "ana@example.org" in Path(files["mail.txt"]).read_text()
    assert max(len(line) for line in raw.splitlines()) <= 998


def test_preview_says_of_whom_it_shows_the_mail_to_whether_they_get_any(
    digest: Digest, project: Path
) -> None:
    def shown_as(*reader: str) -> str:
        told = digest("send", "--preview", "--no-open", "--now", NOW, *reader)
        [line] = re.findall(r"^  Shown as   (.*); a preview sends nothing$", told.out, re.M)
        return str(line)

    assert digest("collect", "--now", NOW).code == 0
    for name in ("ana", "ben", "cem"):
        assert digest("subscribers", "add", f"{name}@example.com", "--origin", "fair").code == 0
    assert digest("subscribers", "remove", "ben@example.com").code == 0
    assert digest("suppress", "add", "cem@example.com").code == 0
    assert shown_as() == "reader@example.com sees it"
    assert shown_as("--as", "Ana@example.com") == "Ana@example.com sees it"
    nobody = "nobody@example.com would see it, who is on no list"
    assert shown_as("--as", "nobody@example.com") == nobody
    left = "ben@example.com would see it, who has left and gets no mail"
    assert shown_as("--as", "ben@example.com") == left
    suppressed = "cem@example.com would see it, who is suppressed and gets no mail"
    assert shown_as("--as", "cem@example.com") == suppressed


def test_earlier_edition_is_previewed_by_its_label(digest: Digest, project: Path) -> None:
    assert digest("collect", "--now", NOW).code == 0
    told = digest("send", "--preview", "--no-open", "--edition", "2026-W40", "--now", NOW)
    told.refuses(4, "2026-W40 has no stories")


def test_hostile_titles_stand_in_the_mail_as_harmless_text(
    digest: Digest, project: Path, server: Loopback
) -> None:
    server.pages["/feed"] = Reply(body=rss(*HOSTILE).replace(b"\x1b", b""))
    use_sources(project, {"News": server.url("/feed")})
    code, report = preview(digest)
    assert code == 0, report["checks"]
    files = report["files"]
    assert isinstance(files, dict)
    html = Path(files["mail.html"]).read_text()
    assert "62615533" not in html
    assert "{{ 7919*7907 }}" in re.sub(r"&#12[35];", lambda m: chr(int(m[0][2:-1])), html)
    assert "<script" not in html.lower()
    assert "\u202e" not in html
    assert html.count("https://news.example.com/u/preview") == 1
    message = email.message_from_bytes(
        Path(files["mail.eml"]).read_bytes(), policy=email.policy.default
    )
    assert "Bcc" not in message
    assert Path(files["index.html"]).read_text().lower().count("<script") == 0


def test_failed_check_ends_with_5_and_still_shows_the_mail(digest: Digest, project: Path) -> None:
    path = project / "templates" / "edition.html.j2"
    path.write_text(
        path.read_text().replace("{% endblock %}", '<a href="javascript:x">x</a>{% endblock %}')
    )
    told = digest("send", "--preview", "--no-open", "--now", NOW)
    assert told.code == 5
    assert "error" in told.out
    viewer = (project / "previews" / "2026-W48" / "index.html").read_text()
    assert "Show me" in viewer
    assert "<mark>" in viewer
    assert digest("check", "--now", NOW).code == 5


def test_check_that_the_settings_ignore_stops_no_preview(digest: Digest, project: Path) -> None:
    path = project / "templates" / "edition.html.j2"
    path.write_text(path.read_text().replace("{% endblock %}", '<a href="#">x</a>{% endblock %}'))
    assert digest("send", "--preview", "--no-open", "--now", NOW).code == 5
    settings = project / "config" / "digest.toml"
    ignored = 'ignore = { link-target = "a joke", link-name = "a joke" }'
    settings.write_text(settings.read_text().replace("ignore = {}", ignored))
    told = digest("send", "--preview", "--no-open", "--now", NOW)
    assert (told.code, "link-target" in told.out) == (0, False)
