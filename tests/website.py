"""A project's pages, served on loopback by the real server, and a client that asks for anything."""

import http.client
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from urllib.parse import urlsplit

from digest.app import App
from digest.project import load
from digest.storage.events import SqlEvents
from digest.testing.clock import FrozenClock
from digest.testing.contracts.events import RELEASE, Sent, Stores, send
from digest.testing.sendgrid.events import Webhook
from digest.web.server import serving

ONE_CLICK = b"List-Unsubscribe=One-Click"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Answer:
    """What the server said."""

    status: int
    headers: Message
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass(frozen=True)
class Site:
    """A served project, with one edition whose batch was claimed and never answered."""

    app: App
    sent: Sent
    address: str
    clock: FrozenClock
    webhook: Webhook

    def token(self, reader: int = 0) -> str:
        assert self.sent.edition.id is not None
        return self.app.tokens.reader(self.sent.edition.id, self.sent.readers[reader])

    def state(self, reader: int = 0) -> str:
        found = self.app.subscribers.subscriber_by_id(self.sent.readers[reader])
        return str(found.state) if found else "gone"

    def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        return ask(self.address, method, path, body, headers)

    def rows(self) -> dict[str, list[tuple[object, ...]]]:
        """Return all that is in the database."""
        return rows_of(self.app)


def ask(
    address: str,
    method: str,
    path: str,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Ask the server at `address`."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    try:
        connection.request(method, path, body or None, dict(headers or {}))
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def rows_of(app: App) -> dict[str, list[tuple[object, ...]]]:
    """Return all that is in the database."""
    with app.database.reading() as connection:
        tables = connection.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
        ).scalars()
        return {
            name: [tuple(row) for row in connection.exec_driver_sql(f"SELECT * FROM {name}")]
            for name in list(tables)
        }


@contextmanager
def served(root: Path, settings: str = "", *, hook: bool = True) -> Iterator[Site]:
    """Serve a new project in the folder `root`; `settings` are added to its file."""
    clock = FrozenClock(RELEASE)
    webhook = Webhook(clock.now)
    (root / "config").mkdir(parents=True)
    key = f'[sendgrid]\nwebhook_public_key = "{webhook.public_key}"\n' if hook else ""
    (root / "config" / "digest.toml").write_text(settings + key)
    with App(load(root, {}), clock) as app:
        stores = Stores(app.store, app.ledger, app.subscribers, SqlEvents(app.database))
        assert app.tokens  # a send makes them before it plans
        sent, over = send(stores), threading.Event()
        with serving(app, "127.0.0.1:0", over) as address:
            yield Site(app, sent, address, clock, webhook)
