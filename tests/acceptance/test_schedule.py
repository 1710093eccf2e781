"""Editions that come by themselves, as somebody has them who runs the program."""

import datetime as dt
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from tests.acceptance.conftest import Digest, Process
from tests.acceptance.ticker import FAR, Ticker
from tests.ticking import SharedClock

WEDNESDAY = "2026-11-25T12:00"
READERS = 40


@pytest.fixture
def weekly(digest: Digest, project: Path) -> Path:
    """Return a project with readers and the sample's articles of the week."""
    rows = "".join(f"reader{number}@example.com\n" for number in range(READERS))
    (project / "list.csv").write_text("email\n" + rows)
    assert digest("subscribers", "import", "list.csv", "--now", WEDNESDAY).code == 0
    assert digest("tick", "--now", WEDNESDAY).code == 0
    return project


def set_rule(project: Path, **rules: str) -> None:
    """Change lines of the settings."""
    path = project / "config" / "digest.toml"
    lines = path.read_text().splitlines()
    for name, value in rules.items():
        [number] = [n for n, line in enumerate(lines) if line.startswith(f"{name} =")]
        lines[number] = f'{name} = "{value}"' if not value.isdigit() else f"{name} = {value}"
    path.write_text("\n".join(lines) + "\n")


def mails(project: Path) -> Counter[str]:
    """Return how many mails each reader has in the outbox."""
    found = [
        message_from_bytes(path.read_bytes(), policy=policy.default)
        for path in (project / "outbox").glob("2026-W48/batch-*/*.eml")
    ]
    return Counter(str(mail["To"]) for mail in found)


def test_timetable_says_when_what_goes_out(digest: Digest, weekly: Path) -> None:
    told = digest("schedule", "show", "--count", "3", "--now", WEDNESDAY, "--json")
    assert told.code == 0
    editions = told.document["editions"]
    assert [e["edition"] for e in editions] == ["2026-W48", "2026-W49", "2026-W50"]
    assert editions[0]["send_at"] == "2026-11-30T07:00:00+01:00"
    assert editions[0]["readers"] == READERS
    spring = digest("schedule", "show", "--now", "2027-03-24T12:00", "--count", "1")
    assert "Clocks go forward by 1 hour on Sun 2027-03-28" in spring.out
    digest("schedule", "show", "--tz", "Europe/Berlinn").refuses(2, "no zone 'Europe/Berlinn'")
    digest("schedule", "show", "--count", "0").refuses(2, "--count")


def test_week_by_cron_ends_in_a_mail_to_each_reader(digest: Digest, weekly: Path) -> None:
    for now in ("2026-11-29T17:59", "2026-11-29T18:00", "2026-11-29T18:30"):
        assert digest("tick", "--now", now).code == 0
    assert (
        digest("edition", "show", "--json", "--now", "2026-11-29T19:00").document["state"]
        == "draft"
    )
    later = ("--now", "2026-11-29T20:00")
    assert digest("edition", "freeze", *later).code == 0
    assert digest("edition", "approve", "--by", "Ana", *later).code == 0
    assert digest("tick", "--now", "2026-11-30T06:59").code == 0
    assert mails(weekly) == {}
    for now in ("2026-11-30T07:00", "2026-11-30T07:01", "2026-11-30T09:00"):
        assert digest("tick", "--now", now).code == 0
    assert len(mails(weekly)) == READERS
    assert set(mails(weekly).values()) == {1}
    assert (weekly / "var" / "reports" / "2026-W48.json").exists()
    told = digest("audit", "show", "--edition", "2026-W48").out
    for words in ("schedule: drafted", "frozen", "approved by Ana", "schedule: planned", "done"):
        assert words in told
    assert digest("audit", "verify").code == 0


def test_clock_that_went_back_is_told_and_accepted(digest: Digest, weekly: Path) -> None:
    assert digest("tick", "--now", "2026-11-28T12:00").code == 0
    digest("tick", "--now", "2026-11-26T12:00").refuses(
        1, "The clock says 2026-11-26", "stands still", "digest schedule accept"
    )
    assert digest("schedule", "accept", "--now", "2026-11-26T12:00").code == 0
    assert digest("tick", "--now", "2026-11-26T12:01").code == 0


def test_log_of_nothing_says_so(digest: Digest, weekly: Path) -> None:
    assert "nothing to verify" in digest("audit", "verify").out


def test_log_that_was_changed_is_found_out(digest: Digest, weekly: Path) -> None:
    import sqlite3

    assert digest("edition", "draft", "--now", WEDNESDAY).code == 0
    assert digest("edition", "hold", "--reason", "Ill.", "--now", WEDNESDAY).code == 0
    told = digest("audit", "verify", "--json")
    assert told.document["whole"] is True
    assert told.document["entries"] == 2
    last = told.document["last"]
    assert digest("audit", "verify", "--last", last).code == 0
    digest("audit", "verify", "--last", "0" * 64).refuses(1, "none has the hash of --last")
    digest("audit", "verify", "--last", "abc").refuses(2, "no hash")
    connection = sqlite3.connect(weekly / "var" / "digest.db")
    connection.execute("DROP TRIGGER audit_no_update")
    connection.execute("UPDATE audit SET actor = 'Eve' WHERE id = 2")
    connection.commit()
    connection.close()
    digest("audit", "verify").refuses(1, "broken after 1 entries")


