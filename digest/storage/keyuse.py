"""What stands on the keys: whether they would be missed, and which editions have their links."""

import datetime as dt
from collections.abc import Sequence

import sqlalchemy as sa

from digest.model.deliveries import AttemptOutcome
from digest.storage.database import Database
from digest.storage.delivery_tables import attempts, batches, deliveries, erasures
from digest.storage.reader_tables import letters
from digest.storage.tables import editions

_MAY_BE_READ = (
    AttemptOutcome.ACCEPTED,
    AttemptOutcome.UNKNOWN,
    AttemptOutcome.OPEN,
    AttemptOutcome.ABANDONED,
    AttemptOutcome.RESENT,
)


def needs_its_keys(database: Database) -> bool:
    """Tell whether mails were planned, letters sent or addresses erased: new keys fit none."""
    any_of = (sa.exists(sa.select(table)) for table in (deliveries, letters, erasures))
    with database.reading() as connection:
        return bool(connection.execute(sa.select(sa.or_(*any_of))).scalar())


def handed_over(
    database: Database, *, since: dt.datetime | None, until: dt.datetime | None
) -> Sequence[tuple[str, str]]:
    """Return newsletter and label of the editions of which mails were made in [since, until).

    None leaves that end open. They are in the order of their weeks.
    """
    query = (
        sa.select(editions.c.newsletter, editions.c.label)
        .join(batches, batches.c.edition_id == editions.c.id)
        .join(attempts, attempts.c.batch_id == batches.c.id)
        .where(attempts.c.outcome.in_([str(outcome) for outcome in _MAY_BE_READ]))
        .where(attempts.c.readers > 0)
        .group_by(editions.c.newsletter, editions.c.label, editions.c.period_end_at)
        .order_by(editions.c.period_end_at, editions.c.newsletter)
    )
    if since is not None:
        query = query.where(attempts.c.started_at >= since)
    if until is not None:
        query = query.where(attempts.c.started_at < until)
    with database.reading() as connection:
        return [(row.newsletter, row.label) for row in connection.execute(query)]
