"""The same digest by other tools: MJML's bytes and speed, and other inliners on our own page.

`python -m bench comparing` prints the figures, and `python -m bench.comparing.pictures FOLDER`
writes the pictures of docs/compared.md. Both need Node.js and `npm ci` in bench/comparing/node.
"""

import pickle
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.comparing.browser import LOOKS, browser, chromium, differences, looks
from bench.comparing.inliners import NODE, ROOT, TIMES, has_node_package, inlined, run_node
from bench.comparing.mails import Material, sample
from bench.measure import median_and_least, run

COLD = """
import pickle, sys
from pathlib import Path
from digest.rendering.renderer import MailRenderer
from digest.project import starter_root
edition, newsletter = pickle.loads(Path(sys.argv[1]).read_bytes())
MailRenderer([starter_root() / "templates"], newsletter).render(edition)
"""


def main() -> None:
    """Print both tables; each time is the least of several, so that other work counts little."""
    if not shutil.which("node") or not has_node_package("mjml"):
        print(f"left out: needs Node.js, and `npm ci` in {NODE.relative_to(ROOT)}")
        return
    with sample() as material, tempfile.TemporaryDirectory() as name:
        compare_mjml(material, Path(name))
        if chromium():
            compare_inliners(material, Path(name))
        else:
            print("left out: the inliners' looks need a Chromium")


def compare_mjml(material: Material, folder: Path) -> None:
    """Print bytes and times of the same ten stories."""
    source = folder / "digest.mjml"
    source.write_text(material.mjml(), encoding="utf-8")
    print(f"{'ten stories':<40} {'bytes':>8} {'tables':>7} {'cold ms':>8} {'warm ms':>8}")
    ours, warm = material.mail(), _ours_warm(material)
    _mail_row("digest", ours, _ours_cold(material, folder), warm)
    for name, options in (("MJML", "{}"), ("MJML, minified", '{"minify": true}')):
        command = ["node", str(NODE / "mjml.mjs"), str(source), "1", options]
        _, cold = median_and_least(5, lambda command=command: run(command).seconds)  # type: ignore[misc]
        told = run_node("mjml.mjs", source, TIMES, options)
        _mail_row(name, told["html"], cold * 1000, min(told["warm"]))


def compare_inliners(material: Material, folder: Path) -> None:
    """Print time, bytes and differences of each inliner on our un-inlined page."""
    page = material.page()
    names = [f"{width} {scheme}" for width, scheme in LOOKS]
    print(f"\n{'the same page, inlined by':<40} {'ms':>8} {'bytes':>8}", _columns(names))
    with browser() as started:
        before = looks(started, page)
        for one in inlined(page, folder):
            changed = differences(before, looks(started, one.html))
            size = len(one.html.encode())
            print(f"{one.name:<40} {one.least:>8.1f} {size:>8,}", _columns(changed))


def _columns(values: Sequence[object]) -> str:
    return " ".join(f"{value!s:>12}" for value in values)


def _mail_row(name: str, html: str, cold: float, warm: float) -> None:
    tables = len(re.findall("<table", html))
    print(f"{name:<40} {len(html.encode()):>8,} {tables:>7} {cold:>8.0f} {warm:>8.1f}")


def _ours_cold(material: Material, folder: Path) -> float:
    file = folder / "edition.pickle"
    file.write_bytes(pickle.dumps((material.edition, material.newsletter)))
    command = [sys.executable, "-c", COLD, str(file)]
    _, seconds = median_and_least(5, lambda: run(command, cwd=ROOT).seconds)
    return seconds * 1000


def _ours_warm(material: Material) -> float:
    renderer = material.renderer()

    def once() -> float:
        started = time.perf_counter()
        renderer.render(material.edition)
        return time.perf_counter() - started

    once()
    _, seconds = median_and_least(TIMES, once)
    return seconds * 1000
