"""What a report's events change; each function works in the caller's transaction.

Whatever the order of events, and however often one comes, the end is the same: the most final
state wins, and of two reasons to suppress an address the earlier one. Rows are written in the order
of their keys, so that two transactions never wait for each other.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from digest.model.deliveries import AttemptOutcome, BatchState, DeliveryEvent, DeliveryState
from digest.model.editions import EditionState
from digest.model.subscribers import SubscriberState, SuppressionReason
from digest.normalising.addresses import address_key, parse_address
from digest.storage.batchwork import close_attempt, finish_edition, move
from digest.storage.database import Database
from digest.storage.delivery_tables import (
    attempts,
    batches,
    deliveries,
    events,
    outcomes,
    subscribers,
    suppressions,
)
from digest.storage.tables import editions

ORIGIN = "event"
"""Who left, suppressed or settled, where it was an event of the provider."""

MAX_BLOCKED = 3
"""Editions that an address's server may refuse for its own reasons; SendGrid goes on mailing it."""

_UNANSWERED = frozenset({BatchState.CLAIMED, BatchState.UNKNOWN})
_SECOND = dt.timedelta(seconds=1)  # how fine the provider's times are

_STATES: Mapping[str, DeliveryState] = {
    "deferred": DeliveryState.DEFERRED,
    "delivered": DeliveryState.DELIVERED,
    "dropped": DeliveryState.DROPPED,
    "bounced": DeliveryState.BOUNCED,
    "blocked": DeliveryState.BOUNCED,
    "complained": DeliveryState.COMPLAINED,
}
_RANKS = {state: rank for rank, state in enumerate(DeliveryState)}
_REASONS: Mapping[str, SuppressionReason] = {
    "bounced": SuppressionReason.BOUNCED,
    "complained": SuppressionReason.COMPLAINED,
    "unsubscribed": SuppressionReason.UNSUBSCRIBED,
}
_DROPPED = frozenset(SuppressionReason) - {SuppressionReason.MANUAL}

Pair = tuple[int, int]  # edition and subscriber
Why = tuple[dt.datetime, str]  # since when an address is suppressed, and the reason


def unknown_events(
    connection: sa.Connection, found: Sequence[DeliveryEvent]
) -> list[DeliveryEvent]:
    """Return in order those of the events that are not stored."""
    by_key = {event.key: event for event in found}
    known = connection.execute(sa.select(events.c.key).where(events.c.key.in_(list(by_key))))
    for key in known.scalars().all():
        del by_key[key]
    return [by_key[key] for key in sorted(by_key)]


def add_events(
    database: Database, connection: sa.Connection, fresh: Sequence[DeliveryEvent]
) -> None:
    """Store the events; one that another process has stored meanwhile stays as it is."""
    if fresh:
        statement = database.insert(events).on_conflict_do_nothing(index_elements=["key"])
        connection.execute(statement, [_row(event) for event in fresh])


def _row(event: DeliveryEvent) -> dict[str, Any]:
    return {
        "key": event.key,
        "edition_id": event.edition_id,
        "subscriber_id": event.subscriber_id,
        "kind": event.kind,
        "at": event.at,
        "reason": event.reason,
    }


def planned(connection: sa.Connection, fresh: Sequence[DeliveryEvent]) -> frozenset[Pair]:
    """Return those of the events' pairs of edition and subscriber that are deliveries of ours.

    Another installation may share the provider's account, and its numbers mean others.
    """
    pairs = {pair for event in fresh if (pair := _pair(event))}
    found: set[Pair] = set()
    for edition_id in {edition for edition, _ in pairs}:
        query = sa.select(deliveries.c.subscriber_id).where(
            deliveries.c.edition_id == edition_id,
            deliveries.c.subscriber_id.in_([s for e, s in pairs if e == edition_id]),
        )
        found.update((edition_id, number) for number in connection.execute(query).scalars())
    return frozenset(found)


def _pair(event: DeliveryEvent) -> Pair | None:
    if event.edition_id is None or event.subscriber_id is None:
        return None
    return event.edition_id, event.subscriber_id


