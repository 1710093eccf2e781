"""Tokens: nobody else can make one, and each is good for its purpose alone."""

import base64
import datetime as dt
import hmac
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.errors import LinkEnded
from digest.testing.factories import NOON
from digest.tokens import FORM_FROM, FORM_UNTIL, MAX_FIRST, MAX_SECOND, BadToken, KeyRing, Tokens

RING = KeyRing({1: bytes(range(32)), 2: bytes(range(32, 64))}, bytes(range(64, 96)))
TOKENS = Tokens(RING)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
EDITIONS = st.integers(0, MAX_FIRST)
READERS = st.integers(0, MAX_SECOND)


@given(EDITIONS, READERS)
def test_token_says_whom_it_was_made_for(edition: int, reader: int) -> None:
    token = TOKENS.reader(edition, reader)
    assert re.fullmatch(r"[A-Za-z0-9_-]{36}", token)
    assert TOKENS.read_reader(token) == (edition, reader)


@given(st.binary(min_size=32, max_size=200), st.text(max_size=40), EDITIONS, READERS)
def test_code_of_a_token_is_the_hmac_of_what_stands_before_it(
    key: bytes, purpose: str, first: int, second: int
) -> None:
    token = Tokens(KeyRing({1: key}, RING.addresses)).make(purpose, first, second)
    raw = base64.urlsafe_b64decode(token)
    expected = hmac.digest(key, purpose.encode() + b"\0" + raw[:11], "sha256")
    assert raw[11:] == expected[:16]


@given(EDITIONS, READERS, st.integers(0, 35), st.sampled_from(ALPHABET))
def test_token_with_any_other_character_is_refused(
    edition: int, reader: int, place: int, other: str
) -> None:
    token = TOKENS.reader(edition, reader)
    changed = token[:place] + other + token[place + 1 :]
    if changed != token:
        with pytest.raises(BadToken):
            TOKENS.read_reader(changed)


@given(st.text(max_size=60))
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(BadToken):
        TOKENS.read_reader(text)


@pytest.mark.parametrize("change", ["{}=", "{}\n", " {}", "{}A", "{}&a=b", "{}\0", ""])
def test_there_is_one_way_to_write_a_token(change: str) -> None:
    token = TOKENS.reader(7, 9)
    for text in (change.format(token), token.swapcase(), token[:-1], token.replace("-", "+") + "="):
        with pytest.raises(BadToken):
            TOKENS.read_reader(text)


@given(EDITIONS, READERS, st.sampled_from(["reader", "confirm", "form"]))
def test_token_is_good_for_its_purpose_alone(edition: int, reader: int, purpose: str) -> None:
    token = TOKENS.make(purpose, edition, reader)
    for asked in ("reader", "confirm", "form", "read", "reader\0"):
        if asked == purpose:
            assert TOKENS.read(asked, token) == (edition, reader)
        else:
            with pytest.raises(BadToken):
                TOKENS.read(asked, token)


def test_links_outlive_a_new_key_and_end_with_theirs() -> None:
    older = Tokens(KeyRing({1: RING.links[1]}, RING.addresses)).reader(3, 4)
    assert TOKENS.read_reader(older) == (3, 4)
    assert TOKENS.reader(3, 4) != older
    newest = Tokens(KeyRing({2: RING.links[2]}, RING.addresses))
    assert newest.read_reader(TOKENS.reader(3, 4)) == (3, 4)
    with pytest.raises(BadToken):
        newest.read_reader(older)


def test_key_under_another_number_reads_nothing() -> None:
    moved = Tokens(KeyRing({3: RING.links[2]}, RING.addresses))
    with pytest.raises(BadToken):
        moved.read_reader(TOKENS.reader(3, 4))


