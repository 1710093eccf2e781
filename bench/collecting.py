"""Collecting 200 feeds, cold and all unchanged, against the parser alone and another reader."""

import importlib.util
import sys
import tempfile
from pathlib import Path

from bench import feeds
from bench.measure import Cost, megabytes, row, run

COUNT = 200
NOW = "2026-11-22T12:00:00+00:00"
PARSER = f"""
import io, feedparser
from bench.feeds import feed
for number in range({COUNT}):
    feedparser.parse(io.BytesIO(feed(number)), sanitize_html=False, resolve_relative_uris=False)
"""
READER = """
import sys
from reader import make_reader
from bench.feeds import address
path, port, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
reader = make_reader(path)
for number in range(count):
    reader.add_feed(f"http://{address(number)}:{port}/{number}", exist_ok=True)
reader.update_feeds(workers=8, scheduled=False)
"""


def main() -> None:
    """Print the figures; every ratio is to feedparser alone on the same bytes."""
    here = Path(__file__).parent.parent
    with tempfile.TemporaryDirectory() as scratch, feeds.serving() as port:
        project = Path(scratch) / "project"
        digest = [sys.executable, "-m", "digest"]
        run([*digest, "init", str(project), "--quiet"])
        _name_sources(project, port)
        collect = [*digest, "collect", "--quiet", "--now", NOW, "--project", str(project)]
        parser = run([sys.executable, "-c", PARSER], cwd=here)
        cold = run(collect, cwd=here)
        again = run(collect, cwd=here)
        _show("feedparser alone, one process", parser, parser)
        _show(f"digest collect, {COUNT} feeds, cold", cold, parser)
        _show(f"digest collect, {COUNT} feeds, all 304", again, parser)
        if importlib.util.find_spec("reader") is None:
            print("reader: not installed here (pip install reader sgmllib3k)")
            return
        script = [sys.executable, "-c", READER, f"{scratch}/reader.db", str(port), str(COUNT)]
        _show(f"reader, {COUNT} feeds, cold", run(script, cwd=here), parser)
        _show(f"reader, {COUNT} feeds, all 304", run(script, cwd=here), parser)


def _show(name: str, cost: Cost, baseline: Cost) -> None:
    row(name, cost.seconds, baseline.seconds, f"peak {megabytes(cost.peak_bytes)}")


def _name_sources(project: Path, port: int) -> None:
    path = project / "config" / "digest.toml"
    text = path.read_text()
    head, tail = text[: text.index("\n[[source]]") + 1], text[text.index("[delivery]") :]
    sources = "".join(
        f'[[source]]\nname = "News {number}"\nallow_private = true\n'
        f'url = "http://{feeds.address(number)}:{port}/{number}"\n\n'
        for number in range(COUNT)
    )
    path.write_text(head + sources + tail)
