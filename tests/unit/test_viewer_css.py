import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.viewer.css import Declaration, read_sheet, read_style, write_style


def test_rules_are_read_with_those_inside_them() -> None:
    sheet = read_sheet(
        "/* {x */ @import 'a;b'; p, b { color: red } @media x { i { top: 0; } u {} }"
    )
    assert [(rule.prelude, rule.at) for rule in sheet.rules] == [
        ("@import 'a;b'", "@import"),
        ("p, b", ""),
        ("@media x", "@media"),
    ]
    assert [str(rule) for rule in sheet.rules[2].rules] == ["i { top: 0; }", "u {  }"]
    assert not sheet.is_broken


@pytest.mark.parametrize("css", ["p {", "p { } }", "{ }", "p { b { } }", "p { a: 'x }", "p"])
def test_a_sheet_that_is_not_closed_or_nested_is_broken(css: str) -> None:
    assert read_sheet(css).is_broken


@pytest.mark.parametrize("css", ["", " ", "/* x", "p{}", "@media a{p{a:b}}", "@font-face{a:b;c:d}"])
def test_a_sound_sheet_is_not_broken(css: str) -> None:
    assert not read_sheet(css).is_broken


def test_style_is_read_into_declarations_and_written_again() -> None:
    style = "Color: Red ;background:url(data:a;b) !IMPORTANT; font: 'a;b', c;; x; :y"
    read = read_style(style)
    assert read == (
        Declaration("color", "Red"),
        Declaration("background", "url(data:a;b)", True),
        Declaration("font", "'a;b', c"),
    )
    assert read_style(write_style(read)) == read


@given(st.text(alphabet="{};:@'\"/*a ()!\n", max_size=60))
def test_any_text_is_read_without_a_fault_of_ours(css: str) -> None:
    for rule in read_sheet(css).rules:
        str(rule)
    read_style(css)
