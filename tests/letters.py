"""A newsletter that people ask for letters, with what it hands over kept in memory."""

import datetime as dt
import email
import email.policy
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from itertools import count
from pathlib import Path

import sqlalchemy as sa

from digest.app import App
from digest.model.editions import Edition
from digest.model.letters import Letter, LetterKind
from digest.model.subscribers import Subscriber
from digest.normalising.addresses import address_key
from digest.project import load
from digest.services.letters import LetterService
from digest.storage.events import SqlEvents
from digest.storage.reader_tables import letters as table
from digest.testing.clock import FrozenClock
from digest.testing.contracts.events import Stores, send
from digest.testing.factories import NOON
from digest.testing.transports import MemoryTransport

SLUG = "app-news-weekly"
LINK = re.compile(r"https://news\.example\.com/(\w+)/([\w-]{36})(?![\w-])")


@dataclass
class Letterbox:
    """A project whose time stands still until a test moves it."""

    app: App
    clock: FrozenClock
    transport: MemoryTransport
    _networks: Iterator[int] = field(default_factory=count)

    @property
    def service(self) -> LetterService:
        return self.app.letters

    def ask(
        self,
        address: str = "ada@example.com",
        kind: LetterKind = LetterKind.SIGN_UP,
        *,
        network: str = "",
    ) -> None:
        """Ask for a letter, from a network of its own if none is named."""
        network = network or f"network {next(self._networks)}"
        self.service.ask(kind, address, network=network, now=self.clock.now())

    def send(self) -> list[EmailMessage]:
        """Send what waits, and return the mails of it."""
        before = len(self.transport.sent())
        sent = self.service.send_waiting(now=self.clock.now())
        mails = [_parsed(m) for kept in self.transport.sent()[before:] for m in kept.messages]
        assert len(mails) == sent
        return mails

    def mail(self, address: str = "ada@example.com") -> EmailMessage:
        """Ask to be put on the list, and return the mail."""
        self.ask(address)
        [mail] = self.send()
        return mail

    def token(self, address: str = "ada@example.com") -> str:
        """Return what stands in the link to confirm."""
        return links(self.mail(address))["confirm"]

    def join(self, address: str = "ada@example.com") -> Subscriber:
        """Put somebody on the list, as an import does, and return them."""
        reader = Subscriber(
            newsletter=SLUG,
            address=address,
            key=address_key(address),
            joined_at=self.clock.now(),
            origin="test",
        )
        self.app.subscribers.add_subscribers([reader])
        return self.reader(address)

    def reader(self, address: str = "ada@example.com") -> Subscriber:
        found = self.app.subscribers.subscriber(SLUG, address_key(address))
        assert found is not None
        return found

    def letters(self) -> list[Letter]:
        """Return all letters, oldest first."""
        with self.app.database.reading() as connection:
            numbers = connection.execute(sa.select(table.c.id).order_by(table.c.id)).scalars().all()
        found = [self.app.letters_store.letter(number) for number in numbers]
        return [letter for letter in found if letter is not None]

    def states(self) -> list[tuple[str, str]]:
        """Return state and reason of all letters, oldest first."""
        return [(str(letter.state), letter.reason) for letter in self.letters()]

    def publish(self) -> Edition:
        """Hand over the edition 2026-W48, which readers have in 20 minutes."""
        app = self.app
        stores = Stores(app.store, app.ledger, app.subscribers, SqlEvents(app.database))
        return send(stores).edition


@contextmanager
def letterbox(root: Path, settings: str = "") -> Iterator[Letterbox]:
    """Open a new project in `root` on a Tuesday at noon (UTC)."""
    (root / "config").mkdir(parents=True)
    (root / "config" / "digest.toml").write_text(settings)
    clock = FrozenClock(NOON)
    transport = MemoryTransport(clock)
    with App(load(root, {}), clock) as app:
        app.__dict__["transport"] = transport
        assert app.tokens  # a send makes the keys before it plans
        yield Letterbox(app, clock, transport)


def text(mail: EmailMessage, kind: str = "plain") -> str:
    """Return one part of a mail."""
    body = mail.get_body((kind,))
    assert body is not None
    return body.get_content()


def links(mail: EmailMessage) -> dict[str, str]:
    """Return the tokens of the mail's links by the place that they lead to, alike in both parts."""
    found, others = (dict(LINK.findall(text(mail, kind))) for kind in ("plain", "html"))
    assert found == others
    return found


def day(number: float) -> dt.timedelta:
    return dt.timedelta(days=number)


def _parsed(message: bytes) -> EmailMessage:
    mail = email.message_from_bytes(message, policy=email.policy.default)
    assert isinstance(mail, EmailMessage)
    assert not mail.defects
    return mail
