"""Collecting: every source is fetched on its own, and each one's articles are stored at once."""

import datetime as dt
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace

import structlog

from digest.errors import SourceError, SourceGone, SourceUnavailable, UsageError
from digest.model.articles import Article
from digest.model.editions import Period
from digest.model.sources import Fetched, SourceState
from digest.normalising.article import Unusable, to_article
from digest.ports import Placed, Source, Store
from digest.settings import SourceSettings

WORKERS = 8
JOB = "collect"
TICK = dt.timedelta(microseconds=1)
# A sample's dates are read as they are written, and then moved to this week.
ANY_DATE = dt.datetime(9000, 1, 1, tzinfo=dt.UTC)

OpenSource = Callable[[SourceSettings], Source]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReport:
    """What one source brought. `error` and `hint` are empty when it worked.

    `skipped` says why it was not asked at all: it is paused, or asked to be left alone for a while.
    """

    name: str
    new: int = 0
    updated: int = 0
    seen: int = 0
    unchanged: bool = False
    refused: tuple[tuple[str, str], ...] = field(default=())
    skipped: str = ""
    error: str = ""
    hint: str = ""

    @property
    def failed(self) -> bool:
        """Whether the source could not be used."""
        return bool(self.error)


class CollectionService:
    """Fetches sources in parallel and stores what they bring; one bad source harms no other.

    Args:
        store: Where articles and the sources' states are kept.
        sources: The settings of all sources.
        open_source: Makes a source of its settings.
        due: The period whose edition is next; samples belong there.
        stop: Cuts every fetch under way; called when a run is interrupted.
    """

    def __init__(
        self,
        store: Store,
        sources: Sequence[SourceSettings],
        open_source: OpenSource,
        *,
        due: Period,
        stop: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._due = due
        self._stop = stop
        self._stopping = threading.Event()
        self._settings: Mapping[str, SourceSettings] = {s.name: s for s in sources}
        self._open_source = open_source

    def collect(
        self,
        *,
        now: dt.datetime,
        only: str = "",
        progress: Callable[[SourceReport], None] = lambda _report: None,
    ) -> list[SourceReport]:
        """Fetch all sources, or the one named `only`, and store their articles.

        Args:
            now: Aware UTC; every article that is new gets it as its time of first sight.
            only: The name of one source; "" for all.
            progress: Called in this thread after each source.

        Returns:
            One report a source, in the order of the settings.

        Raises:
            UsageError: No source has the name `only`.
            HeldElsewhere: Another run is collecting; nothing was fetched.
        """
        chosen = self._chosen(only)
        reports: dict[str, SourceReport] = {}
        with self._store.hold(JOB):
            pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="collect")
            try:
                futures: dict[Future[SourceReport], str] = {
                    pool.submit(self._collect_one, settings, now): settings.name
                    for settings in _spread(chosen)
                }
                for future in as_completed(futures):
                    report = reports[futures[future]] = future.result()
                    progress(report)
            except BaseException:
                # Ctrl-C, say: what is in flight is cut, and what is fetched is still stored.
                self._stopping.set()
                self._stop()
                raise
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
        return [reports[settings.name] for settings in chosen]

    def _chosen(self, only: str) -> list[SourceSettings]:
        if not only:
            return list(self._settings.values())
        if only not in self._settings:
            names = ", ".join(self._settings) or "none"
            raise UsageError(
                f"There is no source named {only!r}.", hint=f"The project's sources: {names}."
            )
        return [self._settings[only]]

    def _collect_one(self, settings: SourceSettings, now: dt.datetime) -> SourceReport:
        state = remembered(self._store.source_state(settings.name), settings)
        if reason := skip_reason(state, now=now):
            return SourceReport(name=settings.name, skipped=reason)
        baseline = self._due if state.baseline_at is None else None
        try:
            fetched = self._open_source(settings).fetch(state, now=now)
            placed, refused = place(fetched, settings, now=now, baseline=baseline)
            placed = _after_outage(placed, state.last_success_at, now)
        except SourceError as error:
            if self._stopping.is_set():
                return SourceReport(name=settings.name, skipped="The run was stopped.")
            return self._failed(state, error, now)
        except Exception as error:  # a fault of a plug-in, or on an odd entry, costs no other
            log.warning("source_crashed", source=settings.name, exc_info=error)
            what = f"The source failed in a way it should not ({type(error).__name__})."
            return self._failed(state, SourceUnavailable(what, hint="Report it as a bug."), now)
        new_state = replace(fetched.state, baseline_at=state.baseline_at or now)
        added = self._store.record_fetch(new_state, placed, now=now)
        log.info("source_collected", source=settings.name, new=added.new, updated=added.updated)
        return SourceReport(
            name=settings.name,
            new=added.new,
            updated=added.updated,
            seen=added.seen,
            unchanged=fetched.unchanged,
            refused=(*fetched.refused, *refused),
        )

    def _failed(self, state: SourceState, error: SourceError, now: dt.datetime) -> SourceReport:
        because = error.message if isinstance(error, SourceGone) else state.paused_because
        self._store.save_source_state(
            replace(
                state,
                last_fetch_at=now,
                failures=state.failures + 1,
                last_error=error.message,
                not_before_at=error.not_before_at or state.not_before_at,
                paused_because=because,
            )
        )
        log.info("source_failed", source=state.name, failures=state.failures + 1)
        return SourceReport(name=state.name, error=error.message, hint=error.hint)


