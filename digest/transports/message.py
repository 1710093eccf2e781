"""One mail as bytes: RFC 5322 headers, RFC 2045 parts, RFC 2369 and 8058 list headers.

Headers are encoded by `email.header`, which only writes. The newer header classes of the same
package read a value before they write it, and some of this interpreter's releases turn an encoded
word such as `=?utf-8?q?x=0D=0ABcc=3A?=` into a header of its own.
"""

import datetime as dt
import hashlib
import re
from email.charset import QP, Charset
from email.generator import BytesGenerator
from email.header import Header
from email.message import Message
from email.mime.text import MIMEText
from email.policy import compat32
from email.utils import format_datetime, quote
from io import BytesIO
from typing import NoReturn

from digest.errors import ConfigError, DigestError, UsageError
from digest.model.messages import Envelope
from digest.normalising.text import header_text

MAX_NAME = 100
MAX_SUBJECT = 200
MAX_LINE = 78
MAX_WORD = 60
AUTO_SUBMITTED = "auto-generated"  # RFC 3834, 5.2
MAX_URI = 900  # a header line ends at 998 bytes (RFC 5322, 2.1.1) and a URI cannot be folded

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_LOCAL = rf"{_ATOM}(?:\.{_ATOM})*"
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*"
_ADDRESS = re.compile(rf"(?P<local>{_LOCAL})@(?P<domain>{_DOMAIN})")
_MAILBOX = re.compile(r"(?P<name>[^<>]*|\".*\")\s*<(?P<address>[^<>\s]+)>", re.DOTALL)
_LIST_ID = re.compile(_DOMAIN)
_URI = re.compile(r"(?:https?|mailto):[!#-;=?-Z\[\]_a-z~]+")  # all that RFC 3986 has letters for
# Lines are folded here: the package would also fold before a long URL, and leave its header's
# first line empty, which some readers take for an empty header.
_POLICY = compat32.clone(linesep="\r\n", max_line_length=None)


def build_message(envelope: Envelope) -> bytes:
    """Return the mail as multipart/alternative, text before HTML: same envelope, same bytes.

    Lines end in CRLF; header lines are folded at 78 characters where there is a blank to fold at,
    and no line is longer than 998 bytes. Subject and names lose what cannot stand in a header;
    an address or a URL that cannot is refused. Line ends in the bodies become CRLF.

    Raises:
        UsageError: `to` is not one address that can be mailed.
        ConfigError: `sender`, an identifier or a URL cannot stand in a header.
        ValueError: `date` has no zone.
    """
    if envelope.date.tzinfo is None:
        raise ValueError("the date of a mail needs a zone")
    message = Message(_POLICY)
    message["From"] = _mailbox("From", envelope.sender, ConfigError)
    message["To"] = _mailbox("To", envelope.to, UsageError)
    subject = header_text(envelope.subject, limit=MAX_SUBJECT)
    message["Subject"] = _words("Subject", subject).encode(maxlinelen=MAX_LINE)
    message["Date"] = format_datetime(envelope.date.astimezone(dt.UTC))
    message["Message-ID"] = f"<{_matching(_ADDRESS, envelope.message_id, 'Message-ID')}>"
    if envelope.is_notice:
        message["Auto-Submitted"] = AUTO_SUBMITTED
    else:
        _add_list_headers(message, envelope)
    message["MIME-Version"] = "1.0"
    message["Content-Type"] = f'multipart/alternative; boundary="{_boundary(envelope)}"'
    message.attach(_part(envelope.text, "plain"))
    message.attach(_part(envelope.html, "html"))
    buffer = BytesIO()
    BytesGenerator(buffer, mangle_from_=False, policy=_POLICY).flatten(message)
    return buffer.getvalue()


def _add_list_headers(message: Message, envelope: Envelope) -> None:
    url = _matching(_URI, envelope.list_unsubscribe, "List-Unsubscribe")
    uris = [url]
    if envelope.unsubscribe_mailto:
        mailto = "mailto:" + envelope.unsubscribe_mailto.removeprefix("mailto:")
        uris.append(_matching(_URI, mailto, "List-Unsubscribe"))
    message["List-Unsubscribe"] = ",\n ".join(f"<{uri}>" for uri in uris)
    if url.startswith("https:"):  # one click is only defined over https (RFC 8058, 3.1)
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message["List-Id"] = f"<{_matching(_LIST_ID, envelope.list_id, 'List-Id')}>"


def _mailbox(header: str, text: str, kind: type[DigestError]) -> str:
    """Return one mailbox as a header value, its name cleaned and its address as it is."""
    name, address = split_mailbox(text) or _refuse(header, kind)
    name = header_text(name, limit=MAX_NAME)
    if not name:
        return address
    value = _words(header, name if _is_special(name) else f'"{quote(name)}"')
    value.append(f"<{address}>", "us-ascii")
    return value.encode(maxlinelen=MAX_LINE)


def split_mailbox(text: str) -> tuple[str, str] | None:
    """Return name and address of one mailbox, `Name <address>` or an address; None if it is none.

    The name is as it stands there, without the quotes around it; the address can be mailed.
    """
    if len(text) > MAX_URI:
        return None
    found = _MAILBOX.fullmatch(text.strip())
    name, address = (found["name"].strip(), found["address"]) if found else ("", text.strip())
    parts = _ADDRESS.fullmatch(address)
    # An atom may look like an encoded word, and readers that decode it there exist.
    if not parts or "=?" in address or len(parts["local"]) > 64 or len(address) > 254:
        return None
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    return name, address


def _words(header: str, text: str) -> Header:
    return Header(text, "utf-8" if _is_special(text) else "us-ascii", header_name=header)


def _is_special(text: str) -> bool:
    """Whether `text` needs encoded words: not ASCII, like one itself, or too long to fold."""
    return not text.isascii() or "=?" in text or max(map(len, text.split(" "))) > MAX_WORD


def _matching(pattern: re.Pattern[str], text: str, header: str) -> str:
    if len(text) > MAX_URI or not pattern.fullmatch(text) or "=?" in text:
        _refuse(header, ConfigError)
    return text


def _refuse(header: str, kind: type[DigestError]) -> NoReturn:
    # The value stays out of the sentence: it may be an address, or carry control characters.
    hints = {
        "To": "Name one address such as reader@example.com.",
        "From": 'Set newsletter.from in config/digest.toml to "Name <address>".',
    }
    raise kind(
        f"The {header} of the mail cannot be written as it is; no mail was made.",
        hint=hints.get(header, "Check newsletter.public_url and slug in config/digest.toml."),
    )


def _part(body: str, subtype: str) -> MIMEText:
    charset = Charset("utf-8")
    charset.body_encoding = QP
    lines = body.replace("\r\n", "\n").replace("\r", "\n")
    return MIMEText(lines, subtype, charset)  # type: ignore[arg-type]  # takes a Charset as well


def _boundary(envelope: Envelope) -> str:
    """Return a boundary that depends on the bodies alone; "=_" never stands in quoted-printable."""
    bodies = f"{envelope.text}\0{envelope.html}".encode("utf-8", "surrogatepass")
    return f"=_{hashlib.sha256(bodies).hexdigest()[:24]}"
