"""`digest stats`: what became of the editions, in numbers that somebody counted."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from digest.app import App
from digest.cli.options import Options, common_options, not_blank
from digest.cli.output import Output
from digest.cli.tables import count
from digest.errors import UsageError
from digest.model.figures import EditionFigures, StoryFigures

UNKNOWN = "—"
NOT_MEASURED = (
    "— is what nobody reported. Opens and clicks are not measured: no mail reports to anybody."
)


@click.command(name="stats", short_help="Show what became of the editions, in numbers.")
@click.option(
    "--edition", "label", callback=not_blank, metavar="LABEL", help="One, with its stories."
)
@click.option("--last", type=click.IntRange(1, 520), default=8, help="So many (default: 8).")
@common_options
@click.pass_obj
def command(options: Options, label: str, last: int) -> None:
    """Show what became of the last editions, or of one, in numbers.

    Accepted is what the provider took; delivered, bounced and complained are what it reported
    since. Left counts who left by a link of that edition, votes the stars that readers stand by.
    """
    from digest.services.statistics import StatisticsService

    out = options.output()
    with options.open_app(options.require_project()) as app:
        slug = app.project.settings.newsletter.slug
        statistics = StatisticsService(app.figures, app.votes, slug)
        if label:
            _tell_one(app, out, statistics, label)
            return
        found = statistics.last(last)
        out.document({"newsletter": slug, "editions": [_document(one) for one in found]})
        if not found:
            out.line("No edition was sent yet.")
            return
        _table(out, found)
        out.line(NOT_MEASURED)


def _tell_one(app: App, out: Output, statistics: Any, label: str) -> None:
    """Print one edition's figures, those of its stories, and its week."""
    slug = app.project.settings.newsletter.slug
    found = statistics.one(label)
    edition = app.store.edition(slug, label)
    if found is None or edition is None:
        raise UsageError(f"Edition {label} was not sent.", hint="See: digest edition list")
    stories = statistics.stories(edition)
    joined, left = statistics.joined_and_left(found)
    out.document(
        {
            "newsletter": slug,
            **_document(found),
            "reasons": [{"why": why, "readers": n} for why, n in found.reasons.items()],
            "week": {"joined": joined, "left": left},
            "stories": [_story_document(story) for story in stories],
        }
    )
    _table(out, [found])
    _story_table(out, stories)
    for why, number in found.reasons.items():
        out.line(f"  Left       {number:,} {f'because: {why}' if why else 'without a reason'}")
    out.line(f"  That week  {count(joined, 'reader')} joined, {left:,} left")
    out.line(NOT_MEASURED)


def _table(out: Output, found: Sequence[EditionFigures]) -> None:
    columns = ("Edition", "State", *(f"{name}>" for name in _numbers(found[0])))
    out.table(columns, [(one.edition, one.state, *_numbers(one).values()) for one in found])


def _numbers(one: EditionFigures) -> Mapping[str, str]:
    return {
        "Planned": f"{one.planned:,}",
        "Accepted": f"{one.accepted:,}",
        "Delivered": _cell(one.delivered),
        "Bounced": _cell(one.bounced),
        "Complained": _cell(one.complained),
        "Left": f"{one.left:,}",
        "Votes": f"{one.votes:,}",
    }


def _cell(number: int | None) -> str:
    return UNKNOWN if number is None else f"{number:,}"


def _story_table(out: Output, stories: Sequence[StoryFigures]) -> None:
    rows = [
        (
            str(story.position),
            f"{story.votes:,}",
            UNKNOWN if story.mean is None else f"{story.mean:.2f}",
            f"{story.counted:,.1f}",
            *(f"{number:,}" for number in story.stars.values()),
            story.headline,
        )
        for story in stories
    ]
    if rows:
        stars = (f"{number}★>" for number in stories[0].stars)
        out.table(("#>", "Votes>", "Mean>", "Count as>", *stars, "Story"), rows)


def _document(one: EditionFigures) -> Mapping[str, object]:
    return {
        "edition": one.edition,
        "state": one.state,
        "week_start": one.start,
        "week_end": one.end,
        "planned": one.planned,
        "accepted": one.accepted,
        "deferred": one.deferred,
        "delivered": one.delivered,
        "dropped": one.dropped,
        "bounced": one.bounced,
        "complained": one.complained,
        "left": one.left,
        "votes": one.votes,
        "opens": None,
        "clicks": None,
    }


def _story_document(story: StoryFigures) -> Mapping[str, object]:
    return {
        "position": story.position,
        "article": story.article_id,
        "headline": story.headline,
        "votes": story.votes,
        "counted": round(story.counted, 3),
        "mean": None if story.mean is None else round(story.mean, 3),
        "stars": {str(star): number for star, number in story.stars.items()},
    }
