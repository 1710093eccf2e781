"""A folder of articles: texts in the seed's form, Markdown and saved HTML pages, a file each."""

import datetime as dt
import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from digest.errors import SourceError, SourceRefused, SourceUnavailable
from digest.model.articles import RawEntry
from digest.model.sources import Fetched, SourceState
from digest.ports import Source
from digest.settings import SourceSettings
from digest.sources.parsing import MAX_BODY_BYTES, Form, ParserPool

MAX_FILES = 2000
_FORMS: dict[str, Form] = {
    ".txt": "text",
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "page",
    ".htm": "page",
}


class FilesContext(Protocol):
    """What this source needs of the source context: the project's folder and the parser."""

    @property
    def root(self) -> Path:
        """The project's folder; no article is read outside it."""

    @property
    def parser(self) -> ParserPool:
        """Where the files are parsed."""


def make_source(settings: SourceSettings, context: FilesContext) -> Source:
    """Return the source of kind "files" for `settings`; touches nothing yet."""
    return FilesSource(settings, context)


class FilesSource:
    """Reads a folder inside the project, with its subfolders, in the order of the names.

    A file that cannot be an article is refused by name and costs no other. Names that begin with
    a dot are passed over.
    """

    def __init__(self, settings: SourceSettings, context: FilesContext) -> None:
        self.name = settings.name
        self._settings = settings
        self._context = context

    def fetch(self, state: SourceState, *, now: dt.datetime) -> Fetched:
        """Read the folder once; the same names with the same bytes are `unchanged`.

        Raises:
            SourceRefused: The folder lies outside the project, or holds more than MAX_FILES.
            SourceUnavailable: The folder is not there or cannot be read.
        """
        folder = self._folder()
        paths = self._paths(folder)
        new_state = replace(
            state,
            url=self._settings.url,
            body_sha256=self._digest(folder, paths),
            last_fetch_at=now,
            last_success_at=now,
            not_before_at=None,
            failures=0,
            last_error="",
        )
        if new_state.body_sha256 == state.body_sha256:
            return Fetched(state=new_state, unchanged=True)
        entries: list[RawEntry] = []
        refused: list[tuple[str, str]] = []
        for path in paths:
            name = path.relative_to(folder).as_posix()
            try:
                entries += self._entries(path, folder, name)
            except SourceError as error:
                refused.append((name, error.message))
        return Fetched(
            state=new_state,
            entries=tuple(entries),
            refused=tuple(refused),
            language=self._settings.language,
        )

    def _entries(self, path: Path, folder: Path, name: str) -> list[RawEntry]:
        body, reason = _bytes_or_reason(path, folder)
        if reason:
            raise SourceRefused(reason)
        parsed = self._context.parser.parse(
            _FORMS[path.suffix.lower()],
            body,
            url="",
            language=self._settings.language,
            timezone=self._settings.timezone,
        )
        return [replace(entry, id=entry.id or name) for entry in parsed.entries]

    def _digest(self, folder: Path, paths: list[Path]) -> str:
        """Return what tells one state of the folder, read under these settings, from another."""
        digest = hashlib.sha256(f"{self._settings.language}\n{self._settings.timezone}\n".encode())
        for path in paths:
            name = os.fsencode(path.relative_to(folder))
            content = hashlib.sha256(_bytes_or_reason(path, folder)[0]).digest()
            digest.update(len(name).to_bytes(4, "big") + name + content)
        return digest.hexdigest()

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

    def _folder(self) -> Path:
        root: Path = self._context.root.resolve()
        try:
            folder = (root / self._settings.url).resolve()
        except (OSError, ValueError, RuntimeError):
            folder = root.parent
        if Path(self._settings.url).is_absolute() or not folder.is_relative_to(root):
            raise SourceRefused(
                f"The folder {self._settings.url!r} lies outside the project.",
                hint="Name a folder relative to the project in `url`.",
            )
        if not folder.is_dir():
            raise SourceUnavailable(
                f"There is no folder {self._settings.url!r} in the project.",
                hint="Make it, or correct `url`.",
            )
        return folder


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


def _bytes_or_reason(path: Path, folder: Path) -> tuple[bytes, str]:
    """Return a file's bytes, or b"" and why they are not read."""
    try:
        real = path.resolve()
        if not real.is_relative_to(folder):
            return b"", "It is a link out of the folder."
        if not real.is_file():
            return b"", "It is not a file."
        with real.open("rb") as file:
            body = file.read(MAX_BODY_BYTES + 1)
    except (OSError, RuntimeError) as error:
        return b"", f"It cannot be read ({getattr(error, 'strerror', None) or 'a link in a loop'})."
    if len(body) > MAX_BODY_BYTES:
        return b"", f"It is larger than {MAX_BODY_BYTES // 1024**2} MB."
    return body, ""
