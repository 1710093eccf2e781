"""The body of a request that hands one batch over: a mail once, and what is each reader's own.

The mail goes in once as inline content. Where a reader's own values stand there are tags, and each
reader brings the values for them as `substitutions`, so that a thousand readers cost a few hundred
bytes each instead of a mail each. Values are put in as they are, so none of them may hold what
could be a tag or, in HTML, markup.

Source of the names and limits: SendGrid's reference of "Mail Send" (v3).
"""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from json.encoder import encode_basestring_ascii

from digest.merging import TOKENS, CompiledVariant, compile_variant, reader_links
from digest.model.deliveries import Addressee, Handover, Mail
from digest.model.editions import Variant
from digest.normalising.text import header_text
from digest.normalising.urls import web_link
from digest.transports.message import AUTO_SUBMITTED

MAX_READERS = 1_000
MAX_SUBJECT = 200
MAX_NAME = 40  # of a reader; a sender's may be longer
MAX_SENDER = 100
MAX_FRAMES = 64  # mails that are kept ready; each is as large as the mail
MAX_TAGS = 1_000
WITH_TOKEN = ("unsubscribe_url", "preferences_url", "rate_url")

CATEGORY, TEST_CATEGORY, NOTICE_CATEGORY = "digest", "digest-test", "digest-notice"

# Everything that RFC 5322 (3.2.3) allows without quotes: no blank, quote, bracket, colon or
# backslash, so it needs no escaping in JSON and cannot hold a tag. A request of a thousand is
# checked in one go.
_ADDRESSES = re.compile(r"(?:[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+\n)+")
_TOKENS = re.compile(r"(?:[A-Za-z0-9_.~-]*\n)+")
# The documentation forbids ; and , in a name; the others would need quoting in the mail's header.
# Letters, with single signs between them: Anna Maria, Jean-Luc, O'Brien.
_PLAIN_NAME = re.compile(r"[^\W\d_]+(?:[ '-][^\W\d_]+)+")
_NOT_IN_NAMES = str.maketrans("", "", '<>"\\;,')

_TRACKING = {
    "click_tracking": {"enable": False, "enable_text": False},
    "open_tracking": {"enable": False},
    "subscription_tracking": {"enable": False},
    "ganalytics": {"enable": False},
}


