"""Tokens: nobody else can make one, and each is good for its purpose alone."""

import base64
import hmac
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.tokens import MAX_FIRST, MAX_SECOND, BadToken, KeyRing, Tokens

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
