"""The audit log: who did what to an edition, in rows that are only ever added."""

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One row of the log.

    `edition` is a label, or "" for what concerns the whole newsletter. `actor` is the name of a
    person, or of a part of the program such as "schedule". `action` is one word or two, such as
    "approved", and `details` say more, a sentence each. `previous` is the hash of the row before,
    "" for the first, and `hash` covers that and all else; see `digest.auditing`.
    """

    newsletter: str
    edition: str
    at: dt.datetime
    actor: str
    action: str
    details: tuple[str, ...] = ()
    previous: str = ""
    hash: str = ""
