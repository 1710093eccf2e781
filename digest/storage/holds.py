"""Holds: one process at a time does a job; the system lets go when that process dies."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from digest.errors import HeldElsewhere


@contextmanager
def hold_file(database: Path, name: str) -> Iterator[None]:
    """Hold `name` by a locked file beside a SQLite database.

    The file stays: taking it away would let two processes lock two files of one name.

    Raises:
        HeldElsewhere: Another process has it; names that process.
    """
    handle = os.open(f"{database}.{name}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 20).decode("ascii", "replace").strip()
            raise _held(name, f"process {holder}" if holder else "another process") from None
        os.truncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        yield
        os.truncate(handle, 0)
    finally:
        os.close(handle)


@contextmanager
def hold_session(engine: sa.Engine, name: str) -> Iterator[None]:
    """Hold `name` by an advisory lock of a PostgreSQL session of its own.

    Raises:
        HeldElsewhere: Another session has it.
    """
    number = int.from_bytes(hashlib.sha256(f"digest {name}".encode()).digest()[:8], signed=True)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        taken = sa.text("SELECT pg_try_advisory_lock(:number)")
        if not connection.execute(taken, {"number": number}).scalar():
            raise _held(name, "another process")
        try:
            yield
        finally:
            connection.execute(sa.text("SELECT pg_advisory_unlock(:number)"), {"number": number})


def _held(name: str, holder: str) -> HeldElsewhere:
    return HeldElsewhere(
        f"Another run of digest {name} is under way ({holder}); this one did nothing.",
        hint="Let it finish, then run this again.",
    )
