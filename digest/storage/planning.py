"""Planning: one statement each makes the exclusions, the deliveries and the batches.

Everybody on the newsletter's list becomes a delivery or an exclusion with a reason, never both and
never neither; the counts are compared before anything is kept.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from digest.errors import Conflict
from digest.model.deliveries import Audience, ExclusionReason
from digest.model.editions import WHOLE, Edition
from digest.model.subscribers import Frequency, SubscriberState
from digest.storage.database import Database
from digest.storage.delivery_tables import (
    batches,
    deliveries,
    exclusions,
    subscribers,
    suppressions,
    variants,
)
from digest.storage.rows import topics_text

PER_VARIANT = 1_000_000  # batches that a variant may have; variant n counts its own from n times it

# Which variant a choice of topics gets, for the length of one transaction.
_choices = sa.Table(
    "planned_choices",
    sa.MetaData(),
    sa.Column("topics", sa.Text, primary_key=True),
    sa.Column("variant", sa.Integer, nullable=False),
    prefixes=["TEMPORARY"],
)


def withdrawal() -> sa.ColumnElement[Any]:
    """Return why a subscriber must not be mailed at all, as an expression: NULL for no reason."""
    return sa.case(
        (subscribers.c.state == str(SubscriberState.LEFT), sa.literal(str(ExclusionReason.LEFT))),
        else_=suppressions.c.reason,
    )


def count_audience(connection: sa.Connection, newsletter: str, *, is_monthly: bool) -> Audience:
    """Count who would get an edition of the newsletter, and who would not and why."""
    reason = _exclusion(is_monthly).label("reason")
    query = (
        sa.select(reason, sa.func.count())
        .select_from(_list())
        .where(subscribers.c.newsletter == newsletter)
        .group_by(reason)
    )
    counts = {str(found or ""): int(number) for found, number in connection.execute(query)}
    planned = counts.pop("", 0)
    return Audience(planned=planned, excluded=dict(sorted(counts.items())))


def write_plan(
    database: Database, connection: sa.Connection, edition: Edition, *, is_monthly: bool, size: int
) -> Audience:
    """Write the plan's rows in the connection's transaction.

    Raises:
        Conflict: The counts do not add up; the caller's transaction must not be kept.
    """
    if not database.is_sqlite:  # SQLite has one writer at a time anyway
        # In the order in which folding writes them, or each would wait for the other for ever.
        connection.execute(sa.text("LOCK TABLE suppressions, subscribers IN SHARE MODE"))
    keys = _choose_variants(connection, edition)
    _exclude(connection, edition, is_monthly=is_monthly)
    _deliver(connection, edition, is_monthly=is_monthly, size=size)
    _batch(connection, edition, keys)
    return _counted(connection, edition)


def _exclusion(is_monthly: bool) -> sa.ColumnElement[Any]:
    reason = withdrawal()
    if is_monthly:
        return reason
    waits = subscribers.c.frequency == str(Frequency.MONTHLY)
    not_now = sa.case((waits, sa.literal(str(ExclusionReason.NOT_THIS_WEEK))))
    return sa.func.coalesce(reason, not_now)


def _list() -> sa.Join:
    return subscribers.outerjoin(suppressions, suppressions.c.key == subscribers.c.key)


def _choose_variants(connection: sa.Connection, edition: Edition) -> Sequence[str]:
    """Fill the table of choices; return the variants' keys, the whole one first."""
    query = sa.select(variants.c.key, variants.c.topics)
    found = connection.execute(
        query.where(variants.c.edition_id == edition.id).order_by(variants.c.id)
    ).all()
    keys = [WHOLE, *(row.key for row in found if row.key != WHOLE)]
    _choices.drop(connection, checkfirst=True)
    _choices.create(connection)
    rows = [
        {"topics": topics_text(choice), "variant": keys.index(row.key)}
        for row in found
        for choice in row.topics
        if row.key != WHOLE
    ]
    if rows:
        connection.execute(sa.insert(_choices), rows)
    return keys


