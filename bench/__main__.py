"""Runs all benchmarks, or those named: `python -m bench [collecting] [comparing] ...`."""

import sys
from collections.abc import Callable

from bench import collecting, comparing, events, importing, rendering, starting

BENCHMARKS: dict[str, Callable[[], None]] = {
    "collecting": collecting.main,
    "comparing": comparing.main,
    "events": events.main,
    "importing": importing.main,
    "rendering": rendering.main,
    "starting": starting.main,
}


def main() -> None:
    """Run what the command line names, else everything."""
    names = sys.argv[1:] or list(BENCHMARKS)
    if unknown := set(names) - set(BENCHMARKS):
        sys.exit(f"There is no benchmark {', '.join(sorted(unknown))}: {', '.join(BENCHMARKS)}")
    for name in (known for known in BENCHMARKS if known in names):
        print(f"\n{name}\n{'-' * len(name)}")
        BENCHMARKS[name]()


if __name__ == "__main__":
    main()
