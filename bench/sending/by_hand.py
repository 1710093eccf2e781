"""The shortest program that hands over: a cursor, fragments, a request, two commits a batch.

It has what no sender can do without, and nothing else: `python -m bench.sending.by_hand FOLDER HOST
READERS`. It imports nothing of digest but the mail, before it is measured.
"""

import http.client
import json
import sqlite3
import sys
from collections.abc import Sequence
from itertools import count
from json.encoder import encode_basestring_ascii as quoted
from pathlib import Path
from urllib.parse import urlsplit

from bench.sending.figures import measured
from bench.sending.scene import PER_REQUEST, mail_parts

URL = "https://news.example.com"
HEADERS = {"Authorization": "Bearer none", "Content-Type": "application/json"}


def main() -> None:
    """Hand over to everybody in the file."""
    folder, host, readers = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    frame = _frame()
    reading, writing = (sqlite3.connect(folder / "by-hand.db") for _ in range(2))
    writing.execute("PRAGMA synchronous=FULL")
    connection = http.client.HTTPConnection(urlsplit(host).netloc)
    with measured(readers):
        people = reading.execute(
            "SELECT r.id, r.address, r.name, r.token FROM deliveries AS d JOIN readers AS r"
            " ON r.id = d.reader WHERE d.edition = 1 ORDER BY d.reader"
        )
        for batch in count():
            rows = people.fetchmany(PER_REQUEST)
            if not rows:
                return
            _note(writing, batch, "claimed")
            body = frame + b',"personalizations":[' + _people(rows) + b"]}"
            connection.request("POST", "/v3/mail/send", body, HEADERS)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 202
            _note(writing, batch, "accepted")


def _people(rows: Sequence[tuple[int, str, str, str]]) -> bytes:
    return ",".join(
        [
            f'{{"to":[{{"email":{quoted(address)},"name":{quoted(name)}}}],"substitutions":'
            f'{{":a:":{quoted(address)},":t:":"{token}"}},"headers":{{"List-Unsubscribe":'
            f'"<{URL}/u/{token}>","List-Unsubscribe-Post":"List-Unsubscribe=One-Click"}},'
            f'"custom_args":{{"rid":"{number}"}}}}'
            for number, address, name, token in rows
        ]
    ).encode()


def _note(connection: sqlite3.Connection, batch: int, state: str) -> None:
    with connection:
        connection.execute("REPLACE INTO batches VALUES (?, ?)", (batch, state))


def _frame() -> bytes:
    html, text = mail_parts()
    mail = {
        "from": {"email": "news@example.com"},
        "subject": "Headline number 1, and two more",
        "content": [{"type": "text/plain", "value": text}, {"type": "text/html", "value": html}],
    }
    return json.dumps(mail)[:-1].encode()


if __name__ == "__main__":
    main()
