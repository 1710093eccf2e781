"""A feed from a file: one of the project is read, and nothing outside it."""

import datetime as dt
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from digest.errors import SourceError, SourceRefused, SourceUnavailable
from digest.model.sources import Fetched, SourceState
from digest.settings import SourceSettings
from digest.sources.context import SourceContext
from digest.sources.feeds import make_source
from digest.sources.parsing import ParserPool
from tests.loopback import make_client

FEED = (Path(__file__).parent.parent / "fixtures" / "feeds" / "rss20.xml").read_bytes()
NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
NEW = SourceState(name="Courier")


@pytest.fixture
def context(tmp_path: Path) -> Iterator[SourceContext]:
    root = tmp_path / "project"
    root.mkdir()
    with ParserPool(size=1) as parser:
        yield SourceContext(root=root, http=make_client(), parser=parser)


def fetch(context: SourceContext, url: str, state: SourceState = NEW) -> Fetched:
    return make_source(SourceSettings(name="Courier", url=url), context).fetch(state, now=NOW)


@pytest.mark.parametrize("url", ["feed.xml", "config/feed.xml", "./feed.xml"])
def test_a_file_of_the_project_is_a_feed(context: SourceContext, url: str) -> None:
    path = context.root / url
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(FEED)
    first = fetch(context, url)
    assert len(first.entries) == 4
    assert first.state.url == url
    ended = ParserPool()
    ended.close()
    assert fetch(replace(context, parser=ended), url, first.state).unchanged
    path.write_bytes(FEED + b"\n")
    assert len(fetch(context, url, first.state).entries) == 4


@pytest.mark.parametrize(
    ("url", "kind", "words"),
    [
        ("missing.xml", SourceUnavailable, "No such file"),
        (".", SourceRefused, "is not a file"),
        ("pipe.xml", SourceRefused, "is not a file"),
        ("../outside.xml", SourceRefused, "outside the project"),
        ("link.xml", SourceRefused, "outside the project"),
        ("/etc/passwd", SourceRefused, "outside the project"),
        ("loop.xml", SourceUnavailable, "a link in a loop"),
        ("a\x00b", SourceUnavailable, "no file name"),
        ("x" * 300, SourceUnavailable, "File name too long"),
        ("big.xml", SourceRefused, "larger than 5 MB"),
        ("file:///etc/passwd", SourceRefused, 'uses "file:"'),
    ],
)
def test_what_is_no_feed_of_the_project_is_not_read(
    context: SourceContext, url: str, kind: type[SourceError], words: str
) -> None:
    root = context.root
    (root.parent / "outside.xml").write_bytes(FEED)
    (root / "link.xml").symlink_to("../outside.xml")
    (root / "loop.xml").symlink_to("loop.xml")
    (root / "big.xml").write_bytes(bytes(5 * 2**20 + 1))
    os.mkfifo(root / "pipe.xml")
    with pytest.raises(kind, match=words) as caught:
        fetch(context, url)
    assert caught.value.message.endswith(".")
