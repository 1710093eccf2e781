"""Which source brought an article when, for newsletters that have sources of their own."""

import datetime as dt
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from digest.storage.tables import article_sources, articles


def seen_by(sources: Collection[str], start: dt.datetime, end: dt.datetime) -> sa.Select[Any]:
    """Select what one of `sources` brought and what then belongs in [start, end), ordered by id.

    Where another source was first, first sight and belonging are those of the first of `sources`,
    and `own` names one of them: another newsletter's sources must neither date an article for this
    one nor be named in its mail.
    """
    seen = (
        sa.select(
            article_sources.c.article_id,
            sa.func.min(article_sources.c.first_seen_at).label("at"),
            sa.func.min(article_sources.c.source).label("own"),
        )
        .where(article_sources.c.source.in_(sources))
        .group_by(article_sources.c.article_id)
        .subquery()
    )
    was_later = seen.c.at > articles.c.first_seen_at
    first_seen_at = sa.case((was_later, seen.c.at), else_=articles.c.first_seen_at)
    moves = sa.and_(was_later, seen.c.at > articles.c.belongs_at)
    belongs_at = sa.case((moves, seen.c.at), else_=articles.c.belongs_at)
    is_own = articles.c.source.in_(sources)
    return (
        sa.select(
            articles.c.id,
            articles.c.article,
            sa.case((is_own, articles.c.source), else_=seen.c.own).label("own"),
            first_seen_at.label("first_seen_at"),
            belongs_at.label("belongs_at"),
        )
        .join(seen, seen.c.article_id == articles.c.id)
        .where(belongs_at >= start, belongs_at < end)
        .order_by(articles.c.id)
    )
