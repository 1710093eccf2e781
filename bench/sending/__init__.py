"""Handing one edition over to a host that throws it away, beside the least that can do so.

`python -m bench sending [--readers 1000000]`. The host is bench/sending/sink.py, because the
tests' stand-in, though quick enough for digest, would hold up the leanest way. Each way runs in a
process of its own, which measures itself from its first reader to its last.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from bench.measure import megabytes, run
from bench.sending.scene import write_project

READERS = 1_000_000
SMALL = (10_000, 100_000)  # for the growth of memory
SAMPLE = 50_000  # of ways that are too slow for everybody
SINGLES = 10_000
ROOT = Path(__file__).resolve().parents[2]

Figures = dict[str, float]


def main(readers: int = READERS) -> None:
    """Print the figures; each ratio is to the hand-written loop of the same run."""
    with tempfile.TemporaryDirectory() as scratch, sink() as host:
        bench = Bench(Path(scratch), host)
        bench.prepare(readers)
        sample = min(SAMPLE, readers)
        bench.head()
        bench.show("ready-made bodies, the same connections", "others", "floor", host, readers)
        bench.by_hand(readers)
        for in_flight in (1, 2):
            for hold in ("send", "hold"):
                name = f"digest, {in_flight} in flight{', held' if hold == 'hold' else ''}"
                bench.product(name, readers, in_flight, hold)
        bench.show("the provider's own objects and client", "others", "helpers", host, sample)
        try:
            bench.show("django-anymail", "others", "anymail", host, sample)
        except RuntimeError as error:
            print(f"django-anymail: {str(error).splitlines()[-1]}")
        bench.show("a request a reader", "others", "single", host, min(SINGLES, readers))
        bench.more(readers)
        for size in SMALL:
            if size < readers:
                bench.prepare(size)
                bench.product(f"digest, 2 in flight, {size:,} readers", size, 2, "send")


class Bench:
    """Runs the ways, each against the same host, and prints a line for each."""

    def __init__(self, scratch: Path, host: str) -> None:
        self._scratch, self._host = scratch, host
        self._baseline = 0.0  # CPU seconds a reader of the hand-written loop
        self._plans: list[float] = []
        self._editions = 0

    def prepare(self, readers: int) -> None:
        """Write a project with so many readers."""
        write_project(self._project(readers), self._host, readers)

    def head(self) -> None:
        """Print what the columns are."""
        print(
            f"{'':<40} {'readers/s':>9} {'CPU s/million':>13} {'by hand':>7} "
            f"{'bytes':>6} {'peak':>7}"
        )

    def by_hand(self, readers: int) -> None:
        """Measure the loop that all others are compared with."""
        folder = str(self._project(readers))
        found = self._run("by_hand", folder, self._host, readers)
        self._baseline = found["cpu"] / found["readers"]
        self._print("the hand-written loop", found)

    def product(self, name: str, readers: int, in_flight: int, hold: str) -> None:
        """Plan and hand over an edition of its own."""
        self._editions += 1
        label = f"2026-W{self._editions:02}"
        folder = str(self._project(readers))
        found = self._run("product", folder, readers, label, in_flight, hold)
        self._plans.append(found["planning"] / readers)
        self._print(name, found)

    def show(self, name: str, module: str, *arguments: object) -> None:
        """Measure one way and print it."""
        self._print(name, self._run(module, *arguments))

    def more(self, readers: int) -> None:
        """Print what planning and the account take."""
        plans = sorted(plan * 1e6 for plan in self._plans)
        print(f"planning, seconds a million: {plans[0]:.1f} to {plans[-1]:.1f}")
        project = ["--project", str(self._project(readers))]
        command = [sys.executable, "-m", "digest", "delivery", "report", *project]
        print(f"digest delivery report, in a new process: {run(command).seconds:.2f} s")

    def _project(self, readers: int) -> Path:
        return self._scratch / f"{readers}"

    def _run(self, module: str, *arguments: object) -> Figures:
        command = [sys.executable, "-m", f"bench.sending.{module}", *map(str, arguments)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{module} failed: {done.stderr[-2000:]}")
        found: Figures = json.loads(done.stdout)
        with urlopen(f"{self._host}/taken") as answer:
            found |= json.load(answer)
        return found

    def _print(self, name: str, found: Figures) -> None:
        readers = found["readers"]
        cpu = found["cpu"] / readers
        ratio = f"{cpu / self._baseline:.1f} x" if self._baseline else ""
        print(
            f"{name:<40} {readers / found['seconds']:>9,.0f} {cpu * 1e6:>13.2f} {ratio:>7} "
            f"{found['bytes'] / readers:>6,.0f} {megabytes(int(found['peak'])):>7}"
        )


@contextmanager
def sink() -> Iterator[str]:
    """Start the host; yield its address."""
    command = [sys.executable, "-m", "bench.sending.sink"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
