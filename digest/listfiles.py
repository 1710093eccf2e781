"""Lists of subscribers as CSV files: read row by row, written so that no spreadsheet runs a cell.

A record is one line. A quote that somebody forgot to close therefore costs its own line, and never
swallows those behind it.
"""

import csv
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from typing import IO, TextIO

from digest.errors import UsageError

MAX_COLUMNS = 50
MAX_CELL = 10_000  # characters
MAX_LINE = MAX_COLUMNS * MAX_CELL
DELIMITERS = ",;\t"

Row = tuple[int, list[str], str]
"""The number of a row's line (from 1), its cells, and why it cannot be read, "" if it can."""

_PEEK = 4_096  # bytes
_FOREIGN = (
    (b"\xff\xfe\x00\x00", "UTF-32 text"),
    (b"\x00\x00\xfe\xff", "UTF-32 text"),
    (b"PK\x03\x04", "an Excel workbook or another packed file"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"\x1f\x8b", "a gzip file"),
    (b"%PDF", "a PDF file"),
)
_UTF16 = (b"\xff\xfe", b"\xfe\xff")

# What a spreadsheet takes for a formula, also in the wide forms of East Asian keyboards. As many
# apostrophes as there are stand before it and one more, so that taking one away is exact.
_FORMULA = re.compile("'*[=+@\t\r＝＋－＠-]")  # noqa: RUF001  # these are meant
_GUARDED = re.compile("''*[=+@\t\r＝＋－＠-]")  # noqa: RUF001


class ListFile:
    """An opened list. `header` names the columns; `size` is that of the file in bytes, or 0."""

    def __init__(self, path: Path, file: BufferedReader) -> None:
        self._path = path
        self._raw = file
        self.size = os.fstat(file.fileno()).st_size
        self._encoding = self._find_encoding(file.peek(_PEEK)[:_PEEK])
        self._lines = _Lines(TextIOWrapper(file, encoding=self._encoding, newline=""))
        self.header, self._delimiter = self._read_header()

    def position(self) -> int:
        """Return how many bytes of the file are read, 0 where that cannot be told."""
        return self._raw.tell() if self._raw.seekable() else 0

    def rows(self) -> Iterator[Row]:
        """Yield the rows behind the header, blank lines left out; once.

        Raises:
            UsageError: The file is not text in its encoding, or a line is far too long.
        """
        lines = self._lines
        reader = csv.reader(lines, delimiter=self._delimiter, strict=True)
        while True:
            lines.is_inside = False
            try:
                cells, fault = next(reader), ""
            except StopIteration:
                return
            except (_BadLine, csv.Error) as error:
                cells, fault = [], _reason(error)
            except UnicodeDecodeError as error:
                raise self._undecodable() from error
            line = lines.last
            if len(line) > MAX_CELL and any(len(cell) > MAX_CELL for cell in cells):
                fault = f"a cell is longer than {MAX_CELL:,} characters"
            elif "'" in line:
                cells = [read_cell(cell) for cell in cells]
            if cells or fault:
                yield lines.number, cells, fault

    def _find_encoding(self, start: bytes) -> str:
        for sign, name in _FOREIGN:
            if start.startswith(sign):
                raise self._unusable(f"it is {name}", "Save it as CSV in UTF-8.")
        if not start.strip():
            raise self._unusable("it is empty", "Name a CSV file with a header in its first line.")
        if start.startswith(_UTF16):
            return "utf-16"
        if b"\x00" in start.partition(b"\n")[0]:
            raise self._unusable(
                "it is no text, or UTF-16 without a byte order mark", "Save it as CSV in UTF-8."
            )
        return "utf-8-sig"

    def _read_header(self) -> tuple[tuple[str, ...], str]:
        """Return the names of the columns, and what stands between them."""
        hint = "Its first line must name the columns, such as: email,first_name"
        try:
            line = next(self._filled_lines(), "")
            if re.fullmatch(r'"?sep=.?"?\s*', line, re.IGNORECASE):  # Excel's own first line
                line = next(self._filled_lines(), "")
            bare = re.sub(r'"[^"]*"', "", line)
            delimiter = max(DELIMITERS, key=bare.count)
            [header] = csv.reader([line], delimiter=delimiter, strict=True)
        except UnicodeDecodeError as error:
            raise self._undecodable() from error
        except (_BadLine, csv.Error, ValueError) as error:
            raise self._unusable("its first line cannot be read", hint) from error
        if len(header) > MAX_COLUMNS:
            raise self._unusable(f"it has more than {MAX_COLUMNS} columns", hint)
        return tuple(header), delimiter

    def _filled_lines(self) -> Iterator[str]:
        while True:
            self._lines.is_inside = False
            line = next(self._lines, None)
            if line is None:
                return
            if line.strip():
                yield line

    def _undecodable(self) -> UsageError:
        if self._encoding == "utf-16":
            return self._unusable("it breaks off or is not UTF-16 throughout", "Save it as UTF-8.")
        what = "it is not UTF-8"
        if self._path.is_file():
            with self._path.open("rb") as file:
                number = next(n for n, line in enumerate(file, 1) if not _is_utf8(line))
            what += f" (line {number})"
        return self._unusable(
            f"{what}; it may be Windows-1252, as Excel writes it",
            "Save it as “CSV UTF-8”.",
        )

    def _unusable(self, why: str, hint: str) -> UsageError:
        return UsageError(f"{self._path.name} cannot be used: {why}. Nothing was done.", hint=hint)


