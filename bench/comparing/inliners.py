"""Our page, un-inlined, through each inliner: time, bytes, and what changed of its looks."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NODE = Path(__file__).parent / "node"
ROOT = Path(__file__).parents[2]
TIMES = 30


@dataclass(frozen=True, slots=True)
class Inlined:
    """What an inliner made of the page, and the milliseconds that each run took."""

    name: str
    html: str
    milliseconds: tuple[float, ...]

    @property
    def least(self) -> float:
        """The quickest run, which other work on the machine disturbed least."""
        return min(self.milliseconds)


def inlined(page: str, folder: Path) -> list[Inlined]:
    """Return the page as each inliner that is installed leaves it."""
    source = folder / "page.html"
    source.write_text(page, encoding="utf-8")
    alone = [sys.executable, "-m", "bench.comparing.alone", source, TIMES]
    found = [
        _here("digest: Premailer, bounded and checked", page, _ours()),
        _there("Premailer with its defaults", run_json(alone)),
        _here("css-inline", page, _css_inline()),
    ]
    if has_node_package("juice"):
        for name, options in (
            ("juice", "{}"),
            (
                "juice, pictures' attributes left alone",
                '{"applyWidthAttributes": false, "applyHeightAttributes": false}',
            ),
        ):
            found.append(_there(name, run_node("juice.mjs", source, TIMES, options)))
    return found


def _ours() -> Callable[[str], str]:
    from digest.rendering.inlining import inline

    return inline


def _css_inline() -> Callable[[str], str]:
    import css_inline

    inliner = css_inline.CSSInliner(load_remote_stylesheets=False)
    return lambda page: str(inliner.inline(page))


def _there(name: str, told: Any) -> Inlined:
    return Inlined(name, told["html"], tuple(told["warm"]))


def _here(name: str, page: str, inline: Callable[[str], str]) -> Inlined:
    taken = []
    for _ in range(TIMES):
        started = time.perf_counter()
        html = inline(page)
        taken.append((time.perf_counter() - started) * 1000)
    return Inlined(name, html, tuple(taken))


def has_node_package(name: str) -> bool:
    """Tell whether `npm ci` was run in bench/comparing/node."""
    return (NODE / "node_modules" / name).is_dir()


def run_node(script: str, *arguments: object) -> Any:
    """Return the JSON that a script of ours in Node.js prints."""
    return run_json(["node", NODE / script, *arguments])


def run_json(command: Sequence[object]) -> Any:
    """Return the JSON that a command prints."""
    words = [str(part) for part in command]
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, cwd=ROOT)
    return json.loads(done.stdout)
