"""Drafting editions: which one is due, and from ranked articles to stories in their order."""

import datetime as dt
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace

import structlog

from digest import combining, curation
from digest.curation import Curation
from digest.errors import NothingToSend, UsageError
from digest.model.articles import RankedArticle, StoredArticle
from digest.model.editions import (
    SENT_STATES,
    Edition,
    EditionState,
    MergedArticle,
    Period,
    Story,
)
from digest.periods import due_period, period_labelled
from digest.ports import Store, Votes, Words
from digest.ranking import hold_back
from digest.services.candidates import Candidates
from digest.settings import Settings
from digest.timetable import Slot, timetable

FINISHED = SENT_STATES | {EditionState.SKIPPED, EditionState.CANCELLED}
OPEN = frozenset({EditionState.DRAFT, EditionState.HELD})
RECENT = 12  # editions
THIN_WEEK = {
    "hold": "it is held until it has more",
    "skip": "it does not go",
    "widen": "even with earlier articles that is too few, so it is held",
}

log = structlog.get_logger(__name__)


class DraftingService:
    """Knows which edition is due and drafts it; `EditionService` changes it as editors say.

    Args:
        store: Where articles and editions are kept.
        settings: The newsletter's.
        left_out: The names of sources whose articles take no part, such as the sample's.
        sources: The names of those whose articles alone take part; None for all.
        words: Gives the language of subject and preheader when they are made.
        votes: The log of what readers say; None where they cannot vote.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        left_out: frozenset[str] = frozenset(),
        sources: frozenset[str] | None = None,
        words: Callable[[], Words] = curation.English,
        votes: Votes | None = None,
    ) -> None:
        self._words = words
        self._store = store
        self._settings = settings
        self._candidates = Candidates(
            store, settings, left_out=left_out, sources=sources, votes=votes
        )
        self._newsletter = settings.newsletter.slug

    # Which edition

    def period(self, label: str, *, now: dt.datetime) -> Period:
        """Return the period named `label`, or the due one for "" at the aware instant `now`.

        Raises:
            UsageError: `label` names no period.
        """
        stored = self.standings()
        known = [edition.period for edition in stored]
        schedule, timezone = self._settings.schedule, self._settings.newsletter.timezone
        if label:
            return period_labelled(label, schedule, timezone, known=known)
        finished = {e.period.label for e in stored if e.state in FINISHED}
        return due_period(now, schedule, timezone, known=known, is_finished=finished.__contains__)

    def timetable(self, *, now: dt.datetime) -> Iterator[tuple[Slot, Edition]]:
        """Yield what comes from the due edition on, without end, each with its edition.

        The editions come without their stories; one that is not drafted yet has no id.
        """
        stored = {edition.period.label: edition for edition in self.standings()}
        slots = timetable(
            now,
            self._settings.schedule,
            self._settings.newsletter.timezone,
            known=[edition.period for edition in stored.values()],
            is_finished=lambda label: label in stored and stored[label].state in FINISHED,
        )
        for slot in slots:
            blank = Edition(newsletter=self._newsletter, period=slot.period)
            yield slot, stored.get(slot.period.label, blank)

    def stored(self, label: str, *, now: dt.datetime) -> Edition | None:
        """Return the stored edition of that period ("" for the due one), or None."""
        return self._store.edition(self._newsletter, self.period(label, now=now).label)

    def all(self) -> list[Edition]:
        """Return all stored editions, newest period first."""
        return self._store.editions(self._newsletter)

    def standings(self, *states: EditionState) -> list[Edition]:
        """Return the stored editions without their stories, newest first: all, or of `states`."""
        return self._store.editions(self._newsletter, states=states or None, has_stories=False)

    # Candidates

    def ranked(self, period: Period, *, now: dt.datetime) -> list[RankedArticle]:
        """Return the period's candidates best first; see `Candidates.ranked`."""
        return self._candidates.ranked(period, now=now)

    def find(self, reference: str, period: Period, *, now: dt.datetime) -> StoredArticle:
        """Return the article that `reference` names; see `Candidates.find`."""
        return self._candidates.find(reference, period, now=now)

    # Drafting

    def compose(self, label: str, *, now: dt.datetime) -> Edition:
        """Return the edition as it would go now, without storing anything.

        A stored edition comes back as it is. Otherwise the period's draft is made from the
        ranking.
        """
        period = self.period(label, now=now)
        stored = self._store.edition(self._newsletter, period.label)
        if stored is not None:
            return stored
        return self._drafted(Edition(newsletter=self._newsletter, period=period), now=now)

    def automatic(self, edition: Edition, *, now: dt.datetime) -> Edition:
        """Return what the ranking alone would make of the edition's week now; stores nothing."""
        blank = Edition(newsletter=self._newsletter, period=edition.period)
        return self._drafted(blank, now=now)

    def last_sent(self, *, before: Period) -> Edition | None:
        """Return the newest edition before that period that readers may have, or None."""
        found = self._store.editions(self._newsletter, states=SENT_STATES)
        return next((e for e in found if e.period.end <= before.start), None)

    def draft(self, label: str, *, now: dt.datetime) -> Edition:
        """Draft the edition from the ranking and store it; what editors decided stays.

        A frozen or approved edition is a draft again, as after every change below.

        Raises:
            UsageError: The edition is planned or later, or does not go.
        """
        edition = self._open(self.compose(label, now=now))
        saved = self._store.save_edition(self._drafted(edition, now=now))
        log.info("edition_drafted", edition=saved.period.label, stories=len(saved.stories))
        return saved

    def recent_subjects(self, label: str) -> set[str]:
        """Return the subjects that readers may still see in their inbox, but of that edition."""
        return self._store.subjects(self._newsletter, editions=RECENT, except_label=label)

    def _with_envelope(self, edition: Edition) -> Edition:
        taken = self.recent_subjects(edition.period.label)
        return curation.with_envelope(edition, self._words(), taken=taken)

    def _drafted(
        self, edition: Edition, *, now: dt.datetime, decided: Curation | None = None
    ) -> Edition:
        """Choose the stories anew under what editors decided; stores nothing."""
        decided = self._still_valid(decided or curation.curation_of(edition), edition)
        period, rules = edition.period, self._settings.edition
        found = self._candidates
        own = found.own(period, now=now)
        candidates = [*own, *found.brought_in(decided, own)]
        updates = decided.updates.keys() & decided.placed
        ranked = found.rank(period, candidates, now=now, updates=updates)
        stories = self._choose(ranked, decided)
        notes: tuple[str, ...] = ()
        if len(stories) < rules.minimum_stories and rules.thin_week == "widen":
            inside = {item.stored.id for item in ranked}
            rest = [c for c in found.earlier(period, now=now) if c.id not in inside]
            wider = self._choose(ranked, decided, older=found.rank(period, rest, now=now))
            if more := len(wider) - len(stories):
                notes = (f"Thin week: {_stories(len(stories))} of its own, {more} from before.",)
            stories = wider
        edition = curation.with_stories(edition, stories, decided)
        drafted = replace(
            edition,
            candidates=len(ranked),
            drafted_at=now,
            notes=notes,
            intro=edition.intro or self._settings.newsletter.intro,
        )
        return self._with_envelope(drafted)

    def _choose(
        self,
        ranked: Sequence[RankedArticle],
        decided: Curation,
        *,
        older: Sequence[RankedArticle] = (),
    ) -> tuple[Story, ...]:
        """Choose from the week's own articles; `older` ones only fill up what is left.

        What is merged into an article that does not get in takes part again.
        """
        rules = self._settings.edition
        while True:
            out = decided.hidden | decided.taken
            marked = hold_back([*ranked, *older], rules.max_per_source, hidden=out)
            if older:  # the week has too few, so all of its own are in, whatever their cap says
                marked[: len(ranked)] = ranked
            stories = curation.choose(marked, decided, size=rules.stories)
            kept = combining.free_others(decided, stories)
            if kept == decided:
                return stories
            decided = kept

    def _still_valid(self, decided: Curation, edition: Edition) -> Curation:
        """Return the decisions without what the sending of another edition made impossible."""
        if not decided.merged and not decided.updates:
            return decided
        label = edition.period.label
        sent = self._store.sent_article_ids(self._newsletter, except_label=label)
        had = self.had_before(decided.updates, except_label=label)
        updates = {article_id: earlier for article_id, (earlier, _) in had.items()}
        return replace(combining.without(decided, sent), updates=updates)

    def had_before(
        self, article_ids: Collection[int], *, except_label: str
    ) -> dict[int, tuple[str, Story | MergedArticle]]:
        """Return which of the articles readers may have had, and as what, each in which edition.

        That is the newest one that is sent, other than `except_label`'s.
        """
        found: dict[int, tuple[str, Story | MergedArticle]] = {}
        editions = self._store.editions(self._newsletter, states=SENT_STATES) if article_ids else ()
        for edition in editions:  # newest first
            label = edition.period.label
            for story in edition.stories if label != except_label else ():
                articles: list[Story | MergedArticle] = [story, *story.also]
                for had in articles:
                    if had.article_id in article_ids:
                        found.setdefault(had.article_id, (label, had))
        return found

    def newcomers(self, edition: Edition, *, now: dt.datetime) -> int:
        """Return how many candidates were first seen after the stored edition was drafted."""
        if edition.id is None or edition.drafted_at is None or edition.state not in OPEN:
            return 0
        own = self._candidates.own(edition.period, now=now)
        return sum(c.first_seen_at > edition.drafted_at for c in own)

    def require_enough(self, edition: Edition) -> None:
        """Raise if the edition is too thin to go.

        Raises:
            NothingToSend: It has fewer stories than `edition.minimum_stories`.
        """
        rules, count = self._settings.edition, len(edition.stories)
        if count >= max(rules.minimum_stories, 1):
            return
        again = ", draft it again (digest edition draft)" if edition.id else ""
        hint = f"Collect more (digest collect){again}, or lower edition.minimum_stories"
        if rules.thin_week != "widen":
            hint += ', or set edition.thin_week = "widen"'
        raise NothingToSend(
            f"Edition {edition.period.label} has {_stories(count)}, and it needs "
            f"{max(rules.minimum_stories, 1)}: {THIN_WEEK[rules.thin_week]}. Nothing was changed.",
            hint=f"{hint}.",
        )

    def _open(self, edition: Edition) -> Edition:
        """Return the edition as it may be changed: one that is fixed is a draft again.

        Approval covers the mail as it was, so a change takes it away, and the frozen mail with it.
        """
        if edition.state in curation.FIXED:
            return curation.reopened(edition)
        if edition.state not in OPEN:
            raise UsageError(
                f"Edition {edition.period.label} is {edition.state}; it cannot be changed.",
                hint="See: digest edition show",
            )
        return edition


def _stories(count: int) -> str:
    return f"{count or 'no'} {'story' if count == 1 else 'stories'}"
