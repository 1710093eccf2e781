"""A small internet of feeds: one loopback address each, with validators, in a process of its own.

`python -m bench.feeds` prints its port and serves until its standard input ends. The feeds are the
same bytes every time. Linux answers on all of 127.0.0.0/8, so every feed is a host of its own and
the politeness between two requests to one host does not count. One socket hears all of these
addresses only when it listens on every address of the computer; so whoever asks from outside is
turned away.
"""

import hashlib
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ENTRIES = 20
WORDS = (  # noqa: SIM905  (words read better as words)
    "app store update phone tablet editor reader camera battery offline privacy sync widget photo "
    "music map travel budget recipe garden chess language course podcast calendar reminder backup "
    "gesture theme contrast voice caption folder network signal screen search keyboard"
).split()


def feed(number: int) -> bytes:
    """Return feed `number`: RSS 2.0 with twenty articles of about 120 words."""
    rng = random.Random(number)
    items = []
    for item in range(ENTRIES):
        title = " ".join(rng.choices(WORDS, k=8)).capitalize()
        text = " ".join(rng.choices(WORDS, k=120))
        items.append(
            f"<item><title>{title}</title><link>https://n{number}.example.com/{item}</link>"
            f"<guid>n{number}-{item}</guid><category>Apps</category>"
            f"<pubDate>Mon, {2 + item:02d} Nov 2026 08:{item:02d}:00 +0000</pubDate>"
            f"<description>&lt;p&gt;{text}.&lt;/p&gt;</description>"
            f'<media:starRating average="{rng.uniform(2, 5):.2f}" count="{rng.randint(1, 400)}" '
            f'min="1" max="5"/></item>'
        )
    return (
        '<?xml version="1.0" encoding="utf-8"?><rss version="2.0" '
        f'xmlns:media="http://search.yahoo.com/mrss/"><channel><title>News {number}</title>'
        f"<link>https://n{number}.example.com/</link><language>en</language>"
        f"{''.join(items)}</channel></rss>"
    ).encode()


def address(number: int) -> str:
    """Return the loopback address of feed `number` (below 60,000)."""
    return f"127.1.{number // 250}.{number % 250 + 1}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def verify_request(self, request: object, client_address: Any) -> bool:
        """Answer this computer alone."""
        return str(client_address[0]).startswith("127.")


class _Handler(BaseHTTPRequestHandler):
    bodies: dict[str, bytes]

    def do_GET(self) -> None:
        number = int(self.path.strip("/"))
        body = feed(number)
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if self.headers.get("If-None-Match") == etag:
            self.send_response_only(304)
            self.end_headers()
            return
        self.send_response_only(200)
        self.send_header("Content-Type", "application/rss+xml")
        self.send_header("ETag", etag)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def serving() -> Iterator[int]:
    """Serve all feeds from another process; yield the port."""
    command = [sys.executable, "-m", "bench.feeds"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        try:
            yield int(child.stdout.readline())
        finally:
            child.stdin.close()
            child.terminate()


def main() -> None:
    """Serve until standard input ends."""
    server = _Server(("0.0.0.0", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
