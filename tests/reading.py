"""What a reader of a served project does: with a browser of their own, and the mails they get."""

import html
import re
import threading
import time
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parseaddr
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

from tests.website import FORM, Answer, ask

PUBLIC = "https://news.example.com"
PATIENCE = 120.0  # seconds; only a failure takes so long

_FIELD = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)"')
_LINK = re.compile(rf"{re.escape(PUBLIC)}[^\s\"'<>)\]]*")

Found = TypeVar("Found")


def until(look: Callable[[], Found | None]) -> Found:
    """Look again and again until there is something."""
    end, pause = time.monotonic() + PATIENCE, threading.Event()
    while not (found := look()):
        assert time.monotonic() < end, "nothing came of it"
        pause.wait(0.05)
    return found


def mails(outbox: Path, place: str = "**") -> list[EmailMessage]:
    """Return the mails in an outbox, of one place below it or of all, the oldest first."""
    whole = [  # what is still being written stands in a folder whose name begins with a dot
        path
        for path in outbox.glob(f"{place}/*.eml")
        if not any(part.startswith(".") for part in path.relative_to(outbox).parts)
    ]
    paths = sorted(whole, key=lambda path: (path.stat().st_mtime_ns, path))
    found = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in paths]
    return [mail for mail in found if isinstance(mail, EmailMessage)]


def recipient(mail: EmailMessage) -> str:
    return parseaddr(str(mail["To"]))[1]


def body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def links(mail: EmailMessage) -> list[str]:
    """Return the newsletter's own links in a mail, each once: of its headers and both bodies."""
    texts = [str(mail.get("List-Unsubscribe", "")), body(mail, "plain")]
    if mail.get_body(("html",)) is not None:
        texts.append(html.unescape(body(mail, "html")))
    return list(dict.fromkeys(link for text in texts for link in _LINK.findall(text)))


def link(mail: EmailMessage, place: str) -> str:
    """Return the first link to a place, such as "/confirm/"."""
    return next(link for link in links(mail) if urlsplit(link).path.startswith(place))


class Visitor:
    """Opens pages and presses buttons, as somebody without scripts.

    Args:
        address: Where the project is served; mails name its public address instead.
        form_token: Makes what stands in a form that somebody has looked at for a while.
    """

    def __init__(self, address: str, form_token: Callable[[], str]) -> None:
        self._address, self._form_token = address, form_token

    def open(self, url: str) -> str:
        """Return the page behind a link of a mail, or behind a path."""
        answer = self.ask("GET", url)
        assert answer.status == 200, answer.text
        return answer.text

    def press(self, url: str, **fields: str) -> str:
        """Open a page, fill in its form and press a button; return the page that follows."""
        hidden = dict(_FIELD.findall(self.open(url)))
        if "form" in hidden:
            hidden["form"] = self._form_token()
        answer = self.ask("POST", url, urlencode(hidden | fields).encode())
        assert answer.status == 200, answer.text
        return answer.text

    def ask(self, method: str, url: str, sent: bytes = b"") -> Answer:
        """Ask for what a link leads to."""
        path = url.removeprefix(PUBLIC) or "/"
        return ask(self._address, method, path, sent, FORM if sent else None)
