"""Files that are there whole or not at all, whatever happens while they are written."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def replace_file(path: Path, content: bytes) -> None:
    """Put `content` into the file at `path`, new or old, in one step; an old one keeps its mode.

    A link stays one, and what it leads to is replaced. A pipe or a device is written to.

    Raises:
        OSError: The system refused; an old file is as it was.
    """
    path = path.resolve()
    if path.exists() and not path.is_file():
        path.write_bytes(content)
        return
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    with _written_beside(path, content, mode) as written:
        written.replace(path)


def write_new_file(path: Path, content: bytes, *, mode: int = 0o644) -> bool:
    """Write the file at `path` with `mode` and return True, or leave what is there: False.

    Raises:
        OSError: The system refused; there is no new file.
    """
    with _written_beside(path, content, mode) as written:
        try:
            path.hardlink_to(written)
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links, on a memory card for example
            if path.exists():
                return False
            written.rename(path)
    return True


@contextmanager
def _written_beside(path: Path, content: bytes, mode: int) -> Iterator[Path]:
    """Yield a file with `content` in the folder of `path`; it is gone afterwards."""
    handle, name = tempfile.mkstemp(prefix=".digest-", dir=path.parent)
    written = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        written.chmod(mode)
        yield written
    finally:
        written.unlink(missing_ok=True)
