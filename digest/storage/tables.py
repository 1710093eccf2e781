"""The tables, and how instants and structures become columns."""

import datetime as dt
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Instant(sa.TypeDecorator[dt.datetime]):
    """An aware UTC instant; SQLite, which has no such type, keeps microseconds as an integer."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        """Choose the column type of the database."""
        kind: sa.types.TypeEngine[Any] = (
            sa.BigInteger() if dialect.name == "sqlite" else sa.DateTime(timezone=True)
        )
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> Any:
        """Turn an instant into what the database keeps."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs a zone")
        if dialect.name != "sqlite":
            return value.astimezone(dt.UTC)
        return (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any, dialect: Dialect) -> dt.datetime | None:
        """Turn what the database kept into an aware UTC instant."""
        if value is None:
            return None
        if dialect.name != "sqlite":
            found: dt.datetime = value.astimezone(dt.UTC)
            return found
        return _EPOCH + int(value) * _MICROSECOND


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


def new_id() -> sa.Column[int]:
    """Return a column `id` that numbers the rows."""
    # SQLite numbers rows by itself only when the key is exactly INTEGER.
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("id", kind, primary_key=True)


sources = sa.Table(
    "sources",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("state", sa.JSON, nullable=False),
)

articles = sa.Table(
    "articles",
    metadata,
    new_id(),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("outlet", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("title_folded", sa.Text, nullable=False),
    sa.Column("url", sa.Text, nullable=False),
    sa.Column("rating_mean", sa.Float),
    sa.Column("rating_votes", sa.Integer),
    sa.Column("article", sa.JSON, nullable=False),
    sa.Column("first_seen_at", Instant, nullable=False, index=True),
    sa.Column("belongs_at", Instant, index=True),
)

# Which sources an article was seen in; an article that two sources carry is stored once.
article_sources = sa.Table(
    "article_sources",
    metadata,
    sa.Column("article_id", sa.ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("first_seen_at", Instant, nullable=False),
)

editions = sa.Table(
    "editions",
    metadata,
    new_id(),
    sa.Column("newsletter", sa.Text, nullable=False),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("period_start_at", Instant, nullable=False),
    sa.Column("period_end_at", Instant, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("edition", sa.JSON, nullable=False),
    # Promise 7: one edition per period, whatever anybody does.
    sa.UniqueConstraint("newsletter", "period_end_at"),
    sa.UniqueConstraint("newsletter", "label", name="uq_editions_newsletter_label"),
)

stories = sa.Table(
    "stories",
    metadata,
    sa.Column("edition_id", sa.ForeignKey("editions.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("article_id", sa.ForeignKey("articles.id"), nullable=False, index=True),
    sa.Column("story", sa.JSON, nullable=False),
    sa.UniqueConstraint("edition_id", "article_id"),
)

# The articles that are merged into a story of an edition: they are sent with it.
merged_articles = sa.Table(
    "merged_articles",
    metadata,
    sa.Column("edition_id", sa.ForeignKey("editions.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("article_id", sa.ForeignKey("articles.id"), primary_key=True, index=True),
)

# What was done to editions, and by whom: rows are only added, each with the hash of the last.
audit = sa.Table(
    "audit",
    metadata,
    new_id(),
    sa.Column("newsletter", sa.Text, nullable=False),
    sa.Column("edition", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("details", sa.JSON, nullable=False),
    sa.Column("previous", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False, unique=True),
    sa.Index("ix_audit_edition", "newsletter", "edition"),
)

# What a scheduler remembers between two ticks, by name.
marks = sa.Table(
    "marks",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("value", sa.Text, nullable=False),
)
