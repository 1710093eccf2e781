"""html-validate with all it recommends, less what a mail must do otherwise than a page.

Off are: inline styles, attributes such as `bgcolor`, conditional comments, tables without a
`tbody`, `role="article"` in place of an element that mail clients take away, and long titles, which
are subjects.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.engines.conftest import NODE, Mail, RunEngine, Sample, do_without, need

pytestmark = pytest.mark.long

PLANTED = """<!DOCTYPE html>
<html><head><title>A mail</title></head><body>
<p><div>A block in a paragraph</div></p><img src="a.png"><p id="a"></p><p id="a"></p>
</body></html>
"""


def messages(html: str, folder: Path, run_engine: RunEngine) -> set[str]:
    """Return the rules that `html` breaks, each with its sentence and line."""
    need("node")
    program = NODE / "node_modules" / "html-validate" / "bin" / "html-validate.mjs"
    if not program.exists():
        do_without("html-validate is not installed: run `npm ci` in tests/engines/node.")
    page, report = folder / "mail.html", folder / "report.json"
    page.write_text(html, encoding="utf-8")
    options = ["--config", NODE / "mail.json", "--formatter", f"json={report}"]
    run_engine("node", program, *options, page, good=(0, 1))
    found: list[dict[str, Any]] = json.loads(report.read_text(encoding="utf-8"))
    return {
        f"{message['ruleId']}, line {message['line']}: {message['message']}"
        for result in found
        for message in result["messages"]
    }


def test_every_theme_is_valid_in_both_directions(
    mail: Mail, tmp_path: Path, run_engine: RunEngine
) -> None:
    assert messages(mail.inlined, tmp_path, run_engine) == set()


def test_sample_is_valid(sample: Sample, tmp_path: Path, run_engine: RunEngine) -> None:
    assert messages(sample.html, tmp_path, run_engine) == set()


def test_planted_faults_are_found(tmp_path: Path, run_engine: RunEngine) -> None:
    found = {message.partition(",")[0] for message in messages(PLANTED, tmp_path, run_engine)}
    assert found >= {"element-required-attributes", "no-dup-id"}
    assert found & {"no-implicit-close", "element-permitted-content", "close-order"}
