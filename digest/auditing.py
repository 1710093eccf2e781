"""The audit log's chain: each entry's hash covers the entry before it. Pure.

So no entry can be changed, taken out or put in without breaking every hash after it. Entries cut
off at the end leave no trace in the chain itself; for that, keep the last hash elsewhere.
"""

import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import replace

import msgspec

from digest.model.audit import AuditEntry


def chained(entry: AuditEntry, previous: str) -> AuditEntry:
    """Return the entry as it follows the one whose hash is `previous`, with its own hash."""
    linked = replace(entry, previous=previous)
    return replace(linked, hash=hash_of(linked))


def hash_of(entry: AuditEntry) -> str:
    """Return the SHA-256, in hexadecimal, of all that the entry says but its own hash."""
    said = (
        entry.previous,
        entry.newsletter,
        entry.edition,
        entry.at.astimezone(dt.UTC).isoformat(timespec="microseconds"),
        entry.actor,
        entry.action,
        entry.details,
    )
    return hashlib.sha256(msgspec.json.encode(said)).hexdigest()


def broken_at(entries: Iterable[AuditEntry]) -> tuple[int, AuditEntry | None, str]:
    """Follow the chain from its first entry.

    Returns:
        How many entries hold, the first that does not (None: all hold), and the last good hash.
    """
    previous, count = "", 0
    for entry in entries:
        if entry.previous != previous or entry.hash != hash_of(entry):
            return count, entry, previous
        previous, count = entry.hash, count + 1
    return count, None, previous
