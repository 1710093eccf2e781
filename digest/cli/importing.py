"""`digest subscribers import`: a list of readers from a CSV file."""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from digest.cli.options import Options, common_options, none_blank, not_blank
from digest.cli.output import Output
from digest.cli.progress import Advance, progress
from digest.cli.tables import count
from digest.errors import UsageError

if TYPE_CHECKING:
    from digest.listfiles import ListFile, Row
    from digest.services.importing import ImportReport

HOLD = "subscribers"
"""The name under which one run at a time takes in or erases."""

SHOWN = 20  # rows that were left out
KB = 1024  # bytes
_FIELDS = "email|first_name|topics|frequency|language|timezone"


@click.command("import")
@click.argument(
    "path", metavar="FILE.csv", type=click.Path(path_type=Path, exists=True, dir_okay=False)
)
@click.option(
    "--map",
    "maps",
    multiple=True,
    metavar="FIELD=COLUMN",
    callback=none_blank,
    help="Where a field stands, such as email=Mail,first_name=Vorname; may be given again.",
)
@click.option(
    "--ignore-column",
    "ignored",
    multiple=True,
    metavar="COLUMN",
    callback=none_blank,
    help="Read nothing from this column; may be given again.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@click.option(
    "--origin",
    callback=not_blank,
    metavar="TEXT",
    help="Where these readers said yes, kept with each new one (default: import FILE.csv).",
)
@click.option(
    "--report",
    "report_path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write all rows that are left out, with the reasons, to this file.",
)
@common_options
@click.pass_obj
def command(options: Options, /, path: Path, dry_run: bool, **chosen: Any) -> int:
    """Take the readers of a CSV file into the list.

    The file is UTF-8 or UTF-16, with commas, semicolons or tabs, and its first line names the
    columns: email, first_name, topics, frequency, language, timezone, or similar. All good rows go
    in, or none if it is cut off; what is wrong with the others is told. Known readers take over
    what differs. Nobody who left, is suppressed or was erased comes back, and nothing is sent.
    """
    from digest.listfiles import open_list
    from digest.normalising.text import clean_text
    from digest.services.columns import choose_columns
    from digest.services.importing import Consent, Watcher
    from digest.services.subscriptions import MAX_ORIGIN

    out = options.output()
    maps = _maps(chosen["maps"])
    project = options.require_project()
    if chosen["report_path"]:
        _check_report(chosen["report_path"], path)
    origin = clean_text(chosen["origin"] or f"import {path.name}", limit=MAX_ORIGIN)
    with options.open_app(project) as app, open_list(path) as file:
        columns = choose_columns(file.header, maps, chosen["ignored"])
        consent = Consent(
            newsletter=project.settings.newsletter.slug, origin=origin, now=app.clock.now()
        )
        with (
            nullcontext() if dry_run else app.store.hold(HOLD),
            _noting(chosen["report_path"]) as noted,
            progress(out, "kilobytes", max(file.size // KB, 1)) as advance,
        ):
            watcher = Watcher(refuse=noted.add, tick=_ticker(file, advance))
            rows = noted.following(file.rows())
            report = app.importer.run(rows, columns, consent, watcher, is_trial=dry_run)
    out.document(_document(path, report, noted.first, dry_run=dry_run))
    _show(out, path, report, noted.first, dry_run=dry_run)
    if report.rows and report.refused == report.rows:
        raise UsageError(
            f"None of the rows of {path.name} can be used; nobody was added.",
            hint="The reasons stand above; if they name the wrong columns: --map FIELD=COLUMN",
        )
    if report.refused:
        more = "" if chosen["report_path"] or report.refused <= SHOWN else "; all: --report FILE"
        out.note(f"{count(report.refused, 'row')} left out{more}")
    return 0


def _check_report(report: Path, path: Path) -> None:
    """Refuse a report that would overwrite the list, or has no place where it can be written."""
    if report.exists() and report.samefile(path):
        raise UsageError(
            f"The report would overwrite {path.name}, the list itself. Nothing was done.",
            hint="Name another file: --report FILE",
        )
    place = report if report.exists() else report.parent
    if not report.parent.is_dir() or not os.access(place, os.W_OK):
        raise _unwritable("no file can be written there")


def _unwritable(why: str) -> UsageError:
    return UsageError(
        f"The report cannot be written: {why}. Nothing was done.",
        hint="Name a file in a folder that is there and can be written: --report FILE",
    )


class _Noted:
    """The rows that are left out: the first ones, and all in the file if there is one."""

    def __init__(self, file: TextIO | None) -> None:
        self.first: list[tuple[int, str]] = []
        self._file = file

    def add(self, line: int, reason: str) -> None:
        """Note a row.

        Raises:
            UsageError: It cannot be written to the file.
        """
        if len(self.first) < SHOWN:
            self.first.append((line, reason))
        if self._file is not None:
            with _refusing():
                self._file.write(f'{line},"{reason}"\n')

    def following(self, rows: Iterable["Row"]) -> Iterator["Row"]:
        """Yield the rows, and end when all that was noted of them is in the file.

        By then nothing of them is stored for good, so that a full disk ends the import as well.

        Raises:
            UsageError: It cannot be written to the file.
        """
        yield from rows
        if self._file is not None:
            with _refusing():
                self._file.flush()


@contextmanager
def _noting(path: Path | None) -> Iterator[_Noted]:
    if path is None:
        yield _Noted(None)
        return
    with _refusing():
        file = path.open("w", encoding="utf-8")
    try:
        file.write("line,reason\n")
        yield _Noted(file)
    finally:
        with suppress(OSError):  # after a good run all of it is written; see `following`
            file.close()


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _unwritable(error.strerror or type(error).__name__) from error


def _ticker(file: "ListFile", advance: Advance) -> Callable[[], None]:
    """Return what tells the progress how much of the file is read by now."""
    told = 0

    def tick() -> None:
        nonlocal told
        read = file.position() // KB
        advance(read - told)
        told = read

    return tick


def _maps(given: tuple[str, ...]) -> dict[str, str]:
    maps: dict[str, str] = {}
    for text in given:
        for part in re.split(rf",(?=(?:{_FIELDS})=)", text):
            field, _, column = part.partition("=")
            if not re.fullmatch(_FIELDS, field) or not column.strip():
                raise click.BadParameter(
                    f"{part!r} is not FIELD=COLUMN; the fields are {_FIELDS.replace('|', ', ')}.",
                    param_hint="--map",
                )
            if field in maps:
                raise click.BadParameter(
                    f"{field} is named twice; a field is read from one column.", param_hint="--map"
                )
            maps[field] = column
    return maps


def _show(
    out: Output,
    path: Path,
    report: "ImportReport",
    first: list[tuple[int, str]],
    *,
    dry_run: bool,
) -> None:
    added = report.added
    out.line(f"{path.name}: {count(report.rows, 'row')}")
    kept_out = {"left": added.left, "suppressed": added.suppressed, "erased": report.erased}
    for name, number in (
        ("New", added.new),
        ("Changed", added.updated),
        ("Known", added.seen),
        *((f"Kept out, {why}", number) for why, number in kept_out.items() if number),
        *((("Repeated", added.repeated),) if added.repeated else ()),
        *((("Left out", report.refused),) if report.refused else ()),
        *((("Time zone unknown", report.unknown_zones),) if report.unknown_zones else ()),
    ):
        out.line(f"  {name:<22} {number:>9,}")
    for line, reason in first:
        out.line(f"    line {line}: {reason}")
    if report.refused > len(first):
        out.line(f"    and {report.refused - len(first):,} more")
    if report.unread:
        out.line(f"  Not read: {', '.join(report.unread)}")
    out.line("Nothing was changed: this was a dry run." if dry_run else "Nothing was sent.")


def _document(
    path: Path, report: "ImportReport", first: list[tuple[int, str]], *, dry_run: bool
) -> dict[str, Any]:
    added = report.added
    return {
        "file": str(path),
        "dry_run": dry_run,
        "rows": report.rows,
        "new": added.new,
        "updated": added.updated,
        "seen": added.seen,
        "repeated": added.repeated,
        "kept_out": {
            "left": added.left,
            "suppressed": added.suppressed,
            "erased": report.erased,
        },
        "refused": report.refused,
        "reasons": [{"line": line, "reason": reason} for line, reason in first],
        "unknown_timezones": report.unknown_zones,
        "unread": list(report.unread),
    }
