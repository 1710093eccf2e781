"""Sending for real: who asks for it says how many readers it goes to; then it runs and reports."""

import datetime as dt
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from zoneinfo import ZoneInfo

import click

from digest.afterwards import keep_last, note_run
from digest.app import App
from digest.cli.newsletters import require_real_time
from digest.cli.options import Options
from digest.cli.output import Output
from digest.cli.progress import now_and_then, progress
from digest.cli.signals import ending
from digest.cli.tables import count
from digest.errors import NotApproved, UsageError
from digest.model.deliveries import Audience, DeliveryReport
from digest.model.editions import Edition, EditionState
from digest.reports import report_document
from digest.services.brakes import Stopped, require_expected
from digest.services.sending import HAS_DELIVERIES, RUNNING

PROVIDER_REFUSED, SOME_UNSETTLED, INTERRUPTED = 6, 7, 130


def run(options: Options, chosen: Mapping[str, Any]) -> int:
    """Send the edition that `chosen` names, or go on with it; return the exit code."""
    out = options.output()
    with options.open_app(options.require_project(), is_waiting=True) as app:
        require_real_time(options, app)
        edition = _edition(app, chosen["label"], resume=chosen["resume"])
        if edition.state is EditionState.PAUSED and not chosen["resume"]:
            raise UsageError(
                f"Edition {edition.period.label} is paused; nothing was handed over.",
                hint="Go on with it: digest send --resume",
            )
        if edition.state not in RUNNING:
            edition = _plan(app, out, edition, chosen)
        return hand_over(app, out, edition)


def run_test(options: Options, chosen: Mapping[str, Any]) -> int:
    """Send the edition as a test to the addresses in `chosen`; return the exit code."""
    from digest.normalising.addresses import parse_address

    out = options.output()
    try:
        addresses = [parse_address(address) for address in chosen["test"]]
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--test") from error
    with options.open_app(options.require_project()) as app:
        edition = app.editions.compose(chosen["label"], now=app.clock.now())
        if not edition.sha256:
            app.editions.require_enough(edition)
        preview = app.preview(edition, "")
        app.sending.send_test(edition.period.label, preview.variant, addresses)
        out.document({"edition": edition.period.label, "sha256": preview.variant.sha256})
        to = count(len(addresses), "address", "addresses")
        out.line(f"The test of {edition.period.label} went to {to} through {app.transport.name}.")
        out.line(f"  Hash       {preview.variant.sha256}")
        if not edition.sha256:
            out.note("It is not frozen yet, so it may still change: digest edition freeze")
    return 0


def hand_over(app: App, out: Output, edition: Edition) -> int:
    """Run until every batch is settled, with progress; report, and return the exit code."""
    before = app.ledger.report(edition)
    left = before.pending + before.unknown
    stop = threading.Event()
    with interruptible(stop, out), progress(out, "readers", left) as advance:
        stopped = app.sending.run(
            edition,
            stop=stop,
            wait=stop.wait,
            progress=advance,
            waiting=now_and_then(lambda what: out.note(f"Waiting for {what}.")),
        )
    report = app.ledger.report(edition)
    path = note_run(app, edition, report)
    out.document(
        {
            **report_document(report),
            "stopped": {"kind": stopped.kind, "reason": stopped.reason} if stopped else None,
            "file": path,
        }
    )
    show_report(app, out, report)
    out.line(f"  Report     {path}")
    if stopped is not None:
        _tell(out, report, stopped)
    return _exit_code(report, stopped)


def show_report(app: App, out: Output, report: DeliveryReport) -> None:
    """Print the account of a send."""
    out.line(f"Edition {report.edition} · {report.state}")
    out.line()
    out.line(f"  On list    {report.candidates:>9,}")
    _parts(out, "not planned", report.excluded)
    out.line(f"  Planned    {report.planned:>9,}")
    out.line(f"  Accepted   {report.accepted:>9,}")
    _parts(out, "withdrawn", report.withdrawn)
    _parts(out, "refused", report.refused)
    for name, number in (
        ("Unknown", report.unknown),
        ("Abandoned", report.abandoned),
        ("Cancelled", report.cancelled),
        ("Pending", report.pending),
    ):
        if number:
            out.line(f"  {name:<10} {number:>9,}")
    out.line(f"  Balance    {'it adds up' if report.is_balanced else 'IT DOES NOT ADD UP'}")
    for state, number in report.events.items():
        out.line(f"  Reported   {number:>9,}  {state}")
    zone = ZoneInfo(app.project.settings.newsletter.timezone)
    if report.waves:
        _show_waves(out, report, zone)
    elif report.release_at is not None:
        at = _local(report.release_at, zone)
        out.line(f"  Released   {at} {zone.key}, by the provider")
    if report.unknown:
        out.note("Nobody knows of some whether they were accepted: digest delivery settle")


def _show_waves(out: Output, report: DeliveryReport, zone: ZoneInfo) -> None:
    """Print when each wave is released, and what became of its readers."""
    who = ", by the provider" if report.release_at is not None else ""
    out.line(f"  Released   at each reader's own time{who}; told in {zone.key}:")
    rest = ("withdrawn", "refused", "unknown", "abandoned", "cancelled", "pending")
    rows = [
        (
            _local(wave.release_at, zone),
            f"{wave.planned:,}",
            f"{wave.accepted:,}",
            ", ".join(f"{getattr(wave, name):,} {name}" for name in rest if getattr(wave, name)),
            _local(wave.last_at, zone) if wave.last_at is not None else "",
        )
        for wave in report.waves
    ]
    out.table(("Wave", "Readers>", "Accepted>", "Others", "The last of them"), rows)


