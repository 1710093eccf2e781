"""Several articles about one event as one story, and updates of stories that readers had.

Pure. The rules: a story that others are merged into keeps its words, link, rating and place; they
are no stories of their own as long as it is in the edition. What readers had comes back only where
an editor says so, and only with something that they have not read.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

from digest.curation import Curation, pinned
from digest.model.articles import StoredArticle
from digest.model.editions import MergedArticle, Story


def merge(decided: Curation, story_id: int, others: Sequence[StoredArticle]) -> Curation:
    """Return the decisions with `others` merged into the story, which keeps its words and place.

    The others are neither lead nor pinned nor hidden any more, and what was merged into them comes
    with them.
    """
    also = list(decided.merged.get(story_id, ()))
    for stored in others:
        decided = pinned(decided, stored.id, None)
        also += [_merged_article(stored), *decided.merged.get(stored.id, ())]
    gone = {stored.id for stored in others}
    kept = {key: found for key, found in decided.merged.items() if key not in gone}
    merged = {**kept, story_id: tuple(also)}
    return replace(decided, merged=merged, hidden=decided.hidden - gone)


def split(decided: Curation, story_id: int) -> Curation:
    """Return the decisions with all that was merged into the story let go."""
    merged = {key: others for key, others in decided.merged.items() if key != story_id}
    return replace(decided, merged=merged)


def free_others(decided: Curation, stories: Sequence[Story]) -> Curation:
    """Return the decisions without what is merged into articles that are no stories."""
    inside = {story.article_id for story in stories}
    merged = {key: others for key, others in decided.merged.items() if key in inside}
    return replace(decided, merged=merged)


def without(decided: Curation, articles: Collection[int]) -> Curation:
    """Return the decisions without those of `articles` that are merged into a story."""
    merged = {
        key: tuple(other for other in others if other.article_id not in articles)
        for key, others in decided.merged.items()
    }
    return replace(decided, merged=merged)


def _merged_article(stored: StoredArticle) -> MergedArticle:
    article = stored.article
    return MergedArticle(
        article_id=stored.id,
        headline=article.title,
        summary=article.summary,
        url=article.url,
        source=article.source,
        outlet=article.outlet,
        topics=article.topics,
        language=article.language,
        words=article.words,
    )


def says_something_new(story: Story, had: Story | MergedArticle) -> bool:
    """Whether the update tells readers of `had`, the same article, what they have not read.

    That is what an editor wrote since, or what the article itself says now. Where an editor had
    written the words that readers had, those of the article count for nothing: nobody knows what
    they were then.
    """
    headline_counts = summary_counts = True
    if isinstance(had, Story):
        headline_counts = story.headline_edited or not had.headline_edited
        summary_counts = story.summary_edited or not had.summary_edited
    return (
        (headline_counts and story.headline != had.headline)
        or (summary_counts and story.summary != had.summary)
        or story.words != had.words
    )
