"""Candidates: which articles an edition may choose from, in which order; and finding one."""

import datetime as dt
from collections.abc import Sequence

from digest.curation import Curation
from digest.errors import NotFound, UsageError
from digest.model.articles import RankedArticle, StoredArticle
from digest.model.editions import EditionState, Period
from digest.ports import Store
from digest.ranking import HISTORY, hold_back, is_news, measure_priors, rank
from digest.settings import Settings

GIVES_BACK = frozenset({EditionState.HELD, EditionState.SKIPPED, EditionState.CANCELLED})


class Candidates:
    """Finds and ranks what an edition may choose from; changes nothing.

    Args:
        store: Where articles and editions are kept.
        settings: The newsletter's.
        left_out: The names of sources whose articles take no part, such as the sample's.
    """

    def __init__(self, store: Store, settings: Settings, *, left_out: frozenset[str]) -> None:
        self._store = store
        self._settings = settings
        self._left_out = left_out
        self._newsletter = settings.newsletter.slug

    def ranked(self, period: Period, *, now: dt.datetime) -> list[RankedArticle]:
        """Return the period's candidates best first, the cap per source marked.

        Ages are taken at `now`, or at the period's end when that has passed.
        """
        edition = self._store.edition(self._newsletter, period.label)
        hidden = edition.hidden if edition else frozenset()
        ranked = self.rank(period, self.own(period, now=now), now=now)
        return hold_back(ranked, self._settings.edition.max_per_source, hidden=hidden)

    def own(self, period: Period, *, now: dt.datetime) -> list[StoredArticle]:
        """Return the period's articles, and those that held or skipped editions give back."""
        start = period.start
        for edition in self._store.editions(self._newsletter):
            if edition.period.end == start and edition.state in GIVES_BACK:
                start = edition.period.start
        return self._fresh(start, period.end, at=min(now, period.end))

    def earlier(self, period: Period, *, now: dt.datetime) -> list[StoredArticle]:
        """Return what a thin week is widened by: all that is not too old, whatever its period."""
        at = min(now, period.end)
        return self._fresh(min(self._oldest(at), period.start), period.end, at=at)

    def brought_in(self, decided: Curation, own: Sequence[StoredArticle]) -> list[StoredArticle]:
        """Return the articles that an editor placed and that are not the period's own."""
        wanted = {*decided.pins, decided.lead} - {stored.id for stored in own}
        found = self._store.articles(key for key in wanted if key is not None)
        return [found[key] for key in sorted(found)]

    def rank(
        self, period: Period, candidates: Sequence[StoredArticle], *, now: dt.datetime
    ) -> list[RankedArticle]:
        """Return those of `candidates` that no earlier edition had, best first."""
        at = min(now, period.end)
        sent = self._store.sent_article_ids(self._newsletter, except_label=period.label)
        trust = {source.name: source.trust for source in self._settings.source}
        weights = self._settings.ranking
        past = self._store.ratings_between(at - HISTORY, period.end)
        history = [rated for rated in past if rated.source not in self._left_out]
        priors = measure_priors(history, trust, weights)
        unsent = [c for c in candidates if c.id not in sent]
        return rank(unsent, priors, trust, weights, at=at)

    def find(self, reference: str, period: Period, *, now: dt.datetime) -> StoredArticle:
        """Return the article named by its number, its URL, or words of its title.

        Raises:
            UsageError: None or several match; lists them.
        """
        if reference.isascii() and reference.isdigit() and len(reference) < 18:
            try:
                return self._store.article(int(reference))
            except NotFound as error:
                raise UsageError(
                    f"There is no article {reference}.", hint="See the numbers: digest rank"
                ) from error
        found = self._store.find_articles(reference, limit=6)
        if len(found) > 1:
            inside = {item.stored.id for item in self.ranked(period, now=now)}
            found = [c for c in found if c.id in inside] or found
        if len(found) == 1:
            return found[0]
        if not found:
            raise UsageError(
                f"No article has {reference!r} in its title.", hint="See them: digest rank"
            )
        listed = "; ".join(f"{c.id} {c.article.title}" for c in found)
        raise UsageError(
            f"{reference!r} could be several articles: {listed}.", hint="Use the number."
        )

    def _fresh(
        self, start: dt.datetime, end: dt.datetime, *, at: dt.datetime
    ) -> list[StoredArticle]:
        oldest = self._oldest(at)
        found = self._store.candidates(start, end)
        return [
            c for c in found if is_news(c, since=oldest) and c.article.source not in self._left_out
        ]

    def _oldest(self, at: dt.datetime) -> dt.datetime:
        return at - dt.timedelta(days=self._settings.edition.max_age_days)
