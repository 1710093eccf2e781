"""The keys of readers' links on the command line: no key is shown, and no link dies unasked."""

import http.client
import os
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from digest.keyfile import open_keys
from digest.tokens import Tokens
from tests.acceptance.conftest import Digest, Process
from tests.acceptance.feeds import NOW, rss, use_sources
from tests.loopback import Loopback, Reply

NEXT_WEEK = "2026-12-02T12:00:00+00:00"
FILE = Path("var") / "keys.toml"


def send(digest: Digest, now: str) -> None:
    """Send what was collected to the one reader there is."""
    for command in (
        ("collect",),
        ("edition", "freeze"),
        ("edition", "approve", "--by", "Ana"),
        ("send", "--yes", "--expect", "1"),
    ):
        told = digest(*command, "--now", now)
        assert told.code == 0, told.err


def secrets_of(path: Path) -> list[str]:
    return [line.split('"')[1] for line in path.read_text().splitlines() if '= "' in line]


@pytest.fixture
def weeks(digest: Digest, project: Path, server: Loopback) -> Digest:
    """A project whose first edition went out before a rotation, and whose second did after it."""
    server.pages["/feed"] = Reply(body=rss("Maps", "Notes", "Music"))
    use_sources(project, {"News": server.url("/feed")})
    assert digest("subscribers", "add", "reader@example.com", "--origin", "asked").code == 0
    send(digest, NOW)
    assert digest("keys", "rotate", "--now", "2026-11-27T10:00:00+00:00").code == 0
    server.pages["/feed"] = Reply(body=rss("Tea", "Rain", "Fog", day=30, host="b.example.com"))
    send(digest, NEXT_WEEK)
    return digest


@pytest.fixture
def keyed(digest: Digest, project: Path) -> Digest:
    """A project with keys, of which nothing was sent."""
    open_keys(project / FILE, create=True)
    return digest


def test_list_and_drop_say_which_editions_stand_on_a_key(weeks: Digest) -> None:
    told = weeks("keys", "list", "--json").document
    assert [(key["key"], key["makes_links"]) for key in told["keys"]] == [(1, False), (2, True)]
    assert [key["since"] for key in told["keys"]] == [
        "2026-11-25T12:00:00Z",
        "2026-11-27T10:00:00Z",
    ]
    labels = [[edition["edition"] for edition in key["editions"]] for key in told["keys"]]
    assert labels == [["2026-W48"], ["2026-W49"]]
    shown = weeks("keys", "list").out
    assert "makes links" in shown
    assert "Europe/Berlin" in shown
    before = FILE.read_bytes()
    told = weeks("keys", "drop", "1")
    told.refuses(8, "Nobody is here", "--yes", "1 sent edition (2026-W48)")
    weeks("keys", "drop", "2", "--yes").refuses(2, "newest", "digest keys rotate")
    weeks("keys", "drop", "7", "--yes").refuses(2, "no key 7", "1, 2")
    for wrong in ("0", "-1", "x", ""):
        assert weeks("keys", "drop", "--yes", "--", wrong).code == 2
    assert FILE.read_bytes() == before
    told = weeks("keys", "drop", "1", "--yes", "--json")
    assert told.document["dropped"] == 1
    assert [edition["edition"] for edition in told.document["editions"]] == ["2026-W48"]
    assert [key["key"] for key in weeks("keys", "list", "--json").document["keys"]] == [2]

    # Without dates more editions are named rather than fewer.
    assert weeks("keys", "rotate").code == 0
    FILE.write_text("".join(f"{line.split('  #')[0]}\n" for line in FILE.read_text().splitlines()))
    told = weeks("keys", "drop", "2")
    told.refuses(8, "at most 2 sent editions (2026-W48 to 2026-W49)")
    FILE.unlink()  # what is lost is told, and not made anew
    for command in ("list", "rotate"):
        weeks("keys", command).refuses(3, "is missing", "backup")
    assert not FILE.exists()


def test_no_command_shows_a_key_and_the_log_of_who_did_what_has_none(keyed: Digest) -> None:
    hidden = secrets_of(FILE)
    assert keyed("keys", "rotate", "-v").code == 0
    hidden += secrets_of(FILE)
    said = [
        keyed("keys", "list"),
        keyed("keys", "list", "--json"),
        keyed("keys", "rotate", "-v"),
        keyed("keys", "drop", "1", "--yes", "-v"),
        keyed("audit", "show"),
    ]
    assert [told.code for told in said] == [0] * len(said)
    for secret in {*hidden, *secrets_of(FILE)}:
        assert not any(secret[:12] in told.out + told.err for told in said)
    assert "rotated the keys · key 2 makes the links" in said[-1].out
    assert "dropped a key · key 1 reads links no more" in said[-1].out


def test_number_of_the_key_is_typed_to_drop_it(
    keyed: Digest, project: Path, start: Callable[..., Process]
) -> None:
    main, ours = os.openpty()
    try:
        assert keyed("keys", "rotate").code == 0
        for typed, code in (("2", 8), ("1", 0)):
            process = start("keys", "drop", "1", cwd=project, stdin=ours)
            os.write(main, typed.encode() + b"\n")
            told = process.result()
            assert told.code == code, told.err
        assert list(open_keys(project / FILE, create=False).links) == [2]
    finally:
        os.close(main)
        os.close(ours)


def test_keys_that_do_not_exist_yet_are_not_made_by_looking(digest: Digest, project: Path) -> None:
    for command in ("list", "rotate"):
        digest("keys", command).refuses(2, "no keys yet")
    digest("keys", "drop", "1", "--yes").refuses(2, "no keys yet")
    assert not FILE.exists()


def test_rotations_at_once_make_one_key_each_or_none(
    keyed: Digest, project: Path, start: Callable[..., Process]
) -> None:
    before = dict(open_keys(project / FILE, create=False).links)
    told = [process.result() for process in [start("keys", "rotate", cwd=project) for _ in "ab"]]
    done = [result for result in told if result.code == 0]
    assert done
    assert {result.code for result in told} <= {0, 9}
    links = open_keys(project / FILE, create=False).links
    assert sorted(links) == list(range(1, len(before) + len(done) + 1))
    assert before.items() <= links.items()


def test_server_takes_a_new_key_and_lets_a_dropped_one_go(
    keyed: Digest, project: Path, start: Callable[..., Process]
) -> None:
    process = start("serve", "--no-scheduler", "--bind", "127.0.0.1:0", cwd=project)
    assert process.child.stdout is not None
    address = urlsplit(process.child.stdout.readline().split()[2]).netloc
    old = Tokens(open_keys(project / FILE, create=False)).reader(1, 1)
    assert keyed("keys", "rotate").code == 0
    new = Tokens(open_keys(project / FILE, create=False)).reader(1, 1)
    assert answers(address, f"/u/{new}", 200)
    assert answers(address, f"/u/{old}", 200)
    assert keyed("keys", "drop", "1", "--yes").code == 0
    assert answers(address, f"/u/{old}", 404)
    assert answers(address, f"/u/{new}", 200)
    process.interrupt()
    assert process.result().code == 0


def answers(address: str, path: str, status: int) -> bool:
    """Ask until the answer is `status`, for a minute at most."""
    ended = threading.Event()
    timer = threading.Timer(60, ended.set)
    timer.start()
    try:
        while not ended.is_set():
            connection = http.client.HTTPConnection(address, timeout=60)
            connection.request("GET", path)
            found = connection.getresponse().status
            connection.close()
            if found == status:
                return True
    finally:
        timer.cancel()
    return False
