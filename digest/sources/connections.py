"""Connections that are made where we say and cut when we say."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TypeVar

from urllib3.connection import HTTPConnection, HTTPSConnection

from digest.sources.targets import Target

_Found = TypeVar("_Found")


def resolve(host: str, port: int) -> list[str]:
    """Ask the system for the IP addresses of `host`.

    Raises:
        OSError: The name is unknown or the resolver does not answer.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[4][0]) for address in found))


def dial(ip: str, port: int, seconds: float) -> socket.socket:
    """Connect to exactly this IP address within `seconds`."""
    return socket.create_connection((ip, port), timeout=seconds)


@dataclass(frozen=True)
class Network:
    """How names become addresses and addresses connections; tests put a small internet here."""

    resolve: Callable[[str, int], Sequence[str]] = resolve
    dial: Callable[[str, int, float], socket.socket] = dial
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)


class Watchdog:
    """Cuts a connection that lives too long, even in the middle of a handshake or a header.

    Socket timeouts start anew with each byte; this does not. It holds a duplicate of the
    descriptor, so that it also reaches the connection after TLS has taken the socket over.
    """

    def __init__(self, seconds: float, name: str) -> None:
        self.barked = False
        self._ends_at = time.monotonic() + seconds
        self._woken = threading.Event()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(max(0.0, seconds), self.cut)
        self._timer.daemon = True
        self._timer.name = name
        self._timer.start()

    def left(self) -> float:
        """Seconds left; raises TimeoutError when there are none."""
        left = self._ends_at - time.monotonic()
        if left <= 0:
            self.barked = True
            raise TimeoutError("the deadline has passed")
        return left

    def check(self) -> None:
        """Raise TimeoutError if the connection was cut: its end may look like a good end."""
        if self.barked:
            raise TimeoutError("the deadline has passed")

    def outwait(self, work: Callable[[], _Found]) -> _Found:
        """Do once, in a thread of its own, what nothing can cut; at the end it is left behind.

        Raises:
            TimeoutError: The deadline has passed, or the connection was cut.
        """
        found: Future[_Found] = Future()

        def do() -> None:
            try:
                found.set_result(work())
            except BaseException as error:  # noqa: BLE001 (whoever waits raises it)
                found.set_exception(error)
            self._woken.set()

        threading.Thread(target=do, name=f"behind {self._timer.name}", daemon=True).start()
        self._woken.wait(self.left())
        self.check()
        if not found.done():
            self.barked = True
            raise TimeoutError("the deadline has passed")
        return found.result()

    def watch(self, connected: socket.socket) -> socket.socket:
        """Take charge of a connected socket and return it without a timeout of its own."""
        with self._lock:
            if self.barked:
                connected.close()
                raise TimeoutError("the deadline has passed")
            connected.settimeout(None)
            self._socket = connected.dup()
        return connected

    def cut(self) -> None:
        """End the connection now, whatever it is doing."""
        with self._lock:
            self.barked = True
            self._woken.set()
            if self._socket is not None:
                try:
                    self._socket.shutdown(socket.SHUT_RDWR)
                except OSError:
                    self.barked = True  # the other side was quicker; there is nothing left to cut

    def close(self) -> None:
        """Call the watchdog off and give back the descriptor."""
        self._timer.cancel()
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None


class _Plain(HTTPConnection):
    dial: Callable[[], socket.socket]

    def _new_conn(self) -> socket.socket:
        return self.dial()


class _Encrypted(HTTPSConnection):
    dial: Callable[[], socket.socket]

    def _new_conn(self) -> socket.socket:
        return self.dial()


def connection(
    target: Target, tls: ssl.SSLContext, dial: Callable[[], socket.socket]
) -> HTTPConnection:
    """Return an unopened connection that sends the host's name but is opened by `dial` alone."""
    opened: _Plain | _Encrypted
    if target.scheme == "https":
        opened = _Encrypted(target.host, target.port, ssl_context=tls)
    else:
        opened = _Plain(target.host, target.port)
    opened.dial = dial
    return opened
