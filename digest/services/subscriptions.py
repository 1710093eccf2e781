"""Subscriptions one by one: adding, removing and erasing readers, and whom nobody mails again."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from digest.errors import UsageError
from digest.model.subscribers import (
    Frequency,
    Subscriber,
    Suppression,
    SuppressionReason,
)
from digest.normalising.addresses import address_key, parse_address
from digest.normalising.text import clean_text
from digest.ports import Added, SubscriberStore, Transport
from digest.services.importing import Topics, parse_language, parse_name, parse_timezone

ADMIN = "admin"
"""Who suppressed an address or took a reader off the list, where it was by a command."""

MAX_ORIGIN = 200  # characters
OVERLAP = dt.timedelta(hours=1)
"""How far a sync reads back: the provider's clock and its lists may lag behind."""

_CHUNK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What a reader chose. `changing` names what a known reader takes over of it."""

    first_name: str = ""
    topics: tuple[str, ...] = ()
    frequency: Frequency = Frequency.WEEKLY
    language: str = ""
    timezone: str = ""
    changing: frozenset[str] = frozenset()


class SubscriptionService:
    """Looks after the readers of one newsletter.

    Args:
        store: Where the readers are kept.
        newsletter: The newsletter's slug.
        hash_address: Makes the keyed hash by which an erased address is known again.
    """

    def __init__(
        self, store: SubscriberStore, newsletter: str, hash_address: Callable[[str], str]
    ) -> None:
        self._store = store
        self._newsletter = newsletter
        self._hash_address = hash_address

    def find(self, address: str) -> Subscriber | None:
        """Return the reader with this address, or None.

        Raises:
            UsageError: It is no address.
        """
        return self._store.subscriber(self._newsletter, address_key(parsed(address)))

    def suppression(self, address: str) -> Suppression | None:
        """Return the address's suppression, or None.

        Raises:
            UsageError: It is no address.
        """
        return self._store.suppression(address_key(parsed(address)))

    def is_erased(self, address: str) -> bool:
        """Tell whether the address was erased.

        Raises:
            UsageError: It is no address.
        """
        return self._is_erased(address_key(parsed(address)))

    def add(self, address: str, choices: Choices, *, origin: str, now: dt.datetime) -> Added:
        """Add a reader, or change what they chose; nobody who left comes back by it.

        Raises:
            UsageError: It is no address, what was chosen cannot be stored, or the reader has left,
                is suppressed or was erased; nothing was changed.
            Conflict: An address was erased at the same time; nothing was changed.
        """
        plain = parsed(address)
        key = address_key(plain)
        erased = self._store.all_erased()
        if erased and self._hash_address(key) in erased:
            raise UsageError(
                "The reader with this address had it erased; nothing was changed.",
                hint="Nobody but they themselves can bring it back.",
            )
        reader = _chosen(
            Subscriber(
                newsletter=self._newsletter,
                address=plain,
                key=key,
                joined_at=now,
                origin=clean_text(origin, limit=MAX_ORIGIN),
            ),
            choices,
            self._known_topics(),
        )
        added = self._store.add_subscribers([reader], changing=choices.changing, erased=erased)
        if added.left:
            raise UsageError(
                "This reader has left; nothing was changed.",
                hint="An admin cannot bring them back: they have to sign up again themselves.",
            )
        if added.suppressed:
            raise UsageError(
                "This address is suppressed; nothing was changed.",
                hint="See why: digest suppress list. Take it off: digest suppress remove ADDRESS",
            )
        return added

    def remove(self, address: str, *, now: dt.datetime) -> bool:
        """Record that a reader has left, by an admin; return whether that is new.

        Raises:
            UsageError: It is no address, or there is no such reader; nothing was changed.
        """
        found = self.find(address)
        if found is None or found.id is None:
            raise UsageError(
                "There is no reader with this address; nothing was changed.",
                hint="Search: digest subscribers list --search TEXT",
            )
        return self._store.set_left(found.id, by=ADMIN, now=now)

    def erase(self, address: str, *, now: dt.datetime) -> int:
        """Delete everything about the address, and keep its keyed hash, so that no list revives it.

        Returns:
            How many subscribers were deleted; 0 if it was on no list.

        Raises:
            UsageError: It is no address.
        """
        key = address_key(parsed(address))
        return self._store.erase(key, hashed=self._hash_address(key), now=now)

    # Suppressions

    def suppress(self, address: str, reason: SuppressionReason, *, now: dt.datetime) -> bool:
        """Never mail the address again; return whether that is new.

        Raises:
            UsageError: It is no address, or was erased and is not mailed anyway.
        """
        plain = parsed(address)
        if self._is_erased(address_key(plain)):
            raise UsageError("This address was erased, so it is not mailed; nothing was changed.")
        return bool(
            self._store.suppress(
                [
                    Suppression(
                        address=plain,
                        key=address_key(plain),
                        reason=reason,
                        origin=ADMIN,
                        since_at=now,
                    )
                ]
            )
        )

    def unsuppress(self, address: str) -> bool:
        """Take a suppression away; return whether there was one.

        Raises:
            UsageError: It is no address.
        """
        return self._store.unsuppress(address_key(parsed(address)))

    def sync(self, transport: Transport, *, now: dt.datetime, is_whole: bool = False) -> int:
        """Take over whom the provider no longer mails, since the last time or from the beginning.

        Returns:
            How many suppressions are new.

        Raises:
            TransportError: The provider does not say; what it said before stays, and the next sync
                asks for all of it again.
        """
        last = None if is_whole else self._store.last_sync()
        since = None if last is None else last - OVERLAP
        new = 0
        for some in _chunks(transport.suppressed(since)):
            hashes = {self._hash_address(one.key): one for one in some}
            erased = self._store.are_erased(list(hashes))
            # An erased address must not be written down again.
            new += self._store.suppress(
                one for hashed, one in hashes.items() if hashed not in erased
            )
        self._store.record_sync(now)
        return new

    def _known_topics(self) -> Topics:
        choices = self._store.topic_choices(self._newsletter)
        return Topics(topic for choice, _ in choices for topic in choice)

    def _is_erased(self, key: str) -> bool:
        return bool(self._store.are_erased([self._hash_address(key)]))


def parsed(address: str) -> str:
    """Return an address that a person typed as it is stored.

    Raises:
        UsageError: It is none.
    """
    try:
        return parse_address(address)
    except ValueError as error:
        raise UsageError(
            f"This cannot be used: {error}. Nothing was changed.",
            hint="Right is for example reader@example.com",
        ) from None


def _chosen(reader: Subscriber, choices: Choices, topics: Topics) -> Subscriber:
    try:
        return replace(
            reader,
            first_name=parse_name(choices.first_name),
            topics=topics.parse(";".join(choices.topics)),
            frequency=choices.frequency,
            language=parse_language(choices.language),
            timezone=parse_timezone(choices.timezone),
        )
    except ValueError as error:
        raise UsageError(
            f"This cannot be used: {error}. Nothing was changed.",
            hint="What each may be: digest subscribers add --help",
        ) from None


def _chunks(found: Iterable[Suppression]) -> Iterator[list[Suppression]]:
    rest = iter(found)
    while some := list(islice(rest, _CHUNK)):
        yield some
