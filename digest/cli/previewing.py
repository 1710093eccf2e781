"""Showing an edition as it would go: the summary, the folder, the viewer, the live preview."""

import os
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from digest.app import App
from digest.checking import Finding, Severity
from digest.cli import collect
from digest.cli.options import Options
from digest.cli.output import Output
from digest.cli.tables import audience_lines, edition_line, finding_lines, story_table
from digest.cli.viewing import write_preview
from digest.model.editions import Edition
from digest.model.subscribers import SubscriberState
from digest.services.previews import SOMEBODY, Preview, report
from digest.wholefiles import replace_file

CHECKS_FAILED = 5
PREVIEWS = Path("previews")


def run(options: Options, chosen: Mapping[str, Any]) -> int:
    """Preview the edition that `chosen` names in the way it asks for; return the exit code."""
    _refuse_contradictions(chosen)
    out = options.output()
    with ExitStack() as stack:
        app = stack.enter_context(_opened(options, chosen["sample"]))
        app.editions.period(chosen["label"], now=app.clock.now())  # before any work for a wrong one
        if chosen["may_collect"]:
            _fill_empty_store(app, out)
        if chosen["serve"]:
            return _serve(options, app, out, chosen)
        preview = _preview(app, chosen)
        if chosen["form"]:
            _write_part(preview, chosen["form"], chosen["target"] or "-")
            out.notes(finding_lines(preview.findings))
        else:
            folder = chosen["out"] or _folder(app, preview.edition)
            files = write_preview(app, preview, folder)
            _show(app, out, preview, files)
            page = folder / "index.html"
            _open(out, page.absolute().as_uri(), shlex.quote(str(_here(page))), chosen)
    return CHECKS_FAILED if preview.has_errors else 0


def _refuse_contradictions(chosen: Mapping[str, Any]) -> None:
    if chosen["target"] and not chosen["form"]:
        raise click.UsageError("-o needs --format html, text or eml; --out names a folder.")
    if chosen["form"] and chosen["out"]:
        raise click.UsageError("--format writes one part to -o; it does not go with --out.")
    if chosen["serve"] and chosen["form"]:
        raise click.UsageError("--serve shows the whole preview; it does not go with --format.")
    if chosen["port"] and not chosen["serve"]:
        raise click.UsageError("--port needs --serve.")


def _opened(options: Options, sample: bool) -> App:
    app = options.open_app()
    return app.sample() if sample and not app.project.is_starter else app


def _preview(app: App, chosen: Mapping[str, Any]) -> Preview:
    return app.preview(_due(app, chosen), chosen["reader"])


def _due(app: App, chosen: Mapping[str, Any]) -> Edition:
    """Return the edition to show; one that is frozen has enough stories, whatever is set now."""
    edition = app.editions.compose(chosen["label"], now=app.clock.now())
    if not edition.sha256:
        app.editions.require_enough(edition)
    return edition


def _serve(options: Options, app: App, out: Output, chosen: Mapping[str, Any]) -> int:
    from digest.cli.live import Live

    def make(current: App) -> tuple[Preview, Mapping[str, str]]:
        preview = _preview(current, chosen)
        folder = chosen["out"] or _folder(current, preview.edition)
        return preview, write_preview(current, preview, folder)

    if not app.project.is_starter or app.project.templates_root:
        # From here on it is this project, whatever happens to its settings' file meanwhile.
        options.project = app.project.templates_root or app.project.root
    _due(app, chosen)  # a week without stories ends here, not in the browser
    live = Live(
        app=app,
        reopen=lambda: _opened(options, chosen["sample"]),
        make=make,
        show=lambda preview, files: _show(app, out, preview, files),
        out=out,
    )
    _refuse_watched(chosen["out"], live.places())
    return live.run(chosen["port"] or 0, lambda address: _open(out, address, address, chosen))


def _refuse_watched(out: Path | None, places: Iterable[Path]) -> None:
    """Refuse a folder whose every writing would be seen as a change of the templates."""
    if out is not None and any(out.resolve().is_relative_to(place.resolve()) for place in places):
        raise click.UsageError(f"--serve watches {out}; let --out name a folder elsewhere.")


