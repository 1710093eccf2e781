"""Long work on stderr: a bar on a terminal, else a line every ten seconds; nothing with -q."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from digest.cli.output import Output

EVERY_SECONDS = 10.0


class Advance(Protocol):
    """Called when steps of long work are done."""

    def __call__(self, steps: int = 1) -> None:
        """Note that so many more are done."""


@contextmanager
def progress(out: Output, what: str, total: int) -> Iterator[Advance]:
    """Yield what is called after steps of `total` are done; `what` names them in the plural."""
    if out.quiet:
        yield lambda _steps=1: None
    elif sys.stderr.isatty():
        with _bar(out, what, total) as advance:
            yield advance
    else:
        yield _lines(out, what, total)


def _lines(out: Output, what: str, total: int) -> Advance:
    done, told_at = 0, time.monotonic()

    def advance(steps: int = 1) -> None:
        nonlocal done, told_at
        done += steps
        if time.monotonic() - told_at >= EVERY_SECONDS:
            told_at = time.monotonic()
            out.note(f"{done:,} of {total:,} {what}")

    return advance


def now_and_then(tell: Callable[[str], None]) -> Callable[[str], None]:
    """Return what passes a text on to `tell` every ten seconds at most."""
    told_at = time.monotonic()

    def maybe(text: str) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= EVERY_SECONDS:
            told_at = time.monotonic()
            tell(text)

    return maybe


@contextmanager
def _bar(out: Output, what: str, total: int) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("  {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    console = Console(file=sys.stderr, no_color=not out.color)
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what.capitalize(), total=total)
        yield lambda steps=1: bar.advance(task, steps)
