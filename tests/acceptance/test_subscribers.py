"""The lists of readers as an admin works with them: nobody is revived, doubled or lost."""

import csv
import datetime as dt
import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from digest.app import App
from digest.clocks import SystemClock
from digest.model.letters import Letter, LetterKind
from digest.model.votes import Vote
from digest.project import load
from tests.acceptance.conftest import Digest, Process

HEADER = "email,first_name,topics,frequency,language\n"


def write(name: str, text: str | bytes) -> Path:
    path = Path(name)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def readers(digest: Digest) -> list[list[str]]:
    """Return who gets mail, as an export has them."""
    return list(csv.reader(digest("subscribers", "export").out.splitlines(), strict=True))[1:]


def test_list_of_the_starter_is_imported_once_however_often_it_is_read(
    digest: Digest, project: Path
) -> None:
    path = project / "subscribers" / "example.csv"
    trial = digest("subscribers", "import", path, "--dry-run", "--json")
    assert (trial.document["new"], trial.document["dry_run"]) == (6, True)
    assert digest("subscribers", "list", "--json").document["counts"] == {}
    first = digest("subscribers", "import", path)
    assert first.code == 0
    assert "New                            6" in first.out
    assert "Nothing was sent." in first.out
    before = readers(digest)
    again = digest("subscribers", "import", path, "--json").document
    assert (again["rows"], again["new"], again["seen"], again["refused"]) == (6, 0, 6, 0)
    assert readers(digest) == before
    assert not (project / "var" / "outbox").exists()


def test_bad_rows_are_told_by_line_and_good_ones_go_in(digest: Digest, project: Path) -> None:
    path = write(
        "readers.csv",
        HEADER
        + "ada@example.com,Ada,Games,weekly,en\n"
        + "no address,Bo,,,\n"
        + "\n"
        + "cy@example.com,Cy,,daily,\n"
        + 'di@example.com,"Di,,,\n'
        + "ed@example.com,Ed,,,,one too many\n"
        + "ADA@EXAMPLE.com,Again,,,\n"
        + "fa@example.com,www.example.com,,,\n"
        + "gu@example.com,Gu,,Monthly,de\n",
    )
    told = digest("subscribers", "import", path, "--report", "report.csv", "--json")
    assert told.code == 0
    assert "5 rows left out" in told.err
    found = told.document
    counts = {key: found[key] for key in ("rows", "new", "repeated", "refused")}
    assert counts == {"rows": 8, "new": 2, "repeated": 1, "refused": 5}
    assert [row["line"] for row in found["reasons"]] == [3, 5, 6, 7, 9]
    report = list(csv.DictReader(Path("report.csv").read_text().splitlines()))
    assert [(int(row["line"]), row["reason"]) for row in report] == [
        (row["line"], row["reason"]) for row in found["reasons"]
    ]
    assert "@" not in Path("report.csv").read_text().replace("no @", "").replace("the @", "")
    assert [row[0] for row in readers(digest)] == ["ada@example.com", "gu@example.com"]
    assert readers(digest)[1][3:] == ["monthly", "de", ""]


def test_of_many_bad_rows_twenty_are_shown_and_all_are_in_the_report(
    digest: Digest, project: Path
) -> None:
    path = write("readers.csv", HEADER + "ada@example.com,,,,\n" + "nobody,,,,\n" * 100)
    told = digest("subscribers", "import", path)
    assert told.out.count("    line ") == 20
    assert "and 80 more" in told.out
    assert "--report FILE" in told.err
    digest("subscribers", "import", path, "--report", "all.csv")
    assert len(Path("all.csv").read_text().splitlines()) == 101


def test_file_of_which_nothing_can_be_used_ends_with_2(digest: Digest, project: Path) -> None:
    assert digest("subscribers", "import", "missing.csv").code == 2
    bad = write("bad.csv", HEADER + "nobody,,,,\n")
    digest("subscribers", "import", bad).refuses(2, "None of the rows", "--map")
    excel = write("bad.xlsx", b"PK\x03\x04 and so on")
    digest("subscribers", "import", excel).refuses(2, "Excel workbook", "UTF-8")
    latin = write("latin.csv", (HEADER + "ada@example.com,Zoë,,,\n").encode("cp1252"))
    digest("subscribers", "import", latin).refuses(2, "Windows-1252", "line 2")
    nameless = write("nameless.csv", "name,phone\nAda,1\n")
    digest("subscribers", "import", nameless).refuses(2, "no column of addresses", "--map email=")
    far = write(
        "far.csv", (HEADER + "r@example.com,,,,\n" * 9_000).encode() + b"\xe9@example.com\n"
    )
    digest("subscribers", "import", far).refuses(2, "line 9002")
    assert readers(digest) == []
    assert digest("subscribers", "import", write("empty.csv", HEADER)).code == 0


