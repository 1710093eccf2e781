"""Between rows and the model: columns for what is searched, one JSON document for the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from digest.model.articles import Article, StoredArticle
from digest.model.editions import Edition, EditionState, FrozenVariant, Story, Variant
from digest.ports import Placed

DOCUMENTS = (Article, Edition, Story)
NOT_IN_DOCUMENT = ("stories", "id", "revision")


def article_values(article: Article) -> dict[str, Any]:
    """Return the columns of an article that change when it does."""
    return {
        "source": article.source,
        "outlet": article.outlet,
        "title": article.title,
        "title_folded": article.title.casefold(),
        "url": article.url,
        "rating_mean": article.rating.mean if article.rating else None,
        "rating_votes": article.rating.votes if article.rating else None,
        "article": msgspec.to_builtins(article),
    }


def new_article_values(placed: Placed, first_seen_at: Any) -> dict[str, Any]:
    """Return all columns of an article that is not yet stored."""
    return {
        **article_values(placed.article),
        "key": placed.article.key,
        "first_seen_at": first_seen_at,
        "belongs_at": placed.belongs_at,
    }


def to_article(document: Any) -> Article:
    """Return the article that a document holds."""
    return msgspec.convert(document, Article)


def to_stored(row: Any, *, source: str = "") -> StoredArticle:
    """Return the article of a row (id, article, first_seen_at, belongs_at), as if of `source`."""
    article = to_article(row.article)
    return StoredArticle(
        id=row.id,
        article=replace(article, source=source) if source else article,
        first_seen_at=row.first_seen_at,
        belongs_at=row.belongs_at,
    )


def edition_values(edition: Edition) -> dict[str, Any]:
    """Return the columns of an edition, without its stories."""
    document = msgspec.to_builtins(edition)
    return {
        "newsletter": edition.newsletter,
        "label": edition.period.label,
        "state": str(edition.state),
        "period_start_at": edition.period.start,
        "period_end_at": edition.period.end,
        "edition": {k: v for k, v in document.items() if k not in NOT_IN_DOCUMENT},
    }


def story_values(edition_id: int, stories: Sequence[Story]) -> list[dict[str, Any]]:
    """Return the rows of an edition's stories."""
    return [
        {
            "edition_id": edition_id,
            "position": story.position,
            "article_id": story.article_id,
            "story": msgspec.to_builtins(story),
        }
        for story in stories
    ]


def merged_values(edition_id: int, stories: Sequence[Story]) -> list[dict[str, Any]]:
    """Return the rows of what is merged into an edition's stories."""
    return [
        {"edition_id": edition_id, "article_id": other.article_id}
        for story in stories
        for other in story.also
    ]


def to_edition(row: Any, stories: Mapping[int, Sequence[Any]]) -> Edition:
    """Return the edition of a row, with those of `stories` (documents by edition) that it has."""
    edition = msgspec.convert(row.edition, Edition)
    found = tuple(msgspec.convert(document, Story) for document in stories.get(row.id, ()))
    state = EditionState(row.state)  # sending moves the column alone
    return replace(edition, id=row.id, revision=row.revision, state=state, stories=found)


def variant_values(edition_id: int | None, frozen: FrozenVariant) -> dict[str, Any]:
    """Return the columns of a frozen variant."""
    return {
        "edition_id": edition_id,
        "key": frozen.key,
        "topics": [list(choice) for choice in frozen.topics],
        **msgspec.to_builtins(frozen.variant),
    }


def to_variant(row: Any) -> FrozenVariant:
    """Return the frozen variant of a row."""
    return FrozenVariant(
        key=row.key,
        topics=tuple(tuple(choice) for choice in row.topics),
        variant=Variant(
            subject=row.subject,
            preheader=row.preheader,
            html=row.html,
            text=row.text,
            tokens=row.tokens,
            sha256=row.sha256,
        ),
    )


def topics_text(topics: Sequence[str]) -> str:
    """Return a choice of topics as its column holds it: equal choices, equal texts."""
    return msgspec.json.encode(sorted(set(topics))).decode() if topics else ""
