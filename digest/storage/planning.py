"""Planning: one statement each makes the exclusions, the deliveries and the batches.

Everybody on the newsletter's list becomes a delivery or an exclusion with a reason, never both and
never neither; the counts are compared before anything is kept.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from digest.errors import Conflict
from digest.model.deliveries import Audience, ExclusionReason, Waves
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
from digest.storage.tables import Instant

PER_VARIANT = 1_000_000  # batches that a variant may have; variant n counts its own from n times it
# With waves it is so many batches a wave, and a variant has room for so many waves.
WAVES = 1_000

# Which variant a choice of topics gets, for the length of one transaction.
_choices = sa.Table(
    "planned_choices",
    sa.MetaData(),
    sa.Column("topics", sa.Text, primary_key=True),
    sa.Column("variant", sa.BigInteger, nullable=False),
    prefixes=["TEMPORARY"],
)
# Which wave a zone is of, in the same way.
_waves = sa.Table(
    "planned_waves",
    sa.MetaData(),
    sa.Column("zone", sa.Text, primary_key=True),
    sa.Column("wave", sa.BigInteger, nullable=False),
    prefixes=["TEMPORARY"],
)


def withdrawal() -> sa.ColumnElement[Any]:
    """Return why a subscriber must not be mailed at all, as an expression: NULL for no reason."""
    return sa.case(
        (subscribers.c.state == str(SubscriberState.LEFT), sa.literal(str(ExclusionReason.LEFT))),
        else_=suppressions.c.reason,
    )


def count_audience(connection: sa.Connection, edition: Edition, *, is_monthly: bool) -> Audience:
    """Count who would get the edition, and who would not and why."""
    reason = _exclusion(edition, is_monthly).label("reason")
    query = (
        sa.select(reason, sa.func.count())
        .select_from(_list())
        .where(subscribers.c.newsletter == edition.newsletter)
        .group_by(reason)
    )
    counts = {str(found or ""): int(number) for found, number in connection.execute(query)}
    planned = counts.pop("", 0)
    return Audience(planned=planned, excluded=dict(sorted(counts.items())))


def zones_of(connection: sa.Connection, newsletter: str) -> list[str]:
    """Return the zones of the readers who have not left, "" for the newsletter's own."""
    query = sa.select(subscribers.c.timezone).where(
        subscribers.c.newsletter == newsletter,
        subscribers.c.state == str(SubscriberState.ACTIVE),
    )
    return sorted(connection.execute(query.distinct()).scalars())


def write_plan(
    database: Database,
    connection: sa.Connection,
    edition: Edition,
    *,
    is_monthly: bool,
    size: int,
    waves: Waves | None = None,
) -> Audience:
    """Write the plan's rows in the connection's transaction.

    Raises:
        Conflict: The counts do not add up; the caller's transaction must not be kept.
    """
    if not database.is_sqlite:  # SQLite has one writer at a time anyway
        # In the order in which folding writes them, or each would wait for the other for ever.
        connection.execute(sa.text("LOCK TABLE suppressions, subscribers IN SHARE MODE"))
    keys = _choose_variants(connection, edition)
    instants = _choose_waves(connection, edition, waves) if waves is not None else []
    _exclude(connection, edition, is_monthly=is_monthly)
    _deliver(connection, edition, is_monthly=is_monthly, size=size, in_waves=waves is not None)
    if waves is None:
        _batch(connection, edition, keys)
    else:
        _batch(connection, edition, keys, instants=instants, ahead=waves.ahead)
    return _counted(connection, edition)


def _exclusion(edition: Edition, is_monthly: bool) -> sa.ColumnElement[Any]:
    """Return why a subscriber does not get the edition, as an expression: NULL for no reason.

    A pause is compared with the end of the edition's period, not with a clock: so the same edition
    goes to the same readers whenever it is planned.
    """
    is_paused = subscribers.c.paused_until_at > edition.period.end
    whens = [(is_paused, sa.literal(str(ExclusionReason.PAUSED)))]
    if not is_monthly:
        waits = subscribers.c.frequency == str(Frequency.MONTHLY)
        whens.append((waits, sa.literal(str(ExclusionReason.NOT_THIS_WEEK))))
    return sa.func.coalesce(withdrawal(), sa.case(*whens))


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


