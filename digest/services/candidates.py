"""Candidates: which articles an edition may choose from, in which order; and finding one."""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence

from digest.curation import Curation, curation_of
from digest.errors import NotFound, UsageError
from digest.model.articles import RankedArticle, StoredArticle
from digest.model.editions import SENT_STATES, Edition, EditionState, Period
from digest.model.votes import Tally
from digest.ports import Store, Votes
from digest.ranking import HISTORY, hold_back, is_news, measure_priors, rank
from digest.settings import Settings
from digest.tallying import tallies

GIVES_BACK = frozenset({EditionState.HELD, EditionState.SKIPPED, EditionState.CANCELLED})
NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)


class Candidates:
    """Finds and ranks what an edition may choose from; changes nothing.

    Args:
        store: Where articles and editions are kept.
        settings: The newsletter's.
        left_out: The names of sources whose articles take no part, such as the sample's.
        sources: The names of those whose articles alone take part, where the store has those of
            other newsletters, too; None for all.
        votes: The log of what readers say, which is tallied anew for each ranking; None where
            readers cannot vote.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        left_out: frozenset[str],
        sources: frozenset[str] | None = None,
        votes: Votes | None = None,
    ) -> None:
        self._store = store
        self._votes = votes
        self._settings = settings
        self._left_out, self._sources = left_out, sources
        self._newsletter = settings.newsletter.slug

    def ranked(self, period: Period, *, now: dt.datetime) -> list[RankedArticle]:
        """Return the period's candidates best first, the cap per source marked.

        Ages are taken at `now`, or at the period's end when that has passed.
        """
        edition = self._store.edition(self._newsletter, period.label)
        out = edition.hidden | curation_of(edition).taken if edition else frozenset()
        ranked = self.rank(period, self.own(period, now=now), now=now)
        return hold_back(ranked, self._settings.edition.max_per_source, hidden=out)

    def own(self, period: Period, *, now: dt.datetime) -> list[StoredArticle]:
        """Return the articles that this edition may have and no other one that goes out.

        Those are its period's. Of the periods right before it they are all that held, skipped and
        cancelled editions give back, and what was first seen after an edition that is sent was
        drafted last: its week may have gone on.
        """
        at = min(now, period.end)
        found = self._fresh(period.start, period.end, at=at)
        editions = self._store.editions(self._newsletter, has_stories=False)
        start, closed_at = period.start, NEVER
        for edition in editions:  # newest first
            if edition.period.end != start:
                continue
            closed = _closed_at(edition)
            if closed is None and edition.state not in GIVES_BACK:
                break  # it is still to come
            closed_at = max(closed_at, closed or NEVER)
            if start <= min(closed_at, self._oldest(at)):
                break  # all before was in time for a mail, or is too old
            start = edition.period.start
            found += self._handed_on(edition.period, closed_at, at=at)
        mine = next((e for e in editions if e.period.label == period.label), None)
        until = _closed_at(mine) if mine else None
        return [c for c in found if until is None or c.first_seen_at <= until]

    def earlier(self, period: Period, *, now: dt.datetime) -> list[StoredArticle]:
        """Return what a thin week is widened by: all that is not too old, whatever its period."""
        at = min(now, period.end)
        return self._fresh(min(self._oldest(at), period.start), period.end, at=at)

    def brought_in(self, decided: Curation, own: Sequence[StoredArticle]) -> list[StoredArticle]:
        """Return the articles that an editor placed and that are not the period's own."""
        found = self._store.articles(decided.placed - {stored.id for stored in own})
        return [found[key] for key in sorted(found)]

    def rank(
        self,
        period: Period,
        candidates: Sequence[StoredArticle],
        *,
        now: dt.datetime,
        updates: Collection[int] = (),
    ) -> list[RankedArticle]:
        """Return those of `candidates` that no other edition had or that are `updates`, best first.

        The period's own edition does not count.
        """
        at = min(now, period.end)
        sent = self._store.sent_article_ids(self._newsletter, except_label=period.label)
        trust = {source.name: source.trust for source in self._settings.source}
        weights = self._settings.ranking
        voted = self._voted(at - HISTORY, updates)
        past = self._store.ratings_between(at - HISTORY, period.end, voted=voted)
        history = [rated for rated in past if self._takes_part(rated.source)]
        priors = measure_priors(history, trust, weights, voted)
        unsent = [c for c in candidates if c.id not in sent or c.id in updates]
        return rank(unsent, priors, trust, weights, at=at, tallies=voted)

    def _voted(self, since: dt.datetime, updates: Collection[int]) -> Mapping[int, Tally]:
        """Return what readers make of the articles that got votes since then, and of `updates`."""
        if self._votes is None:
            return {}
        ids = {*self._votes.since(self._newsletter, since), *updates}
        return tallies(self._votes.ballots(self._newsletter, ids))

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
        return [c for c in self._within(start, end) if self._is_fresh(c, at=at)]

    def _within(self, start: dt.datetime, end: dt.datetime) -> list[StoredArticle]:
        found = self._store.candidates(start, end, sources=self._sources)
        return [c for c in found if self._takes_part(c.article.source)]

    def _takes_part(self, source: str) -> bool:
        own = self._sources
        return source not in self._left_out and (own is None or source in own)

    def _handed_on(
        self, period: Period, closed_at: dt.datetime, *, at: dt.datetime
    ) -> list[StoredArticle]:
        """Return what an earlier period leaves: what was first seen after `closed_at`.

        A draft that was made before its week ended makes no article of that week too old.
        """
        found = []
        for c in self._within(period.start, period.end):
            is_late = NEVER < closed_at < c.first_seen_at < period.end
            seen_by = min(at, period.end) if is_late else at
            if c.first_seen_at > closed_at and self._is_fresh(c, at=seen_by):
                found.append(c)
        return found

    def _is_fresh(self, found: StoredArticle, *, at: dt.datetime) -> bool:
        return is_news(found, since=self._oldest(at))

    def _oldest(self, at: dt.datetime) -> dt.datetime:
        return at - dt.timedelta(days=self._settings.edition.max_age_days)


def _closed_at(edition: Edition) -> dt.datetime | None:
    """Return when an edition that is sent took its last articles; None for any other."""
    return edition.drafted_at if edition.state in SENT_STATES else None