def _spread(sources: Sequence[SourceSettings]) -> list[SourceSettings]:
    """Return the sources so that those of one host do not stand together and block all threads."""
    turns = Counter[str]()
    order = []
    for source in sources:
        host = source.url.partition("://")[2].partition("/")[0]
        order.append((turns[host], source))
        turns[host] += 1
    return [source for _, source in sorted(order, key=lambda pair: pair[0])]


def remembered(state: SourceState | None, settings: SourceSettings) -> SourceState:
    """Return what is remembered of the source; a changed address in the settings starts afresh."""
    if state is not None and state.configured_url == settings.url:
        return state
    return SourceState(name=settings.name, url=settings.url, configured_url=settings.url)


def skip_reason(state: SourceState, *, now: dt.datetime) -> str:
    """Say why the source is not asked at the aware instant `now`, or return ""."""
    if state.paused_because:
        return f"Paused. {state.paused_because}"
    if state.not_before_at and now < state.not_before_at:
        return f"It asked to be left alone until {state.not_before_at:%Y-%m-%d %H:%M} UTC."
    return ""


def place(
    fetched: Fetched, settings: SourceSettings, *, now: dt.datetime, baseline: Period | None
) -> tuple[list[Placed], list[tuple[str, str]]]:
    """Turn fetched entries into articles, each with the instant that places it in a period.

    A source's first fetch is a baseline: its articles belong where their date puts them, and
    undated ones are only remembered. From then on an article belongs to its first sight, since a
    window on the published date loses some of each week's articles for ever
    (docs/decisions/weeks-by-first-sight.md). A sample (`newest = "today"`) is moved to today, and
    into the period that is due.

    Args:
        fetched: What the source brought.
        settings: The source's own.
        now: Aware UTC; the time of first sight of what is new.
        baseline: For a first fetch the period whose edition is next, else None.

    Returns:
        The articles, and the entries that cannot be articles with the reason.
    """
    is_sample = settings.newest == "today"
    articles: list[Article] = []
    refused: list[tuple[str, str]] = []
    for entry in fetched.entries:
        try:
            articles.append(
                to_article(
                    entry,
                    source=settings,
                    fetched_at=ANY_DATE if is_sample else now,
                    feed_language=fetched.language,
                    feed_url=fetched.state.url,
                )
            )
        except Unusable as error:
            refused.append((entry.title or entry.url or entry.id or "an entry", str(error)))
    if baseline is None:
        return [Placed(article=article, belongs_at=now) for article in articles], refused
    if is_sample:
        return _sample(articles, now, baseline), refused
    return [
        Placed(article=a, belongs_at=min(a.published_at, now) if a.published_at else None)
        for a in articles
    ], refused


def _after_outage(
    placed: Sequence[Placed], last_success_at: dt.datetime | None, now: dt.datetime
) -> list[Placed]:
    """Note on each article how long its source had not been seen."""
    unseen = (now - last_success_at).total_seconds() if last_success_at else 0.0
    return [
        replace(item, article=replace(item.article, unseen_seconds=max(unseen, 0.0)))
        for item in placed
    ]


def _sample(articles: Sequence[Article], now: dt.datetime, due: Period) -> list[Placed]:
    """Move all dates by the same number of whole days, so that the newest one is from today.

    The articles belong to the period that is due, whichever day of the week it is.
    """
    dates = [a.published_at for a in articles if a.published_at]
    shift = dt.timedelta(days=(now - max(dates)) // dt.timedelta(days=1) if dates else 0)
    placed = []
    for article in articles:
        if article.published_at is None:
            placed.append(Placed(article=article, belongs_at=None))
            continue
        at = article.published_at + shift
        belongs_at = min(max(at, due.start), due.end - TICK)
        placed.append(Placed(article=replace(article, published_at=at), belongs_at=belongs_at))
    return placed