def raise_outcomes(
    database: Database,
    connection: sa.Connection,
    fresh: Sequence[DeliveryEvent],
    planned: frozenset[Pair],
) -> None:
    """Bring deliveries to the most final state reported; of equal ones the first report counts."""
    best: dict[Pair, tuple[int, dt.datetime]] = {}
    for event in fresh:
        state, pair = _STATES.get(event.kind), _pair(event)
        if state is None or pair not in planned or pair is None:
            continue
        new = _RANKS[state], event.at
        if pair not in best or _is_more(new, best[pair]):
            best[pair] = new
    if not best:
        return
    statement = database.insert(outcomes)
    excluded = statement.excluded
    statement = statement.on_conflict_do_update(
        index_elements=["edition_id", "subscriber_id"],
        set_={"rank": excluded.rank, "at": excluded.at},
        where=sa.or_(
            excluded.rank > outcomes.c.rank,
            sa.and_(excluded.rank == outcomes.c.rank, excluded.at < outcomes.c.at),
        ),
    )
    rows = [
        {"edition_id": edition, "subscriber_id": subscriber, "rank": rank, "at": at}
        for (edition, subscriber), (rank, at) in sorted(best.items())
    ]
    connection.execute(statement, rows)


def _is_more(new: tuple[int, dt.datetime], old: tuple[int, dt.datetime]) -> bool:
    return new[0] > old[0] or (new[0] == old[0] and new[1] < old[1])


def suppress(database: Database, connection: sa.Connection, fresh: Sequence[DeliveryEvent]) -> None:
    """Suppress who bounced, complained, left or cannot be mailed, if they are on a list of ours.

    An erased address is on none, and so is not written down again.
    """
    why: dict[str, Why] = {}
    for event in fresh:
        found = _why(connection, event)
        key = _key(event) if found else ""
        if found and key and (key not in why or found < why[key]):
            why[key] = found
    rows = [
        {
            "key": key,
            "address": address,
            "since_at": why[key][0],
            "reason": why[key][1],
            "origin": ORIGIN,
        }
        for key, address in _listed(connection, why).items()
    ]
    if not rows:
        return
    statement = database.insert(suppressions)
    new, old = statement.excluded, suppressions.c
    statement = statement.on_conflict_do_update(
        index_elements=["key"],
        set_={"since_at": new.since_at, "reason": new.reason},
        where=sa.and_(
            old.origin == ORIGIN,
            sa.or_(
                new.since_at < old.since_at,
                sa.and_(new.since_at == old.since_at, new.reason < old.reason),
            ),
        ),
    )
    connection.execute(statement, rows)


def _why(connection: sa.Connection, event: DeliveryEvent) -> Why | None:
    """Return since when and why the event's address is never mailed again, or None."""
    if event.kind in _REASONS:
        return event.at, str(_REASONS[event.kind])
    if event.kind == "dropped" and event.reason in _DROPPED:
        return event.at, event.reason
    if event.kind != "blocked" or event.subscriber_id is None:
        return None
    first = (
        sa.select(sa.func.min(events.c.at).label("at"))
        .where(
            events.c.subscriber_id == event.subscriber_id,
            events.c.kind == sa.literal_column("'blocked'"),  # as in the index
            events.c.edition_id.is_not(None),
        )
        .group_by(events.c.edition_id)
        .order_by(sa.text("1"))
    )
    blocked = connection.execute(first).scalars().all()
    if len(blocked) < MAX_BLOCKED:
        return None
    return blocked[MAX_BLOCKED - 1], str(SuppressionReason.BOUNCED)


def _key(event: DeliveryEvent) -> str:
    """Return the key of the event's address, "" if it is none."""
    try:
        return address_key(parse_address(event.address))
    except ValueError:
        return ""


def _listed(connection: sa.Connection, keys: Mapping[str, Why]) -> dict[str, str]:
    """Return in order those of the keys that are on a list, each with its address."""
    if not keys:
        return {}
    query = (
        sa.select(subscribers.c.key, sa.func.min(subscribers.c.address))
        .where(
            # There are few newsletters, and with them the search can use its index.
            subscribers.c.newsletter.in_(sa.select(editions.c.newsletter).distinct()),
            subscribers.c.key.in_(list(keys)),
        )
        .group_by(subscribers.c.key)
    )
    return dict(sorted((key, address) for key, address in connection.execute(query)))


