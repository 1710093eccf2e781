"""The statements that each transaction of events needs, built once.

Building one takes longer than running it. Their parameters are named in each text.
"""

import sqlalchemy as sa

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


class EventStatements:
    """The statements as one kind of database understands them.

    Args:
        database: Whose kind it is; nothing is asked of it.
    """

    def __init__(self, database: Database) -> None:
        self._name_what_is_known()
        self._name_changes(database)

    def _name_what_is_known(self) -> None:
        self.tries = (
            sa.select(
                batches.c.edition_id,
                attempts.c.batch_id,
                attempts.c.number,
                attempts.c.mark,
                attempts.c.release_at,
                batches.c.attempt,
                batches.c.state,
            )
            .join(batches, batches.c.id == attempts.c.batch_id)
            .where(attempts.c.batch_id.in_(sa.bindparam("batches", expanding=True)))
            .order_by(attempts.c.batch_id)
        )
        """Select all tries of `batches`, each with the state of its batch."""

        self.known = sa.select(events.c.key).where(
            events.c.key.in_(sa.bindparam("keys", expanding=True))
        )
        """Select those of `keys` whose event is stored."""

        self.planned = sa.select(deliveries.c.subscriber_id).where(
            deliveries.c.edition_id == sa.bindparam("edition"),
            deliveries.c.subscriber_id.in_(sa.bindparam("subscribers", expanding=True)),
        )
        """Select those of `subscribers` who have a delivery of `edition`."""

        self.blocked = (
            sa.select(sa.func.min(events.c.at).label("at"))
            .where(
                events.c.subscriber_id == sa.bindparam("subscriber"),
                events.c.kind == sa.literal_column("'blocked'"),  # as in the index
                events.c.edition_id.is_not(None),
            )
            .group_by(events.c.edition_id)
            .order_by(sa.text("1"))
        )
        """Select when each edition was first refused to `subscriber`, in order."""

        self.listed = (
            sa.select(subscribers.c.key, sa.func.min(subscribers.c.address))
            .where(
                # There are few newsletters, and with them the search can use its index.
                subscribers.c.newsletter.in_(sa.select(editions.c.newsletter).distinct()),
                subscribers.c.key.in_(sa.bindparam("keys", expanding=True)),
            )
            .group_by(subscribers.c.key)
        )
        """Select those of `keys` that are on a list, each with its address."""

    def _name_changes(self, database: Database) -> None:
        self.add = database.insert(events).on_conflict_do_nothing(index_elements=["key"])
        """Store events; what another process has stored meanwhile stays as it is."""

        insert = database.insert(outcomes)
        new = insert.excluded
        self.raise_outcome = insert.on_conflict_do_update(
            index_elements=["edition_id", "subscriber_id"],
            set_={"rank": new.rank, "at": new.at},
            where=sa.or_(
                new.rank > outcomes.c.rank,
                sa.and_(new.rank == outcomes.c.rank, new.at < outcomes.c.at),
            ),
        )
        """Bring deliveries to the most final state; of equal ones the first report counts."""

        insert = database.insert(suppressions)
        new, old = insert.excluded, suppressions.c
        self.suppress = insert.on_conflict_do_update(
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
        """Suppress addresses, the earlier reason first; what people decided stays."""
