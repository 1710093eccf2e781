"""The store: every public method is one transaction on the database."""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

from digest import differences
from digest.documents import learn_types
from digest.errors import Conflict, NotFound
from digest.model.articles import StoredArticle
from digest.model.editions import SENT_STATES, Edition, EditionState, FrozenVariant
from digest.model.sources import SourceState
from digest.normalising.article import merged
from digest.normalising.urls import article_key
from digest.ports import AddReport, Placed, RatedArticle
from digest.storage import delivery_tables, rows, sightings, tables
from digest.storage.audit import Audit
from digest.storage.database import Database, open_database

Item = TypeVar("Item")
UNFROZEN = frozenset({EditionState.DRAFT, EditionState.HELD, EditionState.SKIPPED})
CHUNK = 400  # variables of one statement; SQLite had 999 at most for long


def open_store(url: str) -> "SqlStore":
    """Open the database at `url` with its articles and editions; see `open_database`."""
    return SqlStore(open_database(url))


class SqlStore:
    """See `digest.ports.Store` for the promises of each method."""

    def __init__(self, database: Database, audit: Audit | None = None) -> None:
        self._database, self._audit = database, audit
        learn_types((*rows.DOCUMENTS, SourceState))
        self._reading, self._writing = database.reading, database.writing
        self._insert = database.insert

    def close(self) -> None:
        """Give back the connections."""
        self._database.close()

    def hold(self, name: str) -> AbstractContextManager[bool]:
        """Hold `name` while the context is open; see `digest.ports.Store.hold`."""
        return self._database.hold(name)

    # Sources

    def source_state(self, name: str) -> SourceState | None:
        """Return what is remembered of the source."""
        query = sa.select(tables.sources.c.state).where(tables.sources.c.name == name)
        with self._reading() as connection:
            state = connection.execute(query).scalar()
        return None if state is None else msgspec.convert(state, SourceState)

    def save_source_state(self, state: SourceState) -> None:
        """Insert or replace the state of one source."""
        with self._writing() as connection:
            self._save_state(connection, state)

    def _save_state(self, connection: sa.Connection, state: SourceState) -> None:
        statement = self._insert(tables.sources).values(
            name=state.name, state=msgspec.to_builtins(state)
        )
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["name"], set_={"state": statement.excluded.state}
            )
        )

    # Articles

    def record_fetch(
        self, state: SourceState, placed: Sequence[Placed], *, now: dt.datetime
    ) -> AddReport:
        """Store the articles of one fetch and the source's new state together."""
        # A feed may name an article twice; its first mention counts.
        unique = {item.article.key: item for item in reversed(placed)}
        ordered = [unique[key] for key in dict.fromkeys(item.article.key for item in placed)]
        new = updated = 0
        with self._writing() as connection:
            for chunk in _chunks(ordered):
                added, changed = self._record(connection, state.name, chunk, now)
                new, updated = new + added, updated + changed
            self._save_state(connection, state)
        return AddReport(new=new, updated=updated, seen=len(ordered) - new - updated)

    def _record(
        self, connection: sa.Connection, source: str, chunk: Sequence[Placed], now: dt.datetime
    ) -> tuple[int, int]:
        keys = [item.article.key for item in chunk]
        known = {
            row.key: row
            for row in connection.execute(
                sa.select(tables.articles.c.key, tables.articles.c.id, tables.articles.c.article)
                .where(tables.articles.c.key.in_(keys))
                .with_for_update()
            )
        }
        fresh = [
            rows.new_article_values(item, now) for item in chunk if item.article.key not in known
        ]
        if fresh:
            # Two sources may bring one article in the same moment.
            statement = self._insert(tables.articles).on_conflict_do_nothing(index_elements=["key"])
            connection.execute(statement, fresh)
        changed = 0
        for item in chunk:
            row = known.get(item.article.key)
            if row is None:
                continue
            before = rows.to_article(row.article)
            after = merged(before, item.article)
            if after != before:
                values = rows.article_values(after)
                connection.execute(
                    sa.update(tables.articles).where(tables.articles.c.id == row.id), values
                )
                changed += 1
        self._record_sources(connection, source, keys, now)
        return len(fresh), changed

    def _record_sources(
        self, connection: sa.Connection, source: str, keys: Sequence[str], now: dt.datetime
    ) -> None:
        ids = connection.execute(
            sa.select(tables.articles.c.id).where(tables.articles.c.key.in_(keys))
        ).scalars()
        values = [{"article_id": i, "source": source, "first_seen_at": now} for i in ids]
        if values:
            statement = self._insert(tables.article_sources).on_conflict_do_nothing(
                index_elements=["article_id", "source"]
            )
            connection.execute(statement, values)

    def article_count(self) -> int:
        """Return how many articles are stored."""
        with self._reading() as connection:
            return int(
                connection.execute(sa.select(sa.func.count(tables.articles.c.id))).scalar_one()
            )

    def candidates(
        self, start: dt.datetime, end: dt.datetime, *, sources: Collection[str] | None = None
    ) -> list[StoredArticle]:
        """Return the articles with `belongs_at` in [start, end), ordered by id; of `sources`."""
        belongs = tables.articles.c.belongs_at
        if sources is None:
            return self._stored(belongs >= start, belongs < end)
        with self._reading() as connection:
            query = sightings.seen_by(sources, start, end)
            return [rows.to_stored(row, source=row.own) for row in connection.execute(query)]

    def article(self, article_id: int) -> StoredArticle:
        """Return one article, or raise NotFound."""
        found = self._stored(tables.articles.c.id == article_id)
        if not found:
            raise NotFound(f"There is no article {article_id}.", hint="See: digest rank")
        return found[0]

    def articles(self, ids: Iterable[int]) -> dict[int, StoredArticle]:
        """Return those of `ids` that exist, by id."""
        return {
            stored.id: stored
            for chunk in _chunks(sorted(set(ids)))
            for stored in self._stored(tables.articles.c.id.in_(chunk))
        }

    def find_articles(self, words: str, *, limit: int) -> list[StoredArticle]:
        """Return articles by URL or by words of the title, newest first."""
        if key := article_key(words):
            where = sa.or_(tables.articles.c.key == key, tables.articles.c.url == words)
        else:
            where = tables.articles.c.title_folded.contains(
                words.casefold().strip(), autoescape=True
            )
        return self._stored(where, order=tables.articles.c.id.desc(), limit=limit)

    def _stored(
        self,
        *where: sa.ColumnElement[bool],
        order: Any = tables.articles.c.id,
        limit: int | None = None,
    ) -> list[StoredArticle]:
        query = (
            sa.select(
                tables.articles.c.id,
                tables.articles.c.article,
                tables.articles.c.first_seen_at,
                tables.articles.c.belongs_at,
            )
            .where(*where)
            .order_by(order)
            .limit(limit)
        )
        with self._reading() as connection:
            return [rows.to_stored(row) for row in connection.execute(query)]

    def ratings_between(
        self, start: dt.datetime, end: dt.datetime, *, voted: Collection[int] = ()
    ) -> list[RatedArticle]:
        """Return the articles rated by their source or in `voted`, with `belongs_at` in range."""
        articles = tables.articles.c
        query = sa.select(
            articles.id,
            articles.source,
            articles.outlet,
            sa.func.coalesce(articles.rating_mean, 0.0).label("mean"),
            sa.func.coalesce(articles.rating_votes, 0).label("votes"),
        ).where(articles.belongs_at >= start, articles.belongs_at < end)
        is_rated = articles.rating_mean.is_not(None)
        chunks = [articles.id.in_(chunk) & ~is_rated for chunk in _chunks(sorted(set(voted)))]
        with self._reading() as connection:
            found = [
                RatedArticle(
                    article_id=row.id,
                    source=row.source,
                    origin=row.outlet or row.source,
                    mean=row.mean,
                    votes=row.votes,
                )
                for which in (is_rated, *chunks)
                for row in connection.execute(query.where(which))
            ]
        return sorted(found, key=lambda rated: rated.article_id)

    # Editions

    def sent_article_ids(self, newsletter: str, *, except_label: str) -> frozenset[int]:
        """Return the articles in editions that readers may have."""
        queries = [
            sa.select(table.c.article_id)
            .join(tables.editions)
            .where(
                tables.editions.c.newsletter == newsletter,
                tables.editions.c.label != except_label,
                tables.editions.c.state.in_([str(state) for state in SENT_STATES]),
            )
            for table in (tables.stories, tables.merged_articles)
        ]
        with self._reading() as connection:
            return frozenset(connection.execute(sa.union(*queries)).scalars())

    def edition(self, newsletter: str, label: str) -> Edition | None:
        """Return the stored edition, or None."""
        found = self._editions(
            tables.editions.c.newsletter == newsletter, tables.editions.c.label == label
        )
        return found[0] if found else None

    def editions(
        self,
        newsletter: str,
        *,
        states: Collection[EditionState] | None = None,
        has_stories: bool = True,
    ) -> list[Edition]:
        """Return the stored editions, newest period first."""
        where = [tables.editions.c.newsletter == newsletter]
        if states is not None:
            where.append(tables.editions.c.state.in_([str(state) for state in states]))
        return self._editions(*where, has_stories=has_stories)

    def _editions(self, *where: sa.ColumnElement[bool], has_stories: bool = True) -> list[Edition]:
        with self._reading() as connection:
            return _load(connection, *where, has_stories=has_stories)

    def save_edition(self, edition: Edition) -> Edition:
        """Insert or update an edition with its stories; raise Conflict for an old revision."""
        with self._writing() as connection:
            saved = self._save(connection, edition)
            if saved.state in UNFROZEN:
                connection.execute(_without_variants(saved))
        return saved

    def freeze(self, edition: Edition, variants: Sequence[FrozenVariant]) -> Edition:
        """Save the edition together with its variants; raise Conflict for an old revision."""
        with self._writing() as connection:
            saved = self._save(connection, edition)
            connection.execute(_without_variants(saved))
            values = [rows.variant_values(saved.id, variant) for variant in variants]
            connection.execute(sa.insert(delivery_tables.variants), values)
        return saved

    def variants(self, edition_id: int) -> list[FrozenVariant]:
        """Return the frozen variants, the one for all readers first."""
        table = delivery_tables.variants
        query = sa.select(table).where(table.c.edition_id == edition_id).order_by(table.c.id)
        with self._reading() as connection:
            return [rows.to_variant(row) for row in connection.execute(query)]

    def subjects(self, newsletter: str, *, editions: int, except_label: str) -> set[str]:
        """Return the subjects of the newest editions that readers have, and of their variants."""
        query = _sent_subjects(newsletter, editions, except_label)
        with self._reading() as connection:
            return set(connection.execute(query).scalars())

    def _save(self, connection: sa.Connection, edition: Edition) -> Edition:
        """Save the edition and its stories, and note in the audit log what that changed."""
        is_known = self._audit is not None and edition.id is not None
        before = _load(connection, tables.editions.c.id == edition.id) if is_known else []
        saved = self._replace(connection, edition)
        if self._audit is not None:
            was = before[0] if before else None
            action, details = differences.action(was, saved), differences.changes(was, saved)
            if details or action != "changed":
                self._audit.record(
                    connection, saved.newsletter, saved.period.label, action, details
                )
        return saved

    def _replace(self, connection: sa.Connection, edition: Edition) -> Edition:
        values = rows.edition_values(edition) | {"revision": edition.revision + 1}
        if edition.id is None:
            statement = self._insert(tables.editions).values(**values).on_conflict_do_nothing()
        else:
            is_same = sa.and_(
                tables.editions.c.id == edition.id,
                tables.editions.c.revision == edition.revision,
            )
            statement = sa.update(tables.editions).where(is_same).values(**values)
        edition_id = connection.execute(statement.returning(tables.editions.c.id)).scalar()
        if edition_id is None:
            raise Conflict(
                f"Edition {edition.period.label} was changed by somebody else meanwhile; "
                "their change stands and yours was not made.",
                hint="Look at it (digest edition show) and do yours again.",
            )
        for table, values_of in (
            (tables.stories, rows.story_values),
            (tables.merged_articles, rows.merged_values),
        ):
            connection.execute(sa.delete(table).where(table.c.edition_id == edition_id))
            if table_rows := values_of(edition_id, edition.stories):
                connection.execute(sa.insert(table), table_rows)
        return replace(edition, id=edition_id, revision=edition.revision + 1)


