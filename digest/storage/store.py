"""The store: every public method is one transaction on the database."""

import datetime as dt
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from digest.errors import Conflict, HeldElsewhere, NotFound, SchemaMismatch
from digest.model.articles import StoredArticle
from digest.model.editions import SENT_STATES, Edition
from digest.model.sources import SourceState
from digest.normalising.article import merged
from digest.normalising.urls import article_key
from digest.ports import AddReport, Placed, RatedArticle
from digest.storage import rows, schema, tables
from digest.storage.engine import make_engine, transaction
from digest.storage.holds import hold_file, hold_session

Item = TypeVar("Item")
CHUNK = 400  # variables of one statement; SQLite had 999 at most for long


def open_store(url: str) -> "SqlStore":
    """Open the database at `url`; an empty one gets its tables.

    Raises:
        SchemaMismatch: It is of an older or newer program; nothing was changed.
        ConfigError: The address cannot be used.
        StoreError: The database cannot be opened.
    """
    store = SqlStore(url)
    try:
        version = store.schema_version()
        if not version:
            store.upgrade()
        elif version != schema.EXPECTED:
            schema.refuse_newer(version)
            raise SchemaMismatch(
                f"The database has schema {version}, and this digest needs {schema.EXPECTED}; "
                "it was left as it is.",
                hint="Make a backup, then: digest db upgrade",
            )
    except BaseException:
        store.close()
        raise
    return store


class SqlStore:
    """See `digest.ports.Store` for the promises of each method."""

    def __init__(self, url: str) -> None:
        self._engine = make_engine(url)
        self._insert: Any = (
            sqlite.insert if self._engine.dialect.name == "sqlite" else postgresql.insert
        )
        self._held: set[str] = set()
        self._held_lock = threading.Lock()
        # In memory all threads share one connection.
        is_shared = isinstance(self._engine.pool, sa.StaticPool)
        self._turn: AbstractContextManager[Any] = threading.RLock() if is_shared else nullcontext()

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with self._turn, transaction(self._engine, writing=False) as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        with self._turn, transaction(self._engine, writing=True) as connection:
            yield connection

    def close(self) -> None:
        """Give back the connections."""
        self._engine.dispose()

    # Schema

    def schema_version(self) -> str:
        """Return the version of the database's schema, "" for an empty database."""
        with self._reading() as connection:
            return schema.current(connection)

    def upgrade(self) -> tuple[str, str]:
        """Bring the schema up to date; return the versions before and after.

        Raises:
            SchemaMismatch: It is of a newer program, or the tables are something else's.
        """
        with self._writing() as connection:
            return schema.upgrade(connection)

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

    def candidates(self, start: dt.datetime, end: dt.datetime) -> list[StoredArticle]:
        """Return the articles with `belongs_at` in [start, end), ordered by id."""
        return self._stored(
            tables.articles.c.belongs_at >= start, tables.articles.c.belongs_at < end
        )

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

    def ratings_between(self, start: dt.datetime, end: dt.datetime) -> list[RatedArticle]:
        """Return the rated articles with `belongs_at` in [start, end), ordered by id."""
        query = (
            sa.select(
                tables.articles.c.source,
                tables.articles.c.outlet,
                tables.articles.c.rating_mean,
                tables.articles.c.rating_votes,
            )
            .where(
                tables.articles.c.belongs_at >= start,
                tables.articles.c.belongs_at < end,
                tables.articles.c.rating_mean.is_not(None),
            )
            .order_by(tables.articles.c.id)
        )
        with self._reading() as connection:
            return [
                RatedArticle(
                    source=row.source,
                    origin=row.outlet or row.source,
                    mean=row.rating_mean,
                    votes=row.rating_votes,
                )
                for row in connection.execute(query)
            ]

    # Editions

    def sent_article_ids(self, newsletter: str, *, except_label: str) -> frozenset[int]:
        """Return the articles in editions that readers may have."""
        query = (
            sa.select(tables.stories.c.article_id)
            .join(tables.editions)
            .where(
                tables.editions.c.newsletter == newsletter,
                tables.editions.c.label != except_label,
                tables.editions.c.state.in_([str(state) for state in SENT_STATES]),
            )
        )
        with self._reading() as connection:
            return frozenset(connection.execute(query).scalars())

    def edition(self, newsletter: str, label: str) -> Edition | None:
        """Return the stored edition, or None."""
        found = self._editions(
            tables.editions.c.newsletter == newsletter, tables.editions.c.label == label
        )
        return found[0] if found else None

    def editions(self, newsletter: str) -> list[Edition]:
        """Return all stored editions, newest period first."""
        return self._editions(tables.editions.c.newsletter == newsletter)

    def _editions(self, *where: sa.ColumnElement[bool]) -> list[Edition]:
        query = (
            sa.select(tables.editions)
            .where(*where)
            .order_by(tables.editions.c.period_end_at.desc())
        )
        parts = (
            sa.select(tables.stories.c.edition_id, tables.stories.c.story)
            .join(tables.editions)
            .where(*where)
            .order_by(tables.stories.c.edition_id, tables.stories.c.position)
        )
        with self._reading() as connection:
            found: dict[int, list[Any]] = {}
            for row in connection.execute(parts):
                found.setdefault(row.edition_id, []).append(row.story)
            return [rows.to_edition(row, found) for row in connection.execute(query)]

    def save_edition(self, edition: Edition) -> Edition:
        """Insert or update an edition with its stories; raise Conflict for an old revision."""
        values = rows.edition_values(edition) | {"revision": edition.revision + 1}
        with self._writing() as connection:
            if edition.id is None:
                statement = self._insert(tables.editions).values(**values).on_conflict_do_nothing()
                edition_id = connection.execute(statement.returning(tables.editions.c.id)).scalar()
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
            connection.execute(
                sa.delete(tables.stories).where(tables.stories.c.edition_id == edition_id)
            )
            if edition.stories:
                story_rows = rows.story_values(edition_id, edition.stories)
                connection.execute(sa.insert(tables.stories), story_rows)
        return replace(edition, id=edition_id, revision=edition.revision + 1)

    # Holds

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Hold `name` while the context is open; see `digest.ports.Store.hold`."""
        with self._held_lock:
            if name in self._held:
                raise HeldElsewhere(
                    f"This process is already doing {name}.", hint="Let it finish first."
                )
            self._held.add(name)
        try:
            with self._outside(name):
                yield
        finally:
            with self._held_lock:
                self._held.discard(name)

    def _outside(self, name: str) -> AbstractContextManager[None]:
        database = self._engine.url.database
        if self._engine.dialect.name != "sqlite":
            return hold_session(self._engine, name)
        if database in (None, "", ":memory:"):
            return nullcontext()
        return hold_file(Path(str(database)), name)


def _chunks(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]
