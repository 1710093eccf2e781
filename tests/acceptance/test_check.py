"""`digest check` as people and build servers use it: on editions, files and messages."""

import importlib.metadata
import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from tests.acceptance.conftest import Digest, Result

MAILS = Path(__file__).parent.parent / "fixtures" / "mails"
CLEAN = (MAILS / "clean.html").read_text(encoding="utf-8")
NO_ALT = CLEAN.replace(' alt="A page of notes"', "")
NO_ALT_LINE = CLEAN[: CLEAN.index("<img")].count("\n") + 1
NOW = "2026-11-24T08:00+01:00"


@pytest.fixture
def mail(tmp_path: Path) -> Path:
    """Write a mail with one error, and return its file."""
    path = tmp_path / "a mail.html"
    path.write_text(NO_ALT, encoding="utf-8")
    return path


def set_ignored(project: Path, table: str) -> None:
    path = project / "config" / "digest.toml"
    text = path.read_text(encoding="utf-8")
    assert "\nignore = {}" in text
    path.write_text(text.replace("\nignore = {}", f"\nignore = {table}"), encoding="utf-8")


def break_template(project: Path) -> None:
    """Give the edition's mail one error: a picture without alt at its end."""
    path = project / "templates" / "edition.html.j2"
    text = path.read_text(encoding="utf-8")
    picture = '<tr><td><img src="https://a.test/a.png" width="9" height="9"></td></tr>\n'
    end = text.rindex("{% endblock")
    path.write_text(text[:end] + picture + text[end:], encoding="utf-8")


def results(told: Result) -> list[dict[str, Any]]:
    [run] = told.document["runs"]
    found = run["results"]
    assert isinstance(found, list)
    return found


# The three forms


def test_people_get_sentences_and_5_for_an_error(digest: Digest, mail: Path) -> None:
    told = digest("check", mail)
    assert told.code == 5
    assert f"error     image-alt, line {NO_ALT_LINE}: The picture" in told.out
    assert told.err == ""


def test_clean_file_passes(digest: Digest) -> None:
    told = digest("check", MAILS / "clean.html")
    assert (told.code, told.err) == (0, "")
    assert "every check passed" in told.out


@pytest.mark.parametrize(
    "options", [["--json"], ["--format", "json"], ["--json", "--format", "json"]]
)
def test_scripts_get_one_json_document(digest: Digest, mail: Path, options: list[str]) -> None:
    told = digest("check", mail, *options)
    assert told.code == 5
    assert told.document["checked"] == str(mail)
    assert told.document["errors"] == 1
    assert told.document["ignored"] == []
    [found] = told.document["checks"]
    assert (found["rule"], found["severity"], found["line"]) == ("image-alt", "error", NO_ALT_LINE)


def test_build_servers_get_sarif_with_the_place_of_the_fault(
    digest: Digest, mail: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(mail.parent)
    told = digest("check", mail.name, "--format", "sarif")
    assert told.code == 5
    assert told.document["version"] == "2.1.0"
    [run] = told.document["runs"]
    assert run["tool"]["driver"]["version"] == importlib.metadata.version("digest-newsletter")
    [found] = run["results"]
    [location] = found["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "a%20mail.html"},
        "region": {"startLine": NO_ALT_LINE},
    }


def test_sarif_names_a_whole_path_as_a_file_address(digest: Digest, mail: Path) -> None:
    [found] = results(digest("check", mail.absolute(), "--format", "sarif"))
    [location] = found["locations"]
    uri = location["physicalLocation"]["artifactLocation"]["uri"]
    assert urlsplit(uri).scheme == "file"
    assert Path(unquote(urlsplit(uri).path)) == mail


def test_two_forms_at_once_are_refused(digest: Digest, mail: Path) -> None:
    digest("check", mail, "--json", "--format", "sarif").refuses(2, "Choose one")
    digest("check", mail, "--format", "xml").refuses(2, "xml")


# To ignore a rule


def test_rule_ignored_on_the_command_line_stops_nothing(digest: Digest, mail: Path) -> None:
    told = digest("check", mail, "--ignore", "image-alt", "--ignore", "contrast")
    assert told.code == 0
    assert "ignored: image-alt (asked for by --ignore), 1 finding\n" in told.out
    assert "every other check passed" in told.out
    assert "ignored: contrast" not in told.out


def test_rule_ignored_in_the_settings_is_told_with_its_reason(
    digest: Digest, project: Path, mail: Path
) -> None:
    set_ignored(project, '{ image-alt = "the picture is an ornament" }')
    told = digest("check", mail)
    assert told.code == 0
    assert "ignored: image-alt (the picture is an ornament), 1 finding\n" in told.out
    document = digest("check", mail, "--json").document
    assert (document["errors"], document["checks"]) == (0, [])
    [ignored] = document["ignored"]
    assert (ignored["rule"], ignored["reason"]) == ("image-alt", "the picture is an ornament")
    [found] = results(digest("check", mail, "--format", "sarif"))
    assert found["suppressions"] == [
        {"kind": "external", "status": "accepted", "justification": "the picture is an ornament"}
    ]


def test_rule_ignored_for_an_edition_stops_nothing(digest: Digest, project: Path) -> None:
    assert digest("collect", "--now", NOW).code == 0
    break_template(project)
    assert digest("check", "--now", NOW).code == 5
    set_ignored(project, '{ image-alt = "the picture is an ornament" }')
    told = digest("check", "--now", NOW)
    assert told.code == 0, told.out
    assert "ignored: image-alt (the picture is an ornament)" in told.out


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("image-atl", "but image-alt is"),
        ("unsubscribe-link", "may not be ignored"),
        ("", "no check"),
    ],
)
def test_rule_that_cannot_be_ignored_is_refused(
    digest: Digest, mail: Path, rule: str, words: str
) -> None:
    digest("check", mail, "--ignore", rule).refuses(2, words)


