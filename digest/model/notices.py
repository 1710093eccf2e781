"""Notices: short mails to the newsletter's own editors, mostly about one edition."""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum


class NoticeKind(StrEnum):
    """What an editor is told of."""

    DRAFTED = "drafted"
    WAITING = "waiting"  # nobody approved it yet, and its send time comes nearer
    HELD = "held"
    SKIPPED = "skipped"
    LEAD_CHANGED = "lead_changed"
    SENT = "sent"
    STOPPED = "stopped"  # a run ended before its end
    STANDS_STILL = "stands_still"  # the schedule does nothing; this is about no edition


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What happened, at the aware UTC instant `at`; `reason` says why, in a sentence for people."""

    kind: NoticeKind
    at: dt.datetime
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What one notice says, in words for people.

    `lines` are paragraphs. `link` opens the page on which the editor may act, "" where there is
    none. `is_listing` says whether the edition's stories follow.
    """

    subject: str
    title: str
    lines: tuple[str, ...]
    link: str = ""
    is_listing: bool = False
