"""The accounts of a send: what the ledger's rows add up to."""

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from digest.model.deliveries import (
    Attempt,
    AttemptOutcome,
    Batch,
    BatchState,
    DeliveryReport,
    DeliveryState,
)
from digest.model.editions import Edition
from digest.storage.delivery_tables import attempts, batches, deliveries, exclusions, outcomes
from digest.storage.tables import editions


def report(connection: sa.Connection, edition: Edition) -> DeliveryReport:
    """Return the edition's account, from the rows alone."""
    counts: Counter[str] = Counter()
    withdrawn: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    lines: list[Mapping[str, object]] = []
    for row in connection.execute(_last_attempts(edition.id)):
        if row.state == BatchState.SPLIT:  # its readers went on in its halves
            continue
        is_pending = row.state in (BatchState.PLANNED, BatchState.CLAIMED)
        is_pending |= row.state == BatchState.CANCELLED and row.outcome != AttemptOutcome.FENCED
        sent = row.readers if is_pending else row.sent
        if not is_pending:
            withdrawn.update({reason: len(ids) for reason, ids in row.withdrawn.items()})
        if row.state == BatchState.REFUSED:
            refused[row.reason] += sent
        else:
            counts[row.state] += sent
        lines.append(_line(row, sent))
    state = connection.execute(
        sa.select(editions.c.state).where(editions.c.id == edition.id)
    ).scalar_one()
    return DeliveryReport(
        edition=edition.period.label,
        state=state,
        sha256=edition.sha256,
        candidates=_count(connection, deliveries, edition.id)
        + _count(connection, exclusions, edition.id),
        excluded=_excluded(connection, edition.id),
        planned=_count(connection, deliveries, edition.id),
        accepted=counts[BatchState.ACCEPTED],
        withdrawn=dict(sorted(withdrawn.items())),
        refused=dict(sorted(refused.items())),
        unknown=counts[BatchState.UNKNOWN],
        abandoned=counts[BatchState.ABANDONED],
        cancelled=counts[BatchState.CANCELLED],
        pending=counts[BatchState.PLANNED] + counts[BatchState.CLAIMED],
        batches=lines,
        events=event_counts(connection, edition.id),
        release_at=edition.release_at,
    )


def unknown(connection: sa.Connection, edition_id: int) -> list[tuple[Batch, Attempt]]:
    """Return the unknown batches of an edition with their last attempt, in order."""
    query = _last_attempts(edition_id).where(batches.c.state == str(BatchState.UNKNOWN))
    return [(_batch(row), _attempt(row)) for row in connection.execute(query)]


def held(connection: sa.Connection, edition_id: int, now: dt.datetime) -> list[Attempt]:
    """Return the accepted attempts that the provider still holds at `now`, in order."""
    query = _last_attempts(edition_id).where(
        batches.c.state == str(BatchState.ACCEPTED),
        attempts.c.reservation != "",
        attempts.c.release_at > now,
    )
    return [_attempt(row) for row in connection.execute(query)]


def may_have_reached(connection: sa.Connection, edition_id: int) -> bool:
    """Tell whether any try of the edition was accepted, may have been, or may yet be made."""
    reached = (
        AttemptOutcome.ACCEPTED,
        AttemptOutcome.UNKNOWN,
        AttemptOutcome.OPEN,
        AttemptOutcome.ABANDONED,
        AttemptOutcome.RESENT,
    )
    tried = (
        sa.exists()
        .where(attempts.c.batch_id == batches.c.id, batches.c.edition_id == edition_id)
        .where(
            attempts.c.outcome.in_([str(outcome) for outcome in reached]), attempts.c.readers > 0
        )
    )
    return bool(connection.execute(sa.select(tried)).scalar())


def event_counts(connection: sa.Connection, edition_id: int | None) -> Mapping[str, int]:
    """Return how many deliveries of the edition stand where, by what the provider reported."""
    query = (
        sa.select(outcomes.c.rank, sa.func.count())
        .where(outcomes.c.edition_id == edition_id)
        .group_by(outcomes.c.rank)
        .order_by(outcomes.c.rank)
    )
    states = list(DeliveryState)
    return {str(states[rank]): number for rank, number in connection.execute(query)}


def _last_attempts(edition_id: int | None) -> sa.Select[Any]:
    """Select each batch of the edition with its last attempt, whose columns may be NULL."""
    return (
        sa.select(
            batches,
            attempts.c.outcome,
            attempts.c.readers.label("sent"),
            attempts.c.withdrawn,
            attempts.c.reservation,
            attempts.c.mark,
            attempts.c.release_at,
            attempts.c.started_at,
            attempts.c.finished_at,
            attempts.c.status,
            attempts.c.reference,
            attempts.c.reason,
            attempts.c.body_sha256,
            attempts.c.settled_by,
        )
        .select_from(
            batches.outerjoin(
                attempts,
                sa.and_(
                    attempts.c.batch_id == batches.c.id, attempts.c.number == batches.c.attempt
                ),
            )
        )
        .where(batches.c.edition_id == edition_id)
        .order_by(batches.c.id)
    )


def _batch(row: Any) -> Batch:
    return Batch(
        id=row.id,
        edition_id=row.edition_id,
        variant=row.variant,
        readers=row.readers,
        state=BatchState(row.state),
        attempt=row.attempt,
    )


def _attempt(row: Any) -> Attempt:
    return Attempt(
        batch_id=row.id,
        number=row.attempt,
        outcome=AttemptOutcome(row.outcome),
        readers=row.sent,
        withdrawn={reason: len(ids) for reason, ids in row.withdrawn.items()},
        reservation=row.reservation,
        mark=row.mark,
        release_at=row.release_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
        status=row.status,
        reference=row.reference,
        reason=row.reason,
        body_sha256=row.body_sha256,
        settled_by=row.settled_by,
    )


def _line(row: Any, readers: int) -> Mapping[str, object]:
    return {
        "batch": row.id,
        "variant": row.variant,
        "readers": readers,
        "state": row.state,
        "attempts": row.attempt,
        "reference": row.reference or "",
        "reason": row.reason or "",
        "settled_by": row.settled_by or "",
    }


def _excluded(connection: sa.Connection, edition_id: int | None) -> dict[str, int]:
    query = (
        sa.select(exclusions.c.reason, sa.func.count())
        .where(exclusions.c.edition_id == edition_id)
        .group_by(exclusions.c.reason)
        .order_by(exclusions.c.reason)
    )
    return {str(reason): int(number) for reason, number in connection.execute(query)}


def _count(connection: sa.Connection, table: sa.Table, edition_id: int | None) -> int:
    query = sa.select(sa.func.count()).select_from(table).where(table.c.edition_id == edition_id)
    return int(connection.execute(query).scalar_one())
