"""Drafting and curating editions: from ranked articles to stories in their order."""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import structlog

from digest import curation
from digest.curation import Curation
from digest.errors import NothingToSend, UsageError
from digest.model.articles import RankedArticle, StoredArticle
from digest.model.editions import SENT_STATES, Edition, EditionState, Period, Story
from digest.normalising.text import clean_text
from digest.periods import due_period, period_labelled
from digest.ports import Store, Words
from digest.ranking import hold_back
from digest.services.candidates import Candidates
from digest.settings import Settings
from digest.timetable import Slot, timetable

LONGEST_REASON = 300  # characters
FINISHED = SENT_STATES | {EditionState.SKIPPED, EditionState.CANCELLED}
OPEN = frozenset({EditionState.DRAFT, EditionState.HELD})
THIN_WEEK = {
    "hold": "it is held until it has more",
    "skip": "it does not go",
    "widen": "even with earlier articles that is too few, so it is held",
}

log = structlog.get_logger(__name__)


class EditionService:
    """Knows which edition is due, drafts it, and changes it as editors say.

    Args:
        store: Where articles and editions are kept.
        settings: The newsletter's.
        left_out: The names of sources whose articles take no part, such as the sample's.
        sources: The names of those whose articles alone take part; None for all.
        words: Gives the language of subject and preheader when they are made.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        left_out: frozenset[str] = frozenset(),
        sources: frozenset[str] | None = None,
        words: Callable[[], Words] = curation.English,
    ) -> None:
        self._words = words
        self._store = store
        self._settings = settings
        self._candidates = Candidates(store, settings, left_out=left_out, sources=sources)
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

    def _drafted(
        self, edition: Edition, *, now: dt.datetime, decided: Curation | None = None
    ) -> Edition:
        """Choose the stories anew under what editors decided; stores nothing."""
        decided = decided or curation.curation_of(edition)
        period, rules = edition.period, self._settings.edition
        found = self._candidates
        own = found.own(period, now=now)
        ranked = found.rank(period, [*own, *found.brought_in(decided, own)], now=now)
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
        return curation.with_envelope(drafted, self._words())

    def _choose(
        self,
        ranked: Sequence[RankedArticle],
        decided: Curation,
        *,
        older: Sequence[RankedArticle] = (),
    ) -> tuple[Story, ...]:
        """Choose from the week's own articles; `older` ones only fill up what is left."""
        rules = self._settings.edition
        marked = hold_back([*ranked, *older], rules.max_per_source, hidden=decided.hidden)
        if older:  # the week has too few, so all of its own are in, whatever their cap says
            marked[: len(ranked)] = ranked
        return curation.choose(marked, decided, size=rules.stories)

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

    # Whether it goes

    def hold(self, label: str, *, reason: str, now: dt.datetime) -> Edition:
        """Keep the edition from going until people decide; store it.

        A frozen or approved one loses its frozen mail and its approval.

        Raises:
            UsageError: It is planned or later, or does not go anyway.
        """
        return self._aside(label, EditionState.HELD, reason=reason, now=now)

    def skip(self, label: str, *, reason: str, now: dt.datetime) -> Edition:
        """Let the edition not go at all, for the reason given; store it.

        Raises:
            UsageError: There is no reason, or it is planned or later, or does not go anyway.
        """
        if not clean_text(reason):
            raise UsageError("To skip an edition needs a reason; nothing was changed.")
        return self._aside(label, EditionState.SKIPPED, reason=reason, now=now)

    def _aside(self, label: str, state: EditionState, *, reason: str, now: dt.datetime) -> Edition:
        edition = self._open(self.compose(label, now=now))
        reason = clean_text(reason, limit=LONGEST_REASON)
        held_at = now if state is EditionState.HELD else edition.held_at
        aside = replace(edition, state=state, reason=reason, held_at=held_at)
        saved = self._store.save_edition(aside)
        log.info("edition_set_aside", edition=saved.period.label, state=str(state))
        return saved

    # Curating

    def lead(self, label: str, reference: str, *, now: dt.datetime) -> Edition:
        """Make the article the lead, bringing it in if it is not yet a story; store the edition."""
        edition, article_id = self._resolve(label, reference, now=now)
        decided = curation.curation_of(edition)
        hidden = decided.hidden - {article_id}
        return self._again(edition, replace(decided, lead=article_id, hidden=hidden), now=now)

    def pin(self, label: str, reference: str, position: int, *, now: dt.datetime) -> Edition:
        """Fix the article at `position` (1-based), bringing it in if need be; store the edition.

        A redraft keeps it there. Position 1 makes it the lead.
        """
        edition, article_id = self._resolve(label, reference, now=now)
        _require_position(position, self._settings.edition.stories)
        decided = curation.pinned(curation.curation_of(edition), article_id, position)
        return self._again(edition, decided, now=now)

    def unpin(self, label: str, reference: str, *, now: dt.datetime) -> Edition:
        """Let the article stand where its score puts it, also as lead; store the edition."""
        edition, article_id = self._resolve(label, reference, now=now)
        decided = curation.pinned(curation.curation_of(edition), article_id, None)
        return self._again(edition, decided, now=now)

    def move(self, label: str, reference: str, position: int, *, now: dt.datetime) -> Edition:
        """Move a story to `position` (1-based) and the others along; store the edition.

        It stays there like a pinned one. Stories placed by hand before shift along and keep their
        new places, unlike with `pin`, which leaves them where they are.

        Raises:
            UsageError: The article is not a story of this edition, or there is no such position.
        """
        edition, article_id = self._resolve(label, reference, now=now)
        self._story(edition, article_id, reference)
        _require_position(position, len(edition.stories))
        decided = curation.curation_of(edition)
        decided = curation.moved(decided, edition.stories, article_id, position)
        return self._again(edition, decided, now=now)

    def hide(self, label: str, reference: str, *, now: dt.datetime) -> Edition:
        """Take the article out; the next candidate moves up. Stores the edition."""
        edition, article_id = self._resolve(label, reference, now=now)
        decided = curation.pinned(curation.curation_of(edition), article_id, None)
        decided = replace(decided, hidden=decided.hidden | {article_id})
        return self._again(edition, decided, now=now)

    def unhide(self, label: str, reference: str, *, now: dt.datetime) -> Edition:
        """Let a hidden article take part again; stores the edition."""
        edition, article_id = self._resolve(label, reference, now=now)
        decided = curation.curation_of(edition)
        decided = replace(decided, hidden=decided.hidden - {article_id})
        return self._again(edition, decided, now=now)

    def edit_story(
        self,
        label: str,
        reference: str,
        *,
        headline: str | None,
        summary: str | None,
        now: dt.datetime,
    ) -> Edition:
        """Replace a story's words in the mail (None keeps, "" gives the article's back); store it.

        Raises:
            UsageError: The article is not a story of this edition.
        """
        edition, article_id = self._resolve(label, reference, now=now)
        story = self._story(edition, article_id, reference)
        article = self._store.article(article_id).article
        story = curation.reworded(story, article, headline=headline, summary=summary)
        stories = tuple(story if s.article_id == article_id else s for s in edition.stories)
        return self._save(replace(edition, stories=stories))

    def edit(
        self,
        label: str,
        *,
        subject: str | None,
        preheader: str | None,
        intro: str | None,
        now: dt.datetime,
    ) -> Edition:
        """Replace the edition's own words (None keeps, "" gives the made ones back); store it."""
        edition = self._open(self.compose(label, now=now))
        if intro is not None:
            intro = clean_text(intro) or self._settings.newsletter.intro
            edition = replace(edition, intro=intro)
        return self._save(curation.readdressed(edition, subject=subject, preheader=preheader))

    def narrowed(self, edition: Edition, kept: Sequence[int]) -> Edition:
        """Return the edition with those stories alone, by index; stores nothing."""
        return curation.narrowed(edition, kept, self._words())

    def _again(self, edition: Edition, decided: Curation, *, now: dt.datetime) -> Edition:
        """Choose the stories anew after a decision, and store the edition."""
        return self._store.save_edition(self._drafted(edition, now=now, decided=decided))

    def _story(self, edition: Edition, article_id: int, reference: str) -> Story:
        for story in edition.stories:
            if story.article_id == article_id:
                return story
        raise UsageError(
            f"{reference!r} is not a story of {edition.period.label}; nothing was changed.",
            hint=f"Bring it in first: digest edition pin {article_id} 3",
        )

    def _resolve(self, label: str, reference: str, *, now: dt.datetime) -> tuple[Edition, int]:
        """Return the open edition and the id of the article that `reference` names."""
        edition = self._open(self.compose(label, now=now))
        article = self.find(reference, edition.period, now=now)
        sent = self._store.sent_article_ids(self._newsletter, except_label=edition.period.label)
        if article.id in sent:
            raise UsageError(
                f"{article.article.title!r} was in an earlier edition.",
                hint="A story is never sent twice; choose another article: digest rank",
            )
        return edition, article.id

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

    def _save(self, edition: Edition) -> Edition:
        return self._store.save_edition(curation.with_envelope(edition, self._words()))


def _stories(count: int) -> str:
    return f"{count or 'no'} {'story' if count == 1 else 'stories'}"


def _require_position(position: int, last: int) -> None:
    if not 1 <= position <= last:
        raise UsageError(
            f"There is no position {position}; nothing was changed.", hint=f"Choose 1 to {last}."
        )
