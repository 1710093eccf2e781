"""Letters where they are really sent: beside the pages, by `tick`, and by a process that dies."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.app import App
from digest.clocks import SystemClock
from digest.model.letters import LetterKind
from digest.project import load
from tests.website import Site, served

DYING = """
import os, signal, sys
from pathlib import Path
from digest.app import App
from digest.clocks import SystemClock
from digest.project import load

class Dying:
    name = "dying"
    def __init__(self, transport):
        self._transport = transport
    def submit(self, handover, *, now):
        if sys.argv[2] == "after":
            self._transport.submit(handover, now=now)
        os.kill(os.getpid(), signal.SIGKILL)

with App(load(Path(sys.argv[1]), {}), SystemClock()) as app:
    app.__dict__["transport"] = Dying(app.transport)
    app.letters.send_waiting(now=app.clock.now())
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with served(tmp_path / "weekly") as running:
        yield running


def outbox(app: App) -> list[Path]:
    return sorted(app.project.root.glob("outbox/notices/*/*.eml"))


def test_server_sends_what_waits(site: Site) -> None:
    site.app.letters.ask(LetterKind.SIGN_UP, "ada@example.com", network="n", now=site.clock.now())
    until = time.monotonic() + 60
    while not outbox(site.app) and time.monotonic() < until:
        time.sleep(0.05)
    [mail] = outbox(site.app)
    assert b"To: ada@example.com" in mail.read_bytes()


@pytest.mark.parametrize("moment", ["before", "after"])
def test_process_that_is_killed_while_it_hands_over_sends_no_letter_twice(
    tmp_path: Path, moment: str
) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "digest.toml").write_text("")
    with App(load(tmp_path, {}), SystemClock()) as app:
        app.letters.ask(LetterKind.SIGN_UP, "ada@example.com", network="n", now=app.clock.now())
        died = subprocess.run(
            [sys.executable, "-c", DYING, tmp_path, moment], env=dict(os.environ), check=False
        )
        assert died.returncode == -signal.SIGKILL
        for _ in range(3):
            assert app.letters.send_waiting(now=app.clock.now()) == 0
        assert len(outbox(app)) == (moment == "after")
        letter = app.letters_store.letter(1)
        assert letter is not None
        assert letter.state == "claimed"
        app.letters.ask(LetterKind.SIGN_UP, "ada@example.com", network="n", now=app.clock.now())
        assert app.letters.send_waiting(now=app.clock.now()) == 1
