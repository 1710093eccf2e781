"""Rendering an edition of ten stories: the first in a process, and the ones after it."""

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.measure import median_and_least, row, run
from digest.merging import NAMES, CompiledVariant, compile_variant
from digest.project import load, starter_root
from digest.rendering.renderer import MailRenderer
from digest.testing.factories import make_edition

FILLS = 2000
COLD = """
from bench.rendering import renderer
from digest.testing.factories import make_edition
renderer().render(make_edition(10))
"""


def renderer() -> MailRenderer:
    """Return the renderer of the starter's templates."""
    project = load(starter_root(), {})
    return MailRenderer(project.template_folders, project.settings.newsletter)


def main() -> None:
    """Print the figures; ratios are to Python starting and doing nothing."""
    here = Path(__file__).parent.parent
    nothing, _ = median_and_least(5, lambda: run([sys.executable, "-c", "pass"], cwd=here).seconds)
    cold, _ = median_and_least(5, lambda: run([sys.executable, "-c", COLD], cwd=here).seconds)
    row("python -c pass", nothing, nothing)
    row("cold: a new process renders one mail", cold, nothing)
    made, edition = renderer(), make_edition(10)
    variant = made.render(edition)
    warm, least = median_and_least(30, lambda: _timed(lambda: made.render(edition)))
    row("warm: one mail, rendered and inlined", warm, nothing, f"least {least * 1000:.1f} ms")
    compiled = compile_variant(variant)
    values = {name: f"https://news.example.com/{name[0]}/Zm9vYmFyYmF6" for name in NAMES}
    values["address"] = "reader@example.com"
    filled, _ = median_and_least(5, lambda: _timed(lambda: _fill(compiled, values)))
    each = filled / FILLS
    row("filling it for one reader", each, nothing, f"{1 / each:,.0f} a second")
    print(f"{'HTML of ten stories':<46} {len(variant.html.encode()):>9,} bytes")


def _fill(compiled: CompiledVariant, values: Mapping[str, str]) -> None:
    """Put mails together and let go of each, as a run that hands them over does."""
    for _ in range(FILLS):
        compiled.fill(values)


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