def test_no_import_revives_who_left_bounced_complained_or_was_erased(
    digest: Digest, project: Path
) -> None:
    names = ("left", "bounced", "complained", "manual", "erased", "here")
    path = write("readers.csv", "email\n" + "".join(f"{n}@example.com\n" for n in names))
    assert digest("subscribers", "import", path).code == 0
    assert digest("subscribers", "remove", "Left@example.com").code == 0
    for reason in ("bounced", "complained", "manual"):
        digest("suppress", "add", f"{reason}@example.com", "--reason", reason)
    assert digest("subscribers", "erase", "erased@example.com", "--yes").code == 0
    before = digest("subscribers", "list", "--json").document
    suppressed = digest("suppress", "list", "--json").document
    shouted = write("shouted.csv", path.read_text().upper())
    for file in (path, shouted):
        told = digest("subscribers", "import", file, "--json")
        assert told.document["kept_out"] == {"left": 1, "suppressed": 3, "erased": 1}
        assert (told.document["new"], told.document["seen"]) == (0, 1)
    assert digest("subscribers", "list", "--json").document == before
    assert digest("suppress", "list", "--json").document == suppressed
    assert [row[0] for row in readers(digest)] == ["here@example.com"]
    digest("subscribers", "add", "left@example.com").refuses(2, "has left", "sign up again")
    digest("subscribers", "show", "erased@example.com").refuses(2, "erased")


def test_protected_columns_are_not_applied_and_said_so(digest: Digest, project: Path) -> None:
    text = (
        "id,email,role,is_admin,token,joined_at{}\n7,ada@example.com,admin,true,abc,2001-01-01{}\n"
    )
    told = digest("subscribers", "import", write("a.csv", text.format("", "")))
    assert told.code == 0
    assert "Not read: id, role, is_admin, token, joined_at" in told.out
    shown = digest("subscribers", "show", "ada@example.com", "--json").document["subscriber"]
    assert shown["joined_at"] > "2026"
    assert shown["state"] == "active"
    digest("subscribers", "remove", "ada@example.com")
    with_status = write("b.csv", text.format(",status", ",active"))
    digest("subscribers", "import", with_status).refuses(2, "status", "--ignore-column")
    told = digest("subscribers", "import", with_status, "--ignore-column", "Status", "--json")
    assert told.document["kept_out"]["left"] == 1
    assert "status" in told.document["unread"]


def test_columns_can_be_mapped(digest: Digest, project: Path) -> None:
    path = write("readers.csv", "Wer;Wie, kurz;email\nada@example.com;Ada;x\n")
    maps = "email=Wer,first_name=Wie, kurz"
    assert digest("subscribers", "import", path, "--map", maps).code == 0
    assert readers(digest) == [["ada@example.com", "Ada", "", "weekly", "", ""]]
    for wrong in ("email", "mail=Wer", "email="):
        assert digest("subscribers", "import", path, "--map", wrong).code == 2


def test_field_that_is_mapped_twice_is_refused(digest: Digest, project: Path) -> None:
    path = write("readers.csv", "email,first_name\nada@example.com,bo@example.com\n")
    for maps in (("email=email", "email=first_name"), ("email=email,email=first_name",)):
        given = [word for text in maps for word in ("--map", text)]
        digest("subscribers", "import", path, *given).refuses(2, "email", "twice")
    assert readers(digest) == []


@pytest.mark.parametrize("spelling", ["readers.csv", "./config/../readers.csv", "link", "hard"])
def test_report_never_overwrites_the_list_that_is_read(
    digest: Digest, project: Path, spelling: str
) -> None:
    path = write("readers.csv", "email\nada@example.com\nnobody\n")
    Path("link").symlink_to(path)
    Path("hard").hardlink_to(path)
    for more in ((), ("--dry-run",)):
        told = digest("subscribers", "import", path, "--report", spelling, *more)
        told.refuses(2, "the list itself", "Nothing was done", "--report")
    digest("subscribers", "import", spelling, "--report", path).refuses(2, "the list itself")
    assert path.read_text() == "email\nada@example.com\nnobody\n"
    assert readers(digest) == []


@pytest.mark.parametrize("report", ["missing/report.csv", "readers.csv/report.csv", "/dev/full"])
def test_report_that_cannot_be_written_is_refused_and_nobody_is_added(
    digest: Digest, project: Path, report: str
) -> None:
    path = write("readers.csv", "email\nada@example.com\nnobody\n")
    told = digest("subscribers", "import", path, "--report", report)
    told.refuses(2, "report", "Nothing was done")
    assert readers(digest) == []


