"""Bodies and plain HTTP calls for tests of the SendGrid stand-in."""

import datetime as dt
import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from digest.testing.sendgrid import SendgridStandIn

START = dt.datetime(2027, 3, 26, 5, 7, tzinfo=dt.UTC)


def make_person(number: int = 1, **changes: Any) -> dict[str, Any]:
    values = {
        "to": [{"email": f"reader{number}@example.com"}],
        "substitutions": {":fn:": f"Reader {number}", ":tk:": f"token{number}"},
        "headers": {"List-Unsubscribe": f"<https://news.example.com/u/token{number}>"},
        "custom_args": {"rid": str(number)},
    }
    return values | changes


def make_message(readers: int = 2, **changes: Any) -> dict[str, Any]:
    values = {
        "personalizations": [make_person(number) for number in range(1, readers + 1)],
        "from": {"email": "news@example.com", "name": "News"},
        "subject": "For :fn:",
        "content": [
            {"type": "text/plain", "value": "Hello :fn:, https://news.example.com/u/:tk:"},
            {"type": "text/html", "value": '<a href="https://news.example.com/u/:tk:">:fn:</a>'},
        ],
        "custom_args": {"batch": "7", "try": "1"},
        "categories": ["digest"],
    }
    return values | changes


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def call(
    provider: SendgridStandIn, method: str, path: str, document: Any = None, **headers: str
) -> Reply:
    """Make one request over a connection of its own; it is tried once and waits 30 s at most."""
    connection = http.client.HTTPConnection(urlsplit(provider.url).netloc, timeout=30)
    body = document if isinstance(document, bytes | None) else json.dumps(document).encode()
    values = {"Authorization": f"Bearer {provider.api_key}", "Content-Type": "application/json"}
    try:
        connection.request(method, path, body, values | headers)
        answer = connection.getresponse()
        return Reply(answer.status, dict(answer.headers), answer.read())
    finally:
        connection.close()


def send(provider: SendgridStandIn, message: Any = None, **headers: str) -> Reply:
    sent = make_message() if message is None else message
    return call(provider, "POST", "/v3/mail/send", sent, **headers)


def new_batch(provider: SendgridStandIn) -> str:
    batch_id = call(provider, "POST", "/v3/mail/batch").json["batch_id"]
    assert isinstance(batch_id, str)
    return batch_id


def hold(provider: SendgridStandIn, batch_id: str, status: str = "cancel") -> Reply:
    document = {"batch_id": batch_id, "status": status}
    return call(provider, "POST", "/v3/user/scheduled_sends", document)
