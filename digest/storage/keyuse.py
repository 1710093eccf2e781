"""Whether keys that were lost would be missed."""

import sqlalchemy as sa

from digest.storage.database import Database
from digest.storage.delivery_tables import deliveries, erasures


def needs_its_keys(database: Database) -> bool:
    """Tell whether mails were planned or addresses erased: new keys would fit neither."""
    either = sa.exists(sa.select(deliveries)) | sa.exists(sa.select(erasures))
    with database.reading() as connection:
        return bool(connection.execute(sa.select(either)).scalar())
