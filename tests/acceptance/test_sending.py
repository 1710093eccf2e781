"""Sending on the command line: who may, what it says, and how it goes on."""

import datetime as dt
import json
import sqlite3
import time
from collections.abc import Callable
from email import message_from_bytes, policy
from email.utils import parseaddr
from pathlib import Path

import pytest

from digest.services.handing_over import LEASE
from digest.storage.database import open_database
from digest.storage.ledger import SqlLedger
from tests.acceptance.conftest import Digest, Process, Result
from tests.acceptance.feeds import NOW, rss, use_sources
from tests.loopback import Loopback, Reply

LATER = "2026-11-25T13:00:00+00:00"
READERS = 5


@pytest.fixture
def desk(digest: Digest, project: Path, server: Loopback) -> Digest:
    """A project with a drafted edition and five readers, at a fixed time."""
    server.pages["/feed"] = Reply(body=rss("Maps", "Notes", "Music", "Photos"))
    use_sources(project, {"News": server.url("/feed")})
    assert digest("collect", "--now", NOW).code == 0
    add_readers(digest, range(1, READERS + 1))

    def call(*arguments: object) -> Result:
        return digest(*arguments, *(() if "--now" in arguments else ("--now", NOW)))

    return call


def add_readers(digest: Digest, numbers: range) -> None:
    rows = "".join(f"reader{number}@example.com,Name{number}\n" for number in numbers)
    path = Path("readers.csv")
    path.write_text("email,first_name\n" + rows)
    assert digest("subscribers", "import", path).code == 0


def approve(desk: Digest) -> None:
    assert desk("edition", "freeze").code == 0
    assert desk("edition", "approve", "--by", "Ana").code == 0


def send(desk: Digest, expect: int = READERS, *more: object) -> Result:
    return desk("send", "--yes", "--expect", expect, *more)


def change(project: Path, old: str, new: str) -> None:
    """Change a line of the settings."""
    path = project / "config" / "digest.toml"
    text = path.read_text()
    [line] = [line for line in text.splitlines() if line.startswith(old)]
    path.write_text(text.replace(line, new))


def mailed(project: Path) -> list[str]:
    """Return whom the outbox holds mails to, in order."""
    files = (project / "outbox").glob("2026-W48/batch-*/*.eml")
    mails = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in files]
    return sorted(parseaddr(str(mail["To"]))[1] for mail in mails)


def everybody(count: int = READERS) -> list[str]:
    return sorted(f"reader{number}@example.com" for number in range(1, count + 1))


def state(desk: Digest) -> str:
    [edition] = desk("edition", "list", "--json").document["editions"]
    return str(edition["state"])


def test_approved_edition_reaches_every_reader_and_proves_it(desk: Digest, project: Path) -> None:
    approve(desk)
    told = send(desk)
    assert told.code == 0
    assert "Goes to    5 readers through outbox" in told.err
    assert "Balance    it adds up" in told.out
    assert mailed(project) == everybody()
    proof = desk("delivery", "report", "--json")
    assert (proof.code, proof.document["accepted"], proof.document["balanced"]) == (0, 5, True)
    kept = json.loads((project / "var" / "reports" / "2026-W48.json").read_text())
    assert (kept["accepted"], kept["candidates"], kept["state"]) == (5, 5, "done")
    assert desk("delivery", "status").code == 0
    send(desk).refuses(2, "is done; it is not sent again", "digest delivery report")
    desk("send", "--resume").refuses(2, "is done; there is nothing to go on with")
    desk("delivery", "pause").refuses(2, "nothing to pause")
    assert mailed(project) == everybody()


def test_who_is_not_mailed_is_counted_with_the_reason(desk: Digest, project: Path) -> None:
    assert desk("subscribers", "remove", "reader2@example.com").code == 0
    assert desk("suppress", "add", "reader3@example.com").code == 0
    approve(desk)
    told = send(desk, 3)
    assert told.code == 0
    assert "Not to     1 left, 1 manual" in told.err
    assert mailed(project) == [f"reader{number}@example.com" for number in (1, 4, 5)]
    assert desk("delivery", "report", "--json").document["excluded"] == {"left": 1, "manual": 1}


@pytest.mark.parametrize("step", ["nothing", "draft", "freeze"])
def test_what_nobody_approved_is_not_sent(desk: Digest, project: Path, step: str) -> None:
    if step != "nothing":
        assert desk("edition", step).code == 0
    told = send(desk)
    told.refuses(8, "2026-W48")
    assert "digest edition" in told.err
    assert not (project / "outbox").exists()


