"""The statements that each batch needs, built once: building one takes longer than running it.

Their parameters are named in each function's text.
"""

import datetime as dt
from functools import cache
from typing import Any

import sqlalchemy as sa

from digest.model.deliveries import BatchState, ExclusionReason
from digest.model.editions import EditionState
from digest.storage.delivery_tables import (
    attempts,
    batches,
    deliveries,
    subscribers,
    suppressions,
)
from digest.storage.planning import withdrawal
from digest.storage.tables import Instant, editions

_BEGINNING = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@cache
def next_batch() -> sa.Select[Any]:
    """Select and lock the batch of `edition` that is claimed next at `now`."""
    return (
        sa.select(batches)
        .join(editions, editions.c.id == batches.c.edition_id)
        .where(
            batches.c.edition_id == sa.bindparam("edition"),
            batches.c.state == str(BatchState.PLANNED),
            editions.c.state == str(EditionState.SENDING),
            batches.c.not_before_at.is_(None) | (batches.c.not_before_at <= sa.bindparam("now")),
        )
        # One wave after the other. The halves of a split batch come in its place, so that a bad
        # reader is found before other batches are refused for theirs.
        .order_by(batches.c.wave_at, batches.c.planned, batches.c.first_id)
        .limit(1)
        .with_for_update(of=batches, skip_locked=True)
    )


@cache
def next_wait() -> sa.Select[Any]:
    """Select when the earliest planned batch of `edition` may be claimed, or a lease ends."""
    is_claimed = batches.c.state == str(BatchState.CLAIMED)
    begins = sa.func.coalesce(batches.c.not_before_at, sa.literal(_BEGINNING, Instant))
    return (
        sa.select(sa.case((is_claimed, batches.c.lease_until_at), else_=begins))
        .where(
            batches.c.edition_id == sa.bindparam("edition"),
            is_claimed | (batches.c.state == str(BatchState.PLANNED)),
        )
        .order_by(sa.text("1"))
        .limit(1)
    )


@cache
def numbers() -> sa.Select[Any]:
    """Select the readers' numbers of a batch, ascending: `edition`, `planned`, `first`, `last`."""
    return (
        sa.select(deliveries.c.subscriber_id)
        .where(
            deliveries.c.edition_id == sa.bindparam("edition"),
            deliveries.c.subscriber_id.between(sa.bindparam("first"), sa.bindparam("last")),
            deliveries.c.planned == sa.bindparam("planned"),
        )
        .order_by(deliveries.c.subscriber_id)
    )


@cache
def addressees() -> sa.Select[Any]:
    """Add address, first name and `reason` to `numbers`: NULL for who is still to be mailed."""
    return (
        numbers()
        .add_columns(subscribers.c.address, subscribers.c.first_name, _reason().label("reason"))
        .select_from(
            deliveries.outerjoin(
                subscribers, subscribers.c.id == deliveries.c.subscriber_id
            ).outerjoin(suppressions, suppressions.c.key == subscribers.c.key)
        )
    )


@cache
def first_addressees() -> sa.Select[Any]:
    """Select the first `limit` of the addressees who are still to be mailed."""
    return addressees().where(_reason().is_(None)).limit(sa.bindparam("limit"))


def _reason() -> sa.ColumnElement[Any]:
    is_gone = subscribers.c.id.is_(None)
    return sa.case((is_gone, sa.literal(str(ExclusionReason.ERASED))), else_=withdrawal())


@cache
def change_batch() -> sa.Update:
    """Change `batch`, if it is in one of `states` with the attempt `before`."""
    return sa.update(batches).where(
        batches.c.id == sa.bindparam("batch"),
        batches.c.state.in_(sa.bindparam("states", expanding=True)),
        batches.c.attempt == sa.bindparam("before"),
    )


@cache
def change_attempt() -> sa.Update:
    """Change the attempt with `its_number` of `batch`."""
    return sa.update(attempts).where(
        attempts.c.batch_id == sa.bindparam("batch"),
        attempts.c.number == sa.bindparam("its_number"),
    )
