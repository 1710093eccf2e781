"""What a letter says: which form it has, and the facts that stand in it."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum


class LetterForm(StrEnum):
    """The mails that are letters. Which one goes out is decided when it goes."""

    CONFIRM = "confirm"  # to whom is not on the list: a link to confirm
    RETURN = "return"  # the same to somebody who left and asked for their links
    LINKS = "links"  # to a reader: their own links
    WELCOME = "welcome"


@dataclass(frozen=True, slots=True, kw_only=True)
class EditionLink:
    """An edition that readers have, as a letter leads to it: its label, and its subject."""

    label: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """A form with its facts, the same for everybody who gets it.

    `next_at` is when the next edition goes out, aware UTC, None where nobody can say. `past` holds
    the last editions that readers have, newest first.
    """

    form: LetterForm
    next_at: dt.datetime | None = None
    past: tuple[EditionLink, ...] = ()
