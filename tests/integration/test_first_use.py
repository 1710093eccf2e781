"""What is done for the first time may be done by many threads at once."""

import subprocess
import sys

FIRST_USE = """
import sys, threading
import msgspec
from digest.model.editions import Edition
from digest.storage.store import open_store
from digest.testing.factories import make_edition

sys.setswitchinterval(1e-6)
document = msgspec.to_builtins(make_edition(0))
store = open_store("sqlite://")
together = threading.Barrier(8)

def read():
    together.wait()
    msgspec.convert(document, Edition)

threads = [threading.Thread(target=read) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


def test_many_threads_may_read_documents_first() -> None:
    """Without care nine of ten such processes end with a broken interpreter."""
    for _ in range(4):
        run = subprocess.run([sys.executable, "-c", FIRST_USE], capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
