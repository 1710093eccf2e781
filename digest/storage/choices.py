"""What readers decide about their own mail: one statement each, so of many at once one does it."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from digest.model.subscribers import BY_ONE_CLICK, BY_PAGE, Frequency, SubscriberState
from digest.storage.database import Database
from digest.storage.delivery_tables import subscribers
from digest.storage.rows import topics_text

ACTIVE, LEFT = str(SubscriberState.ACTIVE), str(SubscriberState.LEFT)

COME_BACK: Mapping[str, Any] = {
    "state": ACTIVE,
    "left_at": None,
    "left_by": "",
    "left_edition_id": None,
    "left_why": "",
}
"""The columns of somebody who is no longer one who left."""


class SqlChoices:
    """See `digest.ports.Choosing` for the promises of each method."""

    def __init__(self, database: Database) -> None:
        self._writing = database.writing

    def choose(
        self,
        subscriber_id: int,
        *,
        topics: tuple[str, ...],
        frequency: Frequency,
        language: str,
        is_uncounted: bool,
    ) -> bool:
        """Store what an active reader chose; return whether there is such a reader."""
        chosen = {
            "topics": topics_text(topics),
            "frequency": str(frequency),
            "language": language,
            "is_uncounted": is_uncounted,
        }
        return self._change(ACTIVE, subscriber_id, chosen)

    def pause(self, subscriber_id: int, until: dt.datetime | None) -> bool:
        """Leave an active reader out of what is planned before `until`, None for no longer."""
        return self._change(ACTIVE, subscriber_id, {"paused_until_at": until})

    def leave(self, subscriber_id: int, edition_id: int, *, by: str, now: dt.datetime) -> bool:
        """Record that the reader has left, by a link of that edition; return whether it is new.

        0 stands in links that came by letter, and is kept as no edition.
        """
        left = {
            "state": LEFT,
            "left_at": now,
            "left_by": by,
            "left_edition_id": edition_id or None,
        }
        return self._change(ACTIVE, subscriber_id, left)

    def say_why(self, subscriber_id: int, why: str) -> bool:
        """Keep why somebody who has left did so."""
        return self._change(LEFT, subscriber_id, {"left_why": why})

    def come_back(self, subscriber_id: int, *, since: dt.datetime) -> bool:
        """Undo what somebody did who left since then by a page or with one click.

        What an admin or the provider did they may not undo.
        """
        may = (subscribers.c.left_by.in_((BY_PAGE, BY_ONE_CLICK)), subscribers.c.left_at >= since)
        return self._change(LEFT, subscriber_id, COME_BACK, *may)

    def _change(
        self,
        state: str,
        subscriber_id: int,
        values: Mapping[str, Any],
        *conditions: sa.ColumnElement[bool],
    ) -> bool:
        """Change somebody in that state; return whether there was such a reader."""
        statement = (
            sa.update(subscribers)
            .where(subscribers.c.id == subscriber_id, subscribers.c.state == state, *conditions)
            .values(**values)
        )
        with self._writing() as connection:
            return connection.execute(statement).rowcount == 1