def test_reader_of_some_topics_can_have_everything_again(digest: Digest, project: Path) -> None:
    add = ("subscribers", "add", "ada@example.com")
    assert digest(*add, "--topics", "Games", "--language", "de").code == 0
    for blank in ("", " ; "):
        digest(*add, "--topics", blank).refuses(2, "--all-topics")
    digest(*add, "--topics", "Games", "--all-topics").refuses(2, "--all-topics")
    assert readers(digest) == [["ada@example.com", "", "Games", "weekly", "de", ""]]
    assert "changed" in digest(*add, "--all-topics").out
    assert readers(digest) == [["ada@example.com", "", "", "weekly", "de", ""]]


@pytest.mark.parametrize("language", ["!!", "xx-yy-zz-!!"])
def test_language_that_is_no_tag_is_refused_by_hand_and_in_a_file(
    digest: Digest, project: Path, language: str
) -> None:
    told = digest("subscribers", "add", "ada@example.com", "--language", language)
    told.refuses(2, "no tag such as en or pt-BR", "Nothing was changed", "add --help")
    path = write("readers.csv", f"email,language\nada@example.com,{language}\n")
    told = digest("subscribers", "import", path)
    told.refuses(2, "None of the rows")
    assert "no tag such as en or pt-BR" in told.out


def test_time_zone_that_is_none_costs_no_reader(digest: Digest, project: Path) -> None:
    path = write(
        "readers.csv",
        "email,Time Zone\nada@example.com,Asia/Tokyo\nbo@example.com,GMT+1 (Berlin)\n"
        "cy@example.com,\ndi@example.com,../../etc/passwd\n",
    )
    told = digest("subscribers", "import", path)
    assert "Time zone unknown" in told.out
    assert [row[5] for row in readers(digest)] == ["Asia/Tokyo", "", "", ""]
    found = digest("subscribers", "import", path, "--json").document
    assert (found["seen"], found["refused"], found["unknown_timezones"]) == (4, 0, 2)
    add = ("subscribers", "add", "bo@example.com", "--timezone")
    digest(*add, "Berlin").refuses(2, "no IANA name such as Europe/Berlin", "Nothing was changed")
    assert "changed" in digest(*add, "Europe/Berlin").out
    shown = digest("subscribers", "show", "bo@example.com")
    assert "Time zone   Europe/Berlin" in shown.out
    digest("subscribers", "export", "out.csv")
    assert digest("subscribers", "import", "out.csv", "--json").document["seen"] == 4


def test_list_without_a_column_leaves_what_readers_chose(digest: Digest, project: Path) -> None:
    digest("subscribers", "import", project / "subscribers" / "example.csv")
    before = readers(digest)
    path = write("addresses.csv", "email\n" + "".join(f"{row[0]}\n" for row in before))
    assert digest("subscribers", "import", path, "--json").document["seen"] == 6
    assert readers(digest) == before


def test_export_runs_in_no_spreadsheet_and_comes_back_the_same(
    digest: Digest, project: Path
) -> None:
    path = write(
        "evil.csv",
        HEADER
        + "=cmd@example.com,=1+1,@x; ＝2; -3; +4,weekly,en\n"  # noqa: RUF001
        + "'=quoted@example.com,'=1+1,'a,weekly,\n"
        + '+1@example.com,"=HYPERLINK(1;2)","a ""b""",monthly,\n'
        + "-x@example.com,-,\t=5,weekly,de\n",
    )
    assert digest("subscribers", "import", path, "--json").document["new"] == 4
    told = digest("subscribers", "export", "out.csv")
    assert "Wrote 4 readers to out.csv" in told.out
    text = Path("out.csv").read_text()
    cells = [cell for row in csv.reader(text.splitlines(), strict=True) for cell in row]
    assert not [cell for cell in cells if cell.startswith(tuple("=+-@\t\r＝＋－＠"))]  # noqa: RUF001
    assert text.count('"') >= 2 * len(cells)
    again = digest("subscribers", "import", "out.csv", "--json").document
    assert (again["seen"], again["updated"], again["refused"]) == (4, 0, 0)
    assert digest("subscribers", "export", "--json").code == 2
    digest("subscribers", "export", "all.csv", "--state", "all")
    digest("subscribers", "import", "all.csv").refuses(2, "state")


