"""A variant is filled for each reader without a trace of another one, and never in part."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.merging import NAMES, TOKENS, compile_variant, count_tokens, token
from digest.model.editions import Variant

VALUES = {
    "address": "reader@example.com",
    "unsubscribe_url": "https://news.example.com/u/abc",
    "preferences_url": "https://news.example.com/preferences/abc",
    "rate_url": "https://news.example.com/r/abc",
    "web_url": "https://news.example.com/archive/2026-W48",
}


def make_variant(html: str = "<p>Hello.</p>", text: str = "Hello.") -> Variant:
    return Variant(
        subject="Subject",
        preheader="Preheader",
        html=html,
        text=text,
        tokens=count_tokens(html),
        sha256="0" * 64,
    )


def fill(body: str, values: dict[str, str] | None = None) -> tuple[str, str]:
    return compile_variant(make_variant(body, body)).fill(values or VALUES)


def test_tokens_are_letters_only_and_none_is_part_of_another() -> None:
    assert list(TOKENS) == list(NAMES)
    for one in TOKENS.values():
        assert re.fullmatch("[A-Za-z]+", one)
        assert [other for other in TOKENS.values() if one in other] == [one]


def test_every_token_is_filled_wherever_it_stands() -> None:
    body = " ".join(f"{token(name)}, <a href={token(name)}>{token(name)}</a>" for name in NAMES)
    filled_html, filled_text = fill(body)
    for value in VALUES.values():
        assert filled_html.count(html.escape(value)) == filled_text.count(value) == 3
    assert count_tokens(filled_html) == count_tokens(filled_text) == {}


PIECES = st.sampled_from([*TOKENS.values(), "x", "DIGEST", "xDIGEST", "xDIGESTx", "é", "<p>", " "])


@given(st.lists(PIECES | st.text(st.sampled_from("axz &<"), max_size=3), max_size=20))
def test_only_tokens_change_and_whatever_stands_next_to_them_stays(pieces: list[str]) -> None:
    # Between pieces stands what is no letter, so that no two of them make a third.
    body = "-".join(pieces)
    expected = "-".join(
        next((VALUES[name] for name in NAMES if token(name) == piece), piece) for piece in pieces
    )
    assert fill(body)[1] == expected
    assert count_tokens(body) == {
        one: pieces.count(one) for one in sorted(TOKENS.values()) if one in pieces
    }


def test_a_letter_right_behind_a_token_belongs_to_the_text() -> None:
    assert fill(token("address") + "xyzx")[1] == "reader@example.comxyzx"
    assert fill(token("address") * 2)[1] == "reader@example.com" * 2
    assert fill("x" + token("address"))[1] == "xreader@example.com"


def test_a_value_is_text_in_a_mail_and_never_markup() -> None:
    values = VALUES | {"address": '"<b>"&\'@example.com'}
    filled_html, filled_text = fill(f'<a title="{token("address")}">{token("address")}</a>', values)
    assert filled_html == f'<a title="{html.escape(values["address"])}">' + (
        f"{html.escape(values['address'])}</a>"
    )
    assert values["address"] in filled_text


def test_a_value_that_looks_like_a_token_is_not_filled_again() -> None:
    values = VALUES | {"address": f"{token('unsubscribe_url')}@example.com"}
    assert fill(token("address"), values)[1] == values["address"]


def test_one_variant_serves_any_number_of_readers() -> None:
    compiled = compile_variant(make_variant(f"<p>{token('address')}</p>", token("address")))
    for number in range(3):
        address = f"reader-{number}@example.com"
        filled = compiled.fill(VALUES | {"address": address})
        assert filled == (f"<p>{address}</p>", address)


def test_a_token_that_nobody_fills_stops_everything() -> None:
    for variant in (make_variant(html="xDIGESTmoodx"), make_variant(text="xDIGESTmoodx")):
        with pytest.raises(ValueError, match="nobody fills xDIGESTmoodx"):
            compile_variant(variant)


@pytest.mark.parametrize("name", NAMES)
def test_a_value_that_is_missing_or_empty_stops_the_fill(name: str) -> None:
    compiled = compile_variant(make_variant())
    with pytest.raises(ValueError, match=f"no value for {name}"):
        compiled.fill({key: value for key, value in VALUES.items() if key != name})
    with pytest.raises(ValueError, match=f"the value for {name} cannot stand in a mail"):
        compiled.fill(VALUES | {name: ""})


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "/u/abc", "https://", "mailto:a@example.com"]
)
def test_a_link_that_is_none_stops_the_fill_and_is_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="unsubscribe_url") as caught:
        compile_variant(make_variant()).fill(VALUES | {"unsubscribe_url": url})
    assert url not in str(caught.value)


def test_an_address_cannot_bring_lines_or_hidden_characters() -> None:
    values = VALUES | {"address": "a\u202e\r\nBcc: b\x00@example.com"}
    assert fill(token("address"), values)[1] == "a Bcc: b@example.com"
