"""The tables of what readers do themselves, and of what is put right for them."""

import sqlalchemy as sa

from digest.storage.tables import Instant, metadata, new_id

letters = sa.Table(
    "letters",
    metadata,
    new_id(),
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
    sa.Index("ix_letters_key", "newsletter", "key", "asked_at"),
    # Each request counts by these two; of a flood of requests there may be many to count.
    sa.Index("ix_letters_asked_at", "newsletter", "asked_at", "network"),
    sa.Index("ix_letters_network", "newsletter", "network", "asked_at"),
    sa.Index("ix_letters_state", "state"),
    # A number stands in the link of a letter; nobody else's may ever have it.
    sqlite_autoincrement=True,
)

# The log of votes: rows are only added. Of one reader and article the row with the highest id
# counts. The owner of an erased reader's votes is the negative number of the row.
votes = sa.Table(
    "votes",
    metadata,
    new_id(),
    sa.Column("newsletter", sa.Text, nullable=False),
    sa.Column("edition_id", sa.BigInteger, nullable=False),
    sa.Column("article_id", sa.BigInteger, nullable=False),
    sa.Column("subscriber_id", sa.BigInteger, nullable=False),
    sa.Column("stars", sa.Integer, nullable=False),
    sa.Column("network", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    # All that the counts are made of, in their order: the log itself is then not read for them.
    sa.Index(
        "ix_votes_reader", "newsletter", "article_id", "subscriber_id", "id", "stars", "network"
    ),
    sa.Index("ix_votes_at", "newsletter", "at", "article_id"),
    sa.Index("ix_votes_subscriber_id", "subscriber_id"),
)

corrections = sa.Table(
    "corrections",
    metadata,
    new_id(),
    sa.Column("edition_id", sa.ForeignKey("editions.id"), nullable=False, index=True),
    sa.Column("article_id", sa.BigInteger),
    sa.Column("words", sa.Text, nullable=False),
    sa.Column("headline", sa.Text, nullable=False),
    sa.Column("summary", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
)
