"""What a report's events change; each function works in the caller's transaction, or in none.

Whatever the order of events, and however often one comes, the end is the same: the most final
state wins, and of two reasons to suppress an address the earlier one. Rows are written in the order
of their keys, so that two transactions never wait for each other.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from digest.model.deliveries import AttemptOutcome, BatchState, DeliveryEvent, DeliveryState
from digest.model.editions import EditionState
from digest.model.subscribers import SubscriberState, SuppressionReason
from digest.normalising.addresses import address_key, parse_address
from digest.storage.batchwork import close_attempt, finish_edition, move
from digest.storage.delivery_tables import batches, subscribers
from digest.storage.event_statements import ORIGIN, EventStatements
from digest.storage.tables import editions

MAX_BLOCKED = 3
"""Editions that an address's server may refuse for its own reasons; SendGrid goes on mailing it."""

_UNANSWERED = frozenset({BatchState.CLAIMED, BatchState.UNKNOWN})
_SECOND = dt.timedelta(seconds=1)  # how fine the provider's times are

_ORDER = list(DeliveryState)
_RANKS: Mapping[str, int] = {
    "deferred": _ORDER.index(DeliveryState.DEFERRED),
    "delivered": _ORDER.index(DeliveryState.DELIVERED),
    "dropped": _ORDER.index(DeliveryState.DROPPED),
    "bounced": _ORDER.index(DeliveryState.BOUNCED),
    "blocked": _ORDER.index(DeliveryState.BOUNCED),
    "complained": _ORDER.index(DeliveryState.COMPLAINED),
}
_REASONS: Mapping[str, SuppressionReason] = {
    "bounced": SuppressionReason.BOUNCED,
    "complained": SuppressionReason.COMPLAINED,
    "unsubscribed": SuppressionReason.UNSUBSCRIBED,
}
_DROPPED = frozenset(SuppressionReason) - {SuppressionReason.MANUAL}

Row = dict[str, Any]
Pair = tuple[int, int]  # edition and subscriber
Why = tuple[dt.datetime, str]  # since when an address is suppressed, and the reason


def tries_of(
    connection: sa.Connection, statements: EventStatements, found: Sequence[DeliveryEvent]
) -> Sequence[Any]:
    """Return all tries of the events' batches, in order, each with the state of its batch."""
    numbers = {event.batch_id for event in found if event.batch_id is not None}
    return connection.execute(statements.tries, {"batches": sorted(numbers)}).all()


def ours(tries: Iterable[Any], found: Iterable[DeliveryEvent]) -> list[DeliveryEvent]:
    """Return the events, without their numbers where those are of another installation.

    Two that share an account at the provider, an old database and a new one, say, count from 1
    both; the attempt's mark tells them apart.
    """
    known = {(row.edition_id, row.batch_id, row.number, row.mark) for row in tries}
    return [
        event
        if event.edition_id is None
        or (event.edition_id, event.batch_id, event.attempt, event.mark) in known
        else replace(event, edition_id=None, batch_id=None, attempt=None, subscriber_id=None)
        for event in found
    ]


def unanswered(tries: Iterable[Any], found: Iterable[DeliveryEvent]) -> list[tuple[int, int]]:
    """Return the batches and attempts that nobody has an answer of and that the events prove.

    Only what happened from the release on proves that mail went out: until then the provider may
    have taken a batch and yet be told to throw it away.
    """
    releases = {
        (row.edition_id, row.batch_id, row.number): row.release_at
        for row in tries
        if row.number == row.attempt and row.state in _UNANSWERED
    }
    if not releases:
        return []
    proved = set()
    for event in found:
        attempt = event.edition_id, event.batch_id, event.attempt
        if attempt in releases:
            release_at = releases[attempt]
            if release_at is None or event.at > release_at - _SECOND:
                proved.add(attempt)
    return [
        (batch, number) for edition, batch, number in releases if (edition, batch, number) in proved
    ]


def unknown_events(
    connection: sa.Connection, statements: EventStatements, found: Iterable[DeliveryEvent]
) -> list[DeliveryEvent]:
    """Return in order those of the events that are not stored."""
    by_key = {event.key: event for event in found}
    known = connection.execute(statements.known, {"keys": list(by_key)})
    for key in known.scalars().all():
        del by_key[key]
    return [by_key[key] for key in sorted(by_key)]


