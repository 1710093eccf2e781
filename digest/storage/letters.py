"""Letters that people asked for, and what they do by the link in one."""

import datetime as dt
from collections.abc import Collection
from dataclasses import fields, replace
from typing import Any

import sqlalchemy as sa

from digest.model.letters import Letter, LetterKind, LetterState
from digest.model.subscribers import Subscriber, SubscriberState, SuppressionReason
from digest.storage.choices import COME_BACK
from digest.storage.database import Database
from digest.storage.delivery_tables import erasures, subscribers, suppressions
from digest.storage.reader_tables import letters
from digest.storage.rows import topics_text

BY_LETTER = "the reader, by a letter"
"""The origin of a suppression by somebody who did not ask for the letter they got."""

_COLUMNS = tuple(field.name for field in fields(Letter) if field.name != "id")
_OF_READER = tuple(field.name for field in fields(Subscriber) if field.name != "id")


class SqlLetters:
    """See `digest.ports.Letters` for the promises of each method."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reading, self._writing = database.reading, database.writing

    # Asking

    def ask(self, letter: Letter) -> int:
        """Keep a letter; return its id."""
        with self._writing() as connection:
            return _insert(connection, letter)

    def letter(self, letter_id: int) -> Letter | None:
        """Return one letter, or None."""
        query = sa.select(letters).where(letters.c.id == letter_id)
        with self._reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _to_letter(row)

    def sent_to(
        self, newsletter: str, key: str, *, kinds: Collection[LetterKind], since: dt.datetime
    ) -> int:
        """Return how many letters of these kinds were sent to the address since then."""
        return self._count(
            letters.c.newsletter == newsletter,
            letters.c.key == key,
            letters.c.state + "" == str(LetterState.SENT),  # few have the key, and many the state
            letters.c.settled_at >= since,
            letters.c.kind.in_([str(kind) for kind in kinds]),
        )

    def asked_from(self, newsletter: str, network: str, *, since: dt.datetime) -> int:
        """Return how many letters were asked for from a network since then."""
        return self._count(
            letters.c.newsletter == newsletter,
            letters.c.network == network,
            letters.c.asked_at >= since,
        )

    def asked(self, newsletter: str, *, since: dt.datetime, at_most: int | None = None) -> int:
        """Return how many letters were asked for by pages since then, `at_most` at most."""
        return self._count(
            letters.c.newsletter == newsletter,
            letters.c.network != "",
            letters.c.asked_at >= since,
            at_most=at_most,
        )

    def _count(self, *conditions: sa.ColumnElement[bool], at_most: int | None = None) -> int:
        found = sa.select(letters.c.id).where(*conditions).limit(at_most).subquery()
        query = sa.select(sa.func.count()).select_from(found)
        with self._reading() as connection:
            return int(connection.execute(query).scalar_one())

    # Sending

    def waiting(self, newsletter: str) -> bool:
        """Tell whether a letter of the newsletter waits to be sent."""
        waits = sa.select(letters.c.id).where(
            letters.c.newsletter == newsletter, letters.c.state == str(LetterState.WAITING)
        )
        with self._reading() as connection:
            return connection.execute(waits.limit(1)).scalar() is not None

    def claim(self, newsletter: str, *, now: dt.datetime) -> Letter | None:
        """Claim the oldest waiting letter of the newsletter."""
        oldest = (
            sa.select(letters.c.id)
            .where(letters.c.newsletter == newsletter, letters.c.state == str(LetterState.WAITING))
            .order_by(letters.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        with self._writing() as connection:
            number = connection.execute(oldest).scalar()
            if number is None:
                return None
            statement = (
                sa.update(letters)
                .where(letters.c.id == number)
                .values(state=str(LetterState.CLAIMED), settled_at=now)
                .returning(letters)
            )
            return _to_letter(connection.execute(statement).one())

    def settle(self, letter_id: int, state: str, *, reason: str, now: dt.datetime) -> None:
        """Record what became of a claimed letter; one that waits again is as if never claimed."""
        settled_at = None if state == LetterState.WAITING else now
        statement = (
            sa.update(letters)
            .where(letters.c.id == letter_id, letters.c.state == str(LetterState.CLAIMED))
            .values(state=str(state), reason=reason, settled_at=settled_at)
        )
        with self._writing() as connection:
            connection.execute(statement)

    def give_up(
        self, newsletter: str, *, before: dt.datetime, reason: str, now: dt.datetime
    ) -> int:
        """Record as failed what was claimed before then and never settled; return how many."""
        statement = (
            sa.update(letters)
            .where(
                letters.c.newsletter == newsletter,
                letters.c.state == str(LetterState.CLAIMED),
                letters.c.settled_at < before,
            )
            .values(state=str(LetterState.FAILED), reason=reason, settled_at=now)
        )
        with self._writing() as connection:
            return connection.execute(statement).rowcount

    def tidy(self, *, before: dt.datetime) -> int:
        """Delete letters that were asked for before then; return how many."""
        statement = sa.delete(letters).where(letters.c.asked_at < before)
        with self._writing() as connection:
            return connection.execute(statement).rowcount

    # What its person does

    def confirm(
        self, letter_id: int, reader: Subscriber, *, hashed: str, now: dt.datetime
    ) -> int | None:
        """Use the letter to make its person a reader; return their id, or None if it was used."""
        with self._writing() as connection:
            if not _use(connection, letter_id, now=now):
                return None
            number, is_new = self._activate(connection, reader, now=now)
            connection.execute(sa.delete(erasures).where(erasures.c.hashed == hashed))
            if is_new:
                welcome = Letter(
                    newsletter=reader.newsletter,
                    kind=LetterKind.WELCOME,
                    address=reader.address,
                    key=reader.key,
                    asked_at=now,
                )
                _insert(connection, welcome)
            return number

    def disown(self, letter_id: int, *, now: dt.datetime) -> bool:
        """Use the letter to suppress its address; return whether it was unused."""
        with self._writing() as connection:
            used = _use(connection, letter_id, now=now)
            if used is None:
                return False
            statement = self._database.insert(suppressions).values(
                key=used.key,
                address=used.address,
                reason=str(SuppressionReason.MANUAL),
                origin=BY_LETTER,
                since_at=now,
            )
            connection.execute(statement.on_conflict_do_nothing(index_elements=["key"]))
            return True

    def _activate(
        self, connection: sa.Connection, reader: Subscriber, *, now: dt.datetime
    ) -> tuple[int, bool]:
        """Make somebody an active reader; return their id, and whether they were none before."""
        fresh = replace(reader, joined_at=now, state=SubscriberState.ACTIVE)
        # The other one of two at once waits here, and then finds the reader.
        values = {name: getattr(fresh, name) for name in _OF_READER}
        values["topics"] = topics_text(fresh.topics)
        insert = self._database.insert(subscribers).values(values)
        insert = insert.on_conflict_do_nothing(index_elements=["newsletter", "key"])
        number = connection.execute(insert.returning(subscribers.c.id)).scalar()
        if number is not None:
            return int(number), True
        one = (subscribers.c.newsletter == reader.newsletter) & (subscribers.c.key == reader.key)
        # They come back to what they chose; their consent, and the spelling they proved, are new.
        back = (
            sa.update(subscribers)
            .where(one, subscribers.c.state == str(SubscriberState.LEFT))
            .values(
                **COME_BACK,
                address=reader.address,
                origin=reader.origin,
                joined_at=now,
                paused_until_at=None,
            )
        )
        is_back = connection.execute(back).rowcount == 1
        return int(connection.execute(sa.select(subscribers.c.id).where(one)).scalar_one()), is_back


def _insert(connection: sa.Connection, letter: Letter) -> int:
    values = {name: getattr(letter, name) for name in _COLUMNS}
    statement = sa.insert(letters).values(values).returning(letters.c.id)
    return int(connection.execute(statement).scalar_one())


def _use(connection: sa.Connection, letter_id: int, *, now: dt.datetime) -> Any:
    """Mark the letter as used; return its row, or None if it was used or is deleted."""
    statement = (
        sa.update(letters)
        .where(letters.c.id == letter_id, letters.c.used_at.is_(None))
        .values(used_at=now)
        .returning(letters)
    )
    return connection.execute(statement).one_or_none()


def _to_letter(row: Any) -> Letter:
    values = {name: getattr(row, name) for name in _COLUMNS}
    values |= {"kind": LetterKind(row.kind), "state": LetterState(row.state)}
    return Letter(id=row.id, **values)
