"""What is done for the first time may be done by many threads at once."""

import subprocess
import sys

import pytest

CODE = """
import sys, threading
import msgspec
from digest.model.editions import Edition
from digest.storage.store import open_store
from digest.project import starter_root
from digest.rendering.renderer import MailRenderer
from digest.rendering.themes import load_theme
from digest.settings import NewsletterSettings
from digest.testing.factories import make_edition

sys.setswitchinterval(1e-6)
document = msgspec.to_builtins(make_edition(0))
templates = [starter_root() / "templates"]
store, renderer = open_store("sqlite://"), MailRenderer(templates, NewsletterSettings())
together = threading.Barrier(8)

def read():
    together.wait()
    USE

threads = [threading.Thread(target=read) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
"""


@pytest.mark.parametrize(
    "use", ["msgspec.convert(document, Edition)", 'load_theme(templates, "plain", script="Latn")']
)
def test_many_threads_may_read_documents_first(use: str) -> None:
    """Without care most of such processes end with a broken interpreter."""
    code = CODE.replace("USE", use)
    for _ in range(4):
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