@pytest.mark.parametrize("numbers", [(-1, 0), (0, -1), (MAX_FIRST + 1, 0), (0, MAX_SECOND + 1)])
def test_numbers_that_do_not_fit_are_refused(numbers: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        TOKENS.reader(*numbers)


@pytest.mark.parametrize(
    ("links", "addresses", "fault"),
    [
        ({}, bytes(32), "no key"),
        ({0: bytes(32)}, bytes(32), "1 to 255"),
        ({256: bytes(32)}, bytes(32), "1 to 255"),
        ({1: b"short"}, bytes(32), "32 bytes"),
        ({1: bytes(32)}, b"short", "32 bytes"),
    ],
)
def test_bad_ring_is_refused_without_its_keys(
    links: dict[int, bytes], addresses: bytes, fault: str
) -> None:
    with pytest.raises(ValueError, match=fault) as refused:
        KeyRing(links, addresses)
    assert "short" not in str(refused.value)


def test_ring_never_shows_its_keys() -> None:
    shown = f"{RING!r} {RING} {TOKENS!r}"
    for key in (*RING.links.values(), RING.addresses):
        assert key.hex() not in shown
        assert repr(key) not in shown


def test_hash_of_an_address_needs_the_key() -> None:
    hashed = RING.hash_address("reader@example.com")
    assert re.fullmatch(r"[0-9a-f]{64}", hashed)
    assert hashed == RING.hash_address("reader@example.com")
    assert hashed != RING.hash_address("other@example.com")
    other = KeyRing(RING.links, bytes(32))
    assert hashed != other.hash_address("reader@example.com")


MADE: dict[str, Callable[[], str]] = {
    "reader": lambda: TOKENS.reader(7, 9),
    "editor": lambda: TOKENS.editor(7, 9),
    "confirm": lambda: TOKENS.confirm(9),
    "account": lambda: TOKENS.account(9, now=NOON),
    "form": lambda: TOKENS.form(now=NOON),
}
READ: dict[str, Callable[[str], object]] = {
    "reader": TOKENS.read_reader,
    "editor": TOKENS.read_editor,
    "confirm": TOKENS.read_confirm,
    "account": lambda token: TOKENS.read_account(token, now=NOON),
    "form": lambda token: TOKENS.form_age(token, now=NOON),
}


@pytest.mark.parametrize("asked", READ)
@pytest.mark.parametrize("made", MADE)
def test_each_kind_of_token_opens_its_own_pages_and_no_others(made: str, asked: str) -> None:
    token = MADE[made]()
    if made == asked:
        READ[asked](token)
    else:
        with pytest.raises(BadToken):
            READ[asked](token)


@pytest.mark.parametrize("kind", MADE)
def test_any_changed_character_of_any_kind_is_refused(kind: str) -> None:
    token = MADE[kind]()
    changed = [
        token[:place] + other + token[place + 1 :]
        for place, sign in enumerate(token)
        for other in {*ALPHABET, sign.swapcase(), "="} - {sign}
    ]
    more = [f"{token}=", f"{token}\n", f"{token}&x=1", token.swapcase(), token * 2, token[:-1], ""]
    for text in (*changed, *more):
        with pytest.raises(BadToken):
            READ[kind](text)


@given(READERS)
def test_link_of_a_letter_says_which_letter(letter: int) -> None:
    assert TOKENS.read_confirm(TOKENS.confirm(letter)) == letter


@given(READERS, st.timedeltas(dt.timedelta(), dt.timedelta(days=2)))
def test_link_to_a_readers_data_lasts_a_day(reader: int, later: dt.timedelta) -> None:
    token = TOKENS.account(reader, now=NOON)
    if later < dt.timedelta(hours=24):
        assert TOKENS.read_account(token, now=NOON + later) == reader
    else:
        with pytest.raises(LinkEnded) as ended:
            TOKENS.read_account(token, now=NOON + later)
        assert ended.value.at == NOON + dt.timedelta(hours=24)
        assert not ended.value.is_used


def test_form_tells_its_age_and_no_two_are_alike() -> None:
    token = TOKENS.form(now=NOON)
    assert TOKENS.form(now=NOON) != token
    for age in (FORM_FROM, FORM_UNTIL, dt.timedelta(), dt.timedelta(seconds=-5)):
        assert TOKENS.form_age(token, now=NOON + age) == age


@given(st.text(max_size=50), st.dates(), st.text(max_size=50), st.dates())
def test_networks_hash_is_its_own_and_of_one_day(
    network: str, day: dt.date, other: str, later: dt.date
) -> None:
    hashed = RING.hash_network(network, day)
    assert re.fullmatch("[0-9a-f]{32}", hashed)
    same = (network, day) == (other, later)
    assert (hashed == RING.hash_network(other, later)) is same
