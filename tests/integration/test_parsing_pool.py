"""The parser pool: real child processes, killed for real."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from digest.errors import SourceMalformed, SourceRefused, SourceUnavailable
from digest.sources.parsing import Form, Limits, Parsed, ParserPool

FEEDS = Path(__file__).parent.parent / "fixtures" / "feeds"
GOOD = (FEEDS / "rss20.xml").read_bytes()
MEGABYTE = 1024 * 1024

# No XML parser reads it, and the lenient one needs several seconds for it.
SLOW = b"<rss " + b"<a " * 500_000


def feed(pool: ParserPool, body: bytes = GOOD, form: Form = "feed") -> Parsed:
    return pool.parse(form, body, url="https://x.example.com/feed")


def children() -> set[int]:
    me = str(os.getpid())
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[1] == me and fields[0] != "Z":
            found.add(int(status.parent.name))
    return found


def test_one_child_reads_many_bodies_of_all_forms() -> None:
    before = children()
    with ParserPool() as pool:
        assert len(feed(pool).entries) == 4
        assert feed(pool, b"Title\n\nBody", "text").entries[0].text == "Body"
        assert feed(pool, b"# Title", "markdown").entries[0].title == "Title"
        page = feed(pool, (FEEDS / "article.html").read_bytes(), "page")
        assert page.entries[0].title == "Headline & more"
        assert len(children() - before) == 1
    assert children() == before


def test_the_childs_refusals_arrive_with_message_and_hint() -> None:
    with ParserPool() as pool, pytest.raises(SourceMalformed, match="web page") as caught:
        feed(pool, (FEEDS / "page-with-feed.html").read_bytes())
    assert "https://x.example.com/feed.xml" in caught.value.hint


def test_feed_that_kills_the_parser_costs_that_feed_only() -> None:
    with ParserPool(size=1) as pool:
        before = children()
        feed(pool)
        (child,) = children() - before
        os.kill(child, signal.SIGSTOP)  # so that it dies with the job in its hands
        killer = threading.Timer(0.3, os.kill, (child, signal.SIGKILL))
        killer.start()
        with pytest.raises(SourceRefused, match="killed the parser: it crashed it"):
            feed(pool)
        killer.join()
        assert len(feed(pool).entries) == 4


def test_feed_that_hangs_the_parser_is_cut_off_at_the_deadline() -> None:
    with ParserPool(size=1, limits=Limits(wall_seconds=1.0)) as pool:
        before = children()
        feed(pool)
        (child,) = children() - before
        os.kill(child, signal.SIGSTOP)
        start = time.monotonic()
        with pytest.raises(SourceRefused, match="killed the parser: it took longer than 1 s"):
            feed(pool)
        assert time.monotonic() - start < 3
        assert len(feed(pool).entries) == 4


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (Limits(wall_seconds=1.0), "it took longer than 1 s"),
        (Limits(cpu_seconds=1), "it computed for longer than 1 s"),
    ],
)
def test_feed_that_is_slow_by_its_shape_costs_that_feed_only(limits: Limits, why: str) -> None:
    with ParserPool(size=1, limits=limits) as pool:
        assert len(feed(pool).entries) == 4
        with pytest.raises(SourceRefused, match=f"killed the parser: {why}"):
            feed(pool, SLOW)
        assert len(feed(pool).entries) == 4


def test_feed_that_eats_memory_costs_that_feed_only() -> None:
    limits = Limits(memory_bytes=110 * MEGABYTE)
    huge = b'{"version": "https://jsonfeed.org/version/1", "items": [' + b"[]," * 1_600_000 + b"0]}"
    with ParserPool(size=1, limits=limits) as pool:
        assert len(feed(pool).entries) == 4
        with pytest.raises(SourceRefused, match="killed the parser: it needed more than 110 MB"):
            feed(pool, huge)
        assert len(feed(pool).entries) == 4


def test_cpu_time_is_counted_for_each_body_not_for_the_child() -> None:
    limits = Limits(cpu_seconds=1)
    items = b"<item><title>t</title><description>d</description></item>" * 400
    body = b'<rss version="2.0"><channel><title>T</title>' + items + b"</channel></rss>"
    with ParserPool(size=1, limits=limits) as pool:
        start = time.monotonic()
        while time.monotonic() - start < 4:
            assert len(feed(pool, body).entries) == 400


def test_a_body_above_the_limit_never_reaches_a_child() -> None:
    before = children()
    with ParserPool() as pool:
        with pytest.raises(SourceRefused, match="larger than 5 MB"):
            feed(pool, b" " * (5 * MEGABYTE + 1))
        assert children() == before


def test_many_threads_share_few_children() -> None:
    before = children()
    with ParserPool(size=2) as pool, ThreadPoolExecutor(8) as threads:
        counts = list(threads.map(lambda _: len(feed(pool).entries), range(40)))
        assert len(children() - before) <= 2
    assert counts == [4] * 40


def test_closing_ends_a_child_at_work_and_says_so() -> None:
    before = children()
    pool = ParserPool(size=1)
    feed(pool)
    (child,) = children() - before
    os.kill(child, signal.SIGSTOP)
    closer = threading.Timer(0.3, pool.close)
    closer.start()
    with pytest.raises(SourceUnavailable, match="stopped"):
        feed(pool)
    closer.join()
    assert children() == before
    with pytest.raises(SourceUnavailable, match="stopped"):
        feed(pool)


def test_half_a_character_in_a_page_costs_itself_only() -> None:
    data = r'{"@type": "Article", "headline": "An owl", "datePublished": "2026-11-24\ud83d"}'
    page = f'<html><script type="application/ld+json">{data}</script><p>Text.</p></html>'
    with ParserPool() as pool:
        assert feed(pool, page.encode(), "page").entries[0].published == "2026-11-24"


def test_a_parser_that_cannot_be_started_is_a_passing_fault() -> None:
    program = (
        "import resource\nfrom digest.errors import SourceUnavailable\n"
        "from digest.sources.parsing import ParserPool\n"
        "with ParserPool() as pool:\n"
        "    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\n"
        "    try:\n"
        "        pool.parse('text', b'Title', url='')\n"
        "    except SourceUnavailable as error:\n"
        "        print(error.message, error.hint)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.startswith("No parser process can be started (Too many open files).")
    assert "Run it again" in done.stdout


def test_an_interrupt_from_the_keyboard_leaves_no_child_behind() -> None:
    program = (
        "import sys, time\nfrom digest.sources.parsing import ParserPool\n"
        "with ParserPool() as pool:\n"
        "    pool.parse('text', b'Title', url='')\n"
        "    print(next(iter(pool._children))._process.pid, flush=True)\n"
        "    time.sleep(30)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=10)
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_a_child_knows_no_secret_of_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENDGRID_API_KEY", "SG.not-a-real-key")
    before = children()
    with ParserPool() as pool:
        feed(pool)
        (child,) = children() - before
        assert b"SG.not" not in Path(f"/proc/{child}/environ").read_bytes()


def test_reading_feeds_loads_nothing_that_only_pages_need() -> None:
    program = (
        "import sys\nfrom digest.sources.parsing import Job\n"
        "from digest.sources.worker import answer\n"
        "answer(Job(form='feed', body=open(sys.argv[1], 'rb').read()))\n"
        "print(*sorted({'numpy', 'trafilatura', 'extruct', 'yaml'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", program, str(FEEDS / "rss20.xml")]
    loaded = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    assert loaded.strip() == ""
