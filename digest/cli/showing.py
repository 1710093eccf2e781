"""An edition as people and scripts see it."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

from digest.app import App
from digest.cli.output import Output
from digest.cli.tables import count, edition_line, story_table
from digest.model.corrections import Correction
from digest.model.editions import Edition, Period
from digest.periods import send_at
from digest.services.previews import edition_state, story_document


def show_edition(app: App, out: Output, edition: Edition) -> None:
    """Print how an edition stands and what is in it."""
    made = app.corrections.corrections(edition.id) if edition.id is not None else []
    corrections = [correction_document(correction) for correction in made]
    out.document(edition_document(edition) | {"corrections": corrections})
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
    _show_changes(app, out, edition)
    for correction in made:
        out.line(f"  Corrected  {correction_line(correction, edition.period)}")
    out.line()
    story_table(out, edition)


def _show_changes(app: App, out: Output, edition: Edition) -> None:
    """Print what editors merged and hid."""
    for story in edition.stories:
        for other in story.also:
            what = f"{other.article_id} {other.headline} ({other.outlet or other.source})"
            out.line(f"  Merged     {what} into {story.article_id}")
    for article in app.store.articles(edition.hidden).values():
        out.line(f"  Hidden     {article.id} {article.article.title}")


def local_time(at: dt.datetime, period: Period) -> str:
    """Return the instant in the period's zone: "Sun 2026-11-29 18:00 Europe/Berlin"."""
    return f"{at.astimezone(ZoneInfo(period.timezone)):%a %Y-%m-%d %H:%M} {period.timezone}"


def correction_line(correction: Correction, period: Period) -> str:
    """Return when what was corrected and by whom, in one line."""
    what = f" (article {correction.article_id})" if correction.article_id is not None else ""
    when = local_time(correction.at, period)
    return f"{when} by {correction.by}{what}: {correction.words}"


def correction_document(correction: Correction) -> dict[str, Any]:
    """Return a correction with stable keys, for `--json`."""
    return {
        "article": correction.article_id,
        "words": correction.words,
        "headline": correction.headline,
        "summary": correction.summary,
        "by": correction.by,
        "at": correction.at.isoformat(),
    }


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
