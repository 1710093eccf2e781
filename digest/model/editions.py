"""The edition: one number of a newsletter, its period, its stories and its rendered form."""

import datetime as dt
from dataclasses import dataclass, field
from enum import StrEnum

from digest.model.articles import Image, Rating, Reason


class EditionState(StrEnum):
    """Where an edition stands; see docs/glossary.md for each word."""

    DRAFT = "draft"
    FROZEN = "frozen"
    APPROVED = "approved"
    PLANNED = "planned"
    SENDING = "sending"
    PAUSED = "paused"
    DONE = "done"
    HELD = "held"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    ATTENTION = "attention"


# From here on readers may have the edition: its stories never appear in a later one.
SENT_STATES = frozenset(
    {
        EditionState.PLANNED,
        EditionState.SENDING,
        EditionState.PAUSED,
        EditionState.DONE,
        EditionState.ATTENTION,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The half-open week [start, end) of an edition.

    Both ends are aware UTC instants; `timezone` is the IANA name of the newsletter's zone, in
    which the wall times of the boundaries are defined. `label` is the ISO week of the last day
    inside the period, e.g. "2026-W48".
    """

    start: dt.datetime
    end: dt.datetime
    timezone: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedArticle:
    """An article about the same event that an editor merged into a story, as it was then."""

    article_id: int
    headline: str
    summary: str
    url: str
    source: str
    outlet: str
    topics: tuple[str, ...] = ()
    language: str = ""
    words: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """An article placed in an edition.

    `headline` and `summary` are what the mail shows: the editor's words where there are any (then
    `headline_edited`/`summary_edited` is True), else the article's. `pinned_at` is the position
    that an editor fixed, 1-based, or None. `also` holds the articles that are merged into it, whose
    topics are among its own. `update_of` is the label of the sent edition whose readers had the
    article before, "" for any other story.
    """

    article_id: int
    position: int
    lead: bool
    headline: str
    summary: str
    url: str
    source: str
    outlet: str
    score: float
    reasons: tuple[Reason, ...] = ()
    rating: Rating | None = None
    topics: tuple[str, ...] = ()
    author: str = ""
    language: str = ""
    image: Image | None = None
    published_at: dt.datetime | None = None
    words: int = 0
    pinned_at: int | None = None
    headline_edited: bool = False
    summary_edited: bool = False
    also: tuple[MergedArticle, ...] = ()
    update_of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """One number of a newsletter for one period. `id` is None until it is stored.

    `hidden` holds the ids of articles that an editor took out, and `aside` the stories whose words
    an editor wrote and that are not in the edition now, so that the words are there when the story
    comes back. `sha256` is that of the frozen variant for all readers, "" while nothing is frozen,
    and `variants_sha256` covers all variants; both are what `approved_by` approved. `release_at` is
    when the provider sends, once that is planned (None: at once), and `transport` the one it is
    planned for. `reason` says why it is held or skipped, and `held_at` when it was held last: an
    edition that was once left to people is not held again by itself. `revision` grows with each
    save; the store refuses to overwrite a newer one.
    """

    newsletter: str
    period: Period
    state: EditionState = EditionState.DRAFT
    reason: str = ""
    held_at: dt.datetime | None = None
    subject: str = ""
    preheader: str = ""
    intro: str = ""
    stories: tuple[Story, ...] = ()
    hidden: frozenset[int] = field(default_factory=frozenset)
    aside: tuple[Story, ...] = ()
    subject_edited: bool = False
    preheader_edited: bool = False
    lead_article_id: int | None = None
    candidates: int = 0
    notes: tuple[str, ...] = ()
    drafted_at: dt.datetime | None = None
    sha256: str = ""
    variants_sha256: str = ""
    frozen_at: dt.datetime | None = None
    approved_by: str = ""
    approved_at: dt.datetime | None = None
    release_at: dt.datetime | None = None
    transport: str = ""
    revision: int = 0
    id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """An edition rendered for all readers of one segment and locale.

    `html` and `text` still hold the tokens (`digest.merging`) that differ from reader to reader.
    `tokens` maps each token to how often it stands in the HTML. `sha256` covers subject,
    preheader, HTML and text, so equal hashes mean equal mails.
    """

    subject: str
    preheader: str
    html: str
    text: str
    tokens: dict[str, int]
    sha256: str


WHOLE = "all"
"""The key of the variant with all stories."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenVariant:
    """A variant as it is stored with a frozen edition, and whom it is for.

    `key` is WHOLE, or names the stories, e.g. "1,2,5". `topics` are the choices of topics whose
    readers get it; those that no variant names get the whole one.
    """

    key: str
    variant: Variant
    topics: tuple[tuple[str, ...], ...] = ()
