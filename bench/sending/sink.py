"""A host that takes every request and throws it away: `python -m bench.sending.sink`.

It reads no JSON, so it costs a fraction of what it measures. Its first line on stdout is its
address. `POST /v3/mail/batch` gives an id; `GET /taken` tells requests and bytes since the last
time, as JSON, those of reservations left out; anything else is answered as an accepted mail.
"""

import json
import socket
import threading
from collections.abc import Iterator

ROOM = 2**20
ACCEPTED = b"HTTP/1.1 202 Accepted\r\nX-Message-Id: none\r\nContent-Length: 0\r\n\r\n"


class Sink:
    """Counts what it throws away. Each connection has a thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests = self._bytes = self._reserved = 0

    def serve(self, listener: socket.socket) -> None:
        """Serve until the process ends."""
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for head, length in requests(connection):
                connection.sendall(self._answer(head, length))
                if b"\r\nconnection: close" in head.lower():
                    return

    def _answer(self, head: bytes, length: int) -> bytes:
        with self._lock:
            if head.startswith(b"GET /taken"):
                taken = {"requests": self._requests, "bytes": self._bytes}
                self._requests = self._bytes = 0
                return json_answer("200 OK", taken)
            if head.startswith(b"POST /v3/mail/batch"):
                self._reserved += 1
                return json_answer("201 Created", {"batch_id": f"reserved-{self._reserved}"})
            self._requests += 1
            self._bytes += len(head) + 4 + length
            return ACCEPTED


def json_answer(status: str, value: object) -> bytes:
    """Return a whole answer with a JSON body."""
    body = json.dumps(value).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


def requests(connection: socket.socket) -> Iterator[tuple[bytes, int]]:
    """Yield the head of each request and the length of its body, once that is read."""
    room = bytearray(ROOM)
    view = memoryview(room)
    have = b""
    while True:
        while b"\r\n\r\n" not in have:
            got = connection.recv(65536)
            if not got:
                return
            have += got
        head, _, rest = have.partition(b"\r\n\r\n")
        length = _length(head)
        missing = length - len(rest)
        while missing > 0:
            got_bytes = connection.recv_into(view, min(missing, ROOM))
            if not got_bytes:
                return
            missing -= got_bytes
        have = rest[length:]
        yield head, length


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def main() -> None:
    """Listen on any free port of loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        Sink().serve(listener)


if __name__ == "__main__":
    main()
