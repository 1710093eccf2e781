"""Running the web app, and beside it what folds the provider's reports and sends letters."""

import datetime as dt
import errno
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import structlog
import uvicorn

from digest.app import App
from digest.errors import DigestError, UsageError
from digest.web.app import make_web

LOOK_EVERY = 1.0  # seconds
LOOK_SLOWEST = 60.0  # seconds between two tries when the database fails again and again
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
        threading.Thread(target=_look, args=("events", _folding(app, over), over), name="events"),
        *(  # one each, so that no newsletter waits for another's provider
            threading.Thread(
                target=_look, args=("letters", _sending(one, over), over), name="letters"
            )
            for one in (app, *others)
        ),
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
        listener = socket.create_server((host, int(port)), family=family, backlog=256)
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "that is no name of a machine"
        raise UsageError(
            f"Nothing can be served on {bind}: {why}.",
            hint="Choose another address: --bind HOST:PORT, or bind in [web].",
        ) from error
    # asyncio does so only where it is sure of TCP, and here it is not: without it the second part
    # of an answer waits for the first one to be acknowledged, 40 ms each time.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _look(what: str, look: Callable[[], None], over: threading.Event) -> None:
    """Look every second until it is over; after a failure, again later."""
    wait = LOOK_EVERY
    while not over.wait(wait):
        try:
            look()
            wait = LOOK_EVERY
        except Exception as error:  # noqa: BLE001  # the pages go on, and what waits goes on waiting
            reason = error.message if isinstance(error, DigestError) else type(error).__name__
            log.error("look_failed", what=what, reason=reason)
            wait = min(2 * wait, LOOK_SLOWEST)


def _folding(app: App, over: threading.Event) -> Callable[[], None]:
    """Return what folds the reports that wait, and once a day deletes what is old."""
    tidied_at: dt.datetime | None = None

    def fold() -> None:
        nonlocal tidied_at
        while app.events.drain(limit=100).reports and not over.is_set():
            pass
        now = app.clock.now()
        if tidied_at is None or now - tidied_at >= TIDY_EVERY:
            app.events.tidy()
            app.letters.tidy(now=now)
            tidied_at = now

    return fold


def _sending(app: App, over: threading.Event) -> Callable[[], None]:
    """Return what sends the letters of a newsletter that wait."""

    def send() -> None:
        app.letters.send_waiting(now=app.clock.now(), stop=over)

    return send
