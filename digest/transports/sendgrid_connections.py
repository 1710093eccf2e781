"""Requests to one host over connections that are kept, with the one distinction that counts.

A request that failed before its connection stood was certainly never made. Of any other failure
nobody can tell whether the host took the request, so nothing is ever repeated here, no redirect is
followed, and an answer counts only when it is whole. No proxy is read from the environment.
"""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util import parse_url

from digest.transports.sendgrid_answers import Answer

MAX_ANSWER = 8 * 2**20
# A host closes what it finds idle for too long, and a request that meets this is of unknown fate.
MAX_IDLE_SECONDS = 15.0

_FAILURES = (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError)


class Unreached(Exception):
    """No connection came about: nothing was sent."""


class Withheld(Exception):
    """The caller took the request back before a byte of it was sent."""


class Unanswered(Exception):
    """There was a connection but no whole answer: the host may have taken the request."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long one request may take, in seconds.

    `connect` is for each address of the host, TLS included, `read` for each wait on an open
    connection, `total` for all of it from the start to the end of the answer. Only the system's
    search for the address cannot be cut; if `total` is over after it, nothing is sent.
    """

    connect: float = 5.0
    read: float = 30.0
    total: float = 45.0


class Connections:
    """Makes requests to one host, each once. Safe in many threads.

    Args:
        host: `https://HOST[:PORT]`, or http.
        tls: What certificates are trusted; for https only.
        limits: See there.

    Raises:
        ValueError: `host` is no such address.
    """

    def __init__(self, host: str, *, tls: ssl.SSLContext | None, limits: Limits) -> None:
        url = parse_url(host)
        self._scheme, self._host, self._port = url.scheme, url.host or "", url.port
        self._tls = tls
        self._limits = limits
        self._idle: list[tuple[HTTPConnection, float]] = []
        self._lock = threading.Lock()

    def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        may_send: Callable[[], bool] = lambda: True,
    ) -> Answer:
        """Make one request and return the whole answer.

        Args:
            method: Of HTTP.
            path: With its query.
            headers: All but Host and Content-Length.
            body: The bytes to send.
            may_send: Asked once, when the connection stands and before the first byte.

        Raises:
            Unreached: Nothing was sent.
            Withheld: `may_send` said no; nothing was sent.
            Unanswered: Whatever else prevents a whole answer.
        """
        ends_at = time.monotonic() + self._limits.total
        connection = self._take()
        is_reusable = False
        try:
            if connection.is_closed:
                _open(connection)
            if time.monotonic() >= ends_at:
                raise Unreached("the connection took too long to come about")
            if not may_send():
                is_reusable = True
                raise Withheld
            deadline = _watched(connection, ends_at)
            try:
                answer = self._exchange(connection, method, path, headers, body)
            except _FAILURES as error:
                raise Unanswered(_words(error, deadline.has_passed)) from error
            finally:
                deadline.close()
            if deadline.has_passed:  # an end that was cut may look like a good one
                raise Unanswered("the answer took too long")
            is_reusable = True
            return answer
        finally:
            self._give(connection, is_reusable)

    def close(self) -> None:
        """Close what is idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection, _ in idle:
            connection.close()

    def _take(self) -> HTTPConnection:
        """Return a connection that was used a moment ago and still stands, else an unopened one."""
        while True:
            with self._lock:
                if not self._idle:
                    break
                connection, used_at = self._idle.pop()
            if time.monotonic() - used_at < MAX_IDLE_SECONDS and connection.is_connected:
                return connection
            connection.close()
        if self._scheme == "https":
            return HTTPSConnection(
                self._host, self._port, timeout=self._limits.connect, ssl_context=self._tls
            )
        return HTTPConnection(self._host, self._port, timeout=self._limits.connect)

    def _give(self, connection: HTTPConnection, is_reusable: bool) -> None:
        if not is_reusable or connection.is_closed:
            connection.close()
            return
        with self._lock:
            self._idle.append((connection, time.monotonic()))

    def _exchange(
        self,
        connection: HTTPConnection,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
    ) -> Answer:
        connection.timeout = self._limits.read
        is_sent = True
        try:
            connection.request(
                method, path, body, headers, preload_content=False, decode_content=False
            )
        except OSError:
            # The host may have refused before it had read everything; that answer is here already.
            is_sent = False
            connection.timeout = min(1.0, self._limits.read)
        with connection.getresponse() as response:
            content = _content(response)
            found = {name.lower(): value for name, value in response.headers.itermerged()}
            if not is_sent:
                connection.close()
                if response.status < 300:
                    raise http.client.IncompleteRead(b"")  # it cannot have taken half a request
            return Answer(status=response.status, headers=found, body=content)


def _open(connection: HTTPConnection) -> None:
    try:
        connection.connect()
    except (*_FAILURES, ValueError) as error:  # one of a wrong certificate is a ValueError
        raise Unreached(_unreached_words(error)) from error


def _content(response: urllib3.BaseHTTPResponse) -> bytes:
    """Read the body, and raise unless it ends where the answer says."""
    content = bytearray()
    while chunk := response.read(65536):
        content += chunk
        if len(content) > MAX_ANSWER:
            raise http.client.IncompleteRead(b"")
    # Headers that were cut off look as if they were complete.
    if not (content or "content-length" in response.headers or response.chunked):
        raise http.client.IncompleteRead(b"")
    return bytes(content)


class _Deadline:
    """Cuts an open connection at an instant, however much still drips in.

    Timeouts of a socket start anew with each byte; this does not.
    """

    def __init__(self, connected: socket.socket, ends_at: float) -> None:
        self.has_passed = False
        # TLS may close its own socket meanwhile, and the number may then be somebody else's.
        self._socket = socket.socket(fileno=socket.dup(connected.fileno()))
        self._timer = threading.Timer(max(0.0, ends_at - time.monotonic()), self._cut)
        self._timer.daemon = True
        self._timer.start()

    def close(self) -> None:
        """Call it off."""
        self._timer.cancel()
        self._timer.join()
        self._socket.close()

    def _cut(self) -> None:
        self.has_passed = True
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # the host was quicker


def _watched(connection: HTTPConnection, ends_at: float) -> _Deadline:
    try:
        return _Deadline(connection.sock, ends_at)
    except (OSError, RuntimeError) as error:  # nothing was sent yet
        raise Unreached("this machine has no file or thread left for another request") from error


def _words(error: Exception, has_passed: bool) -> str:
    """Say why there is no whole answer, without repeating anything that was sent."""
    is_late = isinstance(error, TimeoutError | urllib3.exceptions.TimeoutError)
    if has_passed or is_late:
        return "the answer took too long"
    return f"the connection broke before the answer was whole ({type(error).__name__})"


def _unreached_words(error: Exception) -> str:
    match error:
        case urllib3.exceptions.NameResolutionError() | urllib3.exceptions.LocationValueError():
            return "its name cannot be resolved"
        case urllib3.exceptions.NewConnectionError():
            return "it cannot be reached"
        case TimeoutError() | urllib3.exceptions.TimeoutError():
            return "it does not answer in time"
        case _:
            return f"no encrypted connection to it comes about ({type(error).__name__})"
