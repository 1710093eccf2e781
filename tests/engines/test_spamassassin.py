import re
from pathlib import Path

import pytest

from tests.engines.conftest import RunEngine, Sample, need

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("alone")]


def points(run_engine: RunEngine, eml: bytes, folder: Path) -> float:
    """Return SpamAssassin's points for a mail, judged by its rules alone, with no network."""
    need("spamassassin")
    message = folder / "mail.eml"
    message.write_bytes(eml)
    preferences = folder / "preferences"
    preferences.write_text("")
    command = ["spamassassin", "--local", "--test-mode", "--prefspath", preferences]
    judged = run_engine(*command, message)
    found = re.search(r"^X-Spam-Status: .*?score=(-?[\d.]+)", judged, re.MULTILINE | re.DOTALL)
    assert found, judged[:2000]
    return float(found[1])


def test_spamassassin_finds_nothing_to_count(
    run_engine: RunEngine, sample: Sample, tmp_path: Path
) -> None:
    assert points(run_engine, sample.eml.read_bytes(), tmp_path) <= 0.5


def test_spamassassin_is_awake(run_engine: RunEngine, sample: Sample, tmp_path: Path) -> None:
    generic = b"XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
    message = b"From: a@example.com\nSubject: x\n\n" + generic + b"\n"
    assert points(run_engine, message, tmp_path) > 500
