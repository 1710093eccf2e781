"""A folder of articles is a source; nothing outside the project is ever read."""

import datetime as dt
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from digest.errors import SourceRefused, SourceUnavailable
from digest.model.sources import Fetched, SourceState
from digest.settings import SourceSettings
from digest.sources.context import SourceContext
from digest.sources.files import MAX_FILES, make_source
from digest.sources.parsing import Limits, ParserPool
from tests.loopback import make_client

NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)


@pytest.fixture
def context(tmp_path: Path) -> Iterator[SourceContext]:
    (tmp_path / "project" / "articles").mkdir(parents=True)
    with ParserPool() as parser:
        yield SourceContext(root=tmp_path / "project", http=make_client(), parser=parser)


def fetch(
    context: SourceContext,
    url: str = "articles",
    state: SourceState | None = None,
    **settings: Any,
) -> Fetched:
    source = make_source(SourceSettings(name="folder", kind="files", url=url, **settings), context)
    return source.fetch(state or SourceState(name="folder"), now=NOW)


def test_each_text_markdown_and_page_is_an_article_in_the_order_of_names(
    context: SourceContext,
) -> None:
    folder = context.root / "articles"
    (folder / "b.txt").write_text("Second\n\nSep 14, 2026 Apps\n\nBody.\n")
    (folder / "a.md").write_text("---\ntitle: First\n---\nBody.\n")
    (folder / "sub").mkdir()
    (folder / "sub" / "c.html").write_text("<title>Third</title><p>Body.</p>")
    (folder / ".hidden.txt").write_text("Hidden")
    (folder / "notes.csv").write_text("no,article")
    fetched = fetch(context)
    assert [entry.title for entry in fetched.entries] == ["First", "Second", "Third"]
    assert [entry.id for entry in fetched.entries] == ["a.md", "b.txt", "sub/c.html"]
    assert fetched.state.last_success_at == NOW


def test_an_unchanged_folder_says_so_and_a_changed_or_renamed_file_does_not(
    context: SourceContext,
) -> None:
    article = context.root / "articles" / "a.txt"
    article.write_text("Title")
    first = fetch(context)
    assert not first.unchanged
    again = fetch(context, state=first.state)
    assert again.unchanged
    assert again.entries == ()
    renamed = article.rename(article.with_name("b.txt"))
    assert not fetch(context, state=first.state).unchanged
    renamed.write_text("New title")
    assert fetch(context, state=first.state).entries[0].title == "New title"


def test_a_file_that_cannot_be_an_article_is_refused_by_name_and_costs_no_other(
    context: SourceContext,
) -> None:
    folder = context.root / "articles"
    (folder / "bad.md").write_text("---\ntitle: [\n---\n")
    (folder / "big.txt").write_bytes(b"x" * (5 * 1024 * 1024 + 1))
    (folder / "empty.txt").write_text("")
    (folder / "good.txt").write_text("Good")
    (folder / "pipe.txt").symlink_to("pipe.txt")
    fetched = fetch(context)
    assert [entry.title for entry in fetched.entries] == ["Good"]
    assert [name for name, _ in fetched.refused] == ["bad.md", "big.txt", "empty.txt", "pipe.txt"]


def test_links_out_of_the_folder_are_refused_unread(context: SourceContext, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key.txt").write_text("Secret title")
    (context.root / "articles" / "file.txt").symlink_to(secret / "key.txt")
    (context.root / "articles" / "folder").symlink_to(secret)
    fetched = fetch(context)
    assert fetched.entries == ()
    assert fetched.refused == (("file.txt", "It lies outside the folder."),)


@pytest.mark.parametrize("url", ["..", "../other", "articles/../..", "/", "link"])
def test_a_folder_outside_the_project_is_refused(context: SourceContext, url: str) -> None:
    (context.root / "link").symlink_to(context.root.parent)
    with pytest.raises(SourceRefused, match="outside the project"):
        fetch(context, url)


def test_a_missing_folder_is_named_with_what_to_do(context: SourceContext) -> None:
    with pytest.raises(SourceUnavailable, match="no folder 'nowhere'") as caught:
        fetch(context, "nowhere")
    assert caught.value.hint


def test_a_folder_of_too_many_files_is_refused(context: SourceContext) -> None:
    for number in range(MAX_FILES + 1):
        (context.root / "articles" / f"{number}.txt").touch()
    with pytest.raises(SourceRefused, match="more than 2000"):
        fetch(context)


def test_a_named_pipe_is_not_waited_for(context: SourceContext) -> None:
    os.mkfifo(context.root / "articles" / "pipe.txt")
    assert fetch(context).refused == (("pipe.txt", "It is not a file."),)


def test_a_file_that_killed_the_parser_is_tried_again(context: SourceContext) -> None:
    (context.root / "articles" / "a.txt").write_text("Title")
    known = fetch(context).state
    (context.root / "articles" / "b.txt").write_text("Slow title")
    with ParserPool(limits=Limits(wall_seconds=0)) as hurried:
        first = fetch(replace(context, parser=hurried), state=known)
    assert first.entries == ()
    assert [name for name, _ in first.refused] == ["a.txt", "b.txt"]
    assert "killed the parser" in first.refused[0][1]
    second = fetch(context, state=first.state)
    assert [entry.title for entry in second.entries] == ["Title", "Slow title"]
    assert fetch(context, state=second.state).unchanged


def test_a_run_that_is_stopped_does_not_count_the_folder_as_read(context: SourceContext) -> None:
    (context.root / "articles" / "a.txt").write_text("Title")
    context.parser.close()
    with pytest.raises(SourceUnavailable, match="stopped"):
        fetch(context)


@pytest.mark.parametrize(
    "settings", [{"language": "de"}, {"timezone": "Europe/Berlin"}, {"topics": ("Apps",)}]
)
def test_a_setting_that_is_corrected_takes_effect(
    context: SourceContext, settings: dict[str, Any]
) -> None:
    (context.root / "articles" / "a.txt").write_text("Title")
    first = fetch(context)
    second = fetch(context, state=first.state, **settings)
    assert not second.unchanged
    assert fetch(context, state=second.state, **settings).unchanged
