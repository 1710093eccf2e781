"""What a source may use: the project's folder, the guarded client and the killable parser."""

import datetime as dt
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from digest.errors import SourceRefused, SourceUnavailable
from digest.model.sources import SourceState
from digest.settings import SourceSettings
from digest.sources.http import HttpClient
from digest.sources.parsing import MAX_BODY_BYTES, ParserPool

_MARK_LENGTH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceContext:
    """Handed to every source when it is made; a plug-in gets all it needs from here."""

    root: Path
    http: HttpClient
    parser: ParserPool

    def read_file(self, name: str) -> bytes:
        """Return the bytes of a file inside the project.

        Raises:
            SourceRefused: It lies outside the project, or is larger than MAX_BODY_BYTES.
            SourceUnavailable: It is not there or cannot be read.
        """
        called = f"The file {name!r}"
        return read_bytes(self.root / name, self.root, called=called, place="project")

    def folder(self, name: str) -> Path:
        """Return the resolved path of a folder inside the project.

        Raises:
            SourceRefused: It lies outside the project.
            SourceUnavailable: It is not there.
        """
        root = self.root.resolve()
        try:
            folder = (root / name).resolve()
        except (OSError, ValueError, RuntimeError):
            folder = root.parent
        if Path(name).is_absolute() or not folder.is_relative_to(root):
            raise SourceRefused(
                f"The folder {name!r} lies outside the project.",
                hint="Name a folder relative to the project in `url`.",
            )
        if not folder.is_dir():
            raise SourceUnavailable(
                f"There is no folder {name!r} in the project.", hint="Make it, or correct `url`."
            )
        return folder


def read_bytes(path: Path, folder: Path, *, called: str = "It", place: str = "folder") -> bytes:
    """Return the bytes of a file inside a folder; what a link leads to has to be inside, too.

    Args:
        path: The file.
        folder: Nothing outside it is read.
        called: What the messages call the file.
        place: What they call the folder.

    Raises:
        SourceRefused: It lies outside the folder, is no file, or is larger than MAX_BODY_BYTES.
        SourceUnavailable: It is not there or cannot be read.
    """
    hint = f"Name a file of the {place}, relative to it."
    try:
        real = path.resolve()
        if not real.is_relative_to(folder.resolve()):
            raise SourceRefused(f"{called} lies outside the {place}.", hint=hint)
        if real.exists() and not real.is_file():  # a named pipe would be waited for without end
            raise SourceRefused(f"{called} is not a file.", hint=hint)
        with real.open("rb") as file:
            body = file.read(MAX_BODY_BYTES + 1)
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or (
            "a link in a loop" if isinstance(error, RuntimeError) else "it is no file name"
        )
        raise SourceUnavailable(f"{called} cannot be read ({reason}).", hint=hint) from None
    if len(body) > MAX_BODY_BYTES:
        raise SourceRefused(f"{called} is larger than {MAX_BODY_BYTES // 2**20} MB.")
    return body


def fingerprint(settings: SourceSettings, parts: Iterable[bytes]) -> str:
    """Return what tells these bytes, read under these settings, from others; 64 characters.

    It begins with a mark of the settings that change what becomes of an entry.
    """
    content = hashlib.sha256()
    for part in parts:
        content.update(len(part).to_bytes(8, "big") + part)
    return _mark(settings) + content.hexdigest()[_MARK_LENGTH:]


def is_read_under(settings: SourceSettings, known: str) -> bool:
    """Tell whether the fingerprint `known` was taken under these settings, or of nothing yet."""
    return not known or known.startswith(_mark(settings))


def _mark(settings: SourceSettings) -> str:
    words = repr((settings.language, settings.timezone, settings.topics))
    return hashlib.sha256(words.encode()).hexdigest()[:_MARK_LENGTH]


def succeeded(state: SourceState, *, now: dt.datetime) -> SourceState:
    """Return the state after a good fetch at `now` (aware UTC): failures and waits are over."""
    return replace(
        state,
        last_fetch_at=now,
        last_success_at=now,
        not_before_at=None,
        failures=0,
        last_error="",
    )
