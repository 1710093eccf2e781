"""Letters: mails to one person who asked for them, not an edition and not to a list."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum


class LetterKind(StrEnum):
    """What somebody asked for.

    What is in the letter is decided when it is sent, so that the page where it is asked for cannot
    tell, by its words or its time, who is on the list.
    """

    SIGN_UP = "sign-up"  # a link to confirm; to who is on the list, their own links
    LINKS = "links"  # a reader's own links once more
    ACCOUNT = "account"  # the same, asked for by somebody who has a link of that reader
    WELCOME = "welcome"


class LetterState(StrEnum):
    """Where a letter stands; one that was claimed is never sent again."""

    WAITING = "waiting"
    CLAIMED = "claimed"
    SENT = "sent"
    FAILED = "failed"
    DROPPED = "dropped"  # nobody by that address is mailed, or they were often enough


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One letter, as asked for. Instants are aware UTC.

    `address` is as typed, with the domain in lower case, and `key` what makes two spellings one
    person. `network` is a hash of where the request came from that changes every day, "" where
    nobody asked by a page. `reason` says why it was dropped or failed. `used_at` is when the person
    confirmed by it or said that it was not them. `id` is None until it is stored.
    """

    newsletter: str
    kind: LetterKind
    address: str
    key: str
    asked_at: dt.datetime
    network: str = ""
    state: LetterState = LetterState.WAITING
    reason: str = ""
    settled_at: dt.datetime | None = None
    used_at: dt.datetime | None = None
    id: int | None = None
