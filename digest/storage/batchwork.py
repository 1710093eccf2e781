"""The statements that the ledger is made of; each works in the caller's transaction."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from digest.model.deliveries import (
    Accepted,
    AttemptOutcome,
    BatchState,
    Claim,
    Outcome,
    Refused,
    Unavailable,
    Unsent,
)
from digest.model.editions import EditionState
from digest.storage import statements
from digest.storage.delivery_tables import attempts, batches
from digest.storage.tables import editions


def consequence(
    outcome: Outcome,
) -> tuple[BatchState, AttemptOutcome, dt.datetime | None]:
    """Return the batch's next state, the attempt's outcome, and when it may be tried again."""
    if isinstance(outcome, Accepted):
        return BatchState.ACCEPTED, AttemptOutcome.ACCEPTED, None
    if isinstance(outcome, Refused):
        return BatchState.REFUSED, AttemptOutcome.REFUSED, None
    if isinstance(outcome, Unavailable):
        return BatchState.PLANNED, AttemptOutcome.UNAVAILABLE, outcome.retry_at
    if isinstance(outcome, Unsent):
        return BatchState.PLANNED, AttemptOutcome.UNSENT, None
    return BatchState.UNKNOWN, AttemptOutcome.UNKNOWN, None


def move(
    connection: sa.Connection,
    batch_id: int,
    states: Iterable[BatchState],
    attempt_before: int,
    **values: Any,
) -> bool:
    """Change a batch, if it is in one of `states` with this attempt; return whether it was."""
    values["state"] = str(values["state"])
    chosen = {"batch": batch_id, "states": [str(s) for s in states], "before": attempt_before}
    return connection.execute(statements.change_batch(), chosen | values).rowcount == 1


def close_attempt(connection: sa.Connection, batch_id: int, number: int, **values: Any) -> None:
    """Write what became of an attempt."""
    values["outcome"] = str(values["outcome"])
    chosen = {"batch": batch_id, "its_number": number}
    connection.execute(statements.change_attempt(), chosen | values)


def numbers_of(connection: sa.Connection, batch: Any) -> list[int]:
    """Return the readers' numbers of a batch, ascending."""
    return list(connection.execute(statements.numbers(), _range(batch)).scalars())


def readers_of(
    connection: sa.Connection, batch: Any
) -> tuple[Sequence[tuple[int, str, str]], dict[str, list[int]]]:
    """Return who of the batch is still to be mailed, and by reason who is not."""
    # All at once takes half as long as one by one.
    rows = connection.execute(statements.addressees(), _range(batch)).all()
    readers = [(number, address, name) for number, address, name, reason in rows if reason is None]
    withdrawn: dict[str, list[int]] = {}
    if len(readers) < len(rows):
        for number, _address, _name, reason in rows:
            if reason is not None:
                withdrawn.setdefault(reason, []).append(number)
    return readers, withdrawn


def first_readers_of(
    connection: sa.Connection, batch: Any, limit: int
) -> list[tuple[int, str, str]]:
    """Return the first of those who are still to be mailed."""
    chosen = _range(batch) | {"limit": limit}
    rows = connection.execute(statements.first_addressees(), chosen)
    return [(number, address, name) for number, address, name, _reason in rows]


def _range(batch: Any) -> dict[str, int]:
    return {
        "edition": batch.edition_id,
        "planned": batch.planned,
        "first": batch.first_id,
        "last": batch.last_id,
    }


def open_attempt(
    connection: sa.Connection,
    claim: Claim,
    *,
    withdrawn: Mapping[str, Sequence[int]],
    now: dt.datetime,
) -> None:
    """Add the claim's row to the ledger; one without readers is closed at once."""
    is_empty = not claim.readers
    connection.execute(
        sa.insert(attempts).values(
            batch_id=claim.batch_id,
            number=claim.attempt,
            outcome=str(AttemptOutcome.ACCEPTED if is_empty else AttemptOutcome.OPEN),
            readers=len(claim.readers),
            withdrawn=withdrawn,
            reservation="" if is_empty else claim.reservation,
            mark=claim.mark,
            release_at=claim.release_at,
            started_at=now,
            finished_at=now if is_empty else None,
            reference="",
            reason="nobody is left in it" if is_empty else "",
            body_sha256="",
            settled_by="",
        )
    )


def insert_part(connection: sa.Connection, batch: Any, ids: Sequence[int]) -> None:
    """Add a planned batch for some neighbouring readers of `batch`, which is split."""
    connection.execute(
        sa.insert(batches).values(
            edition_id=batch.edition_id,
            planned=batch.planned,
            variant=batch.variant,
            first_id=ids[0],
            last_id=ids[-1],
            readers=len(ids),
            state=str(BatchState.PLANNED),
            attempt=0,
            holder="",
            wave_at=batch.wave_at,
        )
    )


def change_edition(
    connection: sa.Connection, edition_id: int, states: Iterable[str], to: str
) -> bool:
    """Bring the edition from one of `states` to `to`; return whether it was in one."""
    statement = (
        sa.update(editions)
        .where(editions.c.id == edition_id, editions.c.state.in_([str(state) for state in states]))
        .values(state=str(to), revision=editions.c.revision + 1)
    )
    return connection.execute(statement).rowcount == 1


def finish_edition(connection: sa.Connection, edition_id: int) -> bool:
    """Bring the edition to where its batches say it stands; see `Ledger.finish`."""
    is_open = batches.c.state.in_([str(BatchState.PLANNED), str(BatchState.CLAIMED)])
    is_unknown = batches.c.state == str(BatchState.UNKNOWN)
    of_edition = batches.c.edition_id == edition_id
    query = sa.select(
        sa.exists().where(of_edition, is_open), sa.exists().where(of_edition, is_unknown)
    )
    has_open, has_unknown = connection.execute(query).one()
    to = EditionState.ATTENTION if has_unknown else EditionState.DONE
    states = {EditionState.SENDING, EditionState.PAUSED, EditionState.ATTENTION} - {to}
    if has_open:
        states, to = {EditionState.ATTENTION, EditionState.DONE}, EditionState.PAUSED
    return change_edition(connection, edition_id, states, to)
