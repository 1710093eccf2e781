"""How long a person waits: `digest --help` and a preview of the sample that is not the first."""

import sys
import tempfile
from pathlib import Path

from bench.measure import median_and_least, megabytes, row, run


def main() -> None:
    """Print the figures; ratios are to Python starting and doing nothing."""
    here = Path(__file__).parent.parent
    digest = [sys.executable, "-m", "digest"]
    nothing, _ = median_and_least(9, lambda: run([sys.executable, "-c", "pass"], cwd=here).seconds)
    row("python -c pass", nothing, nothing)
    click, _ = median_and_least(
        9, lambda: run([sys.executable, "-c", "import click"], cwd=here).seconds
    )
    row("python -c 'import click'", click, nothing)
    helped, _ = median_and_least(9, lambda: run([*digest, "--help"], cwd=here).seconds)
    row("digest --help", helped, nothing)
    with tempfile.TemporaryDirectory() as out:
        command = [*digest, "send", "--preview", "--no-open", "--out", f"{out}/preview"]
        run(command, cwd=here)
        preview, _ = median_and_least(5, lambda: run(command, cwd=here).seconds)
        peak = run(command, cwd=here).peak_bytes
        row("digest send --preview, second", preview, nothing, f"peak {megabytes(peak)}")
    make = ["make", "--silent", "preview"]
    if (here / ".venv").is_dir():
        run(make, cwd=here)
        again, _ = median_and_least(3, lambda: run(make, cwd=here).seconds)
        row("make preview, second", again, nothing)