def _local(at: dt.datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%a %Y-%m-%d %H:%M}"


def _parts(out: Output, name: str, parts: Mapping[str, int]) -> None:
    for reason, number in parts.items():
        out.line(f"  {'':<10} {number:>9,}  {name}: {reason}")


def _edition(app: App, label: str, *, resume: bool) -> Edition:
    """Return the edition to send: the one that is named, under way, or due."""
    if not label:
        for edition in app.editions.all():
            if edition.state in RUNNING:
                return edition
    found = app.editions.stored(label, now=app.clock.now())
    if found is None:
        wanted = label or app.editions.period("", now=app.clock.now()).label
        raise NotApproved(
            f"Edition {wanted} is not drafted yet; nothing was sent.",
            hint=f"Freeze and approve it first: digest edition freeze --edition {wanted}",
        )
    if found.state in HAS_DELIVERIES - RUNNING and not resume:
        raise UsageError(
            f"Edition {found.period.label} is {found.state}; it is not sent again.",
            hint="See: digest delivery report",
        )
    if resume and found.state not in RUNNING:
        is_new = found.state not in HAS_DELIVERIES
        raise UsageError(
            f"Edition {found.period.label} is {found.state}; there is nothing to go on with.",
            hint="To send it: digest send" if is_new else "See: digest delivery report",
        )
    return found


def _plan(app: App, out: Output, edition: Edition, chosen: Mapping[str, Any]) -> Edition:
    """Confirm the audience and plan the approved edition; return it as planned."""
    app.freezing.require_approved(edition)
    release_at = app.sending.release_at(edition, may_hold=not chosen["no_hold"])
    audience = app.audience(edition)
    expected = _confirm(app, out, edition, audience, chosen)
    app.sending.plan(edition, release_at=release_at, expected=expected)
    keep_last(app)
    planned = app.store.edition(edition.newsletter, edition.period.label)
    assert planned is not None  # noqa: S101  # it was planned just now
    return planned


def _confirm(
    app: App, out: Output, edition: Edition, audience: Audience, chosen: Mapping[str, Any]
) -> int:
    """Show whom it goes to and have that confirmed; return the number of readers confirmed."""
    out.note(f"Edition {edition.period.label}: {edition.subject}")
    out.note(f"  Hash       {edition.sha256}, approved by {edition.approved_by}")
    excluded = ", ".join(f"{number:,} {reason}" for reason, number in audience.excluded.items())
    out.note(f"  Goes to    {count(audience.planned, 'reader')} through {app.transport.name}")
    if excluded:
        out.note(f"  Not to     {excluded}")
    if app.project.settings.schedule.is_local:
        out.note("  When       each at their own time; it goes on until the last have it")
    if chosen["expect"] is not None:
        require_expected(audience.planned, chosen["expect"])
    if chosen["yes"]:
        if chosen["expect"] is None:
            raise NotApproved(
                "--yes needs the number of readers that you expect; nothing was planned.",
                hint=f"For example: digest send --yes --expect {audience.planned}",
            )
        return int(chosen["expect"])
    if not sys.stdin.isatty():
        raise NotApproved(
            "Nobody is here to confirm it; nothing was planned.",
            hint=f"In a script: digest send --yes --expect {audience.planned}",
        )
    typed = click.prompt("Type the number of readers to send it", default="", err=True)
    if typed.replace(",", "").replace(".", "").strip() != str(audience.planned):
        raise NotApproved(
            "That is not the number; nothing was planned.",
            hint="Look at the audience (digest send --preview), then run it again.",
        )
    return audience.planned


@contextmanager
def interruptible(stop: threading.Event, out: Output) -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into `stop`; a second one ends at once, as always."""

    def say() -> None:
        out.note("\nFinishing the batches in flight; once more ends at once.")

    with ending(stop, once=True, told=say):
        yield


def _tell(out: Output, report: DeliveryReport, stopped: Stopped) -> None:
    """Say why the run ended early, and how it goes on: also by itself, where nothing paused it."""
    out.note(f"Stopped before the end. {stopped.reason} {stopped.hint}".rstrip())
    resume = f"digest send --resume --edition {report.edition}"
    out.note(f"  What was handed over is recorded. To go on: {resume}")
    if report.state in (EditionState.PLANNED, EditionState.SENDING):
        pause = f"digest delivery pause --edition {report.edition}"
        out.note("  A schedule that runs (digest schedule run, serve or tick) goes on by itself.")
        out.note(f"  To keep it from that: {pause}")


def _exit_code(report: DeliveryReport, stopped: Stopped | None) -> int:
    if stopped is not None and stopped.kind == "interrupted":
        return INTERRUPTED
    if stopped is not None and stopped.kind == "provider":
        return PROVIDER_REFUSED
    is_whole = not (report.refused or report.unknown or report.pending or report.abandoned)
    return 0 if is_whole and stopped is None else SOME_UNSETTLED