def test_number_of_readers_is_confirmed_before_anything_is_planned(
    desk: Digest, project: Path
) -> None:
    approve(desk)
    desk("send", "--yes").refuses(8, "--expect 5", "nothing was planned")
    desk("send").refuses(8, "Nobody is here to confirm it", "--expect 5")
    send(desk, 4).refuses(8, "5 readers would get it, and 4 were expected")
    send(desk, 6).refuses(8, "Nothing was planned")
    assert (state(desk), mailed(project)) == ("approved", [])
    assert send(desk, 5).code == 0


@pytest.mark.parametrize(("readers", "code"), [(97, 8), (98, 0), (102, 0), (103, 8)])
def test_expected_number_may_be_two_in_a_hundred_off(
    desk: Digest, digest: Digest, readers: int, code: int
) -> None:
    add_readers(digest, range(6, readers + 1))
    approve(desk)
    assert send(desk, 100).code == code


def test_edition_without_readers_is_not_sent(desk: Digest, project: Path) -> None:
    for number in range(1, 6):
        assert desk("subscribers", "remove", f"reader{number}@example.com").code == 0
    approve(desk)
    send(desk, 0).refuses(4, "There is no reader", "digest subscribers import")
    assert state(desk) == "approved"


def test_second_run_does_nothing_and_says_so(desk: Digest, project: Path) -> None:
    approve(desk)
    database = open_database(f"sqlite:///{project}/var/digest.db")
    with database.hold("send"):
        send(desk).refuses(9, "is under way", "Let it finish")
        desk("delivery", "cancel", "--yes").refuses(9, "is paused", "digest delivery cancel")
    database.close()
    assert (state(desk), mailed(project)) == ("paused", [])
    assert desk("send", "--resume").code == 0  # its number was confirmed when it was planned
    assert mailed(project) == everybody()


def test_outbox_of_something_else_stops_the_send_and_loses_nothing(
    desk: Digest, project: Path
) -> None:
    approve(desk)
    stranger = project / "outbox" / "2026-W48" / "batch-1"
    stranger.mkdir(parents=True)
    told = send(desk)
    assert told.code == 6
    assert "move that folder away first" in told.err
    assert "digest send --resume --edition 2026-W48" in told.err
    send(desk).refuses(2, "is paused", "digest send --resume")
    stranger.rmdir()
    assert desk("delivery", "resume").code == 0
    assert mailed(project) == everybody()


def test_paused_edition_is_cancelled_and_its_readers_are_counted(
    desk: Digest, project: Path
) -> None:
    desk("delivery", "status").refuses(2, "No edition was sent yet")
    approve(desk)
    (project / "outbox" / "2026-W48" / "batch-1").mkdir(parents=True)
    assert send(desk).code == 6
    desk("delivery", "status", "--edition", "2026-W40").refuses(2, "was not sent")
    found = desk("delivery", "cancel", "--yes", "--json").document
    assert (found["cancelled"], found["state"], found["balanced"]) == (5, "cancelled", True)
    desk("send", "--resume").refuses(2, "there is nothing to go on with")
    desk("delivery", "cancel", "--yes").refuses(2, "nothing to cancel")


@pytest.fixture
def doubtful(desk: Digest, project: Path) -> Digest:
    """An edition whose one batch was claimed by a run that died; the outbox tells nothing of it."""
    change(project, "settle_seconds", "settle_seconds = 0")
    approve(desk)
    place = project / "outbox" / "2026-W48" / "batch-1"
    place.mkdir(parents=True)
    assert send(desk).code == 6
    database = open_database(f"sqlite:///{project}/var/digest.db")
    ledger = SqlLedger(database)
    assert ledger.change_state(1, ["paused"], "sending")
    now = dt.datetime.fromisoformat(NOW)
    claim = ledger.claim(1, holder="dead", reservation="", release_at=None, now=now, lease=LEASE)
    assert claim is not None
    database.close()
    told = desk("send", "--resume")
    assert told.code == 7
    assert "Unknown            5" in told.out
    assert "digest delivery settle" in told.err
    return desk