def _choose_waves(
    connection: sa.Connection, edition: Edition, waves: Waves
) -> Sequence[dt.datetime]:
    """Fill the table of waves, which are few: there are some hundred zones; return their instants.

    They are numbered in the order in which they go out.
    """
    releases = {zone: waves.release_at(zone) for zone in zones_of(connection, edition.newsletter)}
    instants = sorted(set(releases.values()))
    _waves.drop(connection, checkfirst=True)
    _waves.create(connection)
    rows = [{"zone": zone, "wave": instants.index(at)} for zone, at in releases.items()]
    if rows:
        connection.execute(sa.insert(_waves), rows)
    return instants


def _exclude(connection: sa.Connection, edition: Edition, *, is_monthly: bool) -> None:
    reason = _exclusion(edition, is_monthly)
    query = (
        sa.select(sa.literal(edition.id, sa.BigInteger), subscribers.c.id, reason)
        .select_from(_list())
        .where(subscribers.c.newsletter == edition.newsletter, reason.is_not(None))
        .order_by(subscribers.c.id)
    )
    columns = ["edition_id", "subscriber_id", "reason"]
    connection.execute(sa.insert(exclusions).from_select(columns, query))


def _deliver(
    connection: sa.Connection, edition: Edition, *, is_monthly: bool, size: int, in_waves: bool
) -> None:
    everyone = _list()
    group: sa.ColumnElement[int] = sa.literal(0, sa.BigInteger)
    has_choices = bool(connection.execute(sa.select(sa.exists(sa.select(_choices)))).scalar())
    if has_choices:
        everyone = everyone.outerjoin(_choices, _choices.c.topics == subscribers.c.topics)
        group = sa.func.coalesce(_choices.c.variant, 0)
    if in_waves:
        everyone = everyone.join(_waves, _waves.c.zone == subscribers.c.timezone)
        group = group * WAVES + _waves.c.wave
    place = sa.func.row_number().over(
        partition_by=group if has_choices or in_waves else None, order_by=subscribers.c.id
    )
    number = group * PER_VARIANT + (place - 1) // sa.literal(size, sa.BigInteger)
    query = (
        sa.select(sa.literal(edition.id, sa.BigInteger), subscribers.c.id, number)
        .select_from(everyone)
        .where(
            subscribers.c.newsletter == edition.newsletter,
            _exclusion(edition, is_monthly).is_(None),
        )
        .order_by(subscribers.c.id)
    )
    columns = ["edition_id", "subscriber_id", "planned"]
    connection.execute(sa.insert(deliveries).from_select(columns, query))


def _batch(
    connection: sa.Connection,
    edition: Edition,
    keys: Sequence[str],
    *,
    instants: Sequence[dt.datetime] = (),
    ahead: dt.timedelta = dt.timedelta(),
) -> None:
    group = deliveries.c.planned // sa.literal(PER_VARIANT, sa.BigInteger)
    columns = ["edition_id", "planned", "variant", "first_id", "last_id", "readers"]
    columns += ["state", "attempt", "holder"]
    times: list[sa.ColumnElement[Any]] = []
    variant = sa.case(dict(enumerate(keys)), value=group)
    if instants:
        many = sa.literal(WAVES, sa.BigInteger)
        variant = sa.case(dict(enumerate(keys)), value=group // many)
        columns += ["wave_at", "not_before_at"]
        times = [_by_wave(group % many, instants), _by_wave(group % many, instants, ahead)]
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
            *times,
        )
        .where(deliveries.c.edition_id == edition.id)
        .group_by(deliveries.c.edition_id, deliveries.c.planned)
        .order_by(deliveries.c.planned)
    )
    connection.execute(sa.insert(batches).from_select(columns, query))


def _by_wave(
    wave: sa.ColumnElement[int],
    instants: Sequence[dt.datetime],
    ahead: dt.timedelta = dt.timedelta(),
) -> sa.ColumnElement[Any]:
    times = {n: sa.literal(at - ahead, Instant) for n, at in enumerate(instants)}
    return sa.case(times, value=wave)


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
