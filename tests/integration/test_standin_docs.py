"""The page on the stand-in shows what runs, and names all that there is."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from digest.testing.sendgrid import ACCEPTS, LISTS, read_script

PAGE = Path(__file__).parents[2] / "docs" / "testing-with-the-stand-in.md"


@pytest.fixture(scope="module")
def text() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_example_of_the_page_passes(text: str, tmp_path: Path) -> None:
    [example] = re.findall(r"```python\n(.*?)```", text, re.S)
    (tmp_path / "test_example.py").write_text(example)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_example.py"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "2 passed" in run.stdout


def test_script_of_the_page_can_be_followed(text: str) -> None:
    [script] = re.findall(r"```json\n(.*?)```", text, re.S)
    assert len(read_script(script).faults) == 2


def test_page_names_every_fault_and_every_list(text: str) -> None:
    rows = "\n".join(line for line in text.splitlines() if line.startswith("|"))
    assert {kind for kind in ACCEPTS if f"`{kind}`" not in rows} == set()
    assert {name for name in LISTS if f"`{name}`" not in rows} == set()
