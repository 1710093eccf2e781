"""`digest check`: look for faults in an edition's mail, or in any HTML file or message."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from digest import __version__
from digest.checking import (
    Finding,
    Severity,
    check_clients,
    check_html,
    check_message,
    client_names,
    read_message,
    refusal,
    sarif,
    without_ignored,
    worst_first,
)
from digest.cli.options import Options, common_options, edition_option, not_blank
from digest.cli.output import Output
from digest.cli.tables import count
from digest.merging import compile_variant

if TYPE_CHECKING:
    from digest.app import App

CHECKS_FAILED = 5
MAX_BYTES = 5_000_000
MAIL = "mail.html"
"""The file of a preview in which an edition's lines are to be found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was checked, what was found, and whether its lines are lines of the file at `uri`."""

    name: str
    uri: str
    findings: Sequence[Finding]
    has_lines: bool = True


def _may_be_ignored(
    _context: click.Context, _parameter: click.Parameter, rules: tuple[str, ...]
) -> tuple[str, ...]:
    for rule in rules:
        if why := refusal(rule):
            raise click.UsageError(f"--ignore {rule}: {rule} {why}.")
    return rules


@click.command(name="check", short_help="Look for faults in a mail.")
@edition_option
@click.argument(
    "file", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif"]),
    help="text (the default), json or sarif.",
)
@click.option(
    "--ignore",
    "rules",
    metavar="RULE",
    multiple=True,
    callback=_may_be_ignored,
    help="Let this rule stop nothing; may be repeated.",
)
@click.option(
    "--clients",
    "names",
    metavar="NAMES",
    callback=not_blank,
    help="Tell what these clients lack: all, or such as gmail,word (docs/checks.md).",
)
@common_options
@click.pass_obj
def command(options: Options, /, label: str, file: Path | None, **chosen: Any) -> int:
    """Look for faults in the mail of an edition, or in FILE, any HTML file or message (.eml).

    Without FILE the letters are looked at too: the mails that people ask for, such as the one to
    confirm a sign-up.

    Ends with 5 when there is an error; docs/checks.md lists what is looked at.
    """
    if file is not None and label:
        raise click.UsageError("Name an edition or a file, not both.")
    if options.json and chosen["form"] not in (None, "json"):
        raise click.UsageError(f"Choose one: --json or --format {chosen['form']}.")
    clients = client_names(chosen["names"]) if chosen["names"] else ()
    options.json = options.json or chosen["form"] in ("json", "sarif")
    if file is not None:
        project = options.find_project()
        checked = _check_file(file, clients)
    else:
        project = options.load_project()
        with options.open_app(project) as app:
            checked = _check_edition(app, label, clients)
    ignored = dict.fromkeys(chosen["rules"], "asked for by --ignore")
    return _show(
        options.output(),
        checked,
        ignored | dict(project.settings.checks.ignore),
        is_sarif=chosen["form"] == "sarif",
    )


def _check_edition(app: "App", label: str, clients: Sequence[str]) -> Checked:
    if app.project.is_starter:
        app.collect()
    edition = app.editions.compose(label, now=app.clock.now())
    if not edition.sha256:
        app.editions.require_enough(edition)
    _edition, frozen = app.freezing.mail_for(edition, ())
    found = app.previews.check(edition, frozen.variant)
    html, _text = compile_variant(frozen.variant).whole()
    return Checked(
        name=edition.period.label,
        uri=MAIL,
        findings=worst_first([*found, *_of_clients(html, clients), *app.letter_forms.findings()]),
    )


def _check_file(file: Path, clients: Sequence[str]) -> Checked:
    if file.stat().st_size > MAX_BYTES:
        raise click.UsageError(f"{file} is larger than 5 MB, so it is no mail.")
    source = file.read_bytes()
    is_message = file.suffix.lower() == ".eml"
    if is_message:
        parts = read_message(source)
        html = parts.html
        if not html:
            raise click.UsageError(f"{file} has no HTML part, so there is nothing to check.")
        found = check_message(html, text=parts.text, subject=parts.subject)
    else:
        html = source.decode("utf-8-sig", "replace").replace("\r\n", "\n")
        found = check_html(html)
    return Checked(
        name=str(file),
        uri=file.as_uri() if file.is_absolute() else quote(file.as_posix()),
        findings=worst_first([*found, *_of_clients(html, clients)]),
        has_lines=not is_message,
    )


def _of_clients(html: str, clients: Sequence[str]) -> list[Finding]:
    return check_clients(html, clients) if clients else []


def _show(out: Output, checked: Checked, reasons: Mapping[str, str], *, is_sarif: bool) -> int:
    """Show the findings, worst first, and return the exit code."""
    kept, ignored = without_ignored(checked.findings, reasons)
    errors = sum(finding.severity is Severity.ERROR for finding in kept)
    if is_sarif:
        out.document(
            sarif(
                kept,
                ignored,
                reasons=reasons,
                uri=checked.uri,
                version=__version__,
                has_lines=checked.has_lines,
            )
        )
    else:
        out.document(
            {
                "checked": checked.name,
                "errors": errors,
                "checks": [_row(finding) for finding in kept],
                "ignored": [_row(f) | {"reason": reasons[f.rule]} for f in ignored],
            }
        )
    for finding in kept:
        out.line(_line(finding))
    for rule, number in Counter(finding.rule for finding in ignored).items():
        out.line(f"  ignored: {rule} ({reasons[rule]}), {count(number, 'finding')}")
    if not kept:
        out.line(f"{checked.name}: every {'other ' if ignored else ''}check passed.")
    return CHECKS_FAILED if errors else 0


def _line(finding: Finding) -> str:
    """Return a finding in one line; here all are told, also those that a preview only counts."""
    where = f", line {finding.line}" if finding.line else ""
    where += f", story {finding.story!r}" if finding.story else ""
    return f"  {finding.severity:<9} {finding.rule}{where}: {finding.message}"


def _row(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule,
        "severity": str(finding.severity),
        "message": finding.message,
        "story": finding.story,
        "line": finding.line,
    }