def _fill_empty_store(app: App, out: Output) -> None:
    if app.store.article_count() or not app.project.settings.source:
        return
    if not app.project.is_starter:
        out.note("The store is empty, so the sources are fetched first.")
    for done in collect.run(app, out):
        if done.failed:
            out.note(f"{done.name}: {done.error} {done.hint}")


def _folder(app: App, edition: Edition) -> Path:
    """Return the default folder: below the project, or below this folder where there is none."""
    if app.project.is_starter:
        name = f"sample-{edition.period.label}" if app.project.templates_root else ""
        base = app.project.templates_root or Path()
        return base / PREVIEWS / (name or edition.period.label)
    return app.project.root / PREVIEWS / app.project.place / edition.period.label


def _write_part(preview: Preview, form: str, target: str) -> None:
    parts = {"html": preview.html.encode(), "text": preview.text.encode(), "eml": preview.eml}
    if target == "-":
        sys.stdout.buffer.write(parts[form])
        sys.stdout.buffer.flush()
    else:
        replace_file(Path(target), parts[form])


def _show(app: App, out: Output, preview: Preview, files: Mapping[str, str]) -> None:
    edition, variant = preview.edition, preview.variant
    out.document(report(preview, files=files))
    out.line(edition_line(edition))
    out.line()
    out.line(f"  Subject    {variant.subject}  ({len(variant.subject)} characters)")
    out.line(f"  Preheader  {variant.preheader}")
    out.line(f"  Shown as   {_shown_as(app, preview.reader)}; a preview sends nothing")
    for line in audience_lines(preview.audience):
        out.line(line)
    for note in edition.notes:
        out.line(f"  Note       {note}")
    out.line()
    story_table(out, edition)
    out.line(f"  Checks     {_verdict(preview.findings)}")
    for line in finding_lines(preview.findings):
        out.line(line)
    html, text = len(preview.html.encode()), len(preview.text.encode())
    out.line(f"  Size       {html / 1000:.1f} KB of HTML (Gmail cuts at 102), {text:,} B of text")
    out.line(f"  Hash       {variant.sha256}")
    if edition.sha256 not in ("", variant.sha256):
        out.line(f"  Part of    {edition.sha256}, the mail with all stories")
    out.line(f"  Viewer     {_here(Path(files['index.html']))}")


def _shown_as(app: App, reader: str) -> str:
    """Return who sees the mail so, or would if they got any."""
    found = app.reader(reader)
    if found is None and reader == SOMEBODY:
        return f"{reader} sees it"
    if found is None:
        return f"{reader} would see it, who is on no list"
    if app.subscribers.suppression(found.key):
        return f"{reader} would see it, who is suppressed and gets no mail"
    if found.state is SubscriberState.LEFT:
        return f"{reader} would see it, who has left and gets no mail"
    return f"{reader} sees it"


def _here(path: Path) -> Path:
    """Return the path as somebody in this folder would type it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _verdict(findings: Sequence[Finding]) -> str:
    if not findings:
        return "ok, nothing found"
    counts = {kind: sum(f.severity is kind for f in findings) for kind in Severity}
    return ", ".join(f"{n} {kind}{'' if n == 1 else 's'}" for kind, n in counts.items() if n)


def _open(out: Output, address: str, typed: str, chosen: Mapping[str, Any]) -> None:
    """Open the viewer in a browser: if asked to, or where somebody sits before a display.

    `typed` is the address as somebody in this folder would type it.
    """
    wanted = chosen["open_viewer"]
    if not (_has_display() if wanted is None else wanted):
        out.line(f"  Open it    {_opener()} {typed}")
        return
    import webbrowser

    if not webbrowser.open(address):
        out.note(f"No browser could be started. Open it yourself: {typed}")


def _has_display() -> bool:
    if not sys.stdout.isatty() or any(os.environ.get(n) for n in ("CI", "SSH_CONNECTION")):
        return False
    return sys.platform == "darwin" or any(
        os.environ.get(n) for n in ("DISPLAY", "WAYLAND_DISPLAY")
    )


def _opener() -> str:
    return "open" if sys.platform == "darwin" else "xdg-open"