def test_batch_in_doubt_waits_for_a_person_with_a_name(doubtful: Digest, project: Path) -> None:
    assert (state(doubtful), doubtful("delivery", "report").code) == ("attention", 7)
    listed = doubtful("delivery", "settle")
    assert listed.code == 7
    assert "5 readers of 2026-W48 in doubt" in listed.out
    for wrong in (["1"], ["--accepted"], ["1", "--accepted"], ["1", "--accepted", "--by", " "]):
        assert doubtful("delivery", "settle", *wrong).code == 2
    doubtful("delivery", "settle", "9", "--accepted", "--by", "Ana").refuses(2, "is not unknown")
    settled = doubtful("delivery", "settle", "1", "--accepted", "--by", "Ana", "--note", "I looked")
    assert (settled.code, state(doubtful)) == (0, "done")
    [batch] = doubtful("delivery", "report", "--json").document["batches"]
    assert (batch["settled_by"], batch["reason"]) == ("Ana", "I looked")


def test_person_gives_a_batch_up(doubtful: Digest) -> None:
    assert doubtful("delivery", "settle", "1", "--abandon", "--by", "Ana").code == 0
    report = doubtful("delivery", "report", "--json").document
    assert (report["abandoned"], report["accepted"], report["state"]) == (5, 0, "done")


def test_person_lets_a_batch_be_handed_over_again(doubtful: Digest, project: Path) -> None:
    told = doubtful("delivery", "settle", "1", "--resend", "--by", "Ana")
    assert told.code == 0
    assert "digest send --resume --edition 2026-W48" in told.out
    (project / "outbox" / "2026-W48" / "batch-1").rmdir()
    assert doubtful("send", "--resume").code == 0
    assert mailed(project) == everybody()


def test_ctrl_c_ends_after_the_batch_and_the_command_it_prints_finishes_the_rest(
    desk: Digest, project: Path, start: Callable[..., Process]
) -> None:
    change(project, "batch_size", "batch_size = 1")
    change(project, "readers_per_second", "readers_per_second = 1")
    approve(desk)
    # Its clock stands still, so that the second batch waits for ever.
    running = start("send", "--yes", "--expect", READERS, "--now", NOW, cwd=project)
    while not mailed(project) and running.child.poll() is None:
        time.sleep(0.02)
    running.interrupt()
    told = running.result()
    assert (told.code, "Traceback" in told.err) == (130, False)
    command = "digest send --resume --edition 2026-W48"
    assert f"To go on: {command}" in told.err
    assert (
        "A schedule that runs (digest schedule run, serve or tick) goes on by itself." in told.err
    )
    assert "To keep it from that: digest delivery pause --edition 2026-W48" in told.err
    assert "Pending            4" in told.out
    assert len(mailed(project)) == 1
    change(project, "readers_per_second", "readers_per_second = 0")
    assert desk(*command.split()[1:], "--now", LATER).code == 0
    assert mailed(project) == everybody()
    with sqlite3.connect(project / "var" / "digest.db") as connection:
        [(tries,)] = connection.execute("SELECT count(*) FROM attempts").fetchall()
    connection.close()
    assert tries == READERS


def test_decisions_that_contradict_each_other_decide_nothing(doubtful: Digest) -> None:
    told = doubtful("delivery", "settle", "1", "--accepted", "--resend", "--by", "Ada")
    told.refuses(2, "contradict each other")
    doubtful("delivery", "settle", "1", "--by", "Ada").refuses(2, "--accepted, --resend or")
    doubtful("delivery", "settle", "--abandon", "--by", "Ada").refuses(2, "needs BATCH")
    doubtful("delivery", "settle", "1", "--abandon").refuses(2, "--by NAME")
    assert doubtful("delivery", "report", "--json").document["unknown"] > 0


def test_report_and_status_need_no_key(desk: Digest, project: Path) -> None:
    approve(desk)
    assert send(desk).code == 0
    change(project, 'transport = "outbox"', 'transport = "sendgrid"')
    assert desk("delivery", "status").code == 0
    assert desk("delivery", "report").code == 0


def test_invented_time_goes_to_no_provider_that_keeps_mail(
    desk: Digest, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    approve(desk)
    change(project, 'transport = "outbox"', 'transport = "sendgrid"')
    monkeypatch.setenv("DIGEST_SENDGRID__API_KEY", "SG.key")
    send(desk).refuses(2, "--now does not go with")
    assert desk("edition", "show", "--json").document["state"] == "approved"
