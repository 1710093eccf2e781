"""From sources to a rendered edition: the protocols of collecting, storing and rendering."""

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from digest.model.articles import Article, StoredArticle
from digest.model.editions import Edition, EditionState, FrozenVariant, Variant
from digest.model.messages import Envelope
from digest.model.sources import Fetched, SourceState


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> dt.datetime:
        """Return the current instant, aware UTC."""


class Source(Protocol):
    """Somewhere articles come from.

    A source is used by one thread at a time. It reads no clock, writes no store, and keeps no
    state of its own: all memory is in the SourceState that it is given and returns.
    """

    name: str

    def fetch(self, state: SourceState, *, now: dt.datetime) -> Fetched:
        """Read the source once.

        Args:
            state: What the last fetch left; `SourceState(name=...)` on the first one.
            now: Aware UTC; the instant against which Retry-After is counted.

        Returns:
            The entries in the source's order, and the state to store with them.

        Raises:
            SourceError: The source cannot be used now; nothing was changed.
        """


class Renderer(Protocol):
    """Turns an edition into a mail."""

    def render(self, edition: Edition) -> Variant:
        """Return the mail for `edition`: same edition, same bytes. Touches nothing.

        Raises:
            RenderError: A template is broken; names file and line.
        """


class Words(Protocol):
    """The newsletter's language, as the subject needs it."""

    @property
    def language(self) -> str:
        """A BCP 47 tag."""

    def gettext(self, message: str, **values: str) -> str:
        """Return the message in this language, its %(name)s filled with `values`."""

    def ngettext(self, singular: str, plural: str, number: int, **values: str) -> str:
        """Return the form of the message that this language uses with `number`."""


class MessageBuilder(Protocol):
    """Turns an envelope into the bytes of a mail."""

    def __call__(self, envelope: Envelope) -> bytes:
        """Return the message; same envelope, same bytes.

        Raises:
            UsageError: The reader's address cannot be mailed.
            ConfigError: The newsletter's own settings cannot stand in a header.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An article on its way into the store, with the instant that places it in a period.

    `belongs_at` only counts when the article is new; a known article keeps its own.
    """

    article: Article
    belongs_at: dt.datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddReport:
    """How many articles of one fetch were new, changed since last time, or known as they are."""

    new: int
    updated: int
    seen: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RatedArticle:
    """What the ranker's priors need of a past article.

    `origin` is the outlet that wrote it, or its source where none is stated. `mean` and `votes` are
    what the source states, both 0 where it states nothing.
    """

    article_id: int
    source: str
    origin: str
    mean: float
    votes: int


class Store(Protocol):
    """The database. Every method is one transaction: all of it is kept, or none of it.

    All datetimes in and out are aware UTC. Safe to use from several threads.
    """

    def source_state(self, name: str) -> SourceState | None:
        """Return what is remembered of the source, or None before its first fetch."""

    def save_source_state(self, state: SourceState) -> None:
        """Insert or replace the state of one source, without touching articles."""

    def record_fetch(
        self, state: SourceState, placed: Sequence[Placed], *, now: dt.datetime
    ) -> AddReport:
        """Store the articles of one fetch and the source's new state together.

        An article is known by its key. A new one gets `first_seen_at = now`. A known one takes over
        changed fields but keeps id, `first_seen_at` and `belongs_at`; it also becomes known as
        coming from `state.name`. Recording the same fetch twice changes nothing.
        """

    def article_count(self) -> int:
        """Return how many articles are stored."""

    def candidates(
        self, start: dt.datetime, end: dt.datetime, *, sources: Collection[str] | None = None
    ) -> list[StoredArticle]:
        """Return the articles with `belongs_at` in [start, end), ordered by id.

        Args:
            start: The first instant.
            end: The first instant behind them.
            sources: Only what one of these sources brought, as if there were no others: an article
                that another one had brought before is one of theirs, first seen and belonging when
                the first of them brought it. None for all.
        """

    def article(self, article_id: int) -> StoredArticle:
        """Return one article.

        Raises:
            NotFound: No article has this id.
        """

    def articles(self, ids: Iterable[int]) -> dict[int, StoredArticle]:
        """Return those of `ids` that exist, by id."""

    def find_articles(self, words: str, *, limit: int) -> list[StoredArticle]:
        """Return articles whose URL is `words` or whose title contains it, newest first."""

    def ratings_between(
        self, start: dt.datetime, end: dt.datetime, *, voted: Collection[int] = ()
    ) -> list[RatedArticle]:
        """Return the rated articles with `belongs_at` in [start, end), ordered by id.

        Those that their source rates, and those of `voted`, by id, whether or not it does.
        """

    def sent_article_ids(self, newsletter: str, *, except_label: str) -> frozenset[int]:
        """Return the articles in editions that readers may have, other than `except_label`'s.

        What is merged into a story is among them.
        """

    def edition(self, newsletter: str, label: str) -> Edition | None:
        """Return the stored edition, or None."""

    def editions(
        self,
        newsletter: str,
        *,
        states: Collection[EditionState] | None = None,
        has_stories: bool = True,
    ) -> list[Edition]:
        """Return the stored editions, newest period first.

        Args:
            newsletter: Its slug.
            states: Only those that stand there; None for all.
            has_stories: False leaves their stories out, which takes a tenth of the time.
        """

    def save_edition(self, edition: Edition) -> Edition:
        """Insert or update an edition with its stories; return it with `id` and new `revision`.

        Raises:
            Conflict: The stored revision is not `edition.revision`.
        """

    def freeze(self, edition: Edition, variants: Sequence[FrozenVariant]) -> Edition:
        """Save the edition together with its variants, replacing earlier ones.

        `save_edition` with a draft or held edition takes the variants away again.

        Raises:
            Conflict: The stored revision is not `edition.revision`.
        """

    def variants(self, edition_id: int) -> list[FrozenVariant]:
        """Return the frozen variants, the one for all readers first."""

    def subjects(self, newsletter: str, *, editions: int, except_label: str) -> set[str]:
        """Return the subjects under which readers have, or may have, the newest editions.

        Those of variants for some topics are among them.

        Args:
            newsletter: Its slug.
            editions: How many editions to look at, of those that were sent or are being sent.
            except_label: Of one that is left out.
        """

    def hold(self, name: str) -> AbstractContextManager[bool]:
        """Hold a job's name while the context is open, so that one run at a time does it.

        The system lets go of it when the holding process dies, however it dies. Yields whether
        having it proves that no earlier holder still runs: true of a locked file, not of a
        session on a server, which a living process can lose.

        Raises:
            HeldElsewhere: Another living process or thread holds it; names it where it can.
        """

    def close(self) -> None:
        """Give back the connections."""
