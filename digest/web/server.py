"""Running the web app, and beside it what folds the provider's reports."""

import datetime as dt
import errno
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import structlog
import uvicorn

from digest.app import App
from digest.errors import DigestError, UsageError
from digest.web.app import make_web

FOLD_EVERY = 1.0  # seconds
FOLD_SLOWEST = 60.0  # seconds between two tries when the database fails again and again
TIDY_EVERY = dt.timedelta(days=1)
MAX_PORT = 65_535
LAST_ANSWERS = 10  # seconds that requests under way get at the end

log = structlog.get_logger(__name__)


@contextmanager
def serving(
    app: App, bind: str, over: threading.Event, others: Sequence[App] = ()
) -> Iterator[str]:
    """Serve the project's pages while the context is open, and yield their address.

    Args:
        app: The project, with a newsletter.
        bind: HOST:PORT; port 0 takes a free one.
        over: Set by whoever wants an end, and by the server if it ends by itself.
        others: The other newsletters of the project that are served with it.

    Raises:
        UsageError: The address cannot be listened on.
        ConfigError: The keys cannot be used, or the webhook's key is none.
        StoreError: The database cannot be opened.
    """
    web = make_web(app, *others)
    listener = _listener(bind)
    config = uvicorn.Config(
        web,
        access_log=False,  # it would hold tokens; ours does not
        log_config=None,
        log_level="critical",
        lifespan="off",
        ws="none",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=LAST_ANSWERS,
    )
    server = uvicorn.Server(config)

    failures: list[Exception] = []

    def answer() -> None:
        try:
            server.run(sockets=[listener])
        except Exception as error:  # noqa: BLE001  # it is raised where somebody hears it
            failures.append(error)
        finally:
            over.set()

    threads = [
        threading.Thread(target=answer, name="web"),
        threading.Thread(target=_fold, args=(app, over), name="events"),
    ]
    for thread in threads:
        thread.start()
    host, port = listener.getsockname()[:2]
    try:
        yield f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
    finally:
        over.set()
        server.should_exit = True
        for thread in threads:
            thread.join()
        listener.close()
    if failures:
        raise failures[0]


def _listener(bind: str) -> socket.socket:
    host, _, port = bind.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        if int(port) > MAX_PORT:
            raise OSError(errno.EINVAL, "there is no such port")
        return socket.create_server((host, int(port)), family=family, backlog=256)
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "that is no name of a machine"
        raise UsageError(
            f"Nothing can be served on {bind}: {why}.",
            hint="Choose another address: --bind HOST:PORT, or bind in [web].",
        ) from error


def _fold(app: App, over: threading.Event) -> None:
    """Fold waiting reports every second until it is over; a failure is tried again later."""
    wait, tidied_at = FOLD_EVERY, None
    while not over.wait(wait):
        try:
            while app.events.drain(limit=100).reports and not over.is_set():
                pass
            now = app.clock.now()
            if tidied_at is None or now - tidied_at >= TIDY_EVERY:
                app.events.tidy()
                tidied_at = now
            wait = FOLD_EVERY
        except Exception as error:  # noqa: BLE001  # the pages go on, and the reports wait
            reason = error.message if isinstance(error, DigestError) else type(error).__name__
            log.error("events_not_folded", reason=reason)
            wait = min(2 * wait, FOLD_SLOWEST)
