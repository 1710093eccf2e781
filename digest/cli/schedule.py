"""`digest schedule`: which editions come, and when."""

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from zoneinfo import ZoneInfo

import click

from digest.app import App
from digest.cli.options import Options, common_options
from digest.model.editions import Edition, EditionState

MOST_SHOWN = 520  # ten years


@click.group(name="schedule", short_help="Show which editions come, and let them come.")
@common_options
def command() -> None:
    """Show which editions come, and let them come."""


@command.command("show")
@click.option(
    "--count",
    "number",
    default=10,
    show_default=True,
    type=click.IntRange(1, MOST_SHOWN),
    help="How many editions.",
)
@click.option("--tz", metavar="ZONE", help="Tell times in this zone (default: the newsletter's).")
@common_options
@click.pass_obj
def show(options: Options, number: int, tz: str | None) -> None:
    """Show the coming editions: their weeks, when each goes out, and to how many readers.

    A week goes from its first time up to, but without, its last. A time that a clock change skips
    means the first one after it, and of a time that comes twice the first counts.
    """
    from digest.settings import is_zone

    out = options.output()
    with options.open_app() as app:
        name = tz or app.project.settings.newsletter.timezone
        if not is_zone(name):
            raise click.BadParameter(
                f"there is no zone {name!r}; right is for example Europe/Berlin.",
                param_hint="--tz",
            )
        zone = ZoneInfo(name)
        coming = app.editions.timetable(now=app.clock.now())
        rows: list[tuple[str, ...]] = []
        documents: list[dict[str, Any]] = []
        for slot, edition in itertools.islice(coming, number):
            readers = app.audience(edition).planned
            notes = (*slot.notes, *_own_times(app, edition, zone))
            period, state = slot.period, str(edition.state) if edition.id else "not drafted"
            start, end, due = (
                at.astimezone(zone) for at in (period.start, period.end, slot.send_at)
            )
            rows.append(
                (
                    period.label,
                    f"{start:%a %Y-%m-%d %H:%M} – {end:%a %m-%d %H:%M}",
                    f"{due:%a %Y-%m-%d %H:%M} {_offset(due)}",
                    f"{readers:,}",
                    state,
                )
            )
            documents.append(
                {
                    "edition": period.label,
                    "start": start,
                    "end": end,
                    "send_at": due,
                    "readers": readers,
                    "state": state,
                    "notes": notes,
                }
            )
        out.document({"timezone": name, "editions": documents})
        out.line(f"Times in {name}; the newsletter's are {_words(app.project.settings)}.")
        out.table(("Edition", "Week", "Goes out", "Readers>", "State"), rows)
        for told in documents:
            for note in told["notes"]:
                out.line(f"{told['edition']}: {note}.")


def _words(settings: Any) -> str:
    schedule = settings.schedule
    return f"{schedule.period_ends} and {schedule.send_wall} in {settings.newsletter.timezone}"


def _own_times(app: App, edition: Edition, zone: ZoneInfo) -> Iterator[str]:
    """Yield when its first and its last readers get it, where each does in their own time."""
    from digest.services.waves import OwnTime

    if app.project.settings.schedule.is_local:
        span = OwnTime(app.ledger, app.project.settings).span(edition)
        first, last = (f"{at.astimezone(zone):%a %Y-%m-%d %H:%M}" for at in span)
        yield f"Each reader's own time: first {first}, last {last}"


def _offset(at: Any) -> str:
    """Return the offset from UTC, e.g. "+01:00"."""
    text = f"{at:%z}"
    return f"{text[:3]}:{text[3:5]}"


@command.command("run")
@common_options
@click.pass_obj
def run(options: Options) -> int:
    """Let the editions come: collect, draft, remind, and send what is approved, each in its time.

    It is for all newsletters of the project, or for one. It may be stopped and started at any
    time, and run several times at once: what is due is found in the database. Ctrl-C or SIGTERM
    ends it after what is under way.
    """
    import threading

    from digest.cli.newsletters import open_newsletters, require_real_time
    from digest.cli.signals import ending
    from digest.scheduler import folded, scheduled, ticking

    out, over = options.output(), threading.Event()
    options.verbose = max(options.verbose, 1)  # what a service does stands in its log
    with ExitStack() as stack:
        apps = open_newsletters(options, stack, is_waiting=True)
        stack.enter_context(ending(over))
        for app in apps:
            require_real_time(options, app)
        ticks = [*scheduled(apps, over), *folded(apps[0])]
        for app in apps:
            out.note(_next(app))
        with ticking(ticks):
            over.wait()
            out.note("Ending after what is under way.")
    out.note("Nothing comes by itself any more, until it runs again: digest schedule run")
    return 0


def _next(app: App) -> str:
    """Return which edition comes next, and when: one that is over already is not it."""
    from digest.services.drafting import FINISHED

    slot, edition = next(
        (slot, edition)
        for slot, edition in app.editions.timetable(now=app.clock.now())
        if edition.state not in FINISHED
    )
    zone = ZoneInfo(app.project.settings.newsletter.timezone)
    due = slot.send_at.astimezone(zone)
    state = str(edition.state) if edition.id else "not drafted"
    name = app.project.settings.newsletter.name
    if edition.state is EditionState.HELD:
        return f"{name}: {slot.period.label} is held until somebody approves it."
    return (
        f"{name}: next is {slot.period.label}, {state}; it goes out {due:%a %Y-%m-%d %H:%M} "
        f"{zone.key}."
    )


@command.command("accept")
@common_options
@click.pass_obj
def accept(options: Options) -> None:
    """Let a schedule that stands still go on: this clock, machine and database are the right ones.

    It stands still when the clock went back, when the database came from another machine or
    folder, or is older than what was sent from here. Look first whether an edition that is still
    to go went out already: digest edition list
    """
    from digest.scheduler import open_schedule

    out = options.output()
    with options.open_app(options.require_project(is_shared=True)) as app:
        open_schedule(app).accept()
        slug = app.project.settings.newsletter.slug
        app.audit.note(slug, "", "accepted", ["clock, place and database as they are"])
        out.document({"accepted": True})
        out.line("The schedule goes on here.")
