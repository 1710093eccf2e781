"""The readers of the newsletters, and whom nobody mails again."""

import datetime as dt
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import msgspec
import sqlalchemy as sa

from digest.model.subscribers import (
    Frequency,
    Subscriber,
    SubscriberState,
    Suppression,
    SuppressionReason,
)
from digest.ports import CHANGEABLE, Added
from digest.storage import histories
from digest.storage.database import Database
from digest.storage.delivery_tables import erasures, inbox, instants, subscribers, suppressions
from digest.storage.events import WAITING
from digest.storage.intake import take_in
from digest.storage.reader_tables import letters
from digest.storage.votes import forget_owner

PAGE = 2_000  # rows read at once
FEW = 400  # variables of one statement; SQLite had 999 at most for long
SYNC = "suppressions sync"  # the name of the instant up to which the provider's lists are known

ACTIVE, LEFT = str(SubscriberState.ACTIVE), str(SubscriberState.LEFT)


class SqlSubscribers:
    """See `digest.ports.SubscriberStore` for the promises of each method."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reading, self._writing = database.reading, database.writing

    # Readers

    def add_subscribers(
        self,
        found: Iterable[Subscriber],
        *,
        changing: Collection[str] = CHANGEABLE,
        erased: Collection[str] = (),
        is_trial: bool = False,
    ) -> Added:
        """Insert or update readers in one transaction, streaming; never revives anybody."""
        with self._reading() as connection:  # it becomes one that writes when all are read
            return take_in(
                self._database,
                connection,
                found,
                changing=changing,
                erased=erased,
                is_trial=is_trial,
            )

    def subscriber(self, newsletter: str, key: str) -> Subscriber | None:
        """Return one reader, or None."""
        return self._one(subscribers.c.newsletter == newsletter, subscribers.c.key == key)

    def subscriber_by_id(self, subscriber_id: int) -> Subscriber | None:
        """Return one reader, or None."""
        return self._one(subscribers.c.id == subscriber_id)

    def subscribers_with(self, key: str) -> list[Subscriber]:
        """Return the readers with the address, of all newsletters, by newsletter."""
        query = sa.select(subscribers).where(subscribers.c.key == key)
        with self._reading() as connection:
            rows = connection.execute(query.order_by(subscribers.c.newsletter)).all()
        return list(map(_to_subscriber, rows))

    def subscribers(self, newsletter: str, *, is_mailed: bool = False) -> Iterator[Subscriber]:
        """Yield all readers by id, in constant memory."""
        # Not the column itself: each page is to be found by its numbers, and by no other index.
        of_newsletter = subscribers.c.newsletter + "" == newsletter
        query = sa.select(subscribers).where(of_newsletter)
        if is_mailed:
            is_suppressed = sa.exists().where(suppressions.c.key == subscribers.c.key)
            query = query.where(subscribers.c.state == ACTIVE, ~is_suppressed)
        query = query.order_by(subscribers.c.id)
        with self._reading() as connection:
            last = connection.execute(sa.select(sa.func.max(subscribers.c.id))).scalar() or 0
        for first in range(1, last + 1, PAGE):
            numbers = subscribers.c.id.between(first, first + PAGE - 1)
            with self._reading() as connection:
                page = connection.execute(query.where(numbers)).all()
            yield from map(_to_subscriber, page)

    def find_subscribers(self, newsletter: str, text: str, *, limit: int) -> list[Subscriber]:
        """Return readers with `text` in their address or first name, newest first."""
        query = sa.select(subscribers).where(subscribers.c.newsletter == newsletter)
        if text:
            in_address = subscribers.c.key.contains(text.casefold(), autoescape=True)
            query = query.where(
                in_address | subscribers.c.first_name.icontains(text, autoescape=True)
            )
        query = query.order_by(subscribers.c.id.desc()).limit(limit)
        with self._reading() as connection:
            return [_to_subscriber(row) for row in connection.execute(query)]

    def subscriber_counts(self, newsletter: str) -> Mapping[str, int]:
        """Return how many readers are in each state."""
        query = (
            sa.select(subscribers.c.state, sa.func.count())
            .where(subscribers.c.newsletter == newsletter)
            .group_by(subscribers.c.state)
            .order_by(subscribers.c.state)
        )
        with self._reading() as connection:
            return {str(state): int(number) for state, number in connection.execute(query)}

    def set_left(self, subscriber_id: int, *, by: str, now: dt.datetime) -> bool:
        """Record that the reader has left; return whether that is new."""
        statement = (
            sa.update(subscribers)
            .where(subscribers.c.id == subscriber_id, subscribers.c.state == ACTIVE)
            .values(state=LEFT, left_at=now, left_by=by)
        )
        with self._writing() as connection:
            return connection.execute(statement).rowcount == 1

    def topic_choices(self, newsletter: str) -> list[tuple[tuple[str, ...], int]]:
        """Return each choice of topics among active readers and how many have it, most first."""
        number = sa.func.count().label("number")
        query = (
            sa.select(subscribers.c.topics, number)
            .where(subscribers.c.newsletter == newsletter, subscribers.c.state == ACTIVE)
            .group_by(subscribers.c.topics)
            .order_by(number.desc(), subscribers.c.topics)
        )
        with self._reading() as connection:
            return [(_topics(text), int(count)) for text, count in connection.execute(query)]

    def history(self, subscriber_id: int) -> list[Mapping[str, object]]:
        """Return what the reader was sent and what came of it, newest edition first."""
        with self._reading() as connection:
            return histories.history(connection, subscriber_id)

    def reports(self, subscriber_id: int) -> list[Mapping[str, object]]:
        """Return the provider's reports about the reader that are kept, oldest first."""
        with self._reading() as connection:
            return histories.reports(connection, subscriber_id)

    def votes(self, subscriber_id: int) -> list[Mapping[str, object]]:
        """Return all votes of the reader, oldest first."""
        with self._reading() as connection:
            return histories.votes_of(connection, subscriber_id)

    def letters(self, key: str) -> list[Mapping[str, object]]:
        """Return the letters to the address that are kept, oldest first."""
        with self._reading() as connection:
            return histories.letters_to(connection, key)

    def _one(self, *conditions: sa.ColumnElement[bool]) -> Subscriber | None:
        with self._reading() as connection:
            row = connection.execute(sa.select(subscribers).where(*conditions)).first()
        return None if row is None else _to_subscriber(row)

    # Erased

    def erase(self, key: str, *, hashed: str, now: dt.datetime) -> int:
        """Delete everything about the address in all newsletters, and keep its keyed hash."""
        with self._reading() as connection:
            reports = list(_reports_with(connection, key))
        statement = self._database.insert(erasures).values(hashed=hashed, erased_at=now)
        with self._writing() as connection:
            if self._database.is_sqlite:  # else the file keeps what is deleted until it is reused
                connection.exec_driver_sql("PRAGMA secure_delete = ON").close()
            # Whoever confirms by one of them has done so before what follows, or never will.
            theirs = sa.select(letters.c.id).where(letters.c.key == key).order_by(letters.c.id)
            connection.execute(theirs.with_for_update()).close()
            connection.execute(sa.delete(letters).where(letters.c.key == key))
            connection.execute(statement.on_conflict_do_nothing(index_elements=["hashed"]))
            connection.execute(sa.delete(suppressions).where(suppressions.c.key == key))
            for some in _pages(reports, FEW):
                connection.execute(sa.delete(inbox).where(inbox.c.id.in_(some)))
            of_reader = sa.delete(subscribers).where(subscribers.c.key == key)
            returned = (subscribers.c.id, subscribers.c.state, subscribers.c.is_uncounted)
            readers = connection.execute(of_reader.returning(*returned)).all()
            for one in readers:  # now that nobody can vote as them any more
                is_counted = one.state == ACTIVE and not one.is_uncounted
                forget_owner(connection, one.id, is_counted=is_counted)
            return len(readers)

    def are_erased(self, hashes: Sequence[str]) -> frozenset[str]:
        """Return those of the keyed hashes whose address was erased."""
        found: set[str] = set()
        with self._reading() as connection:
            for some in _pages(hashes, FEW):
                query = sa.select(erasures.c.hashed).where(erasures.c.hashed.in_(some))
                found.update(connection.execute(query).scalars())
        return frozenset(found)

    def all_erased(self) -> frozenset[str]:
        """Return the keyed hashes of all addresses that were erased."""
        with self._reading() as connection:
            return frozenset(connection.execute(sa.select(erasures.c.hashed)).scalars())

    # Suppressed

    def suppress(self, found: Iterable[Suppression]) -> int:
        """Add suppressions; one that exists keeps its first reason. Return how many were new."""
        number = 0
        with self._writing() as connection:
            for some in _pages(found, FEW // len(suppressions.c)):
                # One statement must not name a row twice.
                values = {one.key: _suppression_values(one) for one in reversed(some)}
                statement = (
                    self._database.insert(suppressions)
                    .values([values[key] for key in sorted(values)])
                    .on_conflict_do_nothing(index_elements=["key"])
                    .returning(suppressions.c.key)
                )
                number += len(connection.execute(statement).all())
        return number

    def unsuppress(self, key: str) -> bool:
        """Take a suppression away; return whether there was one."""
        statement = sa.delete(suppressions).where(suppressions.c.key == key)
        with self._writing() as connection:
            return connection.execute(statement).rowcount == 1

    def suppressions(self) -> Iterator[Suppression]:
        """Yield all suppressions, newest first."""
        since, key = suppressions.c.since_at, suppressions.c.key
        query = sa.select(suppressions).order_by(since.desc(), key).limit(PAGE)
        page: Sequence[Any] = ()
        while True:
            after = query
            if page:
                last = page[-1]
                after = query.where(
                    (since < last.since_at) | ((since == last.since_at) & (key > last.key))
                )
            with self._reading() as connection:
                page = connection.execute(after).all()
            if not page:
                return
            yield from map(_to_suppression, page)

    def suppression(self, key: str) -> Suppression | None:
        """Return the address's suppression, or None."""
        query = sa.select(suppressions).where(suppressions.c.key == key)
        with self._reading() as connection:
            row = connection.execute(query).first()
        return None if row is None else _to_suppression(row)

    def last_sync(self) -> dt.datetime | None:
        """Return from when on the provider was last asked whom it no longer mails, or None."""
        query = sa.select(instants.c.at).where(instants.c.name == SYNC)
        with self._reading() as connection:
            at: dt.datetime | None = connection.execute(query).scalar()
        return at

    def record_sync(self, at: dt.datetime) -> None:
        """Remember that everything up to `at` is known."""
        statement = self._database.insert(instants).values(name=SYNC, at=at)
        with self._writing() as connection:
            connection.execute(
                statement.on_conflict_do_update(index_elements=["name"], set_={"at": at})
            )


def _pages(found: Iterable[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(found)
    while page := list(islice(rest, size)):
        yield page


def _topics(text: str) -> tuple[str, ...]:
    return msgspec.json.decode(text, type=tuple[str, ...]) if text else ()


def _to_subscriber(row: Any) -> Subscriber:
    return Subscriber(
        id=row.id,
        newsletter=row.newsletter,
        address=row.address,
        key=row.key,
        first_name=row.first_name,
        topics=_topics(row.topics),
        frequency=Frequency(row.frequency),
        language=row.language,
        timezone=row.timezone,
        state=SubscriberState(row.state),
        origin=row.origin,
        joined_at=row.joined_at,
        left_at=row.left_at,
        left_by=row.left_by,
        left_edition_id=row.left_edition_id,
        left_why=row.left_why,
        paused_until_at=row.paused_until_at,
        is_uncounted=row.is_uncounted,
    )


def _suppression_values(one: Suppression) -> dict[str, Any]:
    return {
        "key": one.key,
        "address": one.address,
        "reason": str(one.reason),
        "origin": one.origin,
        "since_at": one.since_at,
    }


def _to_suppression(row: Any) -> Suppression:
    return Suppression(
        key=row.key,
        address=row.address,
        reason=SuppressionReason(row.reason),
        origin=row.origin,
        since_at=row.since_at,
    )


def _reports_with(connection: sa.Connection, key: str) -> Iterator[int]:
    """Yield the numbers of raw reports that name the address and are folded, or never will be.

    One that waits is folded first, and deleted when it is old.
    """
    wanted = key.encode()
    query = sa.select(inbox.c.id, inbox.c.body).where(inbox.c.state != WAITING)
    for number, body in connection.execution_options(yield_per=100).execute(query):
        if wanted in zlib.decompress(body).lower():
            yield number
