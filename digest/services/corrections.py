"""Corrections: what is put right in an edition that readers have.

Its mails stay as they were sent. The page of the edition and the feed show what was wrong, and the
story in its new words.
"""

import datetime as dt
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from digest.errors import UsageError
from digest.model.archive import PastEdition, PastPage
from digest.model.corrections import Correction
from digest.model.editions import Edition, Story
from digest.normalising.text import clean_text
from digest.normalising.urls import article_key
from digest.ports import Corrections

LONGEST_WORDS = 500  # characters
LONGEST_HEADLINE = 200
LONGEST_SUMMARY = 600
SHORTEST_CUT = 12  # of a headline that is known again
ELLIPSIS = "…"
SIGNS = ".!?…"

log = structlog.get_logger(__name__)


def corrected(edition: Edition, corrections: Sequence[Correction]) -> Edition:
    """Return the edition in its new words; of two that say one thing anew the later counts.

    Where subject or preheader repeat a headline, they repeat the new one.
    """
    for correction in corrections:
        stories = tuple(_reworded(story, correction) for story in edition.stories)
        for old, new in zip(edition.stories, stories, strict=True):
            if old.headline != new.headline:
                edition = replace(
                    edition,
                    subject=_repeated(edition.subject, old.headline, new.headline),
                    preheader=_repeated(edition.preheader, old.headline, new.headline),
                )
        edition = replace(edition, stories=stories)
    return edition


def _repeated(text: str, old: str, new: str) -> str:
    """Return the text with the new headline where it has the old one, whole or cut short."""
    old, new = old.rstrip(SIGNS), new.rstrip(SIGNS)  # as subjects repeat a headline
    cuts = (f"{old[:length]}{ELLIPSIS}" for length in range(len(old) - 1, SHORTEST_CUT, -1))
    for said in (old, *cuts):
        if said and said in text:  # "AI" is in "Main" too, where it is not the headline
            return re.sub(rf"(?<!\w){re.escape(said)}(?!\w)", lambda _found: new, text)
    return text


def _reworded(story: Story, correction: Correction) -> Story:
    if story.article_id != correction.article_id:
        return story
    return replace(
        story,
        headline=correction.headline or story.headline,
        summary=correction.summary or story.summary,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What an editor says about an edition that is out.

    `words` say to readers what was wrong. `reference` names the story: the number of its article,
    its link, or words of its headline; "" for the whole edition. `headline` and `summary` are the
    story's from now on, each "" where they stay.
    """

    words: str
    reference: str = ""
    headline: str = ""
    summary: str = ""


class CorrectionService:
    """Puts right what went out.

    Args:
        store: Keeps the corrections.
        find: Returns the edition with that label as readers see it, the newest that they have for
            "", or None.
    """

    def __init__(
        self, store: Corrections, find: Callable[[str, dt.datetime], PastPage | None]
    ) -> None:
        self._store, self._find = store, find

    def correct(
        self, label: str, told: Told, *, by: str, now: dt.datetime
    ) -> tuple[PastEdition, Correction]:
        """Keep what was wrong, for the page of the edition; its audit row is kept with it.

        Args:
            label: The edition's, "" for the newest that readers have.
            told: What an editor says.
            by: Who says so; kept, and not shown to readers.
            now: Aware UTC.

        Raises:
            UsageError: No reader has the edition, there is no such story or more than one, or the
                words are missing or too long. Nothing was changed.
        """
        past_page = self._find(label, now)
        if past_page is None:
            raise _not_out(label)
        story = self._story(past_page, told.reference) if told.reference else None
        headline = _within(told.headline, LONGEST_HEADLINE, "headline")
        summary = _within(told.summary, LONGEST_SUMMARY, "summary")
        if story is None and (headline or summary):
            raise UsageError(
                "A new headline or summary is that of a story; nothing was changed.",
                hint="Name it: --story ARTICLE",
            )
        words = _within(told.words, LONGEST_WORDS, "correction")
        if not words:
            raise UsageError("Say to readers what was wrong; nothing was changed.")
        correction = Correction(
            edition_id=past_page.past.id,
            words=words,
            by=clean_text(by),
            at=now,
            article_id=story.article_id if story else None,
            headline=headline,
            summary=summary,
        )
        saved = self._store.correct(correction)
        log.info("edition_corrected", edition=past_page.past.label)
        return past_page.past, saved

    def _story(self, past_page: PastPage, reference: str) -> Story:
        stories, wanted = past_page.edition.stories, clean_text(reference)
        key = article_key(wanted)
        for exact in (
            [story for story in stories if str(story.article_id) == wanted],
            [story for story in stories if key and article_key(story.url) == key],
            [story for story in stories if wanted.casefold() in story.headline.casefold()],
        ):
            if len(exact) == 1:
                return exact[0]
            if exact:
                first, second = exact[:2]
                raise UsageError(
                    f"{wanted!r} may be several stories of {past_page.past.label}; nothing was "
                    "changed.",
                    hint=f"Name it by its number: {first.article_id} is {first.headline!r}, "
                    f"{second.article_id} is {second.headline!r}.",
                )
        raise UsageError(
            f"{wanted!r} is not a story of {past_page.past.label}; nothing was changed.",
            hint=f"See: digest edition show --edition {past_page.past.label}",
        )


def _not_out(label: str) -> UsageError:
    if not label:
        return UsageError(
            "No edition has gone out yet, so there is none to correct.",
            hint="Change a draft: digest edition edit",
        )
    return UsageError(
        f"No reader has {label}, so there is nothing to correct. Nothing was changed.",
        hint=f"Change it before it goes out: digest edition edit --edition {label}",
    )


def _within(text: str, longest: int, name: str) -> str:
    """Return the text cleaned, or raise if it is too long: what readers see is never cut."""
    words = clean_text(text)
    if len(words) > longest:
        raise UsageError(
            f"The {name} has {len(words):,} characters, and {longest:,} are allowed; nothing was "
            "changed.",
            hint="Say it in fewer words.",
        )
    return words
