"""Every kind of source keeps the same promises, and so does the plug-in of the guide."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from digest.model.articles import RawEntry
from digest.model.sources import Fetched, SourceState
from digest.ports import Source
from digest.settings import SourceSettings
from digest.sources import feeds, files
from digest.sources.context import SourceContext
from digest.sources.parsing import ParserPool
from digest.testing.contracts.source import SourceContract
from tests.guides import Guide
from tests.loopback import Loopback, Reply, Request, make_client

ROOT = Path(__file__).parents[2]
FEEDS = ROOT / "tests" / "fixtures" / "feeds"


@pytest.fixture(scope="module")
def parser() -> Iterator[ParserPool]:
    with ParserPool(size=1) as parser:
        yield parser


@pytest.fixture
def server() -> Iterator[Loopback]:
    with Loopback() as server:
        yield server


@pytest.fixture
def context(server: Loopback, parser: ParserPool, tmp_path: Path) -> SourceContext:
    return SourceContext(root=tmp_path, http=make_client(server), parser=parser)


def feed(context: SourceContext, url: str) -> Source:
    return feeds.make_source(SourceSettings(name="Example", url=url), context)


class FeedOverHttp(SourceContract):
    """The subclasses say how the server answers."""

    file = "rss20.xml"

    def page(self, _request: Request) -> Reply:
        return Reply(body=(FEEDS / self.file).read_bytes())

    @pytest.fixture
    def source(self, server: Loopback, context: SourceContext) -> Source:
        server.pages["/feed"] = self.page
        return feed(context, server.url("/feed"))

    @pytest.fixture
    def broken(self, server: Loopback, context: SourceContext) -> Source:
        server.pages["/feed"] = Reply(503, headers={"Retry-After": "3600"})
        return feed(context, server.url("/feed"))


class TestRss(FeedOverHttp):
    pass


class TestAtom(FeedOverHttp):
    file = "atom10.xml"


class TestJsonFeed(FeedOverHttp):
    file = "feed.json"


class TestFeedWithValidators(FeedOverHttp):
    def page(self, request: Request) -> Reply:
        is_known = request.headers.get("if-none-match") == 'W/"1"'
        return Reply(304 if is_known else 200, super().page(request).body, {"ETag": 'W/"1"'})


class TestFeedThatMoved(FeedOverHttp):
    @pytest.fixture
    def source(self, server: Loopback, context: SourceContext) -> Source:
        server.pages["/old"] = Reply(301, headers={"Location": "/feed"})
        server.pages["/feed"] = self.page
        return feed(context, server.url("/old"))


class TestFeedFromAFile(SourceContract):
    @pytest.fixture
    def source(self, context: SourceContext) -> Source:
        (context.root / "feed.xml").write_bytes((FEEDS / "rss20.xml").read_bytes())
        return feed(context, "feed.xml")

    @pytest.fixture
    def broken(self, context: SourceContext) -> Source:
        (context.root / "feed.xml").write_bytes(b"no feed")
        return feed(context, "feed.xml")


class TestFolderOfFiles(SourceContract):
    @pytest.fixture
    def source(self, context: SourceContext) -> Source:
        folder = context.root / "articles"
        folder.mkdir()
        (folder / "a.md").write_text("---\ntitle: First & best\n---\nBody with **weight**.\n")
        (folder / "b.txt").write_text("Second\n\nSep 14, 2026 Apps\n\nBody.\n")
        (folder / "c.html").write_bytes((FEEDS / "article.html").read_bytes())
        (folder / "d.md").write_text("---\ntitle: [\n---\n")
        return files.make_source(
            SourceSettings(name="Folder", kind="files", url="articles"), context
        )

    @pytest.fixture
    def broken(self, context: SourceContext) -> Source:
        return files.make_source(
            SourceSettings(name="Folder", kind="files", url="missing"), context
        )


class Liar:
    """Keeps all promises but the one that a test names."""

    name = "Liar"

    def __init__(self, lie: str) -> None:
        self.lie = lie
        self.fetches = 0

    def fetch(self, state: SourceState, *, now: dt.datetime) -> Fetched:
        self.fetches += 1
        entry = RawEntry(title="A <b>title</b>" if self.lie == "markup" else "Title")
        match self.lie:
            case "memory":
                entry = replace(entry, title=f"Fetch {self.fetches}")
            case "clock":
                entry = replace(entry, published=now.isoformat())
            case "changes":
                object.__setattr__(state, "etag", "mine")
            case "naive":
                now = now.replace(tzinfo=None)
            case "crash":
                raise KeyError
        state = replace(state, last_fetch_at=now, last_success_at=now, not_before_at=None)
        if self.lie != "failing":
            state = replace(state, failures=0, last_error="")
        if self.lie == "name":
            state = replace(state, name="Other")
        if self.lie == "baseline":
            state = replace(state, baseline_at=now)
        return Fetched(state=state, entries=() if self.lie == "nothing" else (entry,))


@pytest.mark.parametrize(
    ("lie", "promise"),
    [
        ("name", "test_the_first_fetch_needs_only_the_name_and_brings_entries"),
        ("nothing", "test_the_first_fetch_needs_only_the_name_and_brings_entries"),
        ("markup", "test_entries_are_plain_text"),
        ("naive", "test_the_state_can_be_stored"),
        ("failing", "test_a_good_fetch_ends_a_run_of_failures"),
        ("baseline", "test_what_others_remember_is_left_alone"),
        ("memory", "test_a_second_fetch_is_unchanged_or_brings_the_same"),
        ("memory", "test_all_memory_is_in_the_state"),
        ("changes", "test_the_state_it_is_given_stays_as_it_was"),
        ("clock", "test_it_reads_no_clock"),
        ("memory", "test_it_works_in_any_thread"),
    ],
)
def test_the_contract_finds_who_breaks_it(lie: str, promise: str) -> None:
    with pytest.raises(AssertionError):
        getattr(SourceContract(), promise)(Liar(lie))
    getattr(SourceContract(), promise)(Liar("none"))


@pytest.mark.parametrize("lie", ["none", "crash"])
def test_the_contract_finds_who_fails_in_another_way(lie: str) -> None:
    with pytest.raises((KeyError, pytest.fail.Exception)):
        SourceContract().test_what_cannot_be_used_says_so_in_a_sentence(Liar(lie))


def test_the_guide_leads_to_a_source_that_keeps_the_promises(tmp_path: Path) -> None:
    guide = Guide(ROOT / "docs" / "adding-a-source.md", tmp_path)
    assert guide.blocks == 7
    built, collected = guide.said
    promises = [name for name in vars(SourceContract) if name.startswith("test_")]
    assert f"{len(promises)} passed" in built
    assert "Maps that work in a tunnel" in collected
    assert "Team links" in collected
