"""Curating: which ranked articles become stories, in which order, and what the subject says.

Pure. The rules: the lead stands first; a pin is a position; what an editor hid stays out; what an
editor wrote stays; everything else follows the ranking under the cap per source.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from digest.model.articles import Article, RankedArticle, Reason
from digest.model.editions import Edition, EditionState, MergedArticle, Story
from digest.normalising.text import clean_text, shorten
from digest.ports import Words

SUBJECT_LENGTH = 78  # longer subjects are cut by most inboxes
PREHEADER_LENGTH = 120
LONGEST_WORDS = 200  # of what an editor writes into a header
FIXED = frozenset({EditionState.FROZEN, EditionState.APPROVED})
"""States in which the mail is rendered for good, and from which a change leads back to a draft."""

MAX_SEGMENTS = 32  # each is a variant to render, to check and to approve with the whole one
MOST_COUNTED = 50  # stories that a subject may have counted, which is what an edition may have
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@dataclass(frozen=True, slots=True, kw_only=True)
class Curation:
    """What editors decided about an edition, kept when it is drafted again.

    `pins` maps article ids to positions (1 is the lead's), `edited` holds the stories whose words
    an editor wrote, by article id, whether or not they are in the edition now. `merged` maps a
    story's article id to what is merged into it, and `updates` to the label of the sent edition
    that had it. Pins, merging and updates are forgotten when the story leaves the edition.
    """

    lead: int | None = None
    pins: Mapping[int, int] = field(default_factory=dict)
    hidden: frozenset[int] = frozenset()
    edited: Mapping[int, Story] = field(default_factory=dict)
    merged: Mapping[int, tuple[MergedArticle, ...]] = field(default_factory=dict)
    updates: Mapping[int, str] = field(default_factory=dict)

    @property
    def placed(self) -> frozenset[int]:
        """The articles that an editor gave a place, which are in whatever the ranking says."""
        return frozenset(self.pins) | ({self.lead} if self.lead is not None else set())

    @property
    def taken(self) -> frozenset[int]:
        """The articles that are merged into a story, and so are none of their own."""
        return frozenset(o.article_id for others in self.merged.values() for o in others)


def curation_of(edition: Edition) -> Curation:
    """Return what editors decided about `edition`."""
    written = [s for s in edition.stories if s.headline_edited or s.summary_edited]
    return Curation(
        lead=edition.lead_article_id,
        pins={s.article_id: s.pinned_at for s in edition.stories if s.pinned_at is not None},
        hidden=edition.hidden,
        edited={s.article_id: s for s in (*edition.aside, *written)},
        merged={s.article_id: s.also for s in edition.stories if s.also},
        updates={s.article_id: s.update_of for s in edition.stories if s.update_of},
    )


def pinned(curation: Curation, article_id: int, position: int | None) -> Curation:
    """Return the decisions with the article fixed at `position`, or let go where that is None.

    The lead that is fixed elsewhere or let go is the lead no longer.
    """
    pins = {key: value for key, value in curation.pins.items() if key != article_id}
    if position is not None:
        pins = _shifted(pins, position)
    lead = None if curation.lead == article_id else curation.lead
    if position is None:
        return replace(curation, lead=lead, pins=pins)
    if position == 1:
        lead = article_id
    else:
        pins[article_id] = position
    return replace(curation, lead=lead, pins=pins, hidden=curation.hidden - {article_id})


def _shifted(pins: Mapping[int, int], position: int) -> dict[int, int]:
    """Make room at `position`: a pin that stands there moves on, and so do those it meets."""
    shifted, taken = {}, position
    for key, place in sorted(pins.items(), key=lambda item: item[1]):
        is_met = place == taken
        shifted[key] = place + is_met
        taken += is_met
    return shifted


def moved(curation: Curation, stories: Sequence[Story], article_id: int, position: int) -> Curation:
    """Return the decisions that put one of `stories` at `position` and shift the others along.

    The moved story is pinned there. Of the others, those that an editor had placed keep the place
    to which the move shifts them, and the rest goes on following the ranking.
    """
    order = [s.article_id for s in stories if s.article_id != article_id]
    order.insert(position - 1, article_id)
    placed_by_hand = {article_id, curation.lead, *curation.pins}
    pins = {key: place for place, key in enumerate(order, 1) if key in placed_by_hand}
    lead = order[0] if pins.pop(order[0], None) else None
    return replace(curation, lead=lead, pins=pins)


def choose(ranked: Sequence[RankedArticle], curation: Curation, *, size: int) -> tuple[Story, ...]:
    """Return at most `size` stories in their order.

    `ranked` has the caps already marked, and who comes first in it is chosen first; what is held
    back only fills what is left. The order of the stories is that of their scores. The lead and
    pinned articles are in whatever their score or cap says, as long as they are among `ranked` and
    not hidden. What is merged into a story is not chosen; see `digest.combining`.
    """
    out = curation.hidden | curation.taken
    by_id = {r.stored.id: r for r in ranked if r.stored.id not in out}
    places = {key: place for place, key in enumerate(by_id)}
    by_hand = [curation.lead, *sorted(curation.pins, key=lambda key: curation.pins[key])]
    wanted = [key for key in dict.fromkeys(by_hand) if key in by_id]
    rest = sorted(
        by_id.keys() - set(wanted), key=lambda key: (by_id[key].held_back != "", places[key])
    )
    chosen = [by_id[key] for key in [*wanted, *rest][:size] if key is not None]
    chosen.sort(key=lambda item: (-item.score, places[item.stored.id]))
    stories = [_story(item, curation, number) for number, item in enumerate(chosen, 1)]
    return arrange(stories, curation.lead)


def arrange(stories: Sequence[Story], lead: int | None) -> tuple[Story, ...]:
    """Return the stories with the lead first and pins in their places; the rest keep their order.

    A pin beyond the end stands last. Two pins on one place keep their order.
    """
    fixed = sorted(
        (s for s in stories if s.pinned_at is not None and s.article_id != lead),
        key=lambda s: s.pinned_at or 0,
    )
    order = [s for s in stories if s.pinned_at is None and s.article_id != lead]
    first = [s for s in stories if s.article_id == lead]
    order[:0] = first
    for story in fixed:
        place = max((story.pinned_at or 1) - 1, len(first))
        order.insert(place, story)
    return tuple(
        replace(story, position=position, lead=position == 1)
        for position, story in enumerate(order, 1)
    )


def _story(ranked: RankedArticle, curation: Curation, would_be: int) -> Story:
    article, article_id = ranked.stored.article, ranked.stored.id
    pinned_at = curation.pins.get(article_id)
    reasons = ranked.reasons
    if article_id == curation.lead:
        reasons = (*reasons, Reason(text=f"Chosen as lead; would be number {would_be}", stars=0.0))
    elif pinned_at is not None:
        reasons = (*reasons, Reason(text=f"Pinned; would be number {would_be}", stars=0.0))
    also = curation.merged.get(article_id, ())
    update_of = curation.updates.get(article_id, "")
    if update_of:
        reasons = (*reasons, Reason(text=f"Update of a story in {update_of}", stars=0.0))
    if also:
        names = ", ".join(other.outlet or other.source for other in also)
        reasons = (*reasons, Reason(text=f"Merged with {names}", stars=0.0))
    topics = (*article.topics, *(topic for other in also for topic in other.topics))
    story = Story(
        article_id=article_id,
        position=0,
        lead=False,
        headline=article.title,
        summary=article.summary,
        url=article.url,
        source=article.source,
        outlet=article.outlet,
        score=ranked.score,
        reasons=reasons,
        rating=ranked.rating,
        topics=tuple(dict.fromkeys(topics)),
        author=article.author,
        language=article.language,
        image=article.image,
        published_at=article.published_at,
        words=article.words,
        pinned_at=pinned_at,
        also=also,
        update_of=update_of,
    )
    kept = curation.edited.get(article_id)
    return keep_words(story, kept) if kept else story


def keep_words(story: Story, kept: Story) -> Story:
    """Return `story` with the words that an editor wrote into `kept`."""
    if kept.headline_edited:
        story = replace(story, headline=kept.headline, headline_edited=True)
    if kept.summary_edited:
        story = replace(story, summary=kept.summary, summary_edited=True)
    return story


def with_stories(edition: Edition, stories: Sequence[Story], curation: Curation) -> Edition:
    """Return the edition with these stories and what editors decided to arrive at them."""
    inside = {story.article_id for story in stories}
    return replace(
        edition,
        stories=tuple(stories),
        lead_article_id=curation.lead,
        hidden=curation.hidden,
        aside=tuple(s for key, s in curation.edited.items() if key not in inside),
    )


def reworded(story: Story, article: Article, *, headline: str | None, summary: str | None) -> Story:
    """Return the story with an editor's words; None keeps, blank ones bring the article's back."""
    if headline is not None:
        words = clean_text(headline)
        story = replace(story, headline=words or article.title, headline_edited=bool(words))
    if summary is not None:
        words = clean_text(summary)
        story = replace(story, summary=words or article.summary, summary_edited=bool(words))
    return story


def readdressed(edition: Edition, *, subject: str | None, preheader: str | None) -> Edition:
    """Return the edition with an editor's words; None keeps, blank ones are made anew later."""
    if subject is not None:
        words = clean_text(subject, limit=LONGEST_WORDS)
        edition = replace(edition, subject=words, subject_edited=bool(words))
    if preheader is not None:
        words = clean_text(preheader, limit=LONGEST_WORDS)
        edition = replace(edition, preheader=words, preheader_edited=bool(words))
    return edition


class English:
    """The words of a subject as they stand in this program."""

    language = "en"

    def gettext(self, message: str, **values: str) -> str:
        """Return the message, filled."""
        return message % values

    def ngettext(self, singular: str, plural: str, number: int, **values: str) -> str:
        """Return the form that goes with `number`, filled."""
        return (singular if number == 1 else plural) % values


def with_envelope(
    edition: Edition, words: Words | None = None, *, taken: Collection[str] = ()
) -> Edition:
    """Return the edition with subject and preheader made from its stories, unless edited.

    The subject is that of the lead, or of the first story after it whose subject says something
    else than those `taken`, which readers still have in their inbox. How many more stories it
    counts makes no difference: that is another number for each choice of topics, too.
    """
    words = words or English()
    if not edition.stories:
        return edition
    subject, preheader = edition.subject, edition.preheader
    if not edition.subject_edited:
        subject = _new_subject(edition.stories, words, taken)
    if not edition.preheader_edited:
        preheader = make_preheader(edition.stories, words)
    return replace(edition, subject=subject, preheader=preheader)


def stories_for(
    stories: Sequence[Story], topics: Collection[str], *, minimum: int
) -> tuple[int, ...] | None:
    """Return the indexes of the stories for a reader of `topics`, or None where it is all of them.

    The lead is for everybody. A reader whose topics leave fewer than `minimum` stories, or the
    lead alone, gets the whole edition, because a mail of nearly nothing serves nobody.
    """
    wanted = {topic.casefold() for topic in topics}
    kept = tuple(
        index
        for index, story in enumerate(stories)
        if story.lead or wanted & {topic.casefold() for topic in story.topics}
    )
    return kept if wanted and max(minimum, 2) <= len(kept) < len(stories) else None


def segments(
    stories: Sequence[Story],
    choices: Iterable[tuple[Sequence[str], int]],
    *,
    minimum: int,
) -> dict[tuple[int, ...], tuple[tuple[str, ...], ...]]:
    """Return whom each choice of some stories is for; who is in none gets the whole edition.

    Args:
        stories: The edition's.
        choices: Each choice of topics with its number of readers.
        minimum: See `stories_for`.

    Returns:
        For the stories by index the choices of topics that lead to them. Where there are more than
        MAX_SEGMENTS of them, those with the most readers.
    """
    readers: dict[tuple[int, ...], int] = {}
    found: dict[tuple[int, ...], list[tuple[str, ...]]] = {}
    for topics, number in choices:
        kept = stories_for(stories, topics, minimum=minimum)
        if kept is not None:
            readers[kept] = readers.get(kept, 0) + number
            found.setdefault(kept, []).append(tuple(topics))
    largest = sorted(found, key=lambda kept: (-readers[kept], kept))[:MAX_SEGMENTS]
    return {kept: tuple(found[kept]) for kept in largest}


def narrowed(
    edition: Edition, kept: Sequence[int], words: Words, *, taken: Collection[str] = ()
) -> Edition:
    """Return the edition with those of its stories alone, by index, numbered anew.

    Subject and preheader are made from them as in `with_envelope`, unless an editor wrote them.
    """
    stories = tuple(
        replace(edition.stories[index], position=position, lead=position == 1)
        for position, index in enumerate(kept, 1)
    )
    return with_envelope(replace(edition, stories=stories), words, taken=taken)


def reopened(edition: Edition) -> Edition:
    """Return the edition as a draft: nothing of it is frozen or approved any more."""
    return replace(
        edition,
        state=EditionState.DRAFT,
        reason="",
        sha256="",
        variants_sha256="",
        frozen_at=None,
        approved_by="",
        approved_at=None,
    )


def _new_subject(stories: Sequence[Story], words: Words, taken: Collection[str]) -> str:
    had = {_bare_words(subject) for subject in taken if subject}
    counts = range(MOST_COUNTED) if had else ()

    def is_new(story: Story) -> bool:
        return not any(_bare_words(_subject(story, more, words)) in had for more in counts)

    named = next((story for story in stories if is_new(story)), stories[0])
    return _subject(named, len(stories) - 1, words)


def same_words(one: str, other: str) -> bool:
    """Tell whether two subjects say the same, whatever their case, signs and blanks."""
    return bool(one) and _bare_words(one) == _bare_words(other)


def _bare_words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"\w+", text.casefold()))


