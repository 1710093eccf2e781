"""The golden mails, byte by byte. DIGEST_TEST_GOLDEN=write writes them anew: read that diff."""

import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import msgspec
import pytest

from digest.merging import compile_variant
from digest.model.editions import Variant
from digest.project import starter_root
from digest.rendering.renderer import MailRenderer
from tests.golden.editions import ARABIC, ENGLISH, arabic_edition, rich_edition

HERE = Path(__file__).parent
TEMPLATES = starter_root() / "templates"
REWRITES = os.environ.get("DIGEST_TEST_GOLDEN") == "write"
THEMES = sorted(file.parent.name for file in TEMPLATES.glob("themes/*/tokens.toml"))
NAMES = ["-".join(parts) for parts in product(THEMES, ("ltr", "rtl"), ("1", "10"))]


def render(name: str) -> Variant:
    theme, direction, count = name.rsplit("-", 2)
    make, newsletter = {"ltr": (rich_edition, ENGLISH), "rtl": (arabic_edition, ARABIC)}[direction]
    themed = msgspec.structs.replace(newsletter, theme=theme)
    return MailRenderer([TEMPLATES], themed).render(make(int(count)))


@pytest.mark.parametrize("name", NAMES)
def test_mail_is_the_golden_one_byte_for_byte(name: str) -> None:
    variant = render(name)
    for suffix, body in (("html", variant.html), ("txt", variant.text)):
        path = HERE / f"{name}.{suffix}"
        if REWRITES:
            path.write_bytes(body.encode())
        assert body == path.read_bytes().decode(), f"{path.name} changed; see this file's head"


def test_no_golden_file_is_left_over() -> None:
    files = {path.name for path in HERE.iterdir() if path.suffix in (".html", ".txt")}
    assert files == {f"{name}.{suffix}" for name in NAMES for suffix in ("html", "txt")}


@pytest.mark.parametrize("theme", THEMES)
def test_ten_stories_take_less_than_half_of_what_gmail_shows(theme: str) -> None:
    assert len(render(f"{theme}-ltr-10").html.encode()) <= 45_000


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
def test_story_of_the_compact_theme_takes_at_most_1750_bytes(direction: str) -> None:
    ten, one = (
        len(compile_variant(render(f"compact-{direction}-{count}")).whole()[0].encode())
        for count in (10, 1)
    )
    assert (ten - one) / 9 <= 1_750


def test_same_edition_gives_the_same_bytes_in_every_process() -> None:
    script = "from tests.golden.test_golden import *; print(*(render(n).sha256 for n in NAMES))"
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
    assert found == {" ".join(render(name).sha256 for name in NAMES)}
