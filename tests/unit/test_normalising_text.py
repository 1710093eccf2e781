"""Text of strangers becomes one tidy line, and is cut where a reader would cut it."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.normalising.text import clean_text, header_text, shorten

# Letters that steer, join, colour or decorate others, more often than chance would bring them.
ODD = "\u200c\u200d\u202e\u2066\ufeff\u00ad\ufe0f\u0301\u0327\u20dd\U0001f3f4\U000e0067\U000e007f"
ODD += (
    "\U0001f1e9\U0001f1ea\U0001f469\U0001f3fd\u094d\u0915\ud800\ufdd0\x1b\x85\t\n =?(\u3042\uac00"
)
ANY_TEXT = st.text(st.one_of(st.characters(exclude_categories=[]), st.sampled_from(ODD)))
FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
SCOTLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("  two \t lines\r\nof\x0b text\u2028here\u00a0 ", "two lines of text here"),
        ("Cafe\u0301", "Café"),
        ("a\x00b\x07c\x1b[31md\x7fe", "abc[31mde"),
        ("a\u009b31mb", "a31mb"),
        ("next\x85line", "next line"),
        ("evil\u202egnp.exe", "evilgnp.exe"),
        ("\u2066isolated\u2069 \u200fmarks\u200e \u061c", "isolated marks"),
        ("\ufeffstart\u200b of\u2060 it", "start of it"),
        ("soft\u00adware", "software"),
        ("half \ud800 a pair \udfff", "half a pair"),
        ("not \ufffe a \ufdd0 character \U0010ffff", "not a character"),
        ("logo \uf8ff here", "logo here"),
        ("hid\U000e0068\U000e0069den", "hidden"),
        ("no flag \U0001f3f4\U000e007f\U000e0068", "no flag \U0001f3f4"),
        (f"from {SCOTLAND}!", f"from {SCOTLAND}!"),
        (f"the {FAMILY} app", f"the {FAMILY} app"),
        ("❤\ufe0f\u200d🔥", "❤\ufe0f\u200d🔥"),
        ("\u0645\u06cc\u200c\u062e\u0648", "\u0645\u06cc\u200c\u062e\u0648"),  # Persian
        ("pay\u200dpal", "paypal"),
        ("\u200d a \u200c b \u200d", "a b"),
        ("क\u094d\u200dष", "क\u094d\u200dष"),
        (
            "{{ 7919*7907 }} <b>&amp;</b> %unsubscribe%",
            "{{ 7919*7907 }} <b>&amp;</b> %unsubscribe%",
        ),
        ("\u212b is \u00c5", "\u00c5 is \u00c5"),
        ("   \u200d \t ", ""),
    ],
)
def test_text_becomes_one_tidy_line(dirty: str, clean: str) -> None:
    assert clean_text(dirty) == clean


def test_letters_keep_at_most_four_marks() -> None:
    assert clean_text("z" + "\u0335" * 3000 + "!") == "z" + "\u0335" * 4 + "!"
    joined = clean_text("z" + "\u0335\u200d" * 3000 + "é")
    assert joined.count("\u0335") <= 4


def test_of_all_characters_only_harmless_ones_stay() -> None:
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    stays = {c for c in clean_text(everything) if unicodedata.category(c)[0] in "CZ"}
    assert {c for c in stays if unicodedata.category(c) != "Cn"} <= {" ", "\u200c", "\u200d"}
    assert not {c for c in stays if ord(c) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(c) <= 0xFDEF}


@given(ANY_TEXT)
def test_cleaning_twice_changes_nothing(text: str) -> None:
    once = clean_text(text)
    assert clean_text(once) == once


@given(ANY_TEXT)
def test_clean_text_is_nfc_without_controls_and_encodes(text: str) -> None:
    clean = clean_text(text)
    assert unicodedata.is_normalized("NFC", clean)
    assert not any(unicodedata.category(c) in ("Cc", "Cs", "Co", "Zl", "Zp") for c in clean)
    assert clean.encode("utf-8").decode("utf-8") == clean
    assert clean == " ".join(clean.split())


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"])))
def test_plain_ascii_stays_as_it_is(text: str) -> None:
    assert clean_text(text) == text


@given(ANY_TEXT, st.integers(1, 40))
def test_limited_text_is_a_start_of_the_whole_and_never_longer(text: str, limit: int) -> None:
    whole, part = clean_text(text), clean_text(text, limit=limit)
    assert len(part) <= limit
    assert part == whole or whole.startswith(part.removesuffix("…"))
    assert clean_text(part, limit=limit) == part


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [
        ("short", 5, "short"),
        ("one two three", 9, "one two…"),
        ("one two, three", 10, "one two…"),
        ("exactly at a blank", 11, "exactly at…"),
        ("a" * 20, 10, "a" * 9 + "…"),
        ("price is 12 000 dollars", 13, "price is…"),
        ("costs 1.234,56 euros", 12, "costs…"),
        ("see https://example.com/a/very/long/one", 30, "see…"),
        ("this is long (and then an aside)", 22, "this is long…"),
        ("this is :( but goes on (as said) for long", 35, "this is :( but goes on (as said)…"),
        ("新しいアプリiPhone15が発売されました", 12, "新しいアプリ…"),
        (f"one two three {FAMILY}{FAMILY}", 19, "one two three…"),
        (f"abcdefgh{FAMILY}", 11, "abcdefgh…"),
        (f"abcdef{SCOTLAND}x", 10, "abcdef…"),
        ("ab🇩🇪🇫🇷🇮🇹", 6, "ab🇩🇪…"),
        ("abcdef👋🏽x", 8, "abcdef…"),
        ("abcdefe\u0327\u0323x", 9, "abcdef…"),
        ("abcdक\u094dषx", 7, "abcd…"),
    ],
)
def test_text_is_cut_between_words_and_never_inside_a_character(
    text: str, limit: int, short: str
) -> None:
    assert shorten(text, limit) == short


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("=?utf-8?q?x=0D=0ABcc=3A_v=40example.com?=", "= ?utf-8?q?x=0D=0ABcc=3A_v=40example.com?="),
        ("x\r\nBcc: v@example.com", "x Bcc: v@example.com"),
        ("x\u2028y\u0085z", "x y z"),
        ("=\u200b?", "= ?"),
    ],
)
def test_header_text_is_one_line_without_encoded_words(text: str, header: str) -> None:
    assert header_text(text) == header


@given(ANY_TEXT, st.integers(1, 60))
def test_no_header_text_starts_an_encoded_word(text: str, limit: int) -> None:
    header = header_text(text, limit=limit)
    assert "=?" not in header
    assert len(header) <= limit
    assert len(header.splitlines()) <= 1
