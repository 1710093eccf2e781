import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.viewer.excerpts import AROUND, NARROW, WIDE, excerpt

SOURCE = "\n".join(f"<p>line {number}</p>" for number in range(1, 10))
LONG = "a" * 1000 + "<b class=x>Needle &amp; thread</b>" + "z" * 1000


def test_the_line_stands_among_its_neighbours() -> None:
    lines = excerpt(SOURCE, 5)
    assert [line.number for line in lines] == [3, 4, 5, 6, 7]
    assert [line.marked for line in lines] == ["", "", "<p>line 5</p>", "", ""]
    assert lines[0].before == "<p>line 3</p>"


@pytest.mark.parametrize(("line", "numbers"), [(1, [1, 2, 3]), (9, [7, 8, 9])])
def test_the_first_and_the_last_line_have_neighbours_on_one_side(
    line: int, numbers: list[int]
) -> None:
    assert [each.number for each in excerpt(SOURCE, line)] == numbers


@pytest.mark.parametrize("line", [0, -1, 10])
def test_a_line_that_is_not_there_shows_nothing(line: int) -> None:
    assert excerpt(SOURCE, line) == ()


@pytest.mark.parametrize(
    ("hints", "marked"),
    [
        ("the link “Needle & thread” is pale", "Needle &amp; thread"),
        ("“Needle…” is long", "Needle"),
        ("<b> has a class", "<b class=x>"),
        ("class “gone” of <b>", "<b class=x>"),
    ],
)
def test_a_long_line_is_cut_around_what_the_finding_names(hints: str, marked: str) -> None:
    (line,) = excerpt(LONG, 1, hints=hints)
    assert line.marked == marked
    assert line.before.startswith("…")
    assert line.after.endswith("…")
    assert len(line.before + line.marked + line.after) <= WIDE + 2


def test_long_neighbours_are_cut_at_their_end() -> None:
    neighbour, _line = excerpt(f"{LONG}\nx", 2)
    assert neighbour.before == "a" * NARROW + "…"


@given(st.text(alphabet="<a\"'>“”\n\r ", max_size=40), st.integers(0, 9), st.text(max_size=20))
def test_any_place_in_any_source_gives_few_short_lines(source: str, line: int, hints: str) -> None:
    lines = excerpt(source, line, hints=hints)
    assert len(lines) <= 2 * AROUND + 1
    assert all(each.number >= 1 for each in lines)
