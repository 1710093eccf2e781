"""Readers' pages: requests a second and CPU a request, beside a bare page of the same server."""

import datetime as dt
import http.client
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from urllib.parse import urlencode

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from bench.events import attempt, batch
from bench.sending.scene import fill
from digest.app import App
from digest.clocks import SystemClock
from digest.model.editions import EditionState
from digest.project import load
from digest.starter import make_project
from digest.storage.delivery_tables import attempts, batches
from digest.web.app import make_web

READERS = 1_000_000
REQUESTS = 3_000
CLIENTS = 4
LETTERS = 900
LIMITS = {
    "DIGEST_LETTERS__PER_NETWORK_PER_HOUR": "1000",
    "DIGEST_LETTERS__PER_HOUR": "100000",
}
"""All letters are asked for from one place."""
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Ask:
    """One request."""

    method: str
    path: str
    body: str = ""


def main() -> None:
    """Print the figures; ratios are of CPU a request, to a bare Starlette page of 3 KB."""
    _be_quiet()
    with tempfile.TemporaryDirectory() as name:
        folder = make_project(Path(name) / "project", {}).folder
        kinds = _requests(folder)
        with _served("bare", folder) as (port, pid):
            bare = _measured("bare Starlette page", port, pid, [Ask("GET", "/")] * REQUESTS, 0.0)
        with _served("digest", folder) as (port, pid):
            for kind, asks in kinds.items():
                _measured(kind, port, pid, asks, bare)


def _requests(folder: Path) -> dict[str, Sequence[Ask]]:
    """Send an edition on paper, and return what is asked for."""
    with App(load(folder, {}), SystemClock()) as app:
        label, edition_id, article_id = _edition(app)
        tokens, now = app.tokens, app.clock.now()
        form = tokens.form(now=now - dt.timedelta(minutes=1))
        links = [tokens.reader(edition_id, number) for number in range(1, 2 * REQUESTS + 1)]
    one_click = urlencode({"List-Unsubscribe": "One-Click"})
    vote = urlencode({"form": form, "stars": "4"})
    return {
        "sign-up page": [Ask("GET", "/")] * REQUESTS,
        "asking for a letter": [
            Ask("POST", "/", urlencode({"form": form, "address": f"new{number}@example.com"}))
            for number in range(LETTERS)
        ],
        "one-click leave": [Ask("POST", f"/u/{link}", one_click) for link in links[:REQUESTS]],
        "vote": [Ask("POST", f"/r/{link}/{article_id}", vote) for link in links[REQUESTS:]],
        "list of past editions": [Ask("GET", "/archive")] * REQUESTS,
        "page of an edition": [Ask("GET", f"/archive/{label}")] * REQUESTS,
    }


def _edition(app: App) -> tuple[str, int, int]:
    """Store an edition that is with all readers; return its label, its id and a story's article."""
    app.collect()
    fill(app.project.root / "var" / "digest.db", READERS)
    now = app.clock.now()
    edition = app.editions.draft("", now=now)
    sent = app.store.save_edition(replace(edition, state=EditionState.DONE, release_at=now))
    assert sent.id is not None
    with app.database.writing() as connection:
        connection.execute(batches.insert().values(batch(1) | {"edition_id": sent.id}))
        connection.execute(attempts.insert().values(attempt(1)))
    return sent.period.label, sent.id, sent.stories[0].article_id


@contextmanager
def _served(what: str, folder: Path) -> Iterator[tuple[int, int]]:
    """Serve in a process of its own; yield the port and the process's number."""
    command = [sys.executable, "-m", "bench.pages", what, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            yield int(child.stdout.readline()), child.pid
        finally:
            child.send_signal(signal.SIGTERM)


def _serve(what: str, folder: Path) -> None:
    """Serve until SIGTERM, and print the port first."""

    async def bare(_request: object) -> HTMLResponse:
        return HTMLResponse("x" * 3_000)

    web = (
        Starlette(routes=[Route("/", bare)])
        if what == "bare"
        else make_web(App(load(folder, LIMITS), SystemClock()))
    )
    _be_quiet()
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(web, access_log=False, log_config=None, lifespan="off", ws="none")
    uvicorn.Server(config).run(sockets=[listener])


def _be_quiet() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))


def _measured(name: str, port: int, pid: int, asks: Sequence[Ask], bare: float) -> float:
    """Ask for everything by some clients at once; print and return the CPU seconds a request."""
    _ask(port, asks[:1])  # what is made once is made
    cpu, began = _cpu(pid), perf_counter()
    clients = [
        threading.Thread(target=_ask, args=(port, asks[number::CLIENTS]))
        for number in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    seconds, each = perf_counter() - began, (_cpu(pid) - cpu) / len(asks)
    ratio = each / bare if bare else 1.0
    rate = len(asks) / seconds
    print(f"{name:<34} {rate:>7,.0f} requests/s {each * 1e6:>7,.0f} µs CPU {ratio:>6.2f} x")
    return each


def _ask(port: int, asks: Sequence[Ask]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for ask in asks:
        connection.request(ask.method, ask.path, ask.body or None, headers if ask.body else {})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(
                f"{ask.method} {ask.path.split('/')[1]} was answered {answer.status}"
            )
    connection.close()


def _cpu(pid: int) -> float:
    """Return the CPU seconds that a process has used, from the system's account of it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


if __name__ == "__main__":
    _serve(sys.argv[1], Path(sys.argv[2]))