def leave(connection: sa.Connection, fresh: Sequence[DeliveryEvent]) -> None:
    """Record that readers left who said so at the provider; who joined later than that stays."""
    left: dict[tuple[int, str], dt.datetime] = {}
    for event in fresh:
        if event.kind == "unsubscribed" and event.subscriber_id is not None and _key(event):
            reader = event.subscriber_id, _key(event)
            left[reader] = min(event.at, left.get(reader, event.at))
    for (number, key), at in sorted(left.items()):
        connection.execute(
            sa.update(subscribers)
            .where(
                subscribers.c.id == number,
                subscribers.c.key == key,
                subscribers.c.joined_at <= at,
                sa.or_(
                    subscribers.c.state == str(SubscriberState.ACTIVE),
                    sa.and_(subscribers.c.left_by == ORIGIN, subscribers.c.left_at > at),
                ),
            )
            .values(state=str(SubscriberState.LEFT), left_at=at, left_by=ORIGIN)
        )


def ours(connection: sa.Connection, found: Sequence[DeliveryEvent]) -> list[DeliveryEvent]:
    """Return the events, without their numbers where those are of another installation.

    Two that share an account at the provider, an old database and a new one, say, count from 1
    both; the attempt's mark tells them apart.
    """
    query = sa.select(
        attempts.c.batch_id, attempts.c.number, batches.c.edition_id, attempts.c.mark
    ).join(batches, batches.c.id == attempts.c.batch_id)
    numbers = {event.batch_id for event in found if event.batch_id is not None}
    known = {
        (edition_id, batch_id, number): mark
        for batch_id, number, edition_id, mark in connection.execute(
            query.where(attempts.c.batch_id.in_(sorted(numbers)))
        )
    }
    return [
        event
        if event.edition_id is None
        or known.get((event.edition_id, event.batch_id or 0, event.attempt or 0)) == event.mark
        else replace(event, edition_id=None, batch_id=None, attempt=None, subscriber_id=None)
        for event in found
    ]


def unanswered(connection: sa.Connection, found: Sequence[DeliveryEvent]) -> list[tuple[int, int]]:
    """Return the batches and attempts that nobody has an answer of and that the events prove.

    Only what happened from the release on proves that mail went out: until then the provider may
    have taken a batch and yet be told to throw it away.
    """
    latest: dict[tuple[int, int, int], dt.datetime] = {}
    for event in found:
        if event.edition_id is None or event.batch_id is None or event.attempt is None:
            continue
        attempt = event.edition_id, event.batch_id, event.attempt
        latest[attempt] = max(event.at, latest.get(attempt, event.at))
    query = (
        sa.select(batches.c.edition_id, batches.c.id, batches.c.attempt, attempts.c.release_at)
        .join(
            attempts,
            sa.and_(attempts.c.batch_id == batches.c.id, attempts.c.number == batches.c.attempt),
        )
        .where(
            batches.c.id.in_({batch for _, batch, _ in latest}),
            batches.c.state.in_([str(state) for state in _UNANSWERED]),
        )
        .order_by(batches.c.id)
    )
    return [
        (batch_id, number)
        for edition_id, batch_id, number, release_at in connection.execute(query)
        if (at := latest.get((edition_id, batch_id, number)))
        and (release_at is None or at > release_at - _SECOND)
    ]


def settle(
    connection: sa.Connection, tries: Sequence[tuple[int, int]], *, now: dt.datetime
) -> None:
    """Settle the tries as accepted, unless somebody else settled them meanwhile.

    An edition that waits for attention is done with its last batch in doubt; one that is still
    being sent is left to its run.
    """
    settled = []
    for batch_id, number in tries:
        if move(connection, batch_id, _UNANSWERED, number, state=BatchState.ACCEPTED):
            close_attempt(
                connection,
                batch_id,
                number,
                outcome=AttemptOutcome.ACCEPTED,
                settled_by=ORIGIN,
                finished_at=now,
            )
            settled.append(batch_id)
    waiting = (
        sa.select(batches.c.edition_id)
        .join(editions, editions.c.id == batches.c.edition_id)
        .where(batches.c.id.in_(settled), editions.c.state == str(EditionState.ATTENTION))
        .distinct()
    )
    for edition_id in list(connection.execute(waiting).scalars()) if settled else ():
        finish_edition(connection, edition_id)
