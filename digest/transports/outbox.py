"""The outbox: a transport that writes each mail as a file which a mail program opens.

A batch is written into a folder of a passing name, and renamed to its own once all of it is on the
disk. A rename happens or does not (POSIX, rename), so the folder's name is the acceptance: a batch
that is tried again after a crash is found there, and one that is not there was not accepted.
"""

import datetime as dt
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from digest.errors import DigestError, UsageError
from digest.model.deliveries import (
    Accepted,
    Addressee,
    Evidence,
    Handover,
    Mail,
    Outcome,
    Refused,
    Unavailable,
    Unsent,
)
from digest.model.subscribers import Suppression
from digest.transports.per_reader import ReaderMessages
from digest.transports.plugins import TransportContext

FOLDER = "outbox"
TESTS, NOTICES = "tests", "notices"
CONTENTS = "batch.json"
"""Names the readers of a batch by number, beside their mails; it is what an acceptance rests on."""

KEPT_APART = 8  # mails that are kept taken apart: the variants that are sent side by side


class OutboxTransport:
    """Writes `EDITION/batch-N/READER.eml` below a folder.

    Test mails go to `tests/` there, notices to editors and letters to `notices/`.

    The folders of batches are readable by their owner only: they hold addresses.
    """

    name = "outbox"
    can_hold = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._messages: Callable[[Mail], ReaderMessages] = lru_cache(KEPT_APART)(ReaderMessages)

    def reserve(self) -> str:
        """Return "": the rename needs no number of its own."""
        return ""

    def submit(self, handover: Handover, *, now: dt.datetime) -> Outcome:
        """Write the batch, or find that an earlier try wrote it; leaves no part of a batch."""
        try:
            messages = self._messages(handover.mail)
        except ValueError as error:
            return Refused(reason=f"the mail cannot be filled in: {error}", can_split=False)
        try:
            submit = self._submit_test if handover.is_test else self._submit
            return submit(handover, messages, handover.release_at or now)
        except UsageError as error:
            return Refused(reason=error.message.rstrip("."))
        except DigestError as error:
            return Unavailable(
                reason=f"{error.message} {error.hint}".rstrip(" ."), needs_person=True
            )
        except OSError as error:
            why = error.strerror or type(error).__name__
            return Unavailable(
                reason=f"{self._folder} cannot be written ({why})", needs_person=True
            )

    def cancel(self, reservation: str) -> bool:
        """Return False: what is written is out."""
        return False

    def find(self, handover: Handover, *, now: dt.datetime) -> Evidence:
        """Tell whether the batch is there; NONE where something else is, or nobody can look."""
        try:
            return self._earlier(handover, self._messages(handover.mail))
        except (OSError, ValueError):
            return Evidence.NONE

    def suppressed(self, since: dt.datetime | None) -> Iterator[Suppression]:
        """Yield nothing: a folder keeps no list."""
        return iter(())

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def _submit(self, handover: Handover, messages: ReaderMessages, date: dt.datetime) -> Outcome:
        evidence = self._earlier(handover, messages)
        if evidence is not Evidence.NOT_ACCEPTED:
            return _there_already(handover, evidence)
        final = self._place(handover)
        prefix = f".{final.name}-"
        _clear(final.parent, prefix)
        with _passing_folder(final.parent, prefix) as written:
            for reader in handover.readers:
                own = str(reader.subscriber_id)
                _write(written / f"{own}.eml", messages.message(reader, serial=own, date=date))
            _write(written / CONTENTS, _contents(handover, messages))
            for path in (*written.iterdir(), written):
                _sync(path)
            if not handover.may_send():
                return Unsent()
            try:
                written.rename(final)
            except OSError:
                if not final.exists():
                    raise
                return _there_already(handover, self._earlier(handover, messages))
        for path in (final.parent, self._folder, self._folder.parent):
            with suppress(OSError):  # not every file system can; the batch is there all the same
                _sync(path)
        return Accepted(reference=_reference(handover))

    def _submit_test(
        self, handover: Handover, messages: ReaderMessages, date: dt.datetime
    ) -> Outcome:
        """Write what is no delivery into a folder of its own, however often it is asked for."""
        place = NOTICES if handover.mail.is_notice else TESTS
        with _passing_folder(self._folder / place, f".{date:%Y%m%dT%H%M%SZ}-") as written:
            final = written.with_name(written.name[1:])  # as nobody else's as the passing name
            for number, reader in enumerate(handover.readers, 1):
                own = f"{final.name}-{number}"
                _write(written / f"{number}.eml", messages.message(reader, serial=own, date=date))
            if not handover.may_send():
                return Unsent()
            written.rename(final)
        return Accepted(reference=f"{place}/{final.name}")

    def _place(self, handover: Handover) -> Path:
        return self._folder / handover.mail.edition / f"batch-{handover.batch}"

    def _earlier(self, handover: Handover, messages: ReaderMessages) -> Evidence:
        """Return what the batch's folder tells of an earlier try; NONE: it holds something else.

        A later try may have fewer readers, because some have left in the meantime.
        """
        folder = self._place(handover)
        if not folder.exists():
            return Evidence.NOT_ACCEPTED
        try:
            known = json.loads((folder / CONTENTS).read_bytes())["readers"]
            are_known = all(
                known.get(str(reader.subscriber_id)) == _mark(reader, messages)
                for reader in handover.readers
            )
        except (FileNotFoundError, ValueError, LookupError, TypeError, AttributeError):
            return Evidence.NONE
        return Evidence.ACCEPTED if are_known else Evidence.NONE


