"""The first schema: sources, articles, editions and stories.

It is written out rather than taken from `digest.storage.tables`, which goes on to change.
"""

import sqlalchemy as sa
from alembic import op

from digest.storage.tables import Instant

revision = "0001"
down_revision = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "sources",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("state", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_sources"),
    )
    op.create_table(
        "articles",
        sa.Column("id", number, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("outlet", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("title_folded", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("rating_mean", sa.Float),
        sa.Column("rating_votes", sa.Integer),
        sa.Column("article", sa.JSON, nullable=False),
        sa.Column("first_seen_at", Instant, nullable=False),
        sa.Column("belongs_at", Instant),
        sa.PrimaryKeyConstraint("id", name="pk_articles"),
        sa.UniqueConstraint("key", name="uq_articles_key"),
    )
    op.create_index("ix_articles_first_seen_at", "articles", ["first_seen_at"])
    op.create_index("ix_articles_belongs_at", "articles", ["belongs_at"])
    op.create_table(
        "article_sources",
        sa.Column("article_id", number, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("first_seen_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("article_id", "source", name="pk_article_sources"),
        sa.ForeignKeyConstraint(
            ["article_id"],
            ["articles.id"],
            ondelete="CASCADE",
            name="fk_article_sources_article_id_articles",
        ),
    )
    op.create_table(
        "editions",
        sa.Column("id", number, nullable=False),
        sa.Column("newsletter", sa.Text, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("period_start_at", Instant, nullable=False),
        sa.Column("period_end_at", Instant, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("edition", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_editions"),
        sa.UniqueConstraint("newsletter", "period_end_at", name="uq_editions_newsletter"),
        sa.UniqueConstraint("newsletter", "label", name="uq_editions_newsletter_label"),
    )
    op.create_table(
        "stories",
        sa.Column("edition_id", number, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("article_id", number, nullable=False),
        sa.Column("story", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("edition_id", "position", name="pk_stories"),
        sa.UniqueConstraint("edition_id", "article_id", name="uq_stories_edition_id"),
        sa.ForeignKeyConstraint(
            ["edition_id"],
            ["editions.id"],
            ondelete="CASCADE",
            name="fk_stories_edition_id_editions",
        ),
        sa.ForeignKeyConstraint(
            ["article_id"], ["articles.id"], name="fk_stories_article_id_articles"
        ),
    )
    op.create_index("ix_stories_article_id", "stories", ["article_id"])
