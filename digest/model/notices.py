"""Notices: short mails to the newsletter's own editors about one edition."""

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
