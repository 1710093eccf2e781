"""Importing lists of up to a million readers, against reading the same file with csv alone."""

import random
import sys
import tempfile
from pathlib import Path

from bench.measure import Cost, megabytes, row, run

SIZES = (10_000, 100_000, 1_000_000)
READER = """
import csv, sys
with open(sys.argv[1], encoding="utf-8", newline="") as file:
    for cells in csv.reader(file, strict=True):
        pass
"""


def main() -> None:
    """Print the figures, those of a new process each; ratios are to csv.reader alone."""
    with tempfile.TemporaryDirectory() as scratch:
        digest = [sys.executable, "-m", "digest"]
        for size in SIZES:
            project = Path(scratch) / f"project-{size}"
            path = Path(scratch) / f"{size}.csv"
            _write(path, size)
            run([*digest, "init", str(project), "--quiet"])
            command = [*digest, "subscribers", "import", str(path), "--project", str(project)]
            csv = run([sys.executable, "-c", READER, str(path)])
            _show(f"csv.reader alone, {size:,} rows", csv, csv, size)
            _show(f"import, {size:,} rows, all new", run(command), csv, size)
            _show(f"import, {size:,} rows, all known", run(command), csv, size)


def _show(name: str, cost: Cost, baseline: Cost, size: int) -> None:
    speed = f"{size / cost.seconds:,.0f} rows/s"
    row(name, cost.seconds, baseline.seconds, f"{speed}, peak {megabytes(cost.peak_bytes)}")


def _write(path: Path, size: int) -> None:
    """Write a list in no order: an index grows slowest in that."""
    rng = random.Random(7)
    with path.open("w", encoding="utf-8") as file:
        file.write("email,first_name,topics,frequency,language\n")
        for number in range(size):
            name = f"reader{rng.randrange(10**9)}.{number}"
            file.write(
                f"{name}@mail{number % 97}.example.com,Name{number % 5_000},"
                f"Games; Photo & Video,weekly,{('en', 'de', 'fr')[number % 3]}\n"
            )
