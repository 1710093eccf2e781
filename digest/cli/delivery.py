"""`digest delivery`: what became of an edition, and what a person can do about it."""

import sys
from collections.abc import Iterable, Mapping
from typing import Any

import click

from digest.app import App
from digest.cli.options import Options, common_options, edition_option, not_blank
from digest.cli.output import Output
from digest.cli.tables import count
from digest.errors import NotApproved, UsageError
from digest.model.deliveries import AttemptOutcome, DeliveryReport
from digest.model.editions import Edition, EditionState

DECISIONS = {
    "accepted": AttemptOutcome.ACCEPTED,
    "resend": AttemptOutcome.RESENT,
    "abandon": AttemptOutcome.ABANDONED,
}


@click.group(name="delivery", short_help="See, pause, settle and prove what was sent.")
@common_options
def command() -> None:
    """See, pause, settle and prove what was sent.

    Every command takes --edition; without it, it is the last one that was sent or is being sent.
    """


@command.command("status")
@edition_option
@common_options
@click.pass_obj
def status(options: Options, label: str) -> None:
    """Show how far the edition is."""
    from digest.cli.sending import show_report
    from digest.reports import report_document

    out = options.output()
    with _opened(options) as app:
        report = app.ledger.report(_edition(app, label))
        out.document(report_document(report))
        show_report(app, out, report)
        open_batches = [b for b in report.batches if b["state"] not in ("accepted", "cancelled")]
        _batch_table(out, open_batches)


@command.command("report")
@edition_option
@common_options
@click.pass_obj
def report(options: Options, label: str) -> int:
    """Prove what became of every reader; also as a file kept with the edition."""
    from digest.cli.sending import SOME_UNSETTLED, show_report
    from digest.reports import keep_report, report_document

    out = options.output()
    with _opened(options) as app:
        found = app.ledger.report(_edition(app, label))
        path = keep_report(app.project, found)
        out.document({**report_document(found), "file": str(path)})
        show_report(app, out, found)
        _batch_table(out, found.batches)
        out.line(f"  Report     {path}")
        return 0 if found.is_balanced and not found.unknown else SOME_UNSETTLED


@command.command("pause")
@edition_option
@common_options
@click.pass_obj
def pause(options: Options, label: str) -> None:
    """Hand over no further batch; those in flight finish."""
    out = options.output()
    with _opened(options) as app:
        edition = _edition(app, label)
        running = {EditionState.PLANNED, EditionState.SENDING}
        is_paused = app.ledger.change_state(edition.id or 0, running, EditionState.PAUSED)
        if not is_paused:
            raise UsageError(
                f"Edition {edition.period.label} is {edition.state}; there is nothing to pause.",
                hint="See: digest delivery status",
            )
        out.document({"edition": edition.period.label, "state": str(EditionState.PAUSED)})
        out.line(f"Edition {edition.period.label} is paused. To go on: digest delivery resume")


@command.command("resume")
@edition_option
@common_options
@click.pass_obj
def resume(options: Options, label: str) -> int:
    """Go on with a paused edition, here and now, like `digest send --resume`."""
    from digest.cli import sending

    return sending.run(options, {"label": label, "resume": True})


@command.command("cancel")
@edition_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@common_options
@click.pass_obj
def cancel(options: Options, label: str, yes: bool) -> None:
    """Hand over no more, and call back what the provider still holds.

    What is released is beyond recall. An edition that nobody gets is cancelled, and its articles
    may appear again; one that somebody gets is done.
    """
    from digest.cli.sending import show_report
    from digest.reports import report_document

    out = options.output()
    with _opened(options) as app:
        edition = _edition(app, label)
        if not yes:
            _confirm_cancelling(edition)
        found = app.sending.cancel(edition)
        out.document(report_document(found))
        show_report(app, out, found)
        if found.accepted:
            out.note(f"{count(found.accepted, 'reader')} cannot be called back any more.")