def _load(
    connection: sa.Connection, *where: sa.ColumnElement[bool], has_stories: bool = True
) -> list[Edition]:
    """Return the editions, newest period first."""
    query = (
        sa.select(tables.editions).where(*where).order_by(tables.editions.c.period_end_at.desc())
    )
    parts = (
        sa.select(tables.stories.c.edition_id, tables.stories.c.story)
        .join(tables.editions)
        .where(*where)
        .order_by(tables.stories.c.edition_id, tables.stories.c.position)
    )
    found: dict[int, list[Any]] = {}
    for row in connection.execute(parts) if has_stories else ():
        found.setdefault(row.edition_id, []).append(row.story)
    return [rows.to_edition(row, found) for row in connection.execute(query)]


def _without_variants(edition: Edition) -> sa.Delete:
    table = delivery_tables.variants
    return sa.delete(table).where(table.c.edition_id == edition.id)


def _sent_subjects(newsletter: str, number: int, except_label: str) -> sa.Select[Any]:
    """Select the subjects of the variants of the newest sent editions, the whole one's too."""
    editions, variants = tables.editions, delivery_tables.variants
    newest = (
        sa.select(editions.c.id)
        .where(
            editions.c.newsletter == newsletter,
            editions.c.label != except_label,
            editions.c.state.in_([str(state) for state in SENT_STATES]),
        )
        .order_by(editions.c.period_end_at.desc())
        .limit(number)
        .subquery()
    )
    return sa.select(variants.c.subject).join(newest, variants.c.edition_id == newest.c.id)


def _chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]