def event_row(event: DeliveryEvent) -> Row:
    """Return what is stored of an event."""
    return {
        "key": event.key,
        "edition_id": event.edition_id,
        "subscriber_id": event.subscriber_id,
        "kind": event.kind,
        "at": event.at,
        "reason": event.reason,
    }


def outcome_rows(
    connection: sa.Connection, statements: EventStatements, fresh: Iterable[DeliveryEvent]
) -> list[Row]:
    """Return in order the most final state that the events report of each delivery of ours."""
    best: dict[Pair, tuple[int, dt.datetime]] = {}
    for event in fresh:
        rank = _RANKS.get(event.kind)
        if rank is None or event.edition_id is None or event.subscriber_id is None:
            continue
        pair, new = (event.edition_id, event.subscriber_id), (rank, event.at)
        if pair not in best or _is_more(new, best[pair]):
            best[pair] = new
    planned = _planned(connection, statements, best)
    return [
        {
            "edition_id": pair[0],
            "subscriber_id": pair[1],
            "rank": best[pair][0],
            "at": best[pair][1],
        }
        for pair in sorted(planned)
    ]


def _planned(
    connection: sa.Connection, statements: EventStatements, pairs: Iterable[Pair]
) -> set[Pair]:
    """Return those of the pairs that are deliveries."""
    by_edition: dict[int, list[int]] = {}
    for edition_id, subscriber_id in pairs:
        by_edition.setdefault(edition_id, []).append(subscriber_id)
    found: set[Pair] = set()
    for edition_id, numbers in by_edition.items():
        chosen = {"edition": edition_id, "subscribers": numbers}
        rows = connection.execute(statements.planned, chosen).scalars()
        found.update((edition_id, number) for number in rows)
    return found


def _is_more(new: tuple[int, dt.datetime], old: tuple[int, dt.datetime]) -> bool:
    return new[0] > old[0] or (new[0] == old[0] and new[1] < old[1])


def suppress(
    connection: sa.Connection, statements: EventStatements, fresh: Iterable[DeliveryEvent]
) -> None:
    """Suppress who bounced, complained, left or cannot be mailed, if they are on a list of ours.

    An erased address is on none, and so is not written down again.
    """
    why: dict[str, Why] = {}
    for event in fresh:
        found = _why(connection, statements, event)
        key = _key(event) if found else ""
        if found and key and (key not in why or found < why[key]):
            why[key] = found
    if not why:
        return
    listed = connection.execute(statements.listed, {"keys": list(why)})
    rows = [
        {
            "key": key,
            "address": address,
            "since_at": why[key][0],
            "reason": why[key][1],
            "origin": ORIGIN,
        }
        for key, address in sorted((key, address) for key, address in listed)
    ]
    if rows:
        connection.execute(statements.suppress, rows)


def _why(
    connection: sa.Connection, statements: EventStatements, event: DeliveryEvent
) -> Why | None:
    """Return since when and why the event's address is never mailed again, or None."""
    if event.kind in _REASONS:
        return event.at, str(_REASONS[event.kind])
    if event.kind == "dropped" and event.reason in _DROPPED:
        return event.at, event.reason
    if event.kind != "blocked" or event.subscriber_id is None:
        return None
    chosen = {"subscriber": event.subscriber_id}
    blocked = connection.execute(statements.blocked, chosen).scalars().all()
    if len(blocked) < MAX_BLOCKED:
        return None
    return blocked[MAX_BLOCKED - 1], str(SuppressionReason.BOUNCED)


def _key(event: DeliveryEvent) -> str:
    """Return the key of the event's address, "" if it is none."""
    try:
        return address_key(parse_address(event.address))
    except ValueError:
        return ""


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
    if not settled:
        return
    waiting = (
        sa.select(batches.c.edition_id)
        .join(editions, editions.c.id == batches.c.edition_id)
        .where(batches.c.id.in_(settled), editions.c.state == str(EditionState.ATTENTION))
        .distinct()
    )
    for edition_id in list(connection.execute(waiting).scalars()):
        finish_edition(connection, edition_id)
