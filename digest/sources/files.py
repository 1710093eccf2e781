"""A folder of articles, a file each: pages saved as text or as HTML, and Markdown."""

import datetime as dt
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from digest.errors import SourceError, SourceMalformed, SourceRefused, SourceUnavailable
from digest.model.articles import RawEntry
from digest.model.sources import Fetched, SourceState
from digest.ports import Source
from digest.settings import SourceSettings
from digest.sources.context import SourceContext, fingerprint, read_bytes, succeeded
from digest.sources.parsing import Form, ParserKilled

MAX_FILES = 2000
_FORMS: dict[str, Form] = {
    ".txt": "text",
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "page",
    ".htm": "page",
}


def make_source(settings: SourceSettings, context: SourceContext) -> Source:
    """Return the source of kind "files" for `settings`; touches nothing yet."""
    return FilesSource(settings, context)


class FilesSource:
    """Reads a folder inside the project, with its subfolders, in the order of the names.

    A file that cannot be an article is refused by name and costs no other. Names that begin with
    a dot are passed over.
    """

    def __init__(self, settings: SourceSettings, context: SourceContext) -> None:
        self.name = settings.name
        self._settings = settings
        self._context = context

    def fetch(self, state: SourceState, *, now: dt.datetime) -> Fetched:
        """Read the folder once; the same names with the same bytes are `unchanged`.

        After a file that killed the parser the folder counts as unread: that file may well be read
        at the next fetch, when the computer has more time for it.

        Raises:
            SourceRefused: The folder lies outside the project, or holds more than MAX_FILES.
            SourceUnavailable: The folder is not there or cannot be read, or the parser was stopped
                or cannot be started; nothing counts as read.
        """
        folder = self._context.folder(self._settings.url)
        paths = self._paths(folder)
        content = fingerprint(self._settings, _names_and_bytes(folder, paths))
        fresh = replace(succeeded(state, now=now), url=self._settings.url)
        if content == state.body_sha256:
            return Fetched(state=fresh, unchanged=True)
        entries: list[RawEntry] = []
        refused: list[tuple[str, str]] = []
        for path in paths:
            name = path.relative_to(folder).as_posix()
            body, why = _bytes_or_reason(path, folder)
            try:
                entries += self._entries(path, body, name) if not why else []
            except ParserKilled as error:
                why, content = error.message, state.body_sha256
            except (SourceRefused, SourceMalformed) as error:
                why = error.message
            if why:
                refused.append((name, why))
        return Fetched(
            state=replace(fresh, body_sha256=content),
            entries=tuple(entries),
            refused=tuple(refused),
            language=self._settings.language,
        )

    def _entries(self, path: Path, body: bytes, name: str) -> list[RawEntry]:
        parsed = self._context.parser.parse(
            _FORMS[path.suffix.lower()],
            body,
            url="",
            language=self._settings.language,
            timezone=self._settings.timezone,
        )
        return [replace(entry, id=entry.id or name) for entry in parsed.entries]

    def _paths(self, folder: Path) -> list[Path]:
        try:
            paths = _article_files(folder)
        except OSError as error:
            raise SourceUnavailable(
                f"The folder {self._settings.url!r} cannot be read ({error.strerror}).",
                hint="Correct its permissions.",
            ) from None
        if len(paths) > MAX_FILES:
            raise SourceRefused(
                f"The folder {self._settings.url!r} holds more than {MAX_FILES} articles.",
                hint="Move old ones away, or make several sources of it.",
            )
        return paths


def _article_files(folder: Path) -> list[Path]:
    """Return the files with a known suffix, ordered by their path; linked folders are not entered.

    Raises:
        OSError: A folder cannot be listed.
    """
    paths: list[Path] = []
    for holder, folders, names in os.walk(folder, onerror=_raise, followlinks=False):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths += [
            Path(holder, name)
            for name in names
            if not name.startswith(".") and Path(name).suffix.lower() in _FORMS
        ]
    return sorted(paths, key=lambda path: path.relative_to(folder).as_posix())


def _raise(error: OSError) -> None:
    raise error


def _names_and_bytes(folder: Path, paths: list[Path]) -> Iterator[bytes]:
    for path in paths:
        yield os.fsencode(path.relative_to(folder))
        yield _bytes_or_reason(path, folder)[0]


def _bytes_or_reason(path: Path, folder: Path) -> tuple[bytes, str]:
    """Return a file's bytes, or b"" and why they are not read."""
    try:
        return read_bytes(path, folder), ""
    except SourceError as error:
        return b"", error.message
