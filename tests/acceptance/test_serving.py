"""`digest serve`: the readers' pages, until Ctrl-C or SIGTERM."""

import http.client
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest

from tests.acceptance.conftest import Digest, Process


def started(process: Process) -> tuple[str, str]:
    """Wait until the command serves; return its address and what it said."""
    lines = process.child.stdout or pytest.fail("no output")
    line = lines.readline()
    assert line.startswith("Served at  http://127.0.0.1:"), line + process.result().err
    return urlsplit(line.split()[2]).netloc, line + "".join(lines.readline() for _ in range(3))


def answer(address: str, path: str) -> int:
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.request("GET", path)
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serves_until_it_is_told_to_end(
    project: Path, start: Callable[..., Process], number: signal.Signals
) -> None:
    process = start("serve", "--bind", "127.0.0.1:0", cwd=project)
    address, said = started(process)
    assert answer(address, "/health") == 200
    assert answer(address, "/u/x") == 404
    process.child.send_signal(number)
    told = process.result()
    assert told.code == 0
    assert "Traceback" not in told.err
    assert "Nothing is served any more" in told.err
    assert "Subscribe  https://news.example.com/\n" in said
    assert "https://news.example.com/u/" in said
    assert "webhook_public_key is not set" in said
    assert (project / "var" / "keys.toml").stat().st_mode & 0o777 == 0o600


def test_document_says_where(project: Path, start: Callable[..., Process]) -> None:
    process = start("serve", "--bind", "localhost:0", "--json", cwd=project)
    lines = []
    for line in process.child.stdout or ():
        lines.append(line)
        if line == "}\n":
            break
    process.interrupt()
    told = msgspec.json.decode("".join(lines))
    assert told.keys() == {"address", "public_url", "hook", "newsletters"}
    assert told["hook"] is False
    assert process.result().code == 0


def test_address_that_is_taken_is_refused(digest: Digest, project: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        digest("serve", "--bind", f"127.0.0.1:{taken.getsockname()[1]}").refuses(2, "in use")


@pytest.mark.parametrize(
    "bind", ["", "8000", "localhost", "localhost:x", ":80", "a b:80", "::1:80"]
)
def test_address_that_is_none_is_refused(digest: Digest, project: Path, bind: str) -> None:
    digest("serve", "--bind", bind).refuses(2, "--bind")


@pytest.mark.parametrize("bind", ["127.0.0.1:99999", "[::ffff]:0", "no-such-host.invalid:0"])
def test_address_that_is_not_here_is_refused(digest: Digest, project: Path, bind: str) -> None:
    digest("serve", "--bind", bind).refuses(2, "Nothing can be served", "--bind")


def test_sample_is_not_served(digest: Digest) -> None:
    digest("serve").refuses(2, "digest init")


def test_keys_that_others_can_read_stop_it(digest: Digest, project: Path) -> None:
    (project / "var").mkdir(exist_ok=True)
    keys = project / "var" / "keys.toml"
    keys.write_text("changeme")
    keys.chmod(0o644)
    told = digest("serve", "--bind", "127.0.0.1:0")
    told.refuses(3, "Others can read", "chmod 600")
    keys.chmod(0o600)
    told = digest("serve", "--bind", "127.0.0.1:0")
    told.refuses(3, "not valid TOML")
    assert "changeme" not in told.err


def test_webhook_key_that_is_none_stops_it(
    digest: Digest, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_SENDGRID__WEBHOOK_PUBLIC_KEY", "changeme")
    digest("serve", "--bind", "127.0.0.1:0").refuses(3, "webhook_public_key")


def test_settings_show_where_the_keys_are_and_not_what_they_are(
    digest: Digest, project: Path, start: Callable[..., Process]
) -> None:
    process = start("serve", "--bind", "127.0.0.1:0", cwd=project)
    started(process)
    process.interrupt()
    assert process.result().code == 0
    keys = (project / "var" / "keys.toml").read_text()
    told = digest("config", "show")
    assert "var/keys.toml" in told.out
    assert not any(line.split('"')[1] in told.out for line in keys.splitlines() if '= "' in line)
