"""The HTTP side: a threaded server that keeps connections, and can be told to misbehave."""

import contextlib
import gzip
import json
import select
import socket
import sys
import threading
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from http.client import responses
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from digest.testing.sendgrid.rules import MAX_BYTES


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. Header names are in lower case; `body` is unpacked."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; `document` goes out as JSON, None as nothing."""

    status: int
    document: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Wire(Protocol):
    """What an application may do to a connection besides answering."""

    def answer(self, answer: Answer) -> None:
        """Answer."""

    def raw(self, data: bytes) -> None:
        """Write these bytes, then close."""

    def drop(self) -> None:
        """Close without a word."""

    def hang(self) -> None:
        """Say nothing until the client or the server closes."""


class Application(Protocol):
    """What the server serves."""

    def begin(self, ask: Ask) -> int | None:
        """Return the request's number, or None to close before the body is read."""

    def serve(self, ask: Ask, number: int, wire: Wire) -> None:
        """Deal with one request."""


def refusal(
    status: int,
    message: str,
    field: str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Return an error of the documented form."""
    error = {"message": message, "field": field, "help": None}
    return Answer(status, {"errors": [error]}, headers or {})


class Server:
    """Serves an application on loopback while it is open."""

    def __init__(self, application: Application, *, port: int = 0) -> None:
        self.closing = threading.Event()
        self._application = application
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._open(port)
        self.port: int = self._http.server_address[1]

    def _open(self, port: int) -> None:
        self._http = _HttpServer(("127.0.0.1", port), _handler(self, self._application))
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(0.02,), name="sendgrid-standin", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop, and end all connections."""
        self.closing.set()
        self._stop()

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        """Refuse all connections meanwhile, and end those that there are."""
        self._stop()
        # A socket that is bound and does not listen keeps the port, and refuses.
        with socket.socket() as placeholder:
            placeholder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            placeholder.bind(("127.0.0.1", self.port))
            try:
                yield
            finally:
                placeholder.close()
                self._open(self.port)

    def _stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @contextlib.contextmanager
    def watch(self, connection: socket.socket) -> Iterator[None]:
        """Remember the connection, to end it with the server."""
        with self._lock:
            self._connections.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._connections.discard(connection)


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that hang up: that is what many tests are about."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def _handler(server: Server, application: Application) -> type[BaseHTTPRequestHandler]:
    class Bound(_Handler):
        def __init__(self, *arguments: Any) -> None:
            self.standin, self.application = server, application
            super().__init__(*arguments)

    return Bound


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    rbufsize = 1 << 18
    standin: Server
    application: Application

    def handle(self) -> None:
        with self.standin.watch(self.connection):
            super().handle()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        path, _, query = self.path.partition("?")
        headers = {name.lower(): value for name, value in self.headers.items()}
        ask = Ask(self.command, path, query, headers)
        number = self.application.begin(ask)
        if number is None:
            self.drop()
            return
        try:
            body = self._read(headers)
        except _Unreadable as error:
            self.close_connection = True
            self.answer(error.answer)
            return
        self.application.serve(replace(ask, body=body), number, self)

    do_GET = do_PATCH = do_DELETE = do_PUT = do_POST  # noqa: N815 - the base class names them

    def _read(self, headers: Mapping[str, str]) -> bytes:
        if "transfer-encoding" in headers:
            raise _Unreadable(refusal(411, "A length is required."))
        length = headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()):
            raise _Unreadable(refusal(400, "The length is not a number."))
        if int(length) >= MAX_BYTES:
            raise _Unreadable(refusal(413, "The request is larger than 30 MB."))
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise ConnectionAbortedError
        if headers.get("content-encoding") == "gzip":
            try:
                body = gzip.decompress(body)
            except (OSError, EOFError, zlib.error):
                raise _Unreadable(refusal(400, "The body is not gzip.")) from None
        return body

    def answer(self, answer: Answer) -> None:
        self.wfile.write(self.form(answer))

    def form(self, answer: Answer) -> bytes:
        """Return the answer's bytes, to go out in one write."""
        body = b"" if answer.document is None else json.dumps(answer.document).encode()
        headers = {"Server": "nginx", "Content-Length": str(len(body)), **answer.headers}
        if body:
            headers["Content-Type"] = "application/json"
        if self.close_connection:
            headers["Connection"] = "close"
        if answer.status == 204:
            del headers["Content-Length"]
        lines = [f"HTTP/1.1 {answer.status} {responses.get(answer.status, 'Unknown')}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + body

    def raw(self, data: bytes) -> None:
        self.close_connection = True
        self.wfile.write(data)

    def drop(self) -> None:
        self.close_connection = True

    def hang(self) -> None:
        self.close_connection = True
        while not self.standin.closing.is_set():
            readable, _, _ = select.select([self.connection], [], [], 0.05)
            if readable and not self.connection.recv(1 << 16):
                return


class _Unreadable(Exception):
    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer
