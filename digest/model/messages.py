"""A mail to one reader, before it becomes bytes."""

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Everything a mail is made of.

    `sender` and `to` are one mailbox each: an address, or `Name <address>`. `date` is aware UTC.
    `message_id` and `list_id` come without angle brackets. `list_unsubscribe` is the URL that
    RFC 8058 posts to; `unsubscribe_mailto` is an address or a mailto: URL, or "" for none.
    `is_notice` marks a mail of a program to a person: it has no list headers, and says that nobody
    has written it (RFC 3834), so that nothing answers by itself.
    """

    sender: str
    to: str
    subject: str
    html: str
    text: str
    date: dt.datetime
    message_id: str
    list_unsubscribe: str
    list_id: str
    unsubscribe_mailto: str = ""
    is_notice: bool = False
