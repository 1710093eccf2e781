"""Letters, votes, corrections, and what readers choose and say when they leave.

It is written out rather than taken from `digest.storage.reader_tables`, which goes on to change.
"""

import sqlalchemy as sa
from alembic import op

from digest.storage.tables import Instant

revision = "0004"
down_revision = "0003"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _subscribers()
    _letters()
    _votes()
    op.create_table(
        "corrections",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("edition_id", NUMBER, nullable=False),
        sa.Column("article_id", sa.BigInteger),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("headline", sa.Text, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_corrections"),
        sa.ForeignKeyConstraint(
            ["edition_id"], ["editions.id"], name="fk_corrections_edition_id_editions"
        ),
    )
    op.create_index("ix_corrections_edition_id", "corrections", ["edition_id"])


def _subscribers() -> None:
    op.add_column("subscribers", sa.Column("left_edition_id", sa.BigInteger))
    op.add_column("subscribers", sa.Column("left_why", sa.Text, nullable=False, server_default=""))
    op.add_column("subscribers", sa.Column("paused_until_at", Instant))
    op.add_column(
        "subscribers",
        sa.Column("is_uncounted", sa.Boolean, nullable=False, server_default=sa.false()),
    )


def _letters() -> None:
    op.create_table(
        "letters",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("newsletter", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("network", sa.Text, nullable=False),
        sa.Column("asked_at", Instant, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("settled_at", Instant),
        sa.Column("used_at", Instant),
        sa.PrimaryKeyConstraint("id", name="pk_letters"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_letters_key", "letters", ["newsletter", "key", "asked_at"])
    op.create_index("ix_letters_asked_at", "letters", ["newsletter", "asked_at", "network"])
    op.create_index("ix_letters_network", "letters", ["newsletter", "network", "asked_at"])
    op.create_index("ix_letters_state", "letters", ["state"])


def _votes() -> None:
    op.create_table(
        "votes",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("newsletter", sa.Text, nullable=False),
        sa.Column("edition_id", sa.BigInteger, nullable=False),
        sa.Column("article_id", sa.BigInteger, nullable=False),
        sa.Column("subscriber_id", sa.BigInteger, nullable=False),
        sa.Column("stars", sa.Integer, nullable=False),
        sa.Column("network", sa.Text, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_votes"),
    )
    op.create_index("ix_votes_at", "votes", ["newsletter", "at", "article_id"])
    op.create_index(
        "ix_votes_reader",
        "votes",
        ["newsletter", "article_id", "subscriber_id", "id", "stars", "network"],
    )
    op.create_index("ix_votes_subscriber_id", "votes", ["subscriber_id"])
