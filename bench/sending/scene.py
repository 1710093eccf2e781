"""What all ways send: one mail, and readers who do not exist."""

import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path

HTML_BYTES, TEXT_BYTES = 40_000, 4_000
PER_REQUEST = 1_000
CONFIG = """\
[delivery]
transport = "sendgrid"

[sendgrid]
host = "{host}"
"""


def write_project(folder: Path, host: str, readers: int) -> None:
    """Make a project whose list has so many readers, and a file for the hand-written loop."""
    from digest.storage.database import open_database

    (folder / "config").mkdir(parents=True)
    (folder / "config" / "digest.toml").write_text(CONFIG.format(host=host))
    path = folder / "var" / "digest.db"
    open_database(f"sqlite:///{path}").close()
    fill(path, readers)
    _fill_by_hand(folder / "by-hand.db", readers)


def fill(path: Path, readers: int) -> None:
    """Put so many readers on the list of the database at `path`."""
    connection = sqlite3.connect(path)
    with connection:
        connection.executemany(
            "INSERT INTO subscribers (newsletter, key, address, first_name, topics, frequency,"
            " language, timezone, state, origin, joined_at, left_by) VALUES ('app-news-weekly',"
            " ?, ?, ?, '', 'weekly', 'en', '', 'active', 'bench', 1793491200000000, '')",
            ((address, address, name) for _, address, name in people(readers)),
        )
    connection.close()


def _fill_by_hand(path: Path, readers: int) -> None:
    """Store what the shortest program needs: its tokens are random, and kept with the readers."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    with connection:
        connection.execute("CREATE TABLE batches (id INTEGER PRIMARY KEY, state TEXT)")
        connection.execute(
            "CREATE TABLE readers (id INTEGER PRIMARY KEY, address TEXT, name TEXT, token TEXT)"
        )
        connection.execute(
            "CREATE TABLE deliveries (edition INTEGER, reader INTEGER, batch INTEGER,"
            " PRIMARY KEY (edition, reader)) WITHOUT ROWID"
        )
        connection.executemany(
            "INSERT INTO readers VALUES (?, ?, ?, ?)",
            ((*person, secrets.token_urlsafe(27)) for person in people(readers)),
        )
        connection.execute(
            "INSERT INTO deliveries SELECT 1, id, (id - 1) / ? FROM readers ORDER BY id",
            (PER_REQUEST,),
        )
    connection.close()


def people(readers: int) -> Iterator[tuple[int, str, str]]:
    """Yield number, address and first name; one name in ten is made of two."""
    first = [
        a + b + c for a in ("An", "Be", "Jö", "Mar") for b in "drst" for c in ("a", "en", "io")
    ]
    names = [f"{one}-{first[0]}" if place % 10 == 0 else one for place, one in enumerate(first)]
    for number in range(1, readers + 1):
        name = names[number % len(names)]
        yield number, f"reader{number}@mail{number % 97}.example.com", name


def mail_parts() -> tuple[str, str]:
    """Return HTML and text, each as long as those of a real edition, with the readers' tokens."""
    from digest.testing.factories import make_mail

    mail = make_mail()
    story = "<p>What a story says in one sentence, and in one more.</p>\n"
    more = story * ((HTML_BYTES - len(mail.html)) // len(story))
    html = mail.html.replace("</body>", f"{more}</body>")
    line = "What a story says in one sentence.\n"
    return html, mail.text + line * ((TEXT_BYTES - len(mail.text)) // len(line))