class BadReader(Exception):
    """One of the readers' addresses cannot stand in a mail. The text does not repeat it."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """A mail as JSON, and what stands between the values of each reader.

    A notice has no link to leave by: its `before_link` and `after_link` are "".
    """

    mail: bytes
    after_name: str
    before_html_address: str
    before_token: str
    before_link: str
    after_link: str


class Bodies:
    """Makes bodies, and keeps what is the same in all those of one mail. Safe in many threads."""

    def __init__(self) -> None:
        self._frames: dict[tuple[Mail, bool, bool], _Frame] = {}

    def body(self, handover: Handover) -> bytes:
        """Return the JSON body, in ASCII: same hand-over, same bytes.

        Raises:
            BadReader: An address cannot stand in a mail.
            ValueError: There are no readers or more than MAX_READERS, a token is not URL-safe, the
                mail holds a token that nobody fills, or its sender has no address.
        """
        readers = handover.readers
        if not 1 <= len(readers) <= MAX_READERS:
            raise ValueError(f"a batch has 1 to {MAX_READERS:,} readers")
        addresses = _all_like(_ADDRESSES, [reader.address for reader in readers])
        if addresses is None or "=?" in addresses:
            raise BadReader("an address cannot stand in a mail")
        if _all_like(_TOKENS, [reader.token for reader in readers]) is None:
            raise ValueError("a reader's token is not URL-safe")
        # Few addresses look otherwise in HTML; only a batch that has one pays for a third value.
        is_plain = "&" not in addresses and "'" not in addresses
        frame = self._frame(handover.mail, is_plain, handover.is_test)
        people = _people(frame, readers, is_plain=is_plain, is_test=handover.is_test)
        parts = (frame.mail, _arguments(handover), b',"personalizations":[', people, b"]}")
        return b"".join(parts)

    def _frame(self, mail: Mail, is_plain: bool, is_test: bool) -> _Frame:
        key = mail, is_plain, is_test
        frame = self._frames.get(key)
        if frame is None:
            if len(self._frames) >= MAX_FRAMES:
                self._frames.clear()
            frame = self._frames[key] = _make_frame(mail, is_plain, is_test)
        return frame


def _all_like(pattern: re.Pattern[str], values: Sequence[str]) -> str | None:
    """Return the values, each on its line, if every one of them is as `pattern` says."""
    lines = "\n".join(values) + "\n"
    return lines if pattern.fullmatch(lines) and lines.count("\n") == len(values) else None


def _people(frame: _Frame, readers: Sequence[Addressee], *, is_plain: bool, is_test: bool) -> bytes:
    """Return the personalizations. Fragments are four times quicker than json.dumps."""
    after_name, before_token = frame.after_name, frame.before_token
    before_link, after_link = frame.before_link, frame.after_link
    is_listed = before_link != ""
    people = []
    for reader in readers:
        address, token = reader.address, reader.token
        name = _name(reader.first_name) if reader.first_name else ""
        in_html = "" if is_plain else f"{frame.before_html_address}{escape(address)}"
        link = f"{before_link}{token}{after_link}" if is_listed else '"}'
        number = "" if is_test else f',"custom_args":{{"rid":"{reader.subscriber_id}"}}'
        people.append(
            f'{{"to":[{{"email":"{address}"{name}{after_name}{address}{in_html}'
            f"{before_token}{token}{link}{number}}}"
        )
    return ",".join(people).encode("ascii")


def _name(text: str) -> str:
    """Return the part of the JSON that names the reader, "" if nothing of the name can stand."""
    is_plain = text.isalpha() or _PLAIN_NAME.fullmatch(text)  # most are, and need no cleaning
    if not (is_plain and len(text) <= MAX_NAME):
        text = _display_name(text, MAX_NAME)
    return f',"name":{encode_basestring_ascii(text)}' if text else ""


def _display_name(text: str, limit: int) -> str:
    return header_text(text.translate(_NOT_IN_NAMES), limit=limit)


def arguments_of(handover: Handover) -> dict[str, str]:
    """Return the custom arguments that name a try, in the provider's events and logs as well.

    The provider takes texts only, and keeps them for good: ids, and nothing about anybody.
    """
    numbers = {
        "edition": str(handover.edition_id),
        "batch": str(handover.batch),
        "try": str(handover.attempt),
    }
    return numbers | {"mark": handover.mark} if handover.mark else numbers


def _sender(text: str) -> dict[str, str]:
    """Return the sender, "Name <address>" or the address alone, as the provider takes it."""
    name, bracket, rest = text.rpartition("<")
    address = rest.removesuffix(">").strip()
    if bool(bracket) != rest.endswith(">") or _all_like(_ADDRESSES, [address]) is None:
        raise ValueError("the sender has no address that mail can come from")
    name = _display_name(name, MAX_SENDER)
    return {"email": address, "name": name} if name else {"email": address}


def _arguments(handover: Handover) -> bytes:
    """Return the part that names the try and when it is released; a test mail has neither."""
    if handover.is_test:
        return b""
    more: dict[str, object] = {"custom_args": arguments_of(handover)}
    if handover.reservation:
        more["batch_id"] = handover.reservation
    if handover.release_at is not None:
        more["send_at"] = math.ceil(handover.release_at.timestamp())
    return f",{_json(more)[1:-1]}".encode("ascii")


def _make_frame(mail: Mail, is_plain: bool, is_test: bool) -> _Frame:
    subject = header_text(mail.subject, limit=MAX_SUBJECT)
    tags, html, text = _with_tags(mail, subject, is_plain)
    message = {
        "from": _sender(mail.sender),
        "subject": subject,
        "content": [{"type": "text/plain", "value": text}, {"type": "text/html", "value": html}],
        "headers": _headers(mail),
        "categories": [_category(mail, is_test)],
        "tracking_settings": _TRACKING,
    }
    before_link, after_link = ("", "") if mail.is_notice else _around_token(mail, tags.token)
    return _Frame(
        mail=_json(message)[:-1].encode("ascii"),
        after_name=f'}}],"substitutions":{{"{tags.address}":"',
        before_html_address=f'","{tags.html_address}":"',
        before_token=f'","{tags.token}":"',
        before_link=before_link,
        after_link=after_link,
    )


def _headers(mail: Mail) -> dict[str, str]:
    if mail.is_notice:
        return {"Auto-Submitted": AUTO_SUBMITTED}
    return {"List-Id": header_text(f"<{mail.list_id}>")}


def _category(mail: Mail, is_test: bool) -> str:
    if mail.is_notice:
        return NOTICE_CATEGORY
    return TEST_CATEGORY if is_test else CATEGORY


def _around_token(mail: Mail, tag: str) -> tuple[str, str]:
    """Return what stands before and behind a reader's token in the headers to leave by."""
    link = web_link(reader_links(mail.public_url, mail.edition, tag)["unsubscribe_url"])
    before, after = encode_basestring_ascii(f"<{link}>")[1:-1].split(tag)
    post = ""
    if link.startswith("https:"):  # one click is only defined over https (RFC 8058, 3.1)
        post = ',"List-Unsubscribe-Post":"List-Unsubscribe=One-Click"'
    return f'"}},"headers":{{"List-Unsubscribe":"{before}', f'{after}"{post}}}'


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class _Tags:
    """What stands for a reader's address in text, for it in HTML, and for their token."""

    address: str
    html_address: str
    token: str


def _with_tags(mail: Mail, subject: str, is_plain: bool) -> tuple[_Tags, str, str]:
    """Return tags that occur nowhere else in the mail, and HTML and text with them in place."""
    compiled = compile_variant(
        Variant(subject=subject, preheader="", html=mail.html, text=mail.text, tokens={}, sha256="")
    )
    addresses, tokens = _expected(compiled)
    for number in range(MAX_TAGS):
        mark = str(number or "")
        address = f":a{mark}:"
        tags = _Tags(address, address if is_plain else f":h{mark}:", f":t{mark}:")
        links = reader_links(mail.public_url, mail.edition, tags.token)
        html, _ = compiled.fill({"address": tags.html_address, **links})
        _, text = compiled.fill({"address": tags.address, **links})
        whole = "\0".join((subject, html, text)).lower()
        found = sum(_count(tag, whole) for tag in {tags.address, tags.html_address})
        if (found, _count(tags.token, whole)) == (addresses, tokens):
            return tags, html, text
    raise ValueError("the mail holds whatever could stand for a reader's values")


def _expected(compiled: CompiledVariant) -> tuple[int, int]:
    """Return how often a reader's address and token stand in HTML and text together."""
    both = "\0".join(compiled.whole())
    urls = sum(both.count(TOKENS[name]) for name in WITH_TOKEN)
    return both.count(TOKENS["address"]), urls


def _count(tag: str, text: str) -> int:
    """Count `tag` in `text`, also where two of them share a sign."""
    return len(re.findall(f"(?={tag})", text))
