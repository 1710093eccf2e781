"""Drafting and curating editions: from ranked articles to stories in their order."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

import structlog

from digest import curation
from digest.errors import NotFound, NothingToSend, UsageError
from digest.model.articles import RankedArticle, StoredArticle
from digest.model.editions import SENT_STATES, Edition, EditionState, Period, Story
from digest.periods import due_period, period_labelled
from digest.ports import Store
from digest.ranking import HISTORY, hold_back, measure_priors, rank
from digest.settings import Settings

FINISHED = SENT_STATES | {EditionState.SKIPPED, EditionState.CANCELLED}
GIVES_BACK = frozenset({EditionState.HELD, EditionState.SKIPPED, EditionState.CANCELLED})
OPEN = frozenset({EditionState.DRAFT, EditionState.HELD})

log = structlog.get_logger(__name__)


class EditionService:
    """Knows which edition is due, drafts it, and changes it as editors say."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._newsletter = settings.newsletter.slug

    # Which edition

    def period(self, label: str, *, now: dt.datetime) -> Period:
        """Return the period named `label`, or the due one for "" at the aware instant `now`.

        Raises:
            UsageError: `label` names no period.
        """
        stored = self._store.editions(self._newsletter)
        known = [edition.period for edition in stored]
        schedule, timezone = self._settings.schedule, self._settings.newsletter.timezone
        if label:
            return period_labelled(label, schedule, timezone, known=known)
        finished = {e.period.label for e in stored if e.state in FINISHED}
        return due_period(now, schedule, timezone, known=known, is_finished=finished.__contains__)

    def stored(self, label: str, *, now: dt.datetime) -> Edition | None:
        """Return the stored edition of that period ("" for the due one), or None."""
        return self._store.edition(self._newsletter, self.period(label, now=now).label)

    def all(self) -> list[Edition]:
        """Return all stored editions, newest period first."""
        return self._store.editions(self._newsletter)

    # Ranking

    def ranked(self, period: Period, *, now: dt.datetime) -> list[RankedArticle]:
        """Return the period's candidates best first, the cap per source marked.

        Ages are taken at `now`, or at the period's end when that has passed.
        """
        at = min(now, period.end)
        candidates = self._fresh(self._store.candidates(self._start(period), period.end), at)
        return self._rank(period, candidates, at)

    def _start(self, period: Period) -> dt.datetime:
        """Editions that were held or skipped right before give their articles back."""
        start = period.start
        for edition in self._store.editions(self._newsletter):
            if edition.period.end == start and edition.state in GIVES_BACK:
                start = edition.period.start
        return start

    def _fresh(self, candidates: Sequence[StoredArticle], at: dt.datetime) -> list[StoredArticle]:
        oldest = at - dt.timedelta(days=self._settings.edition.max_age_days)
        return [c for c in candidates if (c.article.published_at or c.first_seen_at) >= oldest]

    def _rank(
        self, period: Period, candidates: Sequence[StoredArticle], at: dt.datetime
    ) -> list[RankedArticle]:
        sent = self._store.sent_article_ids(self._newsletter, except_label=period.label)
        trust = {source.name: source.trust for source in self._settings.source}
        weights = self._settings.ranking
        priors = measure_priors(self._store.ratings_since(at - HISTORY), trust, weights)
        unsent = [c for c in candidates if c.id not in sent]
        ranked = rank(unsent, priors, trust, weights, at=at)
        return hold_back(ranked, self._settings.edition.max_per_source)

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

    def draft(self, label: str, *, now: dt.datetime) -> Edition:
        """Draft the edition from the ranking and store it; what editors decided stays.

        Raises:
            UsageError: The edition is past drafting.
        """
        edition = self._open(self.compose(label, now=now))
        saved = self._store.save_edition(self._drafted(edition, now=now))
        log.info("edition_drafted", edition=saved.period.label, stories=len(saved.stories))
        return saved

    def _drafted(self, edition: Edition, *, now: dt.datetime) -> Edition:
        rules = self._settings.edition
        ranked = self.ranked(edition.period, now=now)
        decided = curation.curation_of(edition)
        stories = curation.choose(ranked, decided, size=rules.stories)
        notes: tuple[str, ...] = ()
        if len(stories) < rules.minimum_stories and rules.thin_week == "widen":
            own = len(stories)
            wider = self._widened(edition.period, now=now)
            stories = curation.choose(wider, decided, size=rules.stories)
            notes = (f"Thin week: {own} stories of its own, {len(stories) - own} from before.",)
        return curation.with_envelope(
            replace(
                edition,
                stories=stories,
                candidates=len(ranked),
                drafted_at=now,
                notes=notes,
                intro=edition.intro or self._settings.newsletter.intro,
            )
        )

    def _widened(self, period: Period, *, now: dt.datetime) -> list[RankedArticle]:
        at = min(now, period.end)
        start = at - dt.timedelta(days=self._settings.edition.max_age_days)
        earlier = self._store.candidates(min(start, period.start), period.end)
        return self._rank(period, self._fresh(earlier, at), at)

    def require_enough(self, edition: Edition) -> None:
        """Raise if the edition is too thin to go.

        Raises:
            NothingToSend: It has fewer stories than `edition.minimum_stories`.
        """
        rules, label = self._settings.edition, edition.period.label
        if len(edition.stories) >= max(rules.minimum_stories, 1):
            return
        found = f"{len(edition.stories)} of {edition.candidates} candidates"
        policy = "is held" if rules.thin_week == "hold" else "is skipped"
        raise NothingToSend(
            f"Edition {label} has {found}, and it needs {rules.minimum_stories}: it {policy}.",
            hint="Collect more (digest collect), lower edition.minimum_stories, "
            'or set edition.thin_week = "widen".',
        )

    # Curating

    def lead(self, label: str, reference: str, *, now: dt.datetime) -> Edition:
        """Make the article the lead, bringing it in if it is not yet a story; store the edition."""
        edition, article_id = self._resolve(label, reference, now=now)
        hidden = edition.hidden - {article_id}
        return self._again(replace(edition, lead_article_id=article_id, hidden=hidden), now=now)

    def pin(self, label: str, reference: str, position: int, *, now: dt.datetime) -> Edition:
        """Fix the article at `position` (1-based), bringing it in if need be; store the edition."""
        edition, article_id = self._resolve(label, reference, now=now)
        size = self._settings.edition.stories
        if not 1 <= position <= size:
            raise UsageError(f"There is no position {position}.", hint=f"Choose 1 to {size}.")
        if position == 1:
            return self.lead(label, reference, now=now)
        lead = None if edition.lead_article_id == article_id else edition.lead_article_id
        edition = replace(edition, hidden=edition.hidden - {article_id}, lead_article_id=lead)
        return self._again(edition, now=now, pin=(article_id, position))

    def unpin(self, label: str, reference: str, *, now: dt.datetime) -> Edition:
        """Let the article stand where its score puts it, also as lead; store the edition."""
        edition, article_id = self._resolve(label, reference, now=now)
        lead = None if edition.lead_article_id == article_id else edition.lead_article_id
        return self._again(replace(edition, lead_article_id=lead), now=now, pin=(article_id, None))

    def hide(self, label: str, reference: str, *, now: dt.datetime) -> Edition:
        """Take the article out; the next candidate moves up. Stores the edition."""
        edition, article_id = self._resolve(label, reference, now=now)
        lead = None if edition.lead_article_id == article_id else edition.lead_article_id
        return self._again(
            replace(edition, hidden=edition.hidden | {article_id}, lead_article_id=lead), now=now
        )

    def unhide(self, label: str, reference: str, *, now: dt.datetime) -> Edition:
        """Let a hidden article take part again; stores the edition."""
        edition, article_id = self._resolve(label, reference, now=now)
        return self._again(replace(edition, hidden=edition.hidden - {article_id}), now=now)

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
        story = next((s for s in edition.stories if s.article_id == article_id), None)
        if story is None:
            raise UsageError(
                f"{reference!r} is not a story of {edition.period.label}.",
                hint=f"Bring it in first: digest edition pin {article_id} 3",
            )
        article = self._store.article(article_id).article
        if headline is not None:
            story = replace(
                story, headline=headline or article.title, headline_edited=bool(headline)
            )
        if summary is not None:
            story = replace(story, summary=summary or article.summary, summary_edited=bool(summary))
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
        if subject is not None:
            edition = replace(edition, subject=subject, subject_edited=bool(subject))
        if preheader is not None:
            edition = replace(edition, preheader=preheader, preheader_edited=bool(preheader))
        if intro is not None:
            edition = replace(edition, intro=intro or self._settings.newsletter.intro)
        return self._save(edition)

    def _again(
        self, edition: Edition, *, now: dt.datetime, pin: tuple[int, int | None] | None = None
    ) -> Edition:
        """Choose the stories anew after a decision, and store the edition."""
        decided = curation.curation_of(edition)
        if pin is not None:
            pins = {k: v for k, v in decided.pins.items() if k != pin[0]}
            if pin[1] is not None:
                pins[pin[0]] = pin[1]
            decided = replace(decided, pins=pins)
        ranked = self._with_decided(edition, decided, now=now)
        stories = curation.choose(ranked, decided, size=self._settings.edition.stories)
        return self._save(replace(edition, stories=stories))

    def _with_decided(
        self, edition: Edition, decided: curation.Curation, *, now: dt.datetime
    ) -> list[RankedArticle]:
        """Rank the candidates, and the articles that an editor brings in from elsewhere."""
        at = min(now, edition.period.end)
        start = self._start(edition.period)
        pool = {c.id: c for c in self._fresh(self._store.candidates(start, edition.period.end), at)}
        wanted = {s.article_id for s in edition.stories} | set(decided.pins)
        if decided.lead is not None:
            wanted.add(decided.lead)
        pool.update(self._store.articles(wanted - set(pool)))
        return self._rank(edition.period, list(pool.values()), at)

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

    def _open(self, edition: Edition) -> Edition:
        if edition.state not in OPEN:
            raise UsageError(
                f"Edition {edition.period.label} is {edition.state}; it cannot be changed.",
                hint="See: digest edition show",
            )
        return edition

    def _save(self, edition: Edition) -> Edition:
        return self._store.save_edition(
            curation.with_envelope(replace(edition, stories=_numbered(edition.stories)))
        )


def _numbered(stories: Sequence[Story]) -> tuple[Story, ...]:
    return tuple(
        replace(story, position=number, lead=number == 1) for number, story in enumerate(stories, 1)
    )
