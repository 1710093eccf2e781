"""The log of votes: rows are only added, and of one reader and article the last one counts."""

import datetime as dt
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from digest.model.subscribers import SubscriberState
from digest.model.votes import Ballots, Vote
from digest.storage.database import Database
from digest.storage.delivery_tables import subscribers
from digest.storage.reader_tables import votes

FEW = 400  # variables of one statement; SQLite had 999 at most for long

_COLUMNS = tuple(field.name for field in fields(Vote))


class SqlVotes:
    """See `digest.ports.Votes` for the promises of each method."""

    def __init__(self, database: Database) -> None:
        self._reading, self._writing = database.reading, database.writing

    def vote(self, vote: Vote, *, at_most: int, since: dt.datetime) -> bool:
        """Add a vote, unless that reader voted `at_most` times about it since then."""
        # Whoever erases the reader waits for this lock, and then sees the vote.
        reader = sa.select(subscribers.c.id).where(subscribers.c.id == vote.subscriber_id)
        before = (
            sa.select(sa.func.count())
            .select_from(votes)
            .where(
                votes.c.newsletter == vote.newsletter,
                votes.c.article_id == vote.article_id,
                votes.c.subscriber_id == vote.subscriber_id,
                votes.c.at >= since,
            )
        )
        values = {name: getattr(vote, name) for name in _COLUMNS}
        with self._writing() as connection:
            if connection.execute(reader.with_for_update()).scalar() is None:
                return False
            if connection.execute(before).scalar_one() >= at_most:
                return False
            connection.execute(sa.insert(votes).values(values))
            return True

    def last(self, subscriber_id: int, article_ids: Collection[int]) -> Mapping[int, int]:
        """Return the stars that the reader stands by, for those of the articles they voted on."""
        query = (
            sa.select(votes.c.article_id, votes.c.stars)
            .where(votes.c.subscriber_id == subscriber_id)
            .order_by(votes.c.id)
        )
        found: dict[int, int] = {}
        with self._reading() as connection:
            for some in _pages(article_ids):
                rows = connection.execute(query.where(votes.c.article_id.in_(some)))
                found.update({row.article_id: row.stars for row in rows})  # the last one stays
        return found

    def ballots(self, newsletter: str, article_ids: Collection[int]) -> Sequence[Ballots]:
        """Return the counts of what readers stand by, by article, network and stars."""
        found: list[Ballots] = []
        with self._reading() as connection:
            for some in _pages(article_ids):
                found += (
                    Ballots(article_id=article_id, network=network, stars=stars, votes=number)
                    for article_id, network, stars, number in connection.execute(
                        _ballots(newsletter, some)
                    )
                )
        return found

    def since(self, newsletter: str, since: dt.datetime) -> Sequence[int]:
        """Return the articles that were voted on since then, ascending."""
        query = (
            sa.select(votes.c.article_id)
            .where(votes.c.newsletter == newsletter, votes.c.at >= since)
            .distinct()
            .order_by(votes.c.article_id)
        )
        with self._reading() as connection:
            return list(connection.execute(query).scalars())


def forget_owner(connection: sa.Connection, subscriber_id: int, *, is_counted: bool) -> None:
    """Take the votes of an erased reader from them, in the connection's transaction.

    What they stand by goes on to count, without an owner, where it counted; all else is deleted.
    """
    theirs = votes.c.subscriber_id == subscriber_id
    if not is_counted:
        connection.execute(sa.delete(votes).where(theirs))
        return
    connection.execute(sa.delete(votes).where(theirs, ~_is_last()))
    connection.execute(sa.update(votes).where(theirs).values(subscriber_id=-votes.c.id))


def _is_last() -> sa.ColumnElement[bool]:
    """Return whether it is the one of its reader's votes about its article that counts."""
    later = votes.alias()
    return ~sa.exists().where(
        later.c.newsletter == votes.c.newsletter,
        later.c.article_id == votes.c.article_id,
        later.c.subscriber_id == votes.c.subscriber_id,
        later.c.id > votes.c.id,
    )


def _ballots(newsletter: str, article_ids: Sequence[int]) -> sa.Select[Any]:
    # Who was erased is not among the readers, and their votes have no owner who could object.
    is_left_out = sa.exists().where(
        subscribers.c.id == votes.c.subscriber_id,
        (subscribers.c.state == str(SubscriberState.LEFT)) | subscribers.c.is_uncounted,
    )
    # The last ones are found in one walk, not one by one: PostgreSQL would compare each with each.
    last = (
        sa.select(sa.func.max(votes.c.id).label("id"))
        .where(votes.c.newsletter == newsletter, votes.c.article_id.in_(article_ids))
        .group_by(votes.c.article_id, votes.c.subscriber_id)
        .subquery()
    )
    by = (votes.c.article_id, votes.c.network, votes.c.stars)
    return (
        sa.select(*by, sa.func.count())
        .join_from(last, votes, votes.c.id == last.c.id)
        .where(~is_left_out)
        .group_by(*by)
        .order_by(*by)
    )


def _pages(article_ids: Collection[int]) -> Iterator[list[int]]:
    ids = sorted(set(article_ids))
    for first in range(0, len(ids), FEW):
        yield ids[first : first + FEW]
