"""Runs all benchmarks, or those named: `python -m bench [collecting] [sending --readers N] ...`."""

import argparse
from collections.abc import Callable

from bench import collecting, comparing, events, importing, pages, rendering, sending, starting
from bench.sending.scene import PER_REQUEST


def benchmarks(readers: int) -> dict[str, Callable[[], None]]:
    """Return all by name, in the order in which they run."""
    return {
        "collecting": collecting.main,
        "comparing": comparing.main,
        "events": events.main,
        "importing": importing.main,
        "pages": pages.main,
        "rendering": rendering.main,
        "sending": lambda: sending.main(readers),
        "starting": starting.main,
    }


def main() -> None:
    """Run what the command line names, else everything."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("names", nargs="*", metavar="NAME", help="which; all without it")
    parser.add_argument(
        "--readers", type=int, default=sending.READERS, help="how many sending mails"
    )
    options = parser.parse_args()
    known = benchmarks(options.readers)
    if unknown := set(options.names) - set(known):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}: {', '.join(known)}")
    if options.readers < 1 or options.readers % PER_REQUEST:
        parser.error("--readers goes by the thousand")
    for name, benchmark in known.items():
        if name in options.names or not options.names:
            print(f"\n{name}\n{'-' * len(name)}", flush=True)
            benchmark()


if __name__ == "__main__":
    main()
