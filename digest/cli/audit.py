"""`digest audit`: who did what to an edition, and whether the log of it is whole."""

import re
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import click

from digest.cli.options import Options, common_options, not_blank
from digest.errors import DigestError
from digest.model.audit import AuditEntry

SHA256 = re.compile(r"[0-9a-f]{64}")


@click.group(name="audit", short_help="Show and verify who did what to editions.")
@common_options
def command() -> None:
    """Show and verify who did what to editions.

    Each entry carries the hash of the one before it, so a changed, removed or added entry shows.
    """


@command.command("show")
@click.option("--edition", "label", callback=not_blank, metavar="LABEL", help="Of one edition.")
@common_options
@click.pass_obj
def show(options: Options, label: str) -> None:
    """Show what was done, oldest first."""
    out = options.output()
    with options.open_app(options.require_project()) as app:
        newsletter = app.project.settings.newsletter
        zone = ZoneInfo(newsletter.timezone)
        entries = list(app.audit.entries(newsletter.slug, label))
        out.document({"entries": entries})
        if not entries:
            out.note("Nothing was done yet.")
        for entry in entries:
            when = f"{entry.at.astimezone(zone):%a %Y-%m-%d %H:%M}"
            head = f"{when}  {entry.edition or 'all':<8}  {entry.actor}: {entry.action}"
            out.line(f"{head}{' · ' if entry.details else ''}{'; '.join(entry.details)}")


@command.command("verify")
@click.option(
    "--last",
    "kept",
    metavar="HASH",
    help="A hash that was printed here before: it must still be in the log.",
)
@common_options
@click.pass_obj
def verify(options: Options, kept: str | None) -> None:
    """Verify that no entry was changed, removed or added in between.

    Entries that were cut off at the end leave no trace in the log itself. Keep the hash that this
    prints somewhere else, and give it back with --last next time.
    """
    from digest.auditing import broken_at

    if kept is not None and not SHA256.fullmatch(kept):
        raise click.BadParameter("it is no hash: 64 of 0-9 and a-f.", param_hint="--last")
    out = options.output()
    with options.open_app(options.require_project(is_shared=True)) as app:
        hashes = {"", kept or ""}

        def watched() -> Iterator[AuditEntry]:
            for entry in app.audit.entries():
                hashes.discard(entry.hash)
                yield entry

        number, broken, last = broken_at(watched())
        seen = hashes == {""}
        is_whole = broken is None and seen
        out.document({"entries": number, "whole": is_whole, "last": last})
        if broken is not None:
            raise DigestError(
                f"The log is broken after {number:,} entries: the next one, of "
                f"{broken.at:%Y-%m-%d %H:%M} UTC, does not follow.",
                hint="Find out who changed the database, and compare with a backup.",
            )
        if not seen:
            raise DigestError(
                f"All {number:,} entries follow each other, but none has the hash of --last: "
                "the end was cut off, or this is another database.",
                hint="Compare with a backup.",
            )
        if not number:
            out.line("Nothing was done to an edition yet, so there is nothing to verify.")
            return
        out.line(f"All {number:,} entries follow each other. The last hash is {last}.")
