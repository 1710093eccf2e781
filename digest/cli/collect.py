"""`digest collect`: fetch the sources into the store."""

from dataclasses import replace
from typing import Any

import click

from digest.app import App
from digest.cli.options import Options, common_options
from digest.cli.output import Output
from digest.cli.progress import progress
from digest.errors import UsageError
from digest.services.collection import SourceReport

SOME_FAILED = 7


@click.command(name="collect", short_help="Fetch the sources into the store.")
@click.option("--source", "only", default="", metavar="NAME", help="Only this source.")
@common_options
@click.pass_obj
def command(options: Options, only: str) -> int:
    """Fetch the sources into the store, of all newsletters or of the one that --newsletter names.

    Each source is stored by itself, so one that fails costs no other. Ends with 7 when one failed.
    """
    out = options.output()
    project = options.require_project(is_shared=True)
    if options.newsletter:
        project = replace(project, others=())
    with options.open_app(project) as app:
        reports = run(app, out, only=only)
        show(reports, out, verbose=bool(options.verbose))
    return SOME_FAILED if any(report.failed for report in reports) else 0


def run(app: App, out: Output, *, only: str = "") -> list[SourceReport]:
    """Fetch with progress on stderr, and return how it went.

    Raises:
        UsageError: The project has no source, or none named `only`.
    """
    sources = app.sources
    if not sources:
        raise UsageError(
            "This project has no source yet.", hint="Add one: digest source add NAME URL"
        )
    with progress(out, "sources", 1 if only else len(sources)) as advance:
        return app.collect(only=only, progress=lambda _report: advance())


def show(reports: list[SourceReport], out: Output, *, verbose: bool) -> None:
    """Show a row a source; below, what failed and what to do about it."""
    out.document(document(reports))
    out.table(
        ("Source", "New>", "Changed>", "Known>", "Refused>", "Result"),
        [
            (r.name, *(str(n) for n in (r.new, r.updated, r.seen, len(r.refused))), result(r))
            for r in reports
        ],
    )
    for report in reports:
        shown = report.refused if verbose or len(reports) == 1 else report.refused[:1]
        for what, why in shown:
            out.line(f"{report.name}: left out {what!r}: {why}")
        if more := len(report.refused) - len(shown):
            out.line(f"{report.name}: {more} more left out: digest collect -v")
        if report.failed and report.hint:
            out.line(f"{report.name}: {report.hint}")
    new = sum(report.new for report in reports)
    failed = sum(report.failed for report in reports)
    out.line(
        f"{new} new article{'' if new == 1 else 's'} from {len(reports) - failed} "
        f"of {len(reports)} source{'' if len(reports) == 1 else 's'}."
    )


def result(report: SourceReport) -> str:
    """Say in a few words how it went."""
    if report.failed or report.skipped:
        return report.error or report.skipped
    return "unchanged" if report.unchanged else "ok"


def document(reports: list[SourceReport]) -> dict[str, Any]:
    """Return the reports for `--json`."""
    return {
        "new": sum(report.new for report in reports),
        "updated": sum(report.updated for report in reports),
        "failed": sum(report.failed for report in reports),
        "sources": [
            {
                "name": report.name,
                "new": report.new,
                "updated": report.updated,
                "seen": report.seen,
                "unchanged": report.unchanged,
                "refused": [{"what": what, "why": why} for what, why in report.refused],
                "skipped": report.skipped,
                "error": report.error,
                "hint": report.hint,
            }
            for report in reports
        ],
    }