def test_settings_that_ignore_what_they_must_not_are_refused(
    digest: Digest, project: Path, mail: Path
) -> None:
    set_ignored(project, '{ unsubscribe-link = "nobody leaves", contrst = "x" }')
    told = digest("check", mail)
    told.refuses(3, "2 settings are wrong", "unsubscribe-link", "contrast is")


# Clients


def test_clients_that_are_named_are_told_what_they_lack(digest: Digest) -> None:
    told = digest("check", MAILS / "clean.html", "--clients", "word,thunderbird")
    assert told.code == 0
    assert "warning   client-support, line 8: “@media”, used once, is not supported by " in told.out
    assert "classic Outlook, Thunderbird" in told.out
    partly = digest("check", MAILS / "clean.html", "--clients", "word,thunderbird", "--json")
    rules = [found["rule"] for found in partly.document["checks"]]
    assert told.out.count("info      client-partly") == rules.count("client-partly") > 5
    assert "GMX" not in told.out


def test_edition_is_held_against_every_client(digest: Digest, project: Path) -> None:
    assert digest("collect", "--now", NOW).code == 0
    told = digest("check", "--clients", "all", "--json", "--now", NOW)
    assert told.code == 0
    rules = {found["rule"] for found in told.document["checks"]}
    assert {"client-support", "client-partly"} <= rules
    quiet = digest("check", "--json", "--now", NOW).document["checks"]
    assert not {found["rule"] for found in quiet} & {"client-support", "client-partly"}


def test_client_findings_can_be_ignored(digest: Digest) -> None:
    words = ("--clients", "word", "--ignore", "client-partly", "--ignore", "client-support")
    told = digest("check", MAILS / "clean.html", *words)
    assert told.code == 0
    assert "every other check passed" in told.out


def test_unknown_client_is_refused_with_the_nearest(digest: Digest, mail: Path) -> None:
    digest("check", mail, "--clients", "gmial").refuses(2, "no client named", "mean gmail")


# Messages


def test_message_of_a_preview_is_checked_with_its_text(digest: Digest, project: Path) -> None:
    assert digest("collect", "--now", NOW).code == 0
    assert digest("send", "--preview", "--no-open", "--now", NOW, "--out", "out").code == 0
    told = digest("check", Path("out") / "mail.eml")
    assert (told.code, told.err) == (0, "")
    message = (project / "out" / "mail.eml").read_bytes()
    (project / "bad.EML").write_bytes(message.replace(b"Subject: ", b"Subject: {{ week }} "))
    told = digest("check", "bad.EML")
    assert told.code == 5
    assert "leftover-words" in told.out


def test_message_without_html_is_refused(digest: Digest, tmp_path: Path) -> None:
    (tmp_path / "plain.eml").write_bytes(b"Subject: x\n\nOnly text.\n")
    digest("check", tmp_path / "plain.eml").refuses(2, "no HTML part")


def test_lines_of_a_message_are_not_told_as_lines_of_its_file(
    digest: Digest, tmp_path: Path
) -> None:
    head = "Subject: Notes that keep\nContent-Type: text/html; charset=utf-8\n\n"
    (tmp_path / "a.eml").write_text(head + NO_ALT, encoding="utf-8")
    found = results(digest("check", tmp_path / "a.eml", "--format", "sarif"))
    places = [json.dumps(result["locations"]) for result in found]
    assert not [place for place in places if "startLine" in place]
    assert [place for place in places if f"line {NO_ALT_LINE} of the HTML part" in place]


def test_larger_file_than_any_mail_is_refused(digest: Digest, tmp_path: Path) -> None:
    (tmp_path / "large.html").write_bytes(b"x" * 5_000_001)
    digest("check", tmp_path / "large.html").refuses(2, "larger than 5 MB")


def test_heavy_picture_of_ones_own_is_told(digest: Digest, project: Path) -> None:
    picture = project / "config" / "media" / "lead.jpg"
    picture.write_bytes(picture.read_bytes() + b"\0" * 200_000)
    digest("collect", "--now", NOW)
    told = digest("check", "--json", "--now", NOW)
    assert [check["rule"] for check in told.document["checks"]] == ["picture-weight"]
