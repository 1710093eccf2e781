"""Subscribers: who gets the newsletter, and who is never mailed again."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum


class SubscriberState(StrEnum):
    """Where a subscriber stands; who has left stays so until they say otherwise themselves."""

    ACTIVE = "active"
    LEFT = "left"


BY_PAGE, BY_ONE_CLICK = "page", "one-click"
"""How a reader left who did so themselves; `Subscriber.left_by`."""


class Frequency(StrEnum):
    """How often a subscriber wants the newsletter.

    A monthly reader gets the first edition of each month: the one whose period ends on one of the
    month's first seven days in the newsletter's zone.
    """

    WEEKLY = "weekly"
    MONTHLY = "monthly"


class SuppressionReason(StrEnum):
    """Why an address is never mailed again, by any newsletter of this database."""

    BOUNCED = "bounced"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"  # at the provider, whose list has no newsletters
    INVALID = "invalid"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """A reader of one newsletter. `id` is None until it is stored.

    `address` is as the reader wrote it, with the domain in lower case; `key` is what makes two
    spellings one reader. `topics` is in alphabetical order, () for everything. `language` is a BCP
    47 tag and `timezone` an IANA name, each "" for the newsletter's own. `origin` says where the
    consent came from. Before `paused_until_at` no edition is planned for them. `is_uncounted` says
    that their votes do not count. `left_edition_id` is the edition whose link they left by, and
    `left_why` the reason if they gave one. Instants are aware UTC.
    """

    newsletter: str
    address: str
    key: str
    joined_at: dt.datetime
    origin: str
    first_name: str = ""
    topics: tuple[str, ...] = ()
    frequency: Frequency = Frequency.WEEKLY
    language: str = ""
    timezone: str = ""
    state: SubscriberState = SubscriberState.ACTIVE
    left_at: dt.datetime | None = None
    left_by: str = ""
    left_edition_id: int | None = None
    left_why: str = ""
    paused_until_at: dt.datetime | None = None
    is_uncounted: bool = False
    id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """An address that is never mailed again. `origin` is who said so: a person, or the provider."""

    address: str
    key: str
    reason: SuppressionReason
    origin: str
    since_at: dt.datetime
