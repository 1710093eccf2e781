"""The accounts of a send: what the ledger's rows add up to."""

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa

from digest.model.deliveries import (
    Attempt,
    AttemptOutcome,
    Batch,
    BatchState,
    DeliveryReport,
    DeliveryState,
    WaveReport,
)
from digest.model.editions import Edition
from digest.storage.delivery_tables import attempts, batches, deliveries, exclusions, outcomes
from digest.storage.tables import editions


def report(connection: sa.Connection, edition: Edition) -> DeliveryReport:
    """Return the edition's account, from the rows alone."""
    counts: Counter[str] = Counter()
    withdrawn: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    waves: dict[dt.datetime, _Wave] = {}
    lines: list[Mapping[str, object]] = []
    for row in connection.execute(_last_attempts(edition.id)):
        if row.state == BatchState.SPLIT:  # its readers went on in its halves
            continue
        part = _part(row)
        counts[part.name] += part.readers
        withdrawn.update(part.withdrawn)
        if part.name == "refused":
            refused[row.reason] += part.readers
        if row.wave_at is not None:
            waves.setdefault(row.wave_at, _Wave()).add(part, row)
        lines.append(_line(row, part.readers))
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
        accepted=counts["accepted"],
        withdrawn=dict(sorted(withdrawn.items())),
        refused=dict(sorted(refused.items())),
        unknown=counts["unknown"],
        abandoned=counts["abandoned"],
        cancelled=counts["cancelled"],
        pending=counts["pending"],
        batches=lines,
        events=event_counts(connection, edition.id),
        release_at=edition.release_at,
        waves=[wave.report(at) for at, wave in sorted(waves.items())],
    )


class _Part(NamedTuple):
    """A batch in the account: what its readers are counted as, and those who were left out."""

    name: str
    readers: int
    withdrawn: Mapping[str, int]


def _part(row: Any) -> _Part:
    is_pending = row.state in (BatchState.PLANNED, BatchState.CLAIMED)
    if is_pending or (row.state == BatchState.CANCELLED and row.outcome != AttemptOutcome.FENCED):
        return _Part("pending" if is_pending else row.state, row.readers, {})
    left_out = {reason: len(ids) for reason, ids in row.withdrawn.items()}
    return _Part(row.state, row.sent, left_out)


class _Wave:
    """The sums of a wave."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._last_at: dt.datetime | None = None

    def add(self, part: _Part, row: Any) -> None:
        left_out = sum(part.withdrawn.values())
        self._counts.update(
            {part.name: part.readers, "withdrawn": left_out, "planned": part.readers + left_out}
        )
        if part.name == "accepted" and part.readers:
            at = row.release_at or row.finished_at
            self._last_at = max(self._last_at or at, at)

    def report(self, at: dt.datetime) -> WaveReport:
        names = ("planned", "accepted", "withdrawn", "refused", "unknown", "abandoned")
        counts = {name: self._counts[name] for name in (*names, "cancelled", "pending")}
        return WaveReport(release_at=at, last_at=self._last_at, **counts)


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
    return bool(connection.execute(sa.select(reached(sa.literal(edition_id)))).scalar())


def reached(edition_id: sa.ColumnElement[int]) -> sa.Exists:
    """Return the condition that any try of that edition may have reached a reader, or may yet."""
    may_have = (
        AttemptOutcome.ACCEPTED,
        AttemptOutcome.UNKNOWN,
        AttemptOutcome.OPEN,
        AttemptOutcome.ABANDONED,
        AttemptOutcome.RESENT,
    )
    return (
        sa.exists()
        .where(attempts.c.batch_id == batches.c.id, batches.c.edition_id == edition_id)
        .where(
            attempts.c.outcome.in_([str(outcome) for outcome in may_have]), attempts.c.readers > 0
        )
    )


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