def make_transport(context: TransportContext) -> OutboxTransport:
    """Make the transport that writes below `outbox/` in the project."""
    return OutboxTransport(context.root / FOLDER)


def _reference(handover: Handover) -> str:
    return f"{handover.mail.edition}/batch-{handover.batch}"


def _there_already(handover: Handover, evidence: Evidence) -> Outcome:
    if evidence is Evidence.ACCEPTED:
        return Accepted(reference=_reference(handover))
    return Unavailable(
        reason=f"the outbox already holds {_reference(handover)}, which is a batch of another "
        "database or another list; move that folder away first",
        needs_person=True,
    )


def _contents(handover: Handover, messages: ReaderMessages) -> bytes:
    readers = {str(reader.subscriber_id): _mark(reader, messages) for reader in handover.readers}
    document = {"edition": handover.mail.edition, "batch": handover.batch, "readers": readers}
    return json.dumps(document, indent=1).encode() + b"\n"


def _mark(reader: Addressee, messages: ReaderMessages) -> str:
    """Return what tells this mail to this address from others, and does not name the address."""
    marked = f"{messages.fingerprint}\0{reader.address}"
    return hashlib.sha256(marked.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _clear(folder: Path, prefix: str) -> None:
    """Take away what earlier tries of a batch left unfinished.

    Each is renamed first: a try that is after all still going on then fails, and can neither write
    there any more nor rename what is left of it.
    """
    for left in list(folder.glob(f"{prefix}*")):
        dead = Path(tempfile.mkdtemp(prefix=prefix, dir=folder))
        with suppress(FileNotFoundError):  # that try has just ended by itself
            left.rename(dead)
        _remove(dead)


@contextmanager
def _passing_folder(folder: Path, prefix: str) -> Iterator[Path]:
    """Yield a new folder in `folder`, for its owner only; it is gone unless it was renamed."""
    folder.mkdir(parents=True, exist_ok=True)
    written = Path(tempfile.mkdtemp(prefix=prefix, dir=folder))
    try:
        yield written
    finally:
        _remove(written)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)


def _sync(path: Path) -> None:
    """Wait until the file or folder is on the disk.

    All files of a batch are written before the first of them is waited for, so that the system
    writes them in one go.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
