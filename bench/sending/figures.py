"""What one way of sending costs, measured by the process that sends and printed as JSON.

A process tells its own peak: what a parent can read of its child is never below the parent's.
"""

import json
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def measured(readers: int, **more: float) -> Iterator[None]:
    """Measure the context, and print the figures when it is left, with `more` among them."""
    found: dict[str, float] = {"readers": readers, **more}
    began, cpu = time.perf_counter(), time.process_time()
    yield
    found["seconds"] = time.perf_counter() - began
    found["cpu"] = time.process_time() - cpu
    found["peak"] = peak_bytes()
    print(json.dumps(found))


def peak_bytes() -> int:
    """Return the most memory that this process had, in bytes."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:  # not Linux
        factor = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * factor
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
