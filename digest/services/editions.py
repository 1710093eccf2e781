"""Editions as editors change them: curating, holding and skipping."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import replace

import structlog

from digest import combining, curation
from digest.curation import Curation
from digest.errors import UsageError
from digest.model.articles import StoredArticle
from digest.model.editions import Edition, EditionState, MergedArticle, Story
from digest.normalising.text import clean_text
from digest.services.drafting import OPEN, DraftingService

LONGEST_REASON = 300  # characters

log = structlog.get_logger(__name__)


class EditionService(DraftingService):
    """Drafts editions, and changes them as editors say.

    A change to a frozen or approved edition makes it a draft again.
    """

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

    def lead(
        self, label: str, reference: str, *, now: dt.datetime, is_update: bool = False
    ) -> Edition:
        """Make the article the lead, bringing it in if it is not yet a story; store the edition.

        With `is_update` that is an article that readers had; see `pin`.
        """
        edition, article_id = self._resolve(label, reference, now=now, is_update=is_update)
        decided = curation.curation_of(edition)
        hidden = decided.hidden - {article_id}
        decided = replace(decided, lead=article_id, hidden=hidden)
        if is_update:
            decided = self._updating(decided, edition, article_id, reference)
        return self._again(edition, decided, now=now)

    def pin(
        self,
        label: str,
        reference: str,
        position: int,
        *,
        now: dt.datetime,
        is_update: bool = False,
    ) -> Edition:
        """Fix the article at `position` (1-based), bringing it in if need be; store the edition.

        A redraft keeps it there. Position 1 makes it the lead. With `is_update` it is one that
        readers had in an edition that was sent, and it is marked as an update of that story.

        Raises:
            UsageError: There is no such position, or the article was sent and is no update, or is
                to be one and was not sent.
        """
        edition, article_id = self._resolve(label, reference, now=now, is_update=is_update)
        _require_position(position, self._settings.edition.stories)
        decided = curation.pinned(curation.curation_of(edition), article_id, position)
        if is_update:
            decided = self._updating(decided, edition, article_id, reference)
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

    def merge(
        self, label: str, reference: str, others: Sequence[str], *, now: dt.datetime
    ) -> Edition:
        """Make one story of several articles about one event; store the edition.

        The story that `reference` names keeps its words, link, rating and place. The others are
        linked below it, and are no stories of their own as long as it is in the edition.

        Raises:
            UsageError: There are no others, the first is no story of this edition, or another is
                the story itself, is merged already or was sent.
        """
        edition, story_id = self._resolve(label, reference, now=now)
        story = self._story(edition, story_id, reference)
        found: dict[int, StoredArticle] = {}
        for other in others:
            _, article_id = self._resolve(label, other, now=now)
            if article_id == story_id:
                raise UsageError(
                    f"{story.headline!r} cannot be merged into itself; nothing was changed."
                )
            found[article_id] = self._store.article(article_id)
        self._require_never_sent(edition, found.values())
        if not found:
            raise UsageError(
                "To merge takes two articles or more; nothing was changed.",
                hint="Name the others, too: digest edition merge ARTICLE OTHER",
            )
        decided = curation.curation_of(edition)
        merged = combining.merge(decided, story_id, list(found.values()))
        return self._again(edition, merged, now=now)

    def split(self, label: str, reference: str, *, now: dt.datetime) -> Edition:
        """Let all articles go that are merged into the story; store the edition.

        Raises:
            UsageError: Nothing is merged into it.
        """
        edition, story_id = self._resolve(label, reference, now=now)
        story = self._story(edition, story_id, reference)
        if not story.also:
            raise UsageError(
                f"Nothing is merged into {story.headline!r}; nothing was changed.",
                hint="See: digest edition show",
            )
        decided = combining.split(curation.curation_of(edition), story_id)
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
        taken = self.recent_subjects(edition.period.label)
        return curation.narrowed(edition, kept, self._words(), taken=taken)

    # What readers had

    def stale_updates(self, edition: Edition) -> list[Story]:
        """Return the updates that tell their readers nothing they have not read.

        Those of an edition that is frozen or later were looked at when it was frozen.
        """
        had = self._had(edition) if edition.state in OPEN else {}
        return [
            story
            for story in edition.stories
            if story.article_id in had
            and not combining.says_something_new(story, had[story.article_id][1])
        ]

    def require_unsent(self, edition: Edition) -> None:
        """Raise if the edition would tell readers what they had.

        Raises:
            UsageError: An article was in another edition and is no update of it, or is an update
                that says nothing new.
        """
        label = edition.period.label
        sent = self._store.sent_article_ids(self._newsletter, except_label=label)
        again = [s.headline for s in edition.stories if s.article_id in sent and not s.update_of]
        merged = [other for story in edition.stories for other in story.also]
        again += [other.headline for other in merged if other.article_id in sent]
        if again:
            raise UsageError(
                f"Readers had {again[0]!r} in an earlier edition, and {label} was drafted before "
                "that. Nothing was frozen or sent.",
                hint="Draft it again: digest edition draft",
            )
        had = self._had(edition)
        for story in edition.stories:
            if story.update_of and had.get(story.article_id, ("",))[0] != story.update_of:
                raise UsageError(
                    f"{story.headline!r} is marked as an update of a story in {story.update_of}, "
                    "and that is no longer so. Nothing was frozen or sent.",
                    hint="Draft it again: digest edition draft",
                )
        for story in self.stale_updates(edition):
            raise UsageError(
                f"{story.headline!r} is an update of a story in {story.update_of}, and says "
                "nothing that its readers have not read. Nothing was frozen.",
                hint=f"Write what is new (digest edition edit {story.article_id} --summary TEXT), "
                f"or take it out: digest edition unpin {story.article_id}",
            )

    def _had(self, edition: Edition) -> dict[int, tuple[str, Story | MergedArticle]]:
        updates = [story.article_id for story in edition.stories if story.update_of]
        return self.had_before(updates, except_label=edition.period.label)

    def _updating(
        self, decided: Curation, edition: Edition, article_id: int, reference: str
    ) -> Curation:
        """Return the decisions with the article marked as an update of the story readers had."""
        had = self.had_before([article_id], except_label=edition.period.label)
        if article_id not in had:
            raise UsageError(
                f"{reference!r} was in no edition that was sent, so it is no update; nothing was "
                "changed.",
                hint="Bring it in without --update.",
            )
        return replace(decided, updates={**decided.updates, article_id: had[article_id][0]})

    # How a change is made

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

    def _resolve(
        self, label: str, reference: str, *, now: dt.datetime, is_update: bool = False
    ) -> tuple[Edition, int]:
        """Return the open edition and the id of the article that `reference` names.

        Raises:
            UsageError: There is no such article or edition, it is merged into a story, or it was
                sent and neither is an update in this edition nor `is_update`.
        """
        edition = self._open(self.compose(label, now=now))
        article = self.find(reference, edition.period, now=now)
        updates = curation.curation_of(edition).updates
        if not is_update and article.id not in updates:
            self._require_never_sent(edition, [article])
        for story in edition.stories:
            if any(other.article_id == article.id for other in story.also):
                raise UsageError(
                    f"{article.article.title!r} is merged into {story.headline!r} already; nothing "
                    "was changed.",
                    hint=f"Let it go first: digest edition split {story.article_id}",
                )
        return edition, article.id

    def _require_never_sent(self, edition: Edition, articles: Iterable[StoredArticle]) -> None:
        sent = self._store.sent_article_ids(self._newsletter, except_label=edition.period.label)
        for article in articles:
            if article.id in sent:
                raise UsageError(
                    f"{article.article.title!r} was in an earlier edition.",
                    hint="A story is never sent twice. Choose another article (digest rank), or "
                    f"bring it back as an update: digest edition pin {article.id} 3 --update",
                )

    def _save(self, edition: Edition) -> Edition:
        return self._store.save_edition(self._with_envelope(edition))


def _require_position(position: int, last: int) -> None:
    if not 1 <= position <= last:
        raise UsageError(
            f"There is no position {position}; nothing was changed.", hint=f"Choose 1 to {last}."
        )
