"""The golden mails, byte by byte. DIGEST_TEST_GOLDEN=write writes them anew: read that diff."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from digest.model.editions import Variant
from digest.project import starter_root
from digest.rendering.renderer import MailRenderer
from tests.golden.editions import ARABIC, ENGLISH, arabic_edition, rich_edition

HERE = Path(__file__).parent
REWRITES = os.environ.get("DIGEST_TEST_GOLDEN") == "write"
MAILS = {
    "plain-10": (rich_edition(), ENGLISH),
    "plain-1": (rich_edition(1), ENGLISH),
    "plain-rtl-10": (arabic_edition(), ARABIC),
}


def render(name: str) -> Variant:
    edition, newsletter = MAILS[name]
    return MailRenderer([starter_root() / "templates"], newsletter).render(edition)


@pytest.mark.parametrize("name", MAILS)
def test_mail_is_the_golden_one_byte_for_byte(name: str) -> None:
    variant = render(name)
    for suffix, body in (("html", variant.html), ("txt", variant.text)):
        path = HERE / f"{name}.{suffix}"
        if REWRITES:
            path.write_bytes(body.encode())
        assert body == path.read_bytes().decode(), f"{path.name} changed; see this file's head"


def test_ten_stories_take_less_than_half_of_what_gmail_shows() -> None:
    assert len(render("plain-10").html.encode()) <= 45_000


def test_same_edition_gives_the_same_bytes_in_every_process() -> None:
    script = "from tests.golden.test_golden import *; print(*(render(n).sha256 for n in MAILS))"
    found = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=HERE.parents[1],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout.strip()
        for seed in ("0", "1", "4242")
    }
    assert found == {" ".join(render(name).sha256 for name in MAILS)}
