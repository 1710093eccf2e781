"""A mail filled in for each of its readers, for transports that take whole messages."""

import datetime as dt
import hashlib
from email.utils import quote

from digest.errors import UsageError
from digest.merging import compile_variant, reader_links
from digest.model.deliveries import Addressee, Mail
from digest.model.editions import Variant
from digest.model.messages import Envelope
from digest.normalising.text import header_text
from digest.transports.message import MAX_NAME, build_message, split_mailbox


class ReaderMessages:
    """One mail, taken apart once, and the messages that are made of it. Safe in many threads.

    `fingerprint` is equal for two mails of one newsletter and edition with one content.

    Raises:
        ValueError: The mail holds a token that nobody fills.
    """

    def __init__(self, mail: Mail) -> None:
        self._mail = mail
        self._compiled = compile_variant(
            Variant(
                subject=mail.subject,
                preheader="",
                html=mail.html,
                text=mail.text,
                tokens={},
                sha256="",
            )
        )
        content = (mail.newsletter, mail.edition, mail.subject, mail.html, mail.text)
        joined = "\0".join(content).encode("utf-8", "surrogatepass")
        self.fingerprint = hashlib.sha256(joined).hexdigest()[:16]

    def message(self, reader: Addressee, *, serial: str, date: dt.datetime) -> bytes:
        """Return the reader's message: same arguments, same bytes.

        Args:
            reader: Whom it is for.
            serial: What makes its Message-ID this reader's own among those of the mail.
            date: Its date, aware UTC.

        Raises:
            UsageError: The reader's address or a link cannot stand in a mail.
            ConfigError: The sender or an identifier cannot.
        """
        mail = self._mail
        links = reader_links(mail.public_url, mail.edition, reader.token)
        try:
            html, text = self._compiled.fill({"address": reader.address, **links})
        except ValueError as error:
            # Its text names which value it is, and does not repeat it.
            raise UsageError(f"The mail of a reader cannot be filled in: {error}.") from None
        return build_message(
            Envelope(
                sender=mail.sender,
                to=_mailbox(reader),
                subject=mail.subject,
                html=html,
                text=text,
                date=date,
                message_id=f"{mail.edition}.{serial}.{self.fingerprint}@{mail.list_id}",
                list_unsubscribe=links["unsubscribe_url"],
                list_id=mail.list_id,
                is_notice=mail.is_notice,
            )
        )


def _mailbox(reader: Addressee) -> str:
    """Return the reader's name, if there is one, and address, as the To line takes them."""
    address = reader.address.strip()
    if split_mailbox(address) != ("", address):  # else a quote in it could end the name early
        raise UsageError("The address of a reader cannot stand in a mail.")
    name = header_text(reader.first_name, limit=MAX_NAME)
    return f'"{quote(name)}" <{address}>' if name else address
