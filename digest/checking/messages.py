"""A mail as a file (.eml) taken apart: its subject, its HTML and its text."""

from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message


@dataclass(frozen=True, slots=True)
class Parts:
    """What readers get of a message; "" for what it does not have. Lines end in a line feed."""

    subject: str
    html: str
    text: str


def read_message(source: bytes) -> Parts:
    """Return the parts of a message; the first HTML and the first text that is no attachment.

    Any bytes can be read. What cannot be decoded has a sign in its place.
    """
    try:
        message = message_from_bytes(source)
    except RecursionError:  # parts in parts in parts, deeper than anybody writes
        message = Message()
    return Parts(
        subject=_subject(message),
        html=next(_bodies(message, "text/html"), ""),
        text=next(_bodies(message, "text/plain"), ""),
    )


def _subject(message: Message) -> str:
    raw = str(message.get("Subject", ""))
    unfolded = raw.replace("\r\n", "").replace("\n", "")
    try:
        return str(make_header(decode_header(unfolded)))
    except (HeaderParseError, LookupError, ValueError):
        return unfolded


def _bodies(message: Message, kind: str) -> Iterator[str]:
    for part in message.walk():
        if part.get_content_type() != kind or part.get_content_disposition() == "attachment":
            continue
        content = part.get_payload(decode=True)
        if isinstance(content, bytes):
            yield _decoded(content, part.get_content_charset() or "utf-8")


def _decoded(content: bytes, charset: str) -> str:
    try:
        text = content.decode(charset, "replace")
    except (LookupError, ValueError):  # no such charset, or one that is no text
        text = content.decode("utf-8", "replace")
    return text.replace("\r\n", "\n")
