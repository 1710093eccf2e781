"""What became of editions, counted in the database: nothing is kept for it."""

import datetime as dt
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from digest.model.deliveries import BatchState, DeliveryState
from digest.model.editions import SENT_STATES, EditionState
from digest.model.figures import EditionCounts
from digest.storage.database import Database
from digest.storage.delivery_tables import attempts, batches, outcomes, subscribers
from digest.storage.tables import editions, stories

_PLANNED = (*SENT_STATES, EditionState.CANCELLED)

Counts = dict[int, dict[str, int]]  # by edition and by what


class SqlFigures:
    """See `digest.ports.Figures` for the promises of each method."""

    def __init__(self, database: Database) -> None:
        self._reading = database.reading

    def counts(self, newsletter: str, *, limit: int, label: str = "") -> Sequence[EditionCounts]:
        """Return the counts of the newsletter's last planned editions, newest first."""
        query = (
            sa.select(
                editions.c.id,
                editions.c.label,
                editions.c.state,
                editions.c.period_start_at,
                editions.c.period_end_at,
            )
            .where(editions.c.newsletter == newsletter)
            .where(editions.c.state.in_([str(state) for state in _PLANNED]))
            .order_by(editions.c.period_end_at.desc())
            .limit(limit)
        )
        if label:
            query = query.where(editions.c.label == label)
        with self._reading() as connection:
            found = connection.execute(query).all()
            ids = [row.id for row in found]
            planned, accepted = _handed_over(connection, ids)
            events = _events(connection, ids)
            left = _left(connection, newsletter, ids)
            articles = _articles(connection, ids)
        return [
            EditionCounts(
                edition=row.label,
                state=row.state,
                start=row.period_start_at,
                end=row.period_end_at,
                planned=planned.get(row.id, 0),
                accepted=accepted.get(row.id, 0),
                events=events.get(row.id, {}),
                left=left.get(row.id, {}),
                article_ids=articles.get(row.id, ()),
            )
            for row in found
        ]

    def joined_and_left(
        self, newsletter: str, start: dt.datetime, end: dt.datetime
    ) -> tuple[int, int]:
        """Return how many readers of now joined in [start, end), and how many left in it."""
        joined, left = (
            sa.func.count().filter(column >= start, column < end)
            for column in (subscribers.c.joined_at, subscribers.c.left_at)
        )
        query = sa.select(joined, left).where(subscribers.c.newsletter == newsletter)
        with self._reading() as connection:
            row = connection.execute(query).one()
            return int(row[0]), int(row[1])


def _handed_over(
    connection: sa.Connection, ids: Sequence[int]
) -> tuple[Mapping[int, int], Mapping[int, int]]:
    """Return how many readers each edition was planned for, and of how many it was accepted.

    They are added up from the batches, of which there is one for a thousand deliveries.
    """
    is_last = (attempts.c.batch_id == batches.c.id) & (attempts.c.number == batches.c.attempt)
    is_accepted = batches.c.state == str(BatchState.ACCEPTED)
    query = (
        sa.select(
            batches.c.edition_id,
            sa.func.sum(batches.c.readers).label("planned"),
            sa.func.sum(sa.case((is_accepted, attempts.c.readers), else_=0)).label("accepted"),
        )
        .select_from(batches.outerjoin(attempts, is_last))
        .where(batches.c.edition_id.in_(ids), batches.c.state != str(BatchState.SPLIT))
        .group_by(batches.c.edition_id)
    )
    planned, accepted = {}, {}
    for row in connection.execute(query):
        planned[row.edition_id] = int(row.planned)
        accepted[row.edition_id] = int(row.accepted or 0)
    return planned, accepted


def _events(connection: sa.Connection, ids: Sequence[int]) -> Counts:
    """Return how many deliveries stand where; a row a delivery is read, in the order of the key.

    Grouping by the rank too would sort them all, which takes four times as long.
    """
    states = list(DeliveryState)
    numbers = [sa.func.count().filter(outcomes.c.rank == rank) for rank in range(len(states))]
    query = (
        sa.select(outcomes.c.edition_id, *numbers)
        .where(outcomes.c.edition_id.in_(ids))
        .group_by(outcomes.c.edition_id)
    )
    return {
        edition_id: {str(state): int(n) for state, n in zip(states, counted, strict=True) if n}
        for edition_id, *counted in connection.execute(query)
    }


def _left(connection: sa.Connection, newsletter: str, ids: Sequence[int]) -> Counts:
    query = (
        sa.select(
            subscribers.c.left_edition_id, subscribers.c.left_why, sa.func.count().label("number")
        )
        .where(subscribers.c.newsletter == newsletter, subscribers.c.left_edition_id.in_(ids))
        .group_by(subscribers.c.left_edition_id, subscribers.c.left_why)
    )
    found: Counts = {}
    for edition_id, why, number in connection.execute(query):
        found.setdefault(edition_id, {})[why] = int(number)
    return found


def _articles(connection: sa.Connection, ids: Sequence[int]) -> Mapping[int, Sequence[int]]:
    query = (
        sa.select(stories.c.edition_id, stories.c.article_id)
        .where(stories.c.edition_id.in_(ids))
        .order_by(stories.c.edition_id, stories.c.position)
    )
    found: dict[int, list[int]] = {}
    for edition_id, article_id in connection.execute(query):
        found.setdefault(edition_id, []).append(article_id)
    return found
