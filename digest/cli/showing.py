"""An edition as people and scripts see it."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from digest.app import App
from digest.cli.output import Output
from digest.cli.tables import count, edition_line, story_table
from digest.model.editions import Edition, Period
from digest.periods import send_at
from digest.services.previews import edition_state, story_document


def show_edition(app: App, out: Output, edition: Edition) -> None:
    """Print how an edition stands and what is in it."""
    out.document(edition_document(edition))
    out.line(edition_line(edition))
    if edition.stories:
        out.line(f"  Subject    {edition.subject} ({len(edition.subject)} characters)")
        out.line(f"  Preheader  {edition.preheader} ({len(edition.preheader)} characters)")
    if edition.sha256:
        out.line(f"  Hash       {edition.sha256}")
    goes = send_at(edition.period, app.project.settings.schedule)
    out.line(f"  Due        {local_time(goes, edition.period)}")
    if newcomers := app.editions.newcomers(edition, now=app.clock.now()):
        out.line(f"  Note       {count(newcomers, 'candidate')} came since: digest edition draft")
    if edition.reason:
        out.line(f"  Because    {edition.reason}")
    for note in edition.notes:
        out.line(f"  Note       {note}")
    for story in app.editions.stale_updates(edition):
        words = f"digest edition edit {story.article_id} --summary TEXT"
        out.line(f"  Note       {story.article_id} is an update that says nothing new yet: {words}")
    for story in edition.stories:
        for other in story.also:
            what = f"{other.article_id} {other.headline} ({other.outlet or other.source})"
            out.line(f"  Merged     {what} into {story.article_id}")
    for article in app.store.articles(edition.hidden).values():
        out.line(f"  Hidden     {article.id} {article.article.title}")
    out.line()
    story_table(out, edition)


def local_time(at: dt.datetime, period: Period) -> str:
    """Return the instant in the period's zone: "Sun 2026-11-29 18:00 Europe/Berlin"."""
    return f"{at.astimezone(ZoneInfo(period.timezone)):%a %Y-%m-%d %H:%M} {period.timezone}"


def edition_document(edition: Edition) -> dict[str, Any]:
    """Return an edition with stable keys, for `--json`."""
    return {
        "edition": edition.period.label,
        "state": edition_state(edition),
        "sha256": edition.sha256,
        "frozen_at": edition.frozen_at and edition.frozen_at.isoformat(),
        "approved_by": edition.approved_by,
        "approved_at": edition.approved_at and edition.approved_at.isoformat(),
        "period": {
            "start": edition.period.start.isoformat(),
            "end": edition.period.end.isoformat(),
            "timezone": edition.period.timezone,
        },
        "subject": edition.subject,
        "preheader": edition.preheader,
        "intro": edition.intro,
        "candidates": edition.candidates,
        "notes": list(edition.notes),
        "reason": edition.reason,
        "hidden": sorted(edition.hidden),
        "stories": [story_document(story) for story in edition.stories],
    }
