"""`digest check`: look for faults in an edition's mail, or in any HTML file."""

from collections.abc import Sequence
from pathlib import Path

import click

from digest.checking import Finding, Severity, check_html
from digest.cli.options import Options, common_options, edition_option
from digest.cli.output import Output
from digest.cli.tables import finding_lines

CHECKS_FAILED = 5
MAX_BYTES = 5_000_000


@click.command(name="check", short_help="Look for faults in a mail.")
@edition_option
@click.argument(
    "file", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@common_options
@click.pass_obj
def command(options: Options, label: str, file: Path | None) -> int:
    """Look for faults in the mail of an edition, or in FILE, any HTML file.

    Ends with 5 when there is an error; docs/checks.md lists what is looked at.
    """
    out = options.output()
    if file is not None:
        if label:
            raise click.UsageError("Name an edition or a file, not both.")
        found = check_html(_text_of(file))
        return show(out, str(file), found)
    with options.open_app() as app:
        if app.project.is_starter:
            app.collect()
        now = app.clock.now()
        edition = app.editions.compose(label, now=now)
        app.editions.require_enough(edition)
        variant = app.renderer.render(edition)
        return show(out, edition.period.label, app.previews.check(edition, variant))


def _text_of(file: Path) -> str:
    if file.stat().st_size > MAX_BYTES:
        raise click.UsageError(f"{file} is larger than 5 MB, so it is no mail.")
    return file.read_text(encoding="utf-8", errors="replace")


def show(out: Output, what: str, findings: Sequence[Finding]) -> int:
    """Show the findings, worst first, and return the exit code."""
    errors = sum(finding.severity is Severity.ERROR for finding in findings)
    out.document(
        {
            "checked": what,
            "errors": errors,
            "checks": [
                {
                    "rule": finding.rule,
                    "severity": str(finding.severity),
                    "message": finding.message,
                    "story": finding.story,
                    "line": finding.line,
                }
                for finding in findings
            ],
        }
    )
    for line in finding_lines(findings):
        out.line(line)
    if not findings:
        out.line(f"{what}: every check passed.")
    return CHECKS_FAILED if errors else 0
