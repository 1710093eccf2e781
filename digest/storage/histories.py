"""What one reader was sent, edition by edition, what came of it, and what they did themselves."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from digest.model.deliveries import BatchState, DeliveryState
from digest.storage.delivery_tables import (
    attempts,
    batches,
    deliveries,
    events,
    exclusions,
    outcomes,
)
from digest.storage.reader_tables import letters, votes
from digest.storage.tables import articles, editions


def history(connection: sa.Connection, subscriber_id: int) -> list[Mapping[str, object]]:
    """Return a mapping for each edition that the reader was planned for or left out of.

    Newest edition first. `state` is that of the reader's batch, or "excluded"; `reason` says why
    the reader was left out or withdrawn, else it is ""; `reported` is the last that the provider
    reported, or "", and `reported_at` when, aware UTC or None.
    """
    query = (
        sa.select(
            editions.c.id,
            editions.c.label,
            exclusions.c.reason,
            batches.c.state,
            attempts.c.withdrawn,
            outcomes.c.rank,
            outcomes.c.at,
        )
        .select_from(_joined(subscriber_id))
        .where(deliveries.c.subscriber_id.is_not(None) | exclusions.c.reason.is_not(None))
        .order_by(editions.c.period_end_at.desc(), editions.c.id.desc())
    )
    return [_line(row, subscriber_id) for row in connection.execute(query)]


def reports(connection: sa.Connection, subscriber_id: int) -> list[Mapping[str, object]]:
    """Return the provider's reports about the reader that are kept, oldest first."""
    query = (
        sa.select(editions.c.label, events.c.kind, events.c.at, events.c.reason)
        .select_from(events.outerjoin(editions, editions.c.id == events.c.edition_id))
        .where(events.c.subscriber_id == subscriber_id)
        .order_by(events.c.at, events.c.kind)
    )
    return [
        {"edition": row.label or "", "kind": row.kind, "at": row.at, "reason": row.reason}
        for row in connection.execute(query)
    ]


def votes_of(connection: sa.Connection, subscriber_id: int) -> list[Mapping[str, object]]:
    """Return all votes of the reader, oldest first; the network that they came from is left out."""
    joined = votes.outerjoin(editions, editions.c.id == votes.c.edition_id)
    joined = joined.outerjoin(articles, articles.c.id == votes.c.article_id)
    query = (
        sa.select(editions.c.label, articles.c.title, votes.c.article_id, votes.c.stars, votes.c.at)
        .select_from(joined)
        .where(votes.c.subscriber_id == subscriber_id)
        .order_by(votes.c.id)
    )
    return [
        {
            "edition": row.label or "",
            "article_id": row.article_id,
            "title": row.title or "",
            "stars": row.stars,
            "at": row.at,
        }
        for row in connection.execute(query)
    ]


def letters_to(connection: sa.Connection, key: str) -> list[Mapping[str, object]]:
    """Return the letters to an address, oldest first; where they were asked for is left out."""
    left_out = {"id", "key", "network"}
    columns = [column for column in letters.c if column.name not in left_out]
    query = sa.select(*columns).where(letters.c.key == key).order_by(letters.c.id)
    rows = connection.execute(query).mappings()
    return [dict(row) for row in rows]


def _joined(subscriber_id: int) -> sa.FromClause:
    """Join each edition with what there is of the reader; everything else may be absent."""
    is_theirs = sa.and_(
        batches.c.edition_id == editions.c.id,
        batches.c.planned == deliveries.c.planned,
        sa.literal(subscriber_id, sa.BigInteger).between(batches.c.first_id, batches.c.last_id),
        batches.c.state != str(BatchState.SPLIT),  # its readers went on in its halves
    )
    is_last = sa.and_(attempts.c.batch_id == batches.c.id, attempts.c.number == batches.c.attempt)
    joined: sa.FromClause = editions
    for table in (deliveries, exclusions, outcomes):
        of_reader = sa.and_(
            table.c.edition_id == editions.c.id, table.c.subscriber_id == subscriber_id
        )
        joined = joined.outerjoin(table, of_reader)
    return joined.outerjoin(batches, is_theirs).outerjoin(attempts, is_last)


def _line(row: Any, subscriber_id: int) -> Mapping[str, object]:
    withdrawn = [why for why, ids in (row.withdrawn or {}).items() if subscriber_id in ids]
    return {
        "edition": row.label,
        "edition_id": row.id,
        "state": "excluded" if row.reason else row.state or str(BatchState.PLANNED),
        "reason": row.reason or "".join(withdrawn),
        "reported": "" if row.rank is None else str(list(DeliveryState)[row.rank]),
        "reported_at": row.at,
    }
