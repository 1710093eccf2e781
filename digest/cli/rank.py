"""`digest rank`: the candidates in order, and why each stands where it stands."""

from collections.abc import Mapping
from typing import Any

import click

from digest.cli.options import Options, common_options, edition_option
from digest.cli.output import Output
from digest.cli.tables import rating_cells
from digest.errors import UsageError
from digest.model.articles import RankedArticle
from digest.model.editions import Edition, Period
from digest.ranking import explain, origin
from digest.services.previews import story_document

FIRST = 25


@click.command(name="rank", short_help="Show the candidates in order, and why.")
@edition_option
@click.option("--explain", "reference", default="", metavar="ARTICLE", help="Why one stands there.")
@click.option("--all", "show_all", is_flag=True, help=f"All of them, not the first {FIRST}.")
@common_options
@click.pass_obj
def command(options: Options, label: str, reference: str, show_all: bool) -> None:
    """Show the candidates of an edition in order, and why.

    ARTICLE is the number in the first column, a URL, or words of the title.
    """
    out = options.output()
    with options.open_app() as app:
        if app.project.is_starter:
            app.collect()
        now = app.clock.now()
        period = app.editions.period(label, now=now)
        ranked = app.editions.ranked(period, now=now)
        edition = app.editions.stored(label, now=now)
        if reference:
            article = app.editions.find(reference, period, now=now)
            _explain(out, article.id, ranked, period, edition)
            return
        merged = _merged(edition)
        candidates = [_row(item, merged) for item in ranked]
        out.document({"edition": period.label, "candidates": candidates})
        hidden = edition.hidden if edition else frozenset()
        _table(out, ranked if show_all else ranked[:FIRST], hidden, merged)
        if not ranked:
            next_step = "Collect some: digest collect" if app.sources else "Add a source first"
            out.line(f"{period.label} has no candidates yet. {next_step}")
        elif not show_all and len(ranked) > FIRST:
            out.line(f"{len(ranked) - FIRST} more: digest rank --all")


def _merged(edition: Edition | None) -> dict[int, int]:
    """Return into which story's article each merged one is merged."""
    stories = edition.stories if edition else ()
    return {other.article_id: story.article_id for story in stories for other in story.also}


def _explain(
    out: Output,
    article_id: int,
    ranked: list[RankedArticle],
    period: Period,
    edition: Edition | None,
) -> None:
    merged = _merged(edition)
    for place, item in enumerate(ranked, 1):
        if item.stored.id == article_id:
            article = item.stored.article
            out.document({"edition": period.label, "place": place, **_row(item, merged)})
            out.line(f"{article.title} ({origin(article)})")
            out.line(f"Number {place} of {len(ranked)} candidates of {period.label}.")
            out.line(explain(item))
            if article_id in merged:
                out.line(f"An editor merged it into article {merged[article_id]}.")
            return
    for story in edition.stories if edition else ():
        if story.article_id == article_id:
            out.document({"edition": period.label, "place": None, **story_document(story)})
            out.line(f"{story.headline} ({story.outlet or story.source})")
            out.line(f"No candidate of {period.label}; an editor brought it in.")
            words = "; ".join(reason.text for reason in story.reasons)
            out.line(f"{words} → {story.score:.2f}.")
            return
    raise UsageError(
        f"Article {article_id} is no candidate of {period.label}.",
        hint="It belongs to another week, is too old, or was sent before: digest rank --all",
    )


def _table(
    out: Output, ranked: list[RankedArticle], hidden: frozenset[int], merged: Mapping[int, int]
) -> None:
    rows = []
    for item in ranked:
        article = item.stored.article
        note = "hidden" if item.stored.id in hidden else "held back" if item.held_back else ""
        if into := merged.get(item.stored.id):
            note = f"merged into {into}"
        rows.append(
            (
                str(item.stored.id),
                f"{item.score:.2f}",
                *rating_cells(item.rating),
                article.title,
                origin(article),
                note,
            )
        )
    if rows:
        out.table(("Article>", "Score>", "Rating>", "Votes>", "Title", "Source", ""), rows)


def _row(item: RankedArticle, merged: Mapping[int, int]) -> dict[str, Any]:
    article = item.stored.article
    return {
        "article": item.stored.id,
        "title": article.title,
        "url": article.url,
        "source": origin(article),
        "rating": item.rating.mean if item.rating else None,
        "votes": item.rating.votes if item.rating else 0,
        "score": item.score,
        "reasons": [{"text": reason.text, "stars": reason.stars} for reason in item.reasons],
        "held_back": item.held_back,
        "merged_into": merged.get(item.stored.id),
    }
