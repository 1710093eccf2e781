"""The preview on loopback: the page on disk, plus a script that follows its changes.

For one person at this machine. It serves two paths and nothing else, to nobody but a browser that
asks for this very host and port, so that no web site can read it through a name of its own.
"""

import secrets
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from digest.errors import UsageError
from digest.viewer.page import FILES, POLICY, error_page

HOST = "127.0.0.1"
PAGE, CHANGES = "/", "/changes"
STILL_THERE = 10.0  # seconds between two signs of life to a page that waits
PATIENCE = 10.0  # seconds that a browser has to say what it wants

# The page hears the number of the latest one, and takes its place as soon as it is not its own:
# quicker than loading anew, and the tab, the place on the page and the focus are kept. Of the
# frames only the one that is seen is filled.
_SCRIPT = """
let mine = {revision}, tab = "", waiting = new Map(), work = Promise.resolve();
const changes = new EventSource("{changes}");

function fill() {{
  for (const [frame, mail] of waiting) {{
    if (frame.offsetParent) {{ frame.srcdoc = mail; waiting.delete(frame); }}
  }}
}}

document.addEventListener("change", (event) => {{ tab = event.target.id; fill(); }});

async function become(latest) {{
  if (latest === mine) return;
  const answer = await fetch("{page}", {{ cache: "no-store" }});
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const focused = document.activeElement?.id, top = scrollY;
  waiting = new Map();
  for (const frame of fresh.querySelectorAll("iframe")) {{
    waiting.set(frame, frame.srcdoc);
    frame.removeAttribute("srcdoc");
  }}
  document.title = fresh.title;
  document.querySelector("style").replaceWith(fresh.querySelector("style"));
  document.body.replaceWith(fresh.body);
  const kept = document.getElementById(tab);
  if (kept) kept.checked = true;
  if (focused) document.getElementById(focused)?.focus({{ preventScroll: true }});
  scrollTo({{ top, behavior: "instant" }});
  fill();
  mine = latest;
}}

const ended = "(ended) ";
changes.onmessage = (event) => {{
  document.title = document.title.replace(ended, "");
  work = work.then(() => become(Number(event.data))).catch(() => {{}});
}};
changes.onerror = () => {{ document.title = ended + document.title.replace(ended, ""); }};
"""
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Board:
    """The page that is shown now, and its number; who waits for another one is woken."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._page = ""
        self._revision = secrets.randbelow(2**31) * 1000  # never that of an earlier server

    def show(self, page: str) -> None:
        """Show `page` from now on: a page of the viewer."""
        with self._changed:
            self._page, self._revision = page, self._revision + 1
            self._changed.notify_all()

    def show_error(self, message: str, hint: str) -> None:
        """Show what went wrong in place of the page."""
        self.show(error_page(message, hint))

    def page(self, nonce: str) -> str:
        """Return the page as it is served, with a script that may run by its `nonce`."""
        with self._changed:
            return _live(self._page, self._revision, nonce)

    def wait(self, revision: int, seconds: float) -> int:
        """Return the number as soon as it is not `revision`, or after `seconds`, or if woken."""
        with self._changed:
            if self._revision == revision:
                self._changed.wait(seconds)
            return self._revision

    def wake(self) -> None:
        """Let go who waits."""
        with self._changed:
            self._changed.notify_all()


@contextmanager
def serving(board: Board, port: int = 0) -> Iterator[str]:
    """Serve the board on loopback and yield its address; port 0 takes a free one.

    Raises:
        UsageError: The port is taken or not allowed.
    """
    try:
        server = _Server(board, port)
    except OSError as error:
        raise UsageError(
            f"Nothing can be served on port {port}: {error.strerror}; the preview is on disk.",
            hint="Choose another --port, or leave it out for a free one.",
        ) from error
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        server.over.set()
        board.wake()


def _live(page: str, revision: int, nonce: str) -> str:
    """Return the page of the viewer with the script, and with what that script may do."""
    page = page.replace(_quoted(POLICY), _quoted(_policy(nonce)), 1)
    for name in FILES:  # they are on disk; this server does not hand them out
        page = page.replace(f'<a href="{name}">{name}</a>', f"<code>{name}</code>")
    head, end, tail = page.rpartition("</body>")
    script = _SCRIPT.format(revision=revision, changes=CHANGES, page=PAGE)
    return f'{head}<script nonce="{nonce}">{script}</script>\n{end}{tail}'


def _policy(nonce: str) -> str:
    return f"{POLICY}; script-src 'nonce-{nonce}'; connect-src 'self'"


def _quoted(policy: str) -> str:
    """Return the policy as it stands in the page's attribute."""
    return policy.replace("'", "&#39;")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, board: Board, port: int) -> None:
        self.board = board
        self.over = threading.Event()
        super().__init__((HOST, port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that went away."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    timeout = PATIENCE
    server: _Server
    server_version, sys_version = "digest", ""

    def do_GET(self) -> None:
        """Answer the page or its changes, if the browser means this server."""
        port = self.server.server_port
        if self.headers.get("Host", "").lower() not in (f"{HOST}:{port}", f"localhost:{port}"):
            self._refuse(HTTPStatus.FORBIDDEN, f"Open http://{HOST}:{port}/ instead.")
        elif self.path == PAGE:
            self._page()
        elif self.path == CHANGES:
            self._changes()
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "There is nothing here but the preview.")

    def _page(self) -> None:
        nonce = secrets.token_urlsafe(16)
        body = self.server.board.page(nonce).encode()
        self._answer(HTTPStatus.OK, "text/html; charset=utf-8", body, policy=_policy(nonce))

    def _changes(self) -> None:
        self._begin(HTTPStatus.OK, "text/event-stream")
        self.end_headers()
        revision = self.server.board.wait(-1, 0)
        self._tell(f"data: {revision}\n\n")
        while not self.server.over.is_set():
            latest = self.server.board.wait(revision, STILL_THERE)
            self._tell(f"data: {latest}\n\n" if latest != revision else ":\n\n")
            revision = latest

    def _tell(self, line: str) -> None:
        self.wfile.write(line.encode())
        self.wfile.flush()

    def _refuse(self, status: HTTPStatus, words: str) -> None:
        self._answer(status, "text/plain; charset=utf-8", f"{words}\n".encode())

    def _begin(self, status: HTTPStatus, kind: str, policy: str = "default-src 'none'") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Security-Policy", f"{policy}; frame-ancestors 'none'")
        for name, value in _HEADERS.items():
            self.send_header(name, value)

    def _answer(self, status: HTTPStatus, kind: str, body: bytes, policy: str = "") -> None:
        self._begin(status, kind, policy or "default-src 'none'")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer what is no GET, or no request at all, with one line."""
        if code == HTTPStatus.NOT_IMPLEMENTED:
            code = HTTPStatus.METHOD_NOT_ALLOWED
        self._refuse(HTTPStatus(code), "A preview can only be looked at.")

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the terminal is for what changed."""