def make_subject(stories: Sequence[Story], words: Words) -> str:
    """Return the lead's headline and how many more there are, at most 78 characters."""
    return _subject(stories[0], len(stories) - 1, words)


def _subject(story: Story, more: int, words: Words) -> str:
    if more < 1:
        return shorten(story.headline, SUBJECT_LENGTH)
    in_words = words.language.startswith("en") and more < len(NUMBERS)
    count = NUMBERS[more] if in_words else str(more)
    tail = words.ngettext(", and %(count)s more", ", and %(count)s more", more, count=count)
    tail = tail.replace("\n", " ")[: SUBJECT_LENGTH // 2]
    return shorten(story.headline.rstrip(".!?…"), SUBJECT_LENGTH - len(tail)) + tail


def make_preheader(stories: Sequence[Story], words: Words) -> str:
    """Return the next headlines, or the lead's summary when there are none."""
    if len(stories) == 1:
        return shorten(stories[0].summary or stories[0].headline, PREHEADER_LENGTH)
    line = words.gettext("Also: %(headline)s", headline=stories[1].headline)
    for story in stories[2:]:
        longer = f"{line} · {story.headline}"
        if len(longer) > PREHEADER_LENGTH:
            break
        line = longer
    return shorten(line, PREHEADER_LENGTH)
