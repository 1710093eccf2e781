"""A served project whose readers got an edition and every kind of letter, and all their links."""

import datetime as dt
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from digest.app import App
from digest.cli.main import run
from digest.model.letters import LetterKind
from digest.project import load
from digest.testing.clock import FrozenClock
from digest.testing.factories import NOON
from digest.web.server import serving
from tests.reading import PUBLIC, link, links, mails, until
from tests.website import Answer, ask, rows_of

READER, STRANGER = "ada@example.com", "cy@example.com"
PLACES = {"u", "preferences", "r", "archive", "confirm", "account"}


@dataclass(frozen=True)
class Mailed:
    """The project; `paths` are those of all links of the newsletter in all mails of the outbox.

    `used` is the one of a letter by which somebody has confirmed.
    """

    app: App
    address: str
    paths: Sequence[str]
    used: str

    def ask(self, method: str, path: str) -> Answer:
        return ask(self.address, method, path)

    def rows(self) -> dict[str, list[tuple[object, ...]]]:
        """Return all that is in the database."""
        return rows_of(self.app)


@contextmanager
def project(root: Path) -> Iterator[tuple[App, str, FrozenClock]]:
    """Make a project in the folder `root` and serve it; its clock stands still at NOON."""
    assert run(["init", str(root), "--quiet"]) == 0
    clock, over = FrozenClock(NOON), threading.Event()
    with App(load(root, {}), clock) as app, serving(app, "127.0.0.1:0", over) as address:
        yield app, address, clock


def send(root: Path, *, readers: int, now: dt.datetime = NOON) -> None:
    """Send the edition that is due to so many readers."""
    for command in (
        ("collect",),
        ("edition", "freeze"),
        ("edition", "approve", "--by", "Ana"),
        ("send", "--yes", "--expect", str(readers)),
    ):
        call(root, *command, now=now)


def call(root: Path, *arguments: str, now: dt.datetime = NOON) -> None:
    """Run a command line in the project."""
    assert run(["--project", str(root), "--quiet", *arguments, "--now", now.isoformat()]) == 0


@contextmanager
def mailed(root: Path) -> Iterator[Mailed]:
    """Serve a new project in the folder `root` whose sample and letters were sent."""
    with project(root) as (app, address, _clock):
        call(root, "subscribers", "add", READER, "--origin", "asked")
        send(root, readers=1)
        used = write(app)
        found = [url for mail in mails(root / "outbox") for url in links(mail)]
        paths = list(dict.fromkeys(url.removeprefix(PUBLIC) or "/" for url in found))
        assert {path.split("/")[1] for path in paths} >= PLACES
        yield Mailed(app, address, paths, used)


def write(app: App) -> str:
    """Have every kind of letter sent: to confirm, of a reader's own links, and the welcome.

    Returns:
        The path by which somebody has confirmed.
    """
    outbox, now = app.project.root / "outbox" / "notices", NOON
    asks = ((LetterKind.SIGN_UP, STRANGER), (LetterKind.SIGN_UP, "di@example.com"))
    for kind, address in (*asks, (LetterKind.LINKS, READER)):
        app.letters.ask(kind, address, network=address, now=now)
    first = until(lambda: found if len(found := mails(outbox)) == 3 else None)
    [confirming] = [mail for mail in first if STRANGER in str(mail["To"])]
    path = link(confirming, "/confirm/").removeprefix(PUBLIC)
    app.letters.confirm(path.rpartition("/")[2], now=now)
    until(lambda: len(mails(outbox)) == 4)
    return path
