"""The migrations make what the program works with, on every database that `digest` runs on."""

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from digest.storage import delivery_tables, reader_tables
from digest.storage.database import Database


def test_migrations_make_exactly_the_tables_of_the_program(database: Database) -> None:
    metadata = reader_tables.metadata
    assert metadata is delivery_tables.metadata
    with database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