def test_person_can_have_their_data_and_have_it_erased(digest: Digest, project: Path) -> None:
    digest("subscribers", "add", "ada@example.com", "--first-name", "Ada", "--topics", "Games")
    digest("suppress", "add", "ada@example.com")
    copy = digest("subscribers", "show", "ADA@example.com", "--json").document
    assert copy["subscriber"]["topics"] == ["Games"]
    assert copy["suppression"]["reason"] == "manual"
    assert (copy["history"], copy["reports"]) == ([], [])
    digest("subscribers", "erase", "ada@example.com").refuses(8, "confirm")
    assert digest("subscribers", "erase", "ada@example.com", "--yes").code == 0
    for words in (("subscribers", "export", "--state", "all"), ("suppress", "list")):
        assert "ada@" not in digest(*words).out
    path = write("readers.csv", "email\nada@example.com\n")
    assert digest("subscribers", "import", path, "--json").document["kept_out"]["erased"] == 1
    for file in (project / "var").rglob("*"):
        assert not file.is_file() or b"ada@example.com" not in file.read_bytes(), file


def test_what_a_reader_chose_and_did_is_shown(digest: Digest, project: Path) -> None:
    digest("subscribers", "add", "ada@example.com")
    plain = digest("subscribers", "show", "ada@example.com").out
    assert not any(word in plain for word in ("Paused", "Votes", "Left", "Letter"))
    with App(load(project, {}), SystemClock()) as app:
        now, reader = app.clock.now(), app.subscriptions.find("ada@example.com")
        assert reader is not None
        assert reader.id is not None
        choices, week = app.choosing, dt.timedelta(weeks=1)
        choices.choose(
            reader.id, topics=(), frequency=reader.frequency, language="", is_uncounted=True
        )
        choices.pause(reader.id, now + week)
        about = {"newsletter": reader.newsletter, "subscriber_id": reader.id, "at": now}
        app.votes.vote(Vote(**about, edition_id=1, article_id=7, stars=4), at_most=1, since=now)
        asked = {"address": reader.address, "key": reader.key, "asked_at": now}
        app.letters_store.ask(Letter(**asked, newsletter=reader.newsletter, kind=LetterKind.LINKS))
        choices.leave(reader.id, 0, by="page", now=now)
        choices.say_why(reader.id, "too often")
    shown = digest("subscribers", "show", "ada@example.com").out
    for words in (
        f"Paused      until {now + week:%Y-%m-%d}\n",
        "Votes       do not count",
        f"Left        {now:%Y-%m-%d}, by page\n",
        "Said why    too often\n",
        "links",
        "waiting",
    ):
        assert words in shown
    copy = digest("subscribers", "show", "ada@example.com", "--json").document
    assert [(vote["article_id"], vote["stars"]) for vote in copy["votes"]] == [(7, 4)]


def test_commands_about_nobody_say_so(digest: Digest, project: Path) -> None:
    for command in ("show", "remove"):
        digest("subscribers", command, "ada@example.com").refuses(2, "no reader", "--search")
    digest("suppress", "remove", "ada@example.com").refuses(2, "not suppressed")
    digest("subscribers", "erase", "ada@", "--yes").refuses(2, "address")
    assert digest("suppress", "sync", "--json").document == {"transport": "outbox", "new": 0}
    assert "The list is empty" in digest("subscribers", "list").out
    assert "Nobody is found" in digest("subscribers", "list", "--search", "x").out


def test_outside_a_project_there_is_no_list(digest: Digest) -> None:
    for command in (("list",), ("export",), ("add", "ada@example.com")):
        digest("subscribers", *command).refuses(2, "no project")


@pytest.mark.parametrize("is_killed", [True, False])
def test_import_that_is_ended_half_way_leaves_nothing_and_can_be_run_again(
    digest: Digest, project: Path, start: Callable[..., Process], is_killed: bool
) -> None:
    count = 20_000
    digest("subscribers", "add", "reader1@example.com", "--first-name", "Before")
    with sqlite3.connect(project / "var" / "digest.db") as connection:
        before = "\n".join(connection.iterdump())
    connection.close()
    lines = [f"reader{number}@example.com,Name{number}\n" for number in range(1, count + 1)]
    pipe = project / "slow.csv"
    os.mkfifo(pipe)
    process = start("subscribers", "import", pipe)
    with pipe.open("w", encoding="utf-8") as file:
        file.write("email,first_name\n")
        file.writelines(lines[: count // 2])
        file.flush()  # by now most of it is read: a pipe holds 64 KB
        if is_killed:
            process.child.kill()
        else:
            process.interrupt()
        process.child.wait(60)
    assert process.result().code != 0
    pipe.unlink()
    with sqlite3.connect(project / "var" / "digest.db") as connection:
        assert "\n".join(connection.iterdump()) == before
    connection.close()
    path = write("readers.csv", "email,first_name\n" + "".join(lines))
    told = json.loads(digest("subscribers", "import", path, "--json").out)
    assert (told["new"], told["updated"], told["rows"]) == (count - 1, 1, count)
    assert len(readers(digest)) == count
