"""The stand-in also runs as a process of its own, and is asked and told over HTTP."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.sendgrid_calls import START, call, make_message, new_batch, send

COMMAND = [sys.executable, "-m", "digest.testing.sendgrid"]


@contextmanager
def running(*options: str) -> Iterator[Any]:
    """Start it; the yielded object has what `call` and `send` need of a stand-in."""
    with subprocess.Popen([*COMMAND, *options], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield SimpleNamespace(process=process, **json.loads(process.stdout.readline()))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def test_process_says_where_it_is_and_counts_copies(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text('{"faults": [{"kind": "server_error", "at": [2], "accepts": true}]}')
    with running("--script", str(script), "--keep", "counts") as provider:
        assert provider.url.startswith("http://127.0.0.1:")
        assert provider.webhook_public_key
        assert [send(provider).status for _ in range(3)] == [202, 503, 202]
        copies = call(provider, "GET", "/_standin/accepted").json
        assert copies == {"reader1@example.com": 3, "reader2@example.com": 3}
        one = call(provider, "GET", "/_standin/accepted?address=Reader1@example.com").json
        assert one == {"Reader1@example.com": 3}
        summary = call(provider, "GET", "/_standin/summary").json
        assert summary["copies"] == 6
        assert summary["addresses_twice"] == 2
        requests = call(provider, "GET", "/_standin/requests").json
        assert [each["fault"] for each in requests] == ["", "server_error", ""]
        assert requests[0]["custom_args"] == {"batch": "7", "try": "1"}
        assert "body" not in requests[0]
    assert provider.process.returncode == 0


def test_process_is_told_new_faults_and_a_later_time() -> None:
    with running("--api-key", "SG.chosen", "--speed", "0") as provider:
        assert provider.api_key == "SG.chosen"
        script = {"faults": [{"kind": "no_credits", "times": 1}]}
        assert call(provider, "POST", "/_standin/script", script).json == {"faults": 1}
        assert send(provider).status == 401
        moment = call(provider, "POST", "/_standin/clock", {"seconds": 0}).json["now"]
        release = int(START.fromisoformat(moment).timestamp()) + 1_200
        send(provider, make_message(batch_id=new_batch(provider), send_at=release))
        assert call(provider, "GET", "/_standin/requests").json[1]["state"] == "scheduled"
        call(provider, "POST", "/_standin/clock", {"seconds": 1_200})
        assert call(provider, "GET", "/_standin/requests").json[1]["state"] == "sent"


def test_process_posts_events_where_it_is_told_to() -> None:
    with running() as provider, running() as hook:
        send(provider)
        # The other one refuses the report, which has no key; that it was posted is what counts.
        wanted = {"url": f"{hook.url}/v3/mail/send", "kinds": ["delivered"], "per_post": 1}
        assert call(provider, "POST", "/_standin/events", wanted).json == {"statuses": [401, 401]}
        assert len(call(hook, "GET", "/_standin/requests").json) == 2


def test_what_it_cannot_do_is_answered() -> None:
    wrong: list[tuple[str, Any]] = [
        ("script", b"{"),
        ("script", {"faults": [{"kind": "explode"}]}),
        ("clock", {}),
        ("clock", {"seconds": "many"}),
        ("clock", {"seconds": 1e300}),
        ("clock", []),
        ("events", {}),
        ("events", {"url": 5}),
        ("events", {"url": "http://127.0.0.1:1/", "colour": 1}),
        ("events", {"url": "nowhere", "kinds": ["teleported"]}),
    ]
    with running() as provider:
        send(provider)
        for path, document in wrong:
            reply = call(provider, "POST", f"/_standin/{path}", document)
            assert reply.status == 400, (path, document)
            assert reply.json["errors"][0]["message"]


@pytest.mark.parametrize("text", ["{", '{"faults": [{"kind": "explode"}]}', None])
def test_script_that_cannot_be_used_ends_it_with_a_reason(tmp_path: Path, text: str | None) -> None:
    script = tmp_path / "script.json"
    if text is not None:
        script.write_text(text)
    run = subprocess.run(
        [*COMMAND, "--script", str(script)], capture_output=True, check=False, text=True, timeout=60
    )
    assert run.returncode == 2
    assert run.stderr.startswith("The script cannot be used: ")
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("port", ["99999", "taken"])
def test_port_that_it_cannot_have_ends_it_with_a_reason(port: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        number = str(other.getsockname()[1]) if port == "taken" else port
        run = subprocess.run(
            [*COMMAND, "--port", number], capture_output=True, check=False, text=True, timeout=60
        )
    assert run.returncode == 2
    assert run.stderr.startswith("The stand-in cannot serve: ")
    assert "Traceback" not in run.stderr
