"""What the benchmarks share: running a child process, its time and its memory, and rows."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds on the wall, and the peak resident memory of the process itself in bytes.

    The system counts a new process from the memory of the one that starts it, so the peak is never
    below that of the benchmark; collecting, whose memory matters, therefore runs first.
    """

    seconds: float
    peak_bytes: int


def run(command: Sequence[str], *, cwd: Path | None = None, good: Sequence[int] = (0,)) -> Cost:
    """Run a command to its end and return its cost.

    Raises:
        RuntimeError: It ended with another code than one of `good`; its errors are in the text.
    """
    started = time.perf_counter()
    child = subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert child.stderr is not None
    errors = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in good:
        raise RuntimeError(f"{command} ended with {child.returncode}: {errors[-2000:]}")
    kilobyte = 1 if sys.platform == "darwin" else 1024
    return Cost(seconds, usage.ru_maxrss * kilobyte)


def median_and_least(times: int, measured: Callable[[], float]) -> tuple[float, float]:
    """Measure several times; return the median and the least, in seconds."""
    found = [measured() for _ in range(times)]
    return median(found), min(found)


def row(name: str, seconds: float, baseline: float, extra: str = "") -> None:
    """Print one figure with its ratio to the baseline."""
    print(f"{name:<46} {seconds * 1000:>9.1f} ms {seconds / baseline:>7.2f} x  {extra}".rstrip())


def megabytes(number: int) -> str:
    """Return bytes as megabytes, in words."""
    return f"{number / 1e6:.0f} MB"
