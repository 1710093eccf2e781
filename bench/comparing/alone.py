"""Premailer as it comes, in a process where nothing of ours has set it up.

`python -m bench.comparing.alone PAGE.html TIMES` prints {html, warm: [milliseconds, ...]}.
"""

import json
import logging
import sys
import time
from pathlib import Path

import cssutils
from premailer import Premailer


def main() -> None:
    """Inline, again and again."""
    page = Path(sys.argv[1]).read_text(encoding="utf-8")
    cssutils.log.setLevel(logging.CRITICAL)
    html, taken = "", []
    for _ in range(int(sys.argv[2])):
        started = time.perf_counter()
        html = str(Premailer(page, cssutils_logging_level=logging.CRITICAL).transform())
        taken.append((time.perf_counter() - started) * 1000)
    print(json.dumps({"html": html, "warm": taken}))


if __name__ == "__main__":
    main()
