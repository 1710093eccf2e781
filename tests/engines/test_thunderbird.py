"""Thunderbird opens the message; what it shows is read off the screen as a person would."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.engines.conftest import RunEngine, Sample, need

pytestmark = pytest.mark.long

PROGRAMS = ("thunderbird", "xdotool", "import", "identify", "tesseract")
NOWHERE = "127.0.0.1"
PREFERENCES = {
    "app.update.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "mail.accounthub.enabled": False,
    "mail.openMessageBehavior": 0,
    "mail.provider.suppress_dialog_on_startup": True,
    "mail.shell.checkDefaultClient": False,
    "mail.spotlight.firstRunDone": True,
    "mailnews.start_page.enabled": False,
    # Nothing listens there, so it asks nobody for anything.
    "network.proxy.type": 1,
    "network.proxy.http": NOWHERE,
    "network.proxy.http_port": 9,
    "network.proxy.ssl": NOWHERE,
    "network.proxy.ssl_port": 9,
}
DARK = {"ui.systemUsesDarkTheme": 1, "layout.css.prefers-color-scheme.content-override": 0}
PATIENCE = 90  # seconds


@contextmanager
def thunderbird(eml: Path, profile: Path, display: dict[str, str], *, dark: bool) -> Iterator[None]:
    """Run Thunderbird with a new profile and one message open."""
    profile.mkdir()
    lines = [
        f'user_pref("{name}", {str(value).lower() if isinstance(value, bool) else repr(value)});'
        for name, value in {**PREFERENCES, **(DARK if dark else {})}.items()
    ]
    (profile / "user.js").write_text("\n".join(lines) + "\n")
    command = [
        "dbus-run-session",
        "--",
        "thunderbird",
        "--no-remote",
        "--profile",
        str(profile),
        str(eml),
    ]
    with subprocess.Popen(
        command,
        env=display,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as program:
        try:
            yield
        finally:
            os.killpg(program.pid, signal.SIGKILL)


def words(text: str) -> list[str]:
    return re.findall(r"[a-z]{4,}", text.lower())


def share_found(expected: str, seen: str) -> float:
    """Return how many of the words are there; a reader of pixels misreads one now and then."""
    wanted = words(expected)
    assert wanted
    return sum(word in words(seen) for word in wanted) / len(wanted)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_thunderbird_shows_the_message(
    sample: Sample, display: dict[str, str], tmp_path: Path, run_engine: RunEngine, scheme: str
) -> None:
    need(*PROGRAMS)
    subject, *headlines = headlines_of(sample)
    shot = tmp_path / f"{scheme}.png"
    with thunderbird(sample.eml, tmp_path / "profile", display, dark=scheme == "dark"):
        find = ("xdotool", "search", "--sync", "--onlyvisible", "--name", re.escape(subject[:40]))
        window = run_engine(*find, env=display, timeout=PATIENCE).split()[-1]
        run_engine("xdotool", "windowsize", "--sync", window, 860, 2300, env=display)
        deadline = time.monotonic() + PATIENCE
        seen = ""
        while share_found(headlines[4], seen) < 0.8 and time.monotonic() < deadline:
            run_engine("import", "-window", window, shot, env=display)
            seen = run_engine("tesseract", shot, "-", env=display)
    for headline in headlines[:5]:
        assert share_found(headline, seen) >= 0.75, (headline, seen)
    brightness = float(run_engine("identify", "-format", "%[fx:mean]", shot))
    assert brightness > 0.8 if scheme == "light" else brightness < 0.25


def headlines_of(sample: Sample) -> list[str]:
    """Return the subject, and the headlines as they follow each other."""
    text = (sample.folder / "mail.txt").read_text(encoding="utf-8")
    subject = re.search(r"^Subject: (.*)$", sample.eml.read_text("utf-8"), re.MULTILINE)
    assert subject
    headlines = [found.strip() for found in re.findall(r"^\d+\. (.*)$", text, re.MULTILINE)]
    assert len(headlines) == 10
    return [subject[1], *headlines]
