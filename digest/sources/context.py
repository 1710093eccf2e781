"""What a source may use: the project's folder, the guarded client and the killable parser."""

import datetime as dt
from dataclasses import dataclass, replace
from pathlib import Path

from digest.errors import SourceRefused, SourceUnavailable
from digest.model.sources import SourceState
from digest.sources.http import HttpClient
from digest.sources.parsing import MAX_BODY_BYTES, ParserPool


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
        root = self.root.resolve()
        try:
            path = (root / name).resolve()
            if not path.is_relative_to(root):
                raise SourceRefused(
                    f"The file {name!r} lies outside the project.",
                    hint="Name a file relative to the project in `url`.",
                )
            if path.exists() and not path.is_file():
                raise SourceRefused(
                    f"{name!r} is not a file.",  # a named pipe would be waited for without end
                    hint="Name a file relative to the project in `url`.",
                )
            with path.open("rb") as file:
                body = file.read(MAX_BODY_BYTES + 1)
        except (OSError, ValueError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or "it is no file name"
            raise SourceUnavailable(
                f"The file {name!r} cannot be read ({reason}).",
                hint="Correct `url`; it is relative to the project.",
            ) from None
        if len(body) > MAX_BODY_BYTES:
            raise SourceRefused(f"The file {name!r} is larger than {MAX_BODY_BYTES // 2**20} MB.")
        return body


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