@command.command("settle")
@edition_option
@click.argument("batch", type=int, required=False)
@click.option("--accepted", is_flag=True, help="The provider took it.")
@click.option("--resend", is_flag=True, help="Hand it over again; some may get it twice.")
@click.option("--abandon", is_flag=True, help="Leave it; some may not get it at all.")
@click.option("--by", callback=not_blank, metavar="NAME", help="Who decides; stays on record.")
@click.option("--note", default="", metavar="TEXT", help="Why; stays on record.")
@common_options
@click.pass_obj
def settle(options: Options, /, label: str, batch: int | None, **chosen: Any) -> int:
    """Settle the batches of which nobody knows whether they were accepted.

    Without BATCH it looks for evidence (the provider's events and logs) and lists what is left.
    With BATCH a person decides: --accepted, --resend or --abandon, and --by NAME.
    """
    decision = _decision(batch, chosen)
    from digest.cli.sending import SOME_UNSETTLED

    out = options.output()
    with _opened(options) as app:
        edition = _edition(app, label)
        if batch is None:
            app.sending.ask(edition)
        else:
            app.sending.settle(
                edition, batch, DECISIONS[decision], by=chosen["by"], note=chosen["note"]
            )
        found = app.ledger.report(edition)
        unknown = [line for line in found.batches if line["state"] == "unknown"]
        out.document({"edition": found.edition, "state": found.state, "unknown": unknown})
        _tell_unknown(out, found)
        if decision == "resend":
            out.line(f"To hand it over: digest send --resume --edition {found.edition}")
        return SOME_UNSETTLED if unknown else 0


def _decision(batch: int | None, chosen: Mapping[str, Any]) -> str:
    """Return the one decision that was taken, "" for none."""
    taken = [name for name in DECISIONS if chosen[name]]
    if len(taken) > 1:
        raise click.UsageError(f"--{taken[0]} and --{taken[1]} contradict each other.")
    if taken and batch is None:
        raise click.UsageError(f"--{taken[0]} needs BATCH: its number in digest delivery settle.")
    if batch is not None and not taken:
        raise click.UsageError("Say what becomes of it: --accepted, --resend or --abandon.")
    if taken and not chosen["by"]:
        raise click.UsageError("A decision needs --by NAME: it stays on record.")
    return taken[0] if taken else ""


def _confirm_cancelling(edition: Edition) -> None:
    label = edition.period.label
    if not sys.stdin.isatty():
        raise NotApproved(
            "Nobody is here to confirm it; nothing was cancelled.",
            hint=f"In a script: digest delivery cancel --yes --edition {label}",
        )
    if not click.confirm(f"Cancel edition {label}?", err=True):
        raise NotApproved(f"Edition {label} goes on as before; nothing was cancelled.")


def _tell_unknown(out: Output, report: DeliveryReport) -> None:
    if not report.unknown:
        out.line(f"Edition {report.edition} has no batch in doubt.")
        return
    out.line(f"{count(report.unknown, 'reader')} of {report.edition} in doubt:")
    _batch_table(out, [line for line in report.batches if line["state"] == "unknown"])
    out.line("Nothing is sent again by itself. Decide: digest delivery settle BATCH --by NAME …")


def _batch_table(out: Output, batches: Iterable[Mapping[str, object]]) -> None:
    rows = [
        (
            str(line["batch"]),
            str(line["state"]),
            f"{line['readers']:,}",
            str(line["attempts"]),
            str(line["variant"]),
            str(line["reason"] or line["reference"]),
        )
        for line in batches
    ]
    if rows:
        columns = ("Batch>", "State", "Readers>", "Tries>", "Variant", "What is known")
        out.table(columns, rows)


def _opened(options: Options) -> App:
    return options.open_app(options.require_project())


def _edition(app: App, label: str) -> Edition:
    """Return the edition that is named, or the last one with deliveries."""
    from digest.services.sending import HAS_DELIVERIES

    if label:
        found = app.editions.stored(label, now=app.clock.now())
        if found is not None and found.state in HAS_DELIVERIES:
            return found
        raise UsageError(f"Edition {label} was not sent.", hint="See: digest edition list")
    for edition in app.editions.all():
        if edition.state in HAS_DELIVERIES:
            return edition
    raise UsageError("No edition was sent yet.", hint="Send one: digest send")
