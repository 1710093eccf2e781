"""Lists and deliveries: subscribers, suppressions, frozen variants, batches, attempts, events.

It is written out rather than taken from `digest.storage.delivery_tables`, which goes on to change.
"""

import sqlalchemy as sa
from alembic import op

from digest.storage.tables import Instant

revision = "0002"
down_revision = "0001"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _lists()
    _deliveries()
    _events()


def _lists() -> None:
    op.create_table(
        "subscribers",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("newsletter", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("first_name", sa.Text, nullable=False),
        sa.Column("topics", sa.Text, nullable=False),
        sa.Column("frequency", sa.Text, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("timezone", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("joined_at", Instant, nullable=False),
        sa.Column("left_at", Instant),
        sa.Column("left_by", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_subscribers"),
        sa.UniqueConstraint("newsletter", "key", name="uq_subscribers_newsletter"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "suppressions",
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("since_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_suppressions"),
    )
    op.create_table(
        "erasures",
        sa.Column("hashed", sa.Text, nullable=False),
        sa.Column("erased_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("hashed", name="pk_erasures"),
    )


def _deliveries() -> None:
    op.create_table(
        "variants",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("edition_id", NUMBER, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("topics", sa.JSON, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("preheader", sa.Text, nullable=False),
        sa.Column("html", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("tokens", sa.JSON, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["edition_id"],
            ["editions.id"],
            name="fk_variants_edition_id_editions",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_variants"),
        sa.UniqueConstraint("edition_id", "key", name="uq_variants_edition_id"),
    )
    op.create_table(
        "deliveries",
        sa.Column("edition_id", NUMBER, nullable=False),
        sa.Column("subscriber_id", sa.BigInteger, nullable=False),
        sa.Column("planned", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(
            ["edition_id"], ["editions.id"], name="fk_deliveries_edition_id_editions"
        ),
        sa.PrimaryKeyConstraint("edition_id", "subscriber_id", name="pk_deliveries"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "exclusions",
        sa.Column("edition_id", NUMBER, nullable=False),
        sa.Column("subscriber_id", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["edition_id"], ["editions.id"], name="fk_exclusions_edition_id_editions"
        ),
        sa.PrimaryKeyConstraint("edition_id", "subscriber_id", name="pk_exclusions"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "batches",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("edition_id", NUMBER, nullable=False),
        sa.Column("planned", sa.BigInteger, nullable=False),
        sa.Column("variant", sa.Text, nullable=False),
        sa.Column("first_id", sa.BigInteger, nullable=False),
        sa.Column("last_id", sa.BigInteger, nullable=False),
        sa.Column("readers", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("wave_at", Instant),
        sa.Column("not_before_at", Instant),
        sa.Column("lease_until_at", Instant),
        sa.ForeignKeyConstraint(
            ["edition_id"], ["editions.id"], name="fk_batches_edition_id_editions"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_batches"),
    )
    op.create_index("ix_batches_edition_id", "batches", ["edition_id"])
    op.create_table(
        "attempts",
        sa.Column("batch_id", NUMBER, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("readers", sa.Integer, nullable=False),
        sa.Column("withdrawn", sa.JSON, nullable=False),
        sa.Column("reservation", sa.Text, nullable=False),
        sa.Column("mark", sa.Text, nullable=False),
        sa.Column("release_at", Instant),
        sa.Column("started_at", Instant, nullable=False),
        sa.Column("finished_at", Instant),
        sa.Column("status", sa.Integer),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("body_sha256", sa.Text, nullable=False),
        sa.Column("settled_by", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["batches.id"],
            name="fk_attempts_batch_id_batches",
        ),
        sa.PrimaryKeyConstraint("batch_id", "number", name="pk_attempts"),
    )
    op.create_index("ix_attempts_finished_at", "attempts", ["finished_at"])


def _events() -> None:
    op.create_table(
        "inbox",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("taken_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_inbox"),
        sa.UniqueConstraint("sha256", name="uq_inbox_sha256"),
    )
    op.create_index("ix_inbox_state", "inbox", ["state"])
    op.create_table(
        "events",
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("edition_id", sa.BigInteger),
        sa.Column("subscriber_id", sa.BigInteger),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_events"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_events_blocked",
        "events",
        ["subscriber_id"],
        sqlite_where=sa.text("kind = 'blocked'"),
        postgresql_where=sa.text("kind = 'blocked'"),
    )
    op.create_table(
        "outcomes",
        sa.Column("edition_id", sa.BigInteger, nullable=False),
        sa.Column("subscriber_id", sa.BigInteger, nullable=False),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("edition_id", "subscriber_id", name="pk_outcomes"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "instants",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_instants"),
    )
