"""What differs between two editions, in words for people. Pure."""

from collections.abc import Iterator, Sequence

from digest.curation import curation_of, same_words
from digest.model.editions import Edition, EditionState, MergedArticle, Story
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
        is_edit = any(_envelope(before, after)) or any(_cast(before, after))
        return "changed" if is_edit or curation_of(before) != curation_of(after) else "reopened"
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
        for story in after.stories:
            found += [_came_in(story)] if story.update_of else []
            found += _merging(story, None)
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
        if was is None or was.update_of != story.update_of:
            yield _came_in(story)
        elif story.pinned_at is not None and was.pinned_at != story.pinned_at:
            yield f"pinned at {story.pinned_at}: {_title(story)}"
        if was and (was.headline, was.summary) != (story.headline, story.summary):
            yield f"other words: {_title(story)}"
        yield from _merging(story, was)
    merged = {other.article_id for story in after.stories for other in story.also}
    for key, story in old.items():
        if key not in new and key not in merged:
            yield f"{'hidden' if key in after.hidden else 'out'}: {_title(story)}"


def _came_in(story: Story) -> str:
    of = f" as an update of {story.update_of}" if story.update_of else ""
    return f"in at {story.position}{of}: {_title(story)}"


def _merging(story: Story, was: Story | None) -> Iterator[str]:
    before, now = (
        {other.article_id: other for other in one.also} if one else {} for one in (was, story)
    )
    for key, other in now.items():
        if key not in before:
            yield f"merged into {_title(story)}: {_title(other)}"
    for key, other in before.items():
        if key not in now:
            yield f"split from {_title(story)}: {_title(other)}"


def between(last: Edition, edition: Edition) -> list[str]:
    """Return how an edition differs from an earlier one, a sentence each."""
    had = {story.article_id for story in last.stories}
    again = [story for story in edition.stories if story.article_id in had]
    found = [f"{len(edition.stories)} stories instead of {len(last.stories)}"]
    found += [f"in both{', as an update' if s.update_of else ''}: {_title(s)}" for s in again]
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


def _lead(old: Sequence[Story], new: Sequence[Story]) -> str:
    first = new[0] if new else None
    if first is None or (old and old[0].article_id == first.article_id):
        return ""
    return f"lead: {_title(first)}"


def _title(story: Story | MergedArticle) -> str:
    return shorten(story.headline, LONGEST_TITLE)
