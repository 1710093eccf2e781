"""From an empty folder to a report that balances to the reader, whatever fails on the way.

Everything is a real process: `digest`, and the provider's stand-in.
"""

import datetime as dt
import json
import os
import random
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Result

READERS = 12_418
FAR = "reader-7311@example.com"  # whom the provider refuses
ENDED = {0, 7}  # all accepted; or some refused or unknown
REFUSED = 6  # the provider takes nothing; a person mends that, and goes on
FAULTS: tuple[dict[str, Any], ...] = (
    {"kind": "bad_reader", "address": FAR},
    {"kind": "too_many", "at": [3], "retry_after": 1},
    {"kind": "server_error", "at": [6]},
    {"kind": "drop_after_accept", "at": [9]},
    {"kind": "drop_before_read", "at": [13]},
    {"kind": "half_answer", "at": [17]},
    {"kind": "no_credits", "at": [21]},
    {"kind": "too_large", "at": [25]},
    {"kind": "slow", "at": [28], "seconds": 0.2},
    {"kind": "server_error", "at": [2], "endpoint": "batch"},
)
BALANCE = ("accepted", "unknown", "abandoned", "cancelled", "pending")


class Desk:
    """A project and its provider, as somebody has them who sends from a terminal."""

    def __init__(self, folder: Path, provider: dict[str, str]) -> None:
        self.folder, self.provider = folder, provider
        self.label = ""
        self._environment = {
            **os.environ,
            "DIGEST_DELIVERY__TRANSPORT": "sendgrid",
            "DIGEST_DELIVERY__SETTLE_SECONDS": "0",
            "DIGEST_DELIVERY__BATCH_SIZE": "250",
            "DIGEST_SENDGRID__HOST": provider["url"],
            "DIGEST_SENDGRID__API_KEY": provider["api_key"],
        }

    def start(self, *arguments: str, **settings: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "digest", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=self._environment | settings,
        )

    def run(self, *arguments: str, **settings: str) -> Result:
        child = self.start(*arguments, **settings)
        try:
            out, err = child.communicate(timeout=240)
        finally:
            child.kill()
        return Result(child.returncode, out, err)

    def ask(self, what: str) -> Any:
        with urllib.request.urlopen(f"{self.provider['url']}/_standin/{what}", timeout=60) as said:
            return json.load(said)

    def misbehave(self, *faults: dict[str, Any]) -> None:
        script = json.dumps({"faults": faults}).encode()
        urllib.request.urlopen(
            f"{self.provider['url']}/_standin/script", script, timeout=60
        ).close()

    def prepare(self) -> None:
        """Import the readers, and collect, freeze and approve the edition of last week."""
        lines = [f"reader-{number}@example.com,Name {number}" for number in range(1, READERS + 1)]
        (self.folder / "readers.csv").write_text("\n".join(["email,first_name", *lines]) + "\n")
        assert self.run("subscribers", "import", "readers.csv").code == 0
        last_week = ("--now", (dt.datetime.now(dt.UTC) - dt.timedelta(days=8)).isoformat())
        for command in (
            ("collect",),
            ("edition", "freeze"),
            ("edition", "approve", "--by", "Ada"),
        ):
            told = self.run(*command, *last_week)
            assert told.code == 0, told.err
        shown = self.run("edition", "list", "--json").document
        self.label = shown["editions"][0]["edition"]

    def send(self, *options: str) -> tuple[str, ...]:
        """Return the command that sends the edition, which may go on with `--resume`."""
        return ("send", "--edition", self.label, *options)

    def first(self, *options: str) -> tuple[str, ...]:
        return self.send("--yes", "--expect", str(READERS), *options)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    for name in [name for name in os.environ if name.startswith("DIGEST_")]:
        monkeypatch.delenv(name)
    command = [sys.executable, "-m", "digest.testing.sendgrid", "--keep", "counts"]
    provider = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert provider.stdout is not None
        desk = Desk(tmp_path, json.loads(provider.stdout.readline()))
        assert desk.run("init", "weekly").code == 0
        desk.folder = tmp_path / "weekly"
        desk.prepare()
        yield desk
    finally:
        provider.terminate()
        provider.communicate()


def until_done(desk: Desk, told: Result) -> Result:
    """Go on as the program says, until it says that nothing is left to go on with."""
    for _ in range(12):
        assert told.code in {*ENDED, REFUSED}, told.err
        assert "Traceback" not in told.err
        if told.code in ENDED:
            return told
        told = desk.run(*desk.send("--resume"))
    pytest.fail(told.err)


def assert_balanced(desk: Desk) -> dict[str, Any]:
    """Compare the report, reader for reader, with what the provider took; return the report."""
    told = desk.run("delivery", "report", "--edition", desk.label, "--json")
    report = told.document
    assert report["balanced"]
    assert report["planned"] == report["candidates"] == READERS
    assert report["pending"] == 0
    refused = sum(report["refused"].values())
    assert sum(report[part] for part in BALANCE) + refused == READERS
    copies = desk.ask("accepted")
    assert set(copies.values()) == {1}
    assert report["accepted"] <= len(copies) <= report["accepted"] + report["unknown"]
    assert len(copies) + refused == READERS or report["unknown"]
    kept = desk.folder / "var" / "reports" / f"{desk.label}.json"
    assert json.loads(kept.read_text())["accepted"] == report["accepted"]
    return dict(report)


def kill_sometimes(desk: Desk, times: int, rng: random.Random, *options: str) -> Result:
    """Send, and kill -9 the process as often once it has handed some more over; then let it end."""
    command = desk.first(*options)
    for _ in range(times):
        child = desk.start(*command)
        wanted = desk.ask("summary")["requests"] + rng.randint(1, 12)
        while child.poll() is None and desk.ask("summary")["requests"] < wanted:
            pass
        child.kill()
        out, err = child.communicate()
        if child.returncode in ENDED:
            return Result(child.returncode, out, err)
        command = desk.send("--resume")
    return desk.run(*command)


def test_send_with_all_kinds_of_faults_ends_with_a_report_that_balances(desk: Desk) -> None:
    desk.misbehave(*FAULTS)
    told = until_done(desk, desk.run(*desk.first()))
    assert told.code == 7  # one reader was refused
    assert "it adds up" in told.out
    report = assert_balanced(desk)
    assert (report["accepted"], report["unknown"]) == (READERS - 1, 0)
    assert FAR not in desk.ask("accepted")
    desk.run(*desk.send("--resume")).refuses(2, "done")
    desk.run(*desk.first()).refuses(2, "done")
    assert_balanced(desk)


def test_send_that_is_killed_again_and_again_mails_everybody_once(desk: Desk) -> None:
    desk.misbehave(FAULTS[0], {"kind": "drop_after_accept", "at": [9]})
    told = kill_sometimes(desk, 3, random.Random(2026))
    assert until_done(desk, told).code == 7
    report = assert_balanced(desk)
    assert (report["accepted"], report["unknown"]) == (READERS - 1, 0)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("options", [(), ("--no-hold",)])
def test_whatever_the_faults_and_kills_the_report_balances(
    desk: Desk, options: tuple[str, ...], seed: int
) -> None:
    """So few kills that no run must wait for a person, or for the provider to release mail."""
    rng = random.Random(seed)
    faults = [{**fault, "at": [rng.randint(1, 40)]} for fault in rng.sample(FAULTS[1:], 5)]
    desk.misbehave(FAULTS[0], *faults)
    told = kill_sometimes(desk, 2, rng, *options)
    until_done(desk, told)
    report = assert_balanced(desk)
    assert not report["unknown"] or options