@contextmanager
def open_list(path: Path) -> Iterator[ListFile]:
    """Open the list at `path`: CSV in UTF-8 or UTF-16, with commas, semicolons or tabs.

    Raises:
        UsageError: It is something else, or has no header that can be read.
        OSError: The system refused.
    """
    with path.open("rb") as file:
        yield ListFile(path, file)


def write_list(file: IO[str], header: Sequence[str], rows: Iterable[Sequence[str]]) -> int:
    """Write a list, all cells quoted, to a file opened with `newline=""`; return how many rows."""
    writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(header)
    number = 0
    for row in rows:
        writer.writerow([written_cell(cell) for cell in row])
        number += 1
    return number


@contextmanager
def new_list(path: Path) -> Iterator[TextIO]:
    """Yield a file for `write_list`, for its owner's eyes; it is at `path` once it is whole.

    Raises:
        OSError: The system refused; what was at `path` stays.
    """
    handle, name = tempfile.mkstemp(prefix=".digest-", dir=path.parent)
    written = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        written.replace(path)
    finally:
        written.unlink(missing_ok=True)


def written_cell(text: str) -> str:
    """Return a cell as it is written: an apostrophe keeps what looks like a formula from running.

    This is OWASP's advice against CSV injection.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def read_cell(text: str) -> str:
    """Return what `written_cell` was given, without the apostrophe that it added."""
    return text[1:] if _GUARDED.match(text) else text


class _BadLine(Exception):
    """This line cannot be read; the next one may be."""


class _Lines:
    """Feeds a csv reader, one line a record; `is_inside` is set while a record is being read."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.number = 0
        self.last = ""
        self.is_inside = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.is_inside:
            raise _BadLine("a quote is opened and not closed in this line")
        line = self._file.readline(MAX_LINE + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self.last = line
        self.is_inside = True
        if len(line) > MAX_LINE:
            raise UsageError(
                f"Line {self.number} is longer than {MAX_LINE:,} characters: this is no list of "
                "subscribers. Nothing was done.",
                hint="One subscriber is one line.",
            )
        if "\0" in line:
            raise _BadLine("it holds a NUL character")
        return line


def _reason(error: Exception) -> str:
    if isinstance(error, _BadLine):
        return str(error)
    return "its quotes are not in order"  # the package's own words name no cause either


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
