"""`digest send --preview --serve`: the preview made anew whenever its templates change."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from digest.app import MEDIA, App
from digest.cli.output import Output
from digest.errors import DigestError, UsageError
from digest.project import CONFIG, NEWSLETTERS
from digest.services.previews import Preview
from digest.viewer.live import Board, serving
from digest.viewer.watching import stamps, watch

Made = tuple[Preview, Mapping[str, str]]


@dataclass(slots=True, kw_only=True)
class Live:
    """A preview that follows its project.

    Attributes:
        app: The project as it was read last; its database serves for all later readings.
        reopen: Reads the project's settings again.
        make: Renders the edition and writes the preview's folder; returns it and its files.
        show: Tells the first preview in full.
        out: Where the others are told in a line each.
        board: What the browser sees.
    """

    app: App
    reopen: Callable[[], App]
    make: Callable[[App], Made]
    show: Callable[[Preview, Mapping[str, str]], None]
    out: Output
    board: Board = field(default_factory=Board)
    is_read: bool = False
    is_shown: bool = False

    def run(self, port: int, opened: Callable[[str], None]) -> int:
        """Make the preview, serve it until Ctrl-C, and return the exit code.

        `opened` gets the address as soon as a browser can open it.
        """
        since = stamps(self.places())
        self._draw()
        with serving(self.board, port) as address:
            say = self.out.note if self.out.json else self.out.line
            say(f"  Served at  {address} (Ctrl-C ends it)")
            opened(address)
            try:
                watch(self.places, self._draw, since=since, over=threading.Event())
            except KeyboardInterrupt:
                self.out.note("\nNothing is served any more. The last good preview stays on disk.")
        return 0

    def places(self) -> Iterable[Path]:
        """Return the files and folders whose changes make the preview anew."""
        project = self.app.project
        own = {project.root, project.templates_root or project.root}
        return (
            *project.template_folders,
            *(root / place for root in sorted(own) for place in (CONFIG, NEWSLETTERS, MEDIA)),
        )

    def _draw(self) -> None:
        """Put the preview on the board, or the sentence that says why there is none."""
        try:
            if self.is_read:
                self.app = self._reopened()
            self.is_read = True
            preview, files = self.make(self.app)
            page = Path(files["index.html"]).read_text(encoding="utf-8")
        except DigestError as error:
            self._tell_error(error.message, error.hint)
        except OSError as error:
            what = f"{error.strerror or 'The system refused'}: {error.filename or 'a file'}."
            self._tell_error(what, "The earlier preview is as it was.")
        else:
            self._tell(preview, files)
            self.board.show(page)

    def _reopened(self) -> App:
        fresh = self.reopen()
        if fresh.project.database_url != self.app.project.database_url:
            raise UsageError(
                "The settings name another database now, so nothing was rendered.",
                hint="Stop this preview with Ctrl-C and start it again.",
            )
        fresh.database = self.app.database
        return fresh

    def _tell(self, preview: Preview, files: Mapping[str, str]) -> None:
        if not self.is_shown:
            self.is_shown = True
            self.show(preview, files)
            return
        size = len(preview.html.encode()) / 1000
        count = len(preview.findings)
        found = f"{count} finding{'' if count == 1 else 's'}" if count else "checks ok"
        self.out.note(f"  Rendered anew: {size:.1f} KB of HTML, {found}")

    def _tell_error(self, message: str, hint: str) -> None:
        self.board.show_error(message, hint)
        self.out.note(f"  Not rendered: {message}")
        if hint:
            self.out.note(f"    {hint}")
