"""Lists as CSV files: what is read from them, and what a spreadsheet makes of them."""

import codecs
import csv
import io
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.errors import UsageError
from digest.listfiles import (
    MAX_CELL,
    MAX_COLUMNS,
    MAX_LINE,
    Row,
    new_list,
    open_list,
    read_cell,
    write_list,
    written_cell,
)

EVIL = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")  # noqa: RUF001


def read(path: Path, content: bytes | str) -> tuple[tuple[str, ...], list[Row]]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with open_list(path) as file:
        return file.header, list(file.rows())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "readers.csv"


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode(),
        lambda text: codecs.BOM_UTF8 + text.encode(),
        lambda text: codecs.BOM_UTF16_LE + text.encode("utf-16-le"),
        lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_every_usual_form_reads_the_same(
    path: Path, encode: object, end: str, delimiter: str
) -> None:
    lines = ["email,name", 'ada@example.com,"Zoë"', "", "bo@example.com,日本"]
    text = end.join(line.replace(",", delimiter) for line in lines)
    assert callable(encode)
    header, rows = read(path, encode(text))
    assert header == ("email", "name")
    assert rows == [(2, ["ada@example.com", "Zoë"], ""), (4, ["bo@example.com", "日本"], "")]


def test_first_line_of_excel_is_passed_over(path: Path) -> None:
    header, rows = read(path, "sep=;\nemail;name\na@example.com;A, B\n")
    assert (header, rows) == (("email", "name"), [(3, ["a@example.com", "A, B"], "")])


def test_comma_in_a_quoted_name_of_a_column_does_not_choose_the_delimiter(path: Path) -> None:
    header, _ = read(path, '"mail, or so";name\n')
    assert header == ("mail, or so", "name")


def test_bad_lines_are_told_by_number_and_cost_no_other(path: Path) -> None:
    text = (
        "email,name\n"
        'ada@example.com,"Ada\n'  # open
        "bo@example.com,Bo\n"
        'cy@example.com,"Cy" Y\n'
        "di\0@example.com,Di\n"
        f"ed@example.com,{'E' * (MAX_CELL + 1)}\n"
        "fa@example.com,Fa\n"
        'gu@example.com,"Gu'
    )
    _, rows = read(path, text)
    faults = {line: fault for line, _, fault in rows if fault}
    assert sorted(faults) == [2, 4, 5, 6, 8]
    assert "not closed" in faults[2]
    assert "not closed" in faults[8]
    assert "quotes" in faults[4]
    assert "NUL" in faults[5]
    assert "10,000" in faults[6]
    assert [cells for _, cells, fault in rows if not fault] == [
        ["bo@example.com", "Bo"],
        ["fa@example.com", "Fa"],
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        (b"  \n\n", "it is empty"),
        (codecs.BOM_UTF32_LE + "email".encode("utf-32-le"), "UTF-32"),
        (codecs.BOM_UTF32_BE + "email".encode("utf-32-be"), "UTF-32"),
        ("email\nada@example.com".encode("utf-16-le"), "UTF-16 without a byte order mark"),
        (codecs.BOM_UTF16_LE + b"e\0m\0a", "UTF-16"),
        ("email,name\na@example.com,Zoë\n".encode("cp1252"), "not UTF-8 (line 2)"),
        ("é-mail\n".encode("cp1252"), "not UTF-8 (line 1)"),
        (b"PK\x03\x04rest", "Excel workbook"),
        (b"\xd0\xcf\x11\xe0rest", "old Excel workbook"),
        (b"\x1f\x8brest", "gzip"),
        (b"%PDF-1.7", "PDF"),
        (b'"email,name\n', "first line cannot be read"),
        (b"email\0,name\n", "no text"),
        (b"email" + b",x" * MAX_COLUMNS, "more than 50 columns"),
    ],
)
def test_what_is_no_list_is_refused_by_name(path: Path, content: bytes, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(path, content)
    assert words in caught.value.message
    assert caught.value.hint


def test_wrong_byte_far_behind_is_found_with_its_line(path: Path) -> None:
    good = b"".join(b"reader%d@example.com\n" % number for number in range(20_000))
    with pytest.raises(UsageError, match="line 20002"):
        read(path, b"email\n" + good + b"\xe9@example.com\n")


def test_endless_line_is_not_read_to_its_end(path: Path) -> None:
    with pytest.raises(UsageError, match="Line 2 is longer"):
        read(path, "email\n" + "x" * (MAX_LINE + 1))


def test_progress_can_be_told_from_the_position(path: Path) -> None:
    path.write_text("email\n" + "ada@example.com\n" * 10_000)
    with open_list(path) as file:
        assert file.size == path.stat().st_size
        positions = [file.position() for _ in file.rows()]
    assert positions == sorted(positions)
    assert positions[-1] == path.stat().st_size


def test_list_can_come_through_a_pipe() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"email\nada@example.com\n")
    os.close(writing)
    with open_list(Path(f"/dev/fd/{reading}")) as file:
        assert list(file.rows()) == [(2, ["ada@example.com"], "")]
        assert file.position() == 0
    os.close(reading)


@given(st.text(st.characters(codec="utf-8"), max_size=8) | st.text("'=+-@＝a \t\r", max_size=8))  # noqa: RUF001
def test_cell_comes_back_and_runs_in_no_spreadsheet(cell: str) -> None:
    written = written_cell(cell)
    assert not written.startswith(EVIL)
    assert read_cell(written) == cell


CLEAN = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), min_size=1, max_size=8
)


@given(st.lists(st.tuples(CLEAN, CLEAN), max_size=5))
def test_list_comes_back_exactly(tmp_path_factory: pytest.TempPathFactory, rows: object) -> None:
    assert isinstance(rows, list)
    path = tmp_path_factory.mktemp("lists") / "list.csv"
    with new_list(path) as file:
        assert write_list(file, ("a", "b"), rows) == len(rows)
    with open_list(path) as read_again:
        found = [tuple(cells) for _, cells, _ in read_again.rows()]
    assert found == rows


def test_all_cells_are_quoted() -> None:
    file = io.StringIO()
    write_list(file, ("email", "name"), [("a@example.com", ""), ("b@example.com", '"')])
    lines = file.getvalue().splitlines()
    assert lines == ['"email","name"', '"a@example.com",""', '"b@example.com",""""']
    assert len(list(csv.reader(lines, strict=True))) == 3


def test_written_list_is_private_and_whole_or_not_there(path: Path) -> None:
    with pytest.raises(TypeError), new_list(path) as file:
        write_list(file, ("email",), [("half",), (b"no text",)])  # type: ignore[list-item]
    assert list(path.parent.iterdir()) == []
    with new_list(path) as file:
        file.write("whole")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == "whole"
