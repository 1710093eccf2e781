"""Subscriptions one by one: adding, removing and erasing readers, and whom nobody mails again."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from itertools import islice

from digest.errors import NotFound, UsageError
from digest.model.subscribers import Frequency, Subscriber, Suppression, SuppressionReason
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

    # A copy of all of it

    def data(self, subscriber_id: int) -> Mapping[str, object]:
        """Return all that is stored about a reader's person, ready to be written as JSON.

        No token and no hash is in it: they say nothing of the person. Instants are ISO 8601, UTC.

        Raises:
            NotFound: There is no such reader.
        """
        reader = self._store.subscriber_by_id(subscriber_id)
        if reader is None:
            raise NotFound("There is no such reader any more; nothing is stored about them.")
        return self._data(reader.key, reader)

    def data_about(self, address: str) -> Mapping[str, object]:
        """Return the same about an address, whether or not it is a reader's.

        Raises:
            UsageError: It is no address.
        """
        key = address_key(parsed(address))
        return self._data(key, self._store.subscriber(self._newsletter, key))

    def _data(self, key: str, reader: Subscriber | None) -> Mapping[str, object]:
        suppression = self._store.suppression(key)
        others = self._store.subscribers_with(key)
        return {
            **self._standing(reader, suppression),
            "suppression": suppression_data(suppression),
            "letters": list(map(_plain, self._store.letters(key))),
            "other_newsletters": [
                {"newsletter": one.newsletter, **self._standing(one, suppression)}
                for one in others
                if reader is None or one.id != reader.id
            ],
        }

    def _standing(
        self, reader: Subscriber | None, suppression: Suppression | None
    ) -> dict[str, object]:
        """Return what one newsletter has about a reader."""
        if reader is None or reader.id is None:
            return {"subscriber": None, "history": [], "reports": [], "votes": []}
        history = self._store.history(reader.id)
        left = [line["edition"] for line in history if line["edition_id"] == reader.left_edition_id]
        return {
            "subscriber": {
                **subscriber_data(reader, suppression),
                "left_edition": left[0] if left else "",
            },
            "history": list(map(_plain, history)),
            "reports": list(map(_plain, self._store.reports(reader.id))),
            "votes": list(map(_plain, self._store.votes(reader.id))),
        }

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


def subscriber_data(one: Subscriber, suppression: Suppression | None) -> dict[str, object]:
    """Return a reader's row as it is shown to people and to programs."""
    names = {field.name for field in fields(one)} - {"id", "key", "newsletter", "left_edition_id"}
    values = {name: value for name, value in _row(one).items() if name in names}
    return {**values, "suppressed": suppression.reason if suppression else None}


def suppression_data(one: Suppression | None) -> dict[str, object] | None:
    """Return a suppression, ready to be written as JSON."""
    return None if one is None else {n: v for n, v in _row(one).items() if n != "key"}


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


def _row(one: Subscriber | Suppression) -> dict[str, object]:
    return _plain({field.name: getattr(one, field.name) for field in fields(one)})


def _plain(row: Mapping[str, object]) -> dict[str, object]:
    """Return the row with its instants and texts as JSON has them."""
    return {
        name: value.isoformat() if isinstance(value, dt.datetime) else value
        for name, value in row.items()
    }