def test_edition_that_is_held_or_skipped_says_why_and_comes_back(
    digest: Digest, weekly: Path
) -> None:
    now = ("--now", WEDNESDAY)
    assert digest("edition", "draft", *now).code == 0
    assert (
        "Because    Ana is ill." in digest("edition", "hold", "--reason", "Ana is ill.", *now).out
    )
    digest("edition", "skip", *now).refuses(2, "--reason")
    digest("edition", "skip", "--reason", " ", *now).refuses(2, "blank")
    assert digest("edition", "skip", "--reason", "A holiday.", *now).code == 0
    told = digest("edition", "show", "--edition", "2026-W48", "--json", *now).document
    assert (told["state"], told["reason"]) == ("skipped", "A holiday.")
    assert digest("edition", "reopen", "--edition", "2026-W48", *now).code == 0
    shown = digest("edition", "diff", *now)
    assert "nothing differs" in shown.out
    assert digest("edition", "lead", "5", *now).code == 0
    assert "lead: " in digest("edition", "diff", *now).out


def test_whoever_changed_it_last_does_not_approve_it_where_two_people_are_asked_for(
    digest: Digest, weekly: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = weekly / "config" / "digest.toml"
    path.write_text(path.read_text().replace("two_people = false", "two_people = true"))
    now = ("--now", WEDNESDAY)
    monkeypatch.setenv("DIGEST_EDITOR", "Ana")
    assert digest("edition", "lead", "5", *now).code == 0
    assert digest("edition", "freeze", *now).code == 0
    digest("edition", "approve", "--by", "ana", *now).refuses(8, "changed 2026-W48 last")
    assert digest("edition", "approve", "--by", "Bob", *now).code == 0


# Processes


def state_of(digest: Digest) -> str:
    """Return where the week's edition stands."""
    told = digest("edition", "show", "--edition", "2026-W48", "--json")
    return str(told.document["state"])


@pytest.mark.parametrize(
    ("done", "told"),
    [(["skip"], "next is 2026-W49, not drafted"), (["hold"], "2026-W48 is held until somebody")],
)
def test_schedule_names_what_comes_and_not_what_is_over(
    digest: Digest, weekly: Path, start: Callable[..., Process], done: list[str], told: str
) -> None:
    assert digest("edition", "draft", "--now", WEDNESDAY).code == 0
    assert digest("edition", *done, "--reason", "Ill.", "--now", WEDNESDAY).code == 0
    process = start("schedule", "run", "--now", WEDNESDAY, cwd=weekly)
    assert process.child.stderr is not None
    assert any(told in line for line in process.child.stderr)
    process.child.send_signal(signal.SIGTERM)
    assert process.result().code == 0


@pytest.mark.parametrize("command", [("schedule", "run"), ("serve", "--bind", "127.0.0.1:0")])
def test_sigterm_ends_it_after_what_is_under_way(
    weekly: Path, start: Callable[..., Process], command: tuple[str, ...]
) -> None:
    process = start(*command, "--now", WEDNESDAY, cwd=weekly)
    child = process.child
    lines = child.stdout if command[0] == "serve" else child.stderr
    assert lines is not None
    assert any("Schedule   runs" in line or "next is" in line for line in lines)
    process.child.send_signal(signal.SIGTERM)
    told = process.result()
    assert told.code == 0
    assert "Traceback" not in told.err


@pytest.fixture
def runs() -> Iterator[Callable[[Path, SharedClock], Ticker]]:
    children: list[Ticker] = []

    def run(project: Path, clock: SharedClock) -> Ticker:
        children.append(Ticker(project, clock))
        return children[-1]

    yield run
    for child in children:
        child.close()


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4))
def test_killed_and_started_again_and_twice_at_once_each_reader_gets_one_mail(
    digest: Digest,
    weekly: Path,
    runs: Callable[[Path, SharedClock], Ticker],
    seed: int,
) -> None:
    set_rule(weekly, unattended="send", send="sun 19:00", batch_size="3", settle_seconds="0")
    rng = random.Random(seed)
    clock = SharedClock(dt.datetime(2026, 11, 29, 16, 40, tzinfo=dt.UTC), speed=300)
    alive = [runs(weekly, clock) for _ in range(2)]
    over = dt.datetime(2026, 11, 29, 18, 30, tzinfo=dt.UTC)
    while clock.now() < over:
        time.sleep(rng.uniform(0.5, 3))
        place = rng.randrange(2)
        child = alive[place]
        if rng.random() < 0.6:
            child.send(signal.SIGKILL)
            assert child.ended() == -signal.SIGKILL, child.told()
            assert "Traceback" not in child.told()
        else:
            child.end()
        alive[place] = runs(weekly, clock)
    until = time.monotonic() + FAR
    while state_of(digest) != "done" and time.monotonic() < until:
        time.sleep(0.2)
    assert state_of(digest) == "done", "".join(child.told() for child in alive)
    assert len(mails(weekly)) == READERS
    assert set(mails(weekly).values()) == {1}
    told = digest("audit", "show", "--edition", "2026-W48", "--json").document["entries"]
    assert [entry["action"] for entry in told].count("planned") == 1
    assert digest("audit", "verify").code == 0
