"""The archive: which editions readers have, what is in them, and finding one again."""

import datetime as dt
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from digest.model.archive import Found, PastEdition, PastPage, PastStory
from digest.model.corrections import Correction
from digest.normalising.text import clean_text
from digest.ports import Archive, Store
from digest.services.corrections import corrected

MAX_WORDS = 8  # of a search; more say nothing more
LONGEST_SEARCH = 100  # characters
SHOWN_STORIES = 3  # of an edition that was found


class ArchiveService:
    """Shows the editions of one newsletter that readers have, and no other.

    Args:
        store: Has the editions.
        archive: Lists them.
        newsletter: Its slug.
    """

    def __init__(self, store: Store, archive: Archive, newsletter: str) -> None:
        self._store, self._archive, self._newsletter = store, archive, newsletter

    def editions(self, *, now: dt.datetime) -> list[PastEdition]:
        """Return the editions that readers have at `now`, newest first, as they are corrected."""
        past = self._archive.past_editions(self._newsletter, now=now)
        made = self._corrections()
        return [self._readdressed(one, made.get(one.id, ())) for one in past]

    def past_page(self, label: str, now: dt.datetime) -> PastPage | None:
        """Return that edition, the newest for "", or None if no reader has such an edition."""
        past = self._archive.past_editions(self._newsletter, now=now)
        for number, one in enumerate(past):
            if label in ("", one.label):
                newer = past[number - 1] if number else None
                older = past[number + 1] if number + 1 < len(past) else None
                past_page = self._past_page(one, self._corrections().get(one.id, ()))
                return past_page and replace(past_page, previous=older, next=newer)
        return None

    def newest(self, count: int, *, now: dt.datetime) -> list[PastPage]:
        """Return the newest editions with what is in them, newest first."""
        past = self._archive.past_editions(self._newsletter, now=now)[:count]
        made = self._corrections()
        past_pages = (self._past_page(one, made.get(one.id, ())) for one in past)
        return [past_page for past_page in past_pages if past_page is not None]

    def state(self, count: int, *, now: dt.datetime) -> tuple[object, ...]:
        """Return what is equal as long as `newest` is."""
        past = self._archive.past_editions(self._newsletter, now=now)[:count]
        made = self._corrections()
        return tuple((one, len(made.get(one.id, ()))) for one in past)

    def search(self, text: str, *, now: dt.datetime) -> list[Found]:
        """Return the editions that have all the words of `text`, newest first.

        A word counts wherever it stands, as a part of another and in any case: in the subject, a
        headline or a summary. No word at all finds nothing.
        """
        words = search_words(text)
        if not words:
            return []
        stories = self._stories()
        found = []
        for one in self.editions(now=now):
            own = stories.get(one.id, [])
            texts = [_folded(story) for story in own]
            whole = " ".join([one.subject.casefold(), *texts])
            if all(word in whole for word in words):
                found.append(Found(edition=one, stories=_best(own, texts, words)))
        return found

    def _stories(self) -> dict[int, list[PastStory]]:
        made = {
            (correction.edition_id, correction.article_id, name): words
            for correction in self._archive.all_corrections(self._newsletter)
            for name in ("headline", "summary")
            if (words := getattr(correction, name))
        }
        found: dict[int, list[PastStory]] = defaultdict(list)
        for story in self._archive.past_stories(self._newsletter):
            key = story.edition_id, story.article_id
            headline = made.get((*key, "headline"), story.headline)
            summary = made.get((*key, "summary"), story.summary)
            found[story.edition_id].append(replace(story, headline=headline, summary=summary))
        return found

    def _corrections(self) -> dict[int, list[Correction]]:
        found: dict[int, list[Correction]] = defaultdict(list)
        for correction in self._archive.all_corrections(self._newsletter):
            found[correction.edition_id].append(correction)
        return found

    def _readdressed(self, past: PastEdition, corrections: Sequence[Correction]) -> PastEdition:
        """Return the edition with the subject that its corrections leave."""
        has_new_headline = any(correction.headline for correction in corrections)
        past_page = self._past_page(past, corrections) if has_new_headline else None
        return replace(past, subject=past_page.edition.subject) if past_page else past

    def _past_page(self, past: PastEdition, corrections: Sequence[Correction]) -> PastPage | None:
        edition = self._store.edition(self._newsletter, past.label)
        if edition is None:  # it was there a moment ago
            return None
        return PastPage(
            past=past, edition=corrected(edition, corrections), corrections=tuple(corrections)
        )


def search_words(text: str) -> list[str]:
    """Return the words that a search looks for, each once, in lower case."""
    words = clean_text(text[:LONGEST_SEARCH]).casefold().split()
    return list(dict.fromkeys(words))[:MAX_WORDS]


def _folded(story: PastStory) -> str:
    return f"{story.headline} {story.summary}".casefold()


def _best(
    stories: Sequence[PastStory], texts: Sequence[str], words: Sequence[str]
) -> tuple[PastStory, ...]:
    """Return the first few of the stories that have the most of the words."""
    counts = [sum(word in text for word in words) for text in texts]
    most = max(counts, default=0)
    best = [story for story, count in zip(stories, counts, strict=True) if count == most and most]
    return tuple(best[:SHOWN_STORIES])
