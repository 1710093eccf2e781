"""Real HTTP servers on loopback for tests, and a small internet that leads to them."""

import socket
import ssl
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from digest.sources.connections import Network
from digest.sources.http import HttpClient

TLS = Path(__file__).parent / "fixtures" / "tls"


@dataclass(frozen=True)
class Request:
    """What the server was asked; header names are lower-case."""

    path: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Reply:
    """What the server answers. `write` takes the raw socket file instead of a body."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    write: Callable[[Callable[[bytes], object]], object] | None = None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    connections = 0

    def get_request(self) -> tuple[Any, Any]:
        self.connections += 1
        return super().get_request()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that hang up: that is what many tests are about."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Loopback:
    """Serves on 127.0.0.1 (or another loopback address) while its context is open.

    `pages` maps a path to a reply, or to a function of the request. `requests` lists what came;
    `connections` also counts who connected without asking. `over` is set when the test is done, so
    that a slow page can wait for it. With `tls` it speaks https as news.example.com.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0, *, tls: bool = False) -> None:
        self.pages: dict[str, Reply | Callable[[Request], Reply]] = {}
        self.requests: list[Request] = []
        self.server_names: list[str | None] = []
        self.over = threading.Event()
        self.scheme = "https" if tls else "http"
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                outer._answer(self, Request(self.path, headers))

            def log_message(self, *_args: object) -> None:
                """Say nothing."""

        self._server = _Server((host, port), Handler)
        if tls:
            self._encrypt()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self.host, self.port = host, self._server.server_address[1]

    @property
    def connections(self) -> int:
        return self._server.connections

    @property
    def endpoint(self) -> tuple[str, int]:
        return self.host, self.port

    def url(self, path: str = "/") -> str:
        return f"{self.scheme}://{self.host}:{self.port}{path}"

    def _encrypt(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(TLS / "site.pem")

        def note(_socket: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
            self.server_names.append(name)

        context.sni_callback = note
        # The handshake belongs to the handler's thread, not to the one that accepts.
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )

    def _answer(self, handler: BaseHTTPRequestHandler, request: Request) -> None:
        self.requests.append(request)
        page = self.pages.get(request.path, Reply(404))
        reply = page(request) if callable(page) else page
        try:
            if reply.write is not None:
                reply.write(handler.wfile.write)
                return
            handler.send_response_only(reply.status)
            for name, value in reply.headers.items():
                handler.send_header(name, value)
            if reply.status != 304:
                handler.send_header("Content-Length", str(len(reply.body)))
            handler.end_headers()
            handler.wfile.write(reply.body if reply.status != 304 else b"")
        except OSError:
            handler.close_connection = True

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class SmallInternet:
    """Names and addresses of which some lead to servers on loopback, whatever the port.

    `names` says which IP addresses a name has, `servers` what stands at one of them. `resolved` and
    `dialled` list what was looked up and connected to; any other address does not answer.
    """

    def __init__(self) -> None:
        self.names: dict[str, Sequence[str]] = {}
        self.servers: dict[str, Loopback] = {}
        self.resolved: list[str] = []
        self.dialled: list[tuple[str, int]] = []

    def put(self, name: str, ip: str, server: Loopback) -> None:
        """Let a name have an address, and a server stand there."""
        self.names[name] = [ip]
        self.servers[ip] = server

    def resolve(self, host: str, _port: int) -> Sequence[str]:
        self.resolved.append(host)
        if host not in self.names:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return self.names[host]

    def dial(self, ip: str, port: int, seconds: float) -> socket.socket:
        self.dialled.append((ip, port))
        if ip not in self.servers:
            raise ConnectionRefusedError
        return socket.create_connection(self.servers[ip].endpoint, timeout=seconds)

    @property
    def network(self) -> Network:
        """What a client needs to be in this internet; it trusts the tests' authority."""
        tls = ssl.create_default_context(cafile=str(TLS / "authority.pem"))
        return Network(resolve=self.resolve, dial=self.dial, tls=tls)


def make_client(*allowed: Loopback, **changes: Any) -> HttpClient:
    """Return a client that may reach these servers; it makes no pauses and waits 10 s at most."""
    values: dict[str, Any] = {
        "user_agent": "digest/1 (+https://news.example.com)",
        "allowed": frozenset(server.endpoint for server in allowed),
        "total_seconds": 10,
        "host_pause_seconds": 0.0,
    }
    return HttpClient(**(values | changes))
