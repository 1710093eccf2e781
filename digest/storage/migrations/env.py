"""Alembic's entry: runs the migrations on the connection that `schema.upgrade` hands over."""

from alembic import context

from digest.storage.tables import metadata

connection = context.config.attributes["connection"]
# Batch mode: SQLite cannot alter a column in place.
context.configure(
    connection=connection, target_metadata=metadata, render_as_batch=True, compare_type=True
)
with context.begin_transaction():
    context.run_migrations()
