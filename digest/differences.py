"""What differs between two editions, in words for people. Pure."""

import re
from collections.abc import Iterator, Sequence

from digest.curation import curation_of
from digest.model.editions import Edition, EditionState, Story
from digest.normalising.text import shorten

LONGEST_TITLE = 60  # characters
SHORT_HASH = 12

_REACHED = {
    EditionState.DRAFT: "draft",
    EditionState.PLANNED: "planned",
    EditionState.SENDING: "sending",
    EditionState.ATTENTION: "needs attention",
}


def action(before: Edition | None, after: Edition) -> str:
    """Return in a word or two what was done to the edition."""
    if before is None:
        return "drafted" if after.state is EditionState.DRAFT else str(after.state)
    if before.state is after.state:
        return "changed" if after.state is not EditionState.DRAFT else _drafting(before, after)
    if after.state is EditionState.DRAFT:
        return "reopened"
    return _REACHED.get(after.state, str(after.state))


def _drafting(before: Edition, after: Edition) -> str:
    is_curated = curation_of(before) != curation_of(after)
    return "changed" if is_curated or before.drafted_at == after.drafted_at else "drafted again"


def changes(before: Edition | None, after: Edition) -> list[str]:
    """Return what was changed, a sentence each, without full stops; nothing of readers is in it.

    Stories that only moved because of something else that is told are left out.
    """
    if before is None:
        found = [*_state(after)]
        if after.stories:
            found.append(f"{len(after.stories)} stories of {after.candidates} candidates")
        return found
    found = [*_state(after, before), *_envelope(before, after), *_cast(before, after)]
    return found or moves(before, after)


def _state(after: Edition, before: Edition | None = None) -> Iterator[str]:
    is_new = before is None or before.state is not after.state or before.reason != after.reason
    if after.reason and is_new:
        yield after.reason
    if after.sha256 and (before is None or before.sha256 != after.sha256):
        yield f"hash {after.sha256[:SHORT_HASH]}"
    if after.approved_by and (before is None or before.approved_by != after.approved_by):
        yield f"approved by {after.approved_by}"


def _envelope(before: Edition, after: Edition) -> Iterator[str]:
    for name in ("subject", "preheader", "intro"):
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            yield f"{name}: {shorten(new, LONGEST_TITLE)}" if new else f"{name}: none"
    before_notes = set(before.notes)
    yield from (note.rstrip(".") for note in after.notes if note not in before_notes)


def stories(before: Edition, after: Edition) -> list[str]:
    """Return how the stories of two editions differ: which came, went, moved and read otherwise."""
    return [*_cast(before, after), *moves(before, after)]


def moves(before: Edition, after: Edition) -> list[str]:
    """Return which stories that are in both stand elsewhere now."""
    old = {story.article_id: story.position for story in before.stories}
    return [
        f"from {old[s.article_id]} to {s.position}: {_title(s)}"
        for s in after.stories
        if s.article_id in old and old[s.article_id] != s.position
    ]


def _cast(before: Edition, after: Edition) -> Iterator[str]:
    old = {story.article_id: story for story in before.stories}
    new = {story.article_id: story for story in after.stories}
    if lead := _lead(before.stories, after.stories):
        yield lead
    for key, story in new.items():
        was = old.get(key)
        if was is None:
            yield f"in at {story.position}: {_title(story)}"
        elif story.pinned_at is not None and was.pinned_at != story.pinned_at:
            yield f"pinned at {story.pinned_at}: {_title(story)}"
        if was and (was.headline, was.summary) != (story.headline, story.summary):
            yield f"other words: {_title(story)}"
    for key, story in old.items():
        if key not in new:
            yield f"{'hidden' if key in after.hidden else 'out'}: {_title(story)}"


def between(last: Edition, edition: Edition) -> list[str]:
    """Return how an edition differs from an earlier one, a sentence each."""
    had = {story.article_id for story in last.stories}
    again = [story for story in edition.stories if story.article_id in had]
    found = [f"{len(edition.stories)} stories instead of {len(last.stories)}"]
    found += [f"in both: {_title(story)}" for story in again]
    if same_words(edition.subject, last.subject):
        found.append("the same subject")
    before, after = (_outlets(one.stories) for one in (last, edition))
    if fresh := sorted(after - before):
        found.append(f"outlets that were not in it: {', '.join(fresh)}")
    if gone := sorted(before - after):
        found.append(f"outlets that are no longer in it: {', '.join(gone)}")
    return found


def _outlets(stories: Sequence[Story]) -> set[str]:
    return {story.outlet or story.source for story in stories}


def same_words(one: str, other: str) -> bool:
    """Tell whether two subjects say the same, whatever their case, signs and blanks."""
    return bool(one) and _words(one) == _words(other)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _lead(old: Sequence[Story], new: Sequence[Story]) -> str:
    first = new[0] if new else None
    if first is None or (old and old[0].article_id == first.article_id):
        return ""
    return f"lead: {_title(first)}"


def _title(story: Story) -> str:
    return shorten(story.headline, LONGEST_TITLE)