def _exclude(connection: sa.Connection, edition: Edition, *, is_monthly: bool) -> None:
    reason = _exclusion(is_monthly)
    query = (
        sa.select(sa.literal(edition.id, sa.BigInteger), subscribers.c.id, reason)
        .select_from(_list())
        .where(subscribers.c.newsletter == edition.newsletter, reason.is_not(None))
        .order_by(subscribers.c.id)
    )
    columns = ["edition_id", "subscriber_id", "reason"]
    connection.execute(sa.insert(exclusions).from_select(columns, query))


def _deliver(connection: sa.Connection, edition: Edition, *, is_monthly: bool, size: int) -> None:
    everyone = _list()
    variant: sa.ColumnElement[int] = sa.literal(0, sa.BigInteger)
    place = sa.func.row_number().over(order_by=subscribers.c.id)
    if connection.execute(sa.select(sa.exists(sa.select(_choices)))).scalar():
        everyone = everyone.outerjoin(_choices, _choices.c.topics == subscribers.c.topics)
        variant = sa.func.coalesce(_choices.c.variant, 0)
        place = sa.func.row_number().over(partition_by=variant, order_by=subscribers.c.id)
    number = variant * PER_VARIANT + (place - 1) // sa.literal(size, sa.BigInteger)
    query = (
        sa.select(sa.literal(edition.id, sa.BigInteger), subscribers.c.id, number)
        .select_from(everyone)
        .where(subscribers.c.newsletter == edition.newsletter, _exclusion(is_monthly).is_(None))
        .order_by(subscribers.c.id)
    )
    columns = ["edition_id", "subscriber_id", "planned"]
    connection.execute(sa.insert(deliveries).from_select(columns, query))


def _batch(connection: sa.Connection, edition: Edition, keys: Sequence[str]) -> None:
    variant = sa.case(
        dict(enumerate(keys)),
        value=deliveries.c.planned // sa.literal(PER_VARIANT, sa.BigInteger),
    )
    query = (
        sa.select(
            deliveries.c.edition_id,
            deliveries.c.planned,
            variant,
            sa.func.min(deliveries.c.subscriber_id),
            sa.func.max(deliveries.c.subscriber_id),
            sa.func.count(),
            sa.literal("planned"),
            sa.literal(0),
            sa.literal(""),
        )
        .where(deliveries.c.edition_id == edition.id)
        .group_by(deliveries.c.edition_id, deliveries.c.planned)
        .order_by(deliveries.c.planned)
    )
    columns = ["edition_id", "planned", "variant", "first_id", "last_id", "readers"]
    columns += ["state", "attempt", "holder"]
    connection.execute(sa.insert(batches).from_select(columns, query))


def _counted(connection: sa.Connection, edition: Edition) -> Audience:
    """Prove that everybody on the list is planned or excluded, once; return the counts."""
    reasons = (
        sa.select(exclusions.c.reason, sa.func.count())
        .where(exclusions.c.edition_id == edition.id)
        .group_by(exclusions.c.reason)
    )
    excluded = dict(sorted((str(r), int(n)) for r, n in connection.execute(reasons)))
    everyone = sa.select(sa.func.count()).where(subscribers.c.newsletter == edition.newsletter)
    planned = sa.select(sa.func.count()).where(deliveries.c.edition_id == edition.id)
    batched = sa.select(sa.func.coalesce(sa.func.sum(batches.c.readers), 0)).where(
        batches.c.edition_id == edition.id
    )
    counts = [int(connection.execute(query).scalar_one()) for query in (everyone, planned, batched)]
    audience = Audience(planned=counts[1], excluded=excluded)
    if audience.candidates != counts[0] or counts[1] != counts[2]:
        raise Conflict(
            f"The plan of {edition.period.label} does not add up: {counts[0]:,} readers, "
            f"{audience.candidates:,} accounted for. Nothing of it is kept.",
            hint="Run it again; if it stays, report it as a bug.",
        )
    return audience
