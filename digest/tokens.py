"""Tokens: what stands in a reader's or an editor's links, made and read without a database.

A token says which edition and which person it was made for, and carries a code (HMAC-SHA256, cut
to 128 bits as RFC 2104 allows) that only this installation's keys can make. The code covers the
purpose, so that a token for one kind of page is worth nothing on another. All tokens have one
length that fills base64 without spare bits: there is one way to write each.
"""

import binascii
import datetime as dt
import hashlib
import hmac
import re
import secrets
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from digest.errors import LinkEnded

KEY_BYTES = 32  # at least; as many as a SHA-256 has

MAX_KEY_ID = 255
MAX_FIRST = 2**32 - 1
MAX_SECOND = 2**48 - 1

ACCOUNT_LASTS = dt.timedelta(hours=24)
FORM_FROM, FORM_UNTIL = dt.timedelta(seconds=3), dt.timedelta(hours=2)
"""How old a form is that a person has filled in; a younger one was filled in by a program."""

_READER = "reader"
_EDITOR = "editor"
_CONFIRM = "confirm"
_ACCOUNT = "account"
_FORM_SENT = "form"
_EPOCH = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
_SECOND, _MINUTE = dt.timedelta(seconds=1), dt.timedelta(minutes=1)
_EDITOR_BITS = 48
_RANDOM_BITS = 48
_CODE_BYTES = 16
_BLOCK_BYTES = 64  # of SHA-256
_INNER = bytes(byte ^ 0x36 for byte in range(256))  # RFC 2104, 2
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
_HEAD = struct.Struct(">BIHI")  # key, first, upper and lower part of second
_TOKEN = re.compile(r"[A-Za-z0-9_-]{36}", re.ASCII)
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")


class BadToken(Exception):
    """The token was not made by these keys for this purpose."""


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The secret keys of one installation.

    `links` are the keys of the tokens by their number, 1 to 255: the highest makes tokens, all
    read them. `addresses` makes the hashes by which an erased address is known again.

    Raises:
        ValueError: There is no key, or one is too short or has no such number. Its text does not
            repeat the key.
    """

    links: Mapping[int, bytes] = field(repr=False)
    addresses: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not self.links:
            raise ValueError("there is no key for links")
        if not all(1 <= number <= MAX_KEY_ID for number in self.links):
            raise ValueError(f"the numbers of the keys for links are from 1 to {MAX_KEY_ID}")
        if any(len(key) < KEY_BYTES for key in (*self.links.values(), self.addresses)):
            raise ValueError(f"a key has at least {KEY_BYTES} bytes")

    def hash_address(self, key: str) -> str:
        """Return the keyed hash of an address's key (`Subscriber.key`), in hexadecimal digits."""
        return hmac.digest(self.addresses, b"address\0" + key.encode(), "sha256").hex()

    def hash_network(self, network: str, day: dt.date) -> str:
        """Return what stands for a network on one day (UTC), in 32 hexadecimal digits.

        From one day to the next nobody can tell that it is the same.
        """
        named = f"network\0{day.isoformat()}\0{network}"
        return hmac.digest(self.addresses, named.encode(), "sha256").hex()[:32]

    def editor_number(self, key: str) -> int:
        """Return the number that stands for an editor in their links, from their address's key.

        By it an editor is found among those of the settings, and nobody who is not there.
        """
        code = hmac.digest(self.addresses, b"editor\0" + key.encode(), "sha256")
        return int.from_bytes(code[: _EDITOR_BITS // 8])


class Tokens:
    """Makes and reads tokens. Safe to use from many threads.

    A page of another kind takes a purpose of its own.

    Args:
        keys: The secret keys.
        current: Returns the keys of this moment, where they may change while this is used.
    """

    def __init__(self, keys: KeyRing, *, current: Callable[[], KeyRing] | None = None) -> None:
        self._current = current
        self._coding = _Coding(keys)

    def reader(self, edition_id: int, subscriber_id: int) -> str:
        """Return the token of a reader's links in one edition: 36 URL-safe characters.

        It never ends. Links of no edition, such as those of a letter, have 0 for it.
        """
        return self.make(_READER, edition_id, subscriber_id)

    def read_reader(self, token: str) -> tuple[int, int]:
        """Return the edition's and the subscriber's id; neither need exist any more.

        Raises:
            BadToken: It is no such token.
        """
        return self.read(_READER, token)

    def editor(self, edition_id: int, number: int) -> str:
        """Return the token of an editor's link to an edition; see `KeyRing.editor_number`."""
        return self.make(_EDITOR, edition_id, number)

    def read_editor(self, token: str) -> tuple[int, int]:
        """Return the edition's id and the editor's number; neither need exist any more.

        Raises:
            BadToken: It is no such token.
        """
        return self.read(_EDITOR, token)

    def confirm(self, letter_id: int) -> str:
        """Return the token of the link by which a letter's person confirms."""
        return self.make(_CONFIRM, 0, letter_id)

    def read_confirm(self, token: str) -> int:
        """Return the letter's id; whether it is still good, the letter says.

        Raises:
            BadToken: It is no such token.
        """
        return self.read(_CONFIRM, token)[1]

    def account(self, subscriber_id: int, *, now: dt.datetime) -> str:
        """Return the token of the link to a reader's data, good for ACCOUNT_LASTS."""
        return self.make(_ACCOUNT, (now - _EPOCH) // _MINUTE, subscriber_id)

    def read_account(self, token: str, *, now: dt.datetime) -> int:
        """Return the subscriber's id; they need not exist any more.

        Raises:
            BadToken: It is no such token.
            LinkEnded: It has run out.
        """
        minutes, subscriber_id = self.read(_ACCOUNT, token)
        ended_at = _EPOCH + minutes * _MINUTE + ACCOUNT_LASTS
        if now >= ended_at:
            raise LinkEnded(
                "This link has run out; nothing was changed.",
                hint="Ask for a new one.",
                at=ended_at,
            )
        return subscriber_id

    def form(self, *, now: dt.datetime) -> str:
        """Return the token of a form that is shown now, bound to nobody."""
        return self.make(_FORM_SENT, (now - _EPOCH) // _SECOND, secrets.randbits(_RANDOM_BITS))

    def form_age(self, token: str, *, now: dt.datetime) -> dt.timedelta:
        """Return how long ago the form was shown; see FORM_FROM and FORM_UNTIL.

        Raises:
            BadToken: It is no such token.
        """
        seconds, _random = self.read(_FORM_SENT, token)
        return now - (_EPOCH + seconds * _SECOND)

    def make(self, purpose: str, first: int, second: int) -> str:
        """Return the token that holds two numbers, for `purpose`.

        Raises:
            ValueError: A number is negative or too large: 32 bits for the first, 48 for the second.
        """
        if not (0 <= first <= MAX_FIRST and 0 <= second <= MAX_SECOND):
            raise ValueError("the numbers do not fit a token")
        coding = self._now()
        head = _HEAD.pack(coding.newest, first, second >> 32, second & 0xFFFFFFFF)
        code = coding.coders[coding.newest].code(purpose, head)
        return binascii.b2a_base64(head + code, newline=False).translate(_TO_URL).decode()

    def read(self, purpose: str, token: str) -> tuple[int, int]:
        """Return the two numbers of a token that was made for `purpose`.

        Raises:
            BadToken: It is no such token.
        """
        if not _TOKEN.fullmatch(token):
            raise BadToken
        raw = binascii.a2b_base64(token.encode().translate(_FROM_URL))
        head, code = raw[: _HEAD.size], raw[_HEAD.size :]
        number, first, upper, lower = _HEAD.unpack(head)
        coder = self._now().coders.get(number)
        if coder is None or not hmac.compare_digest(code, coder.code(purpose, head)):
            raise BadToken
        return first, upper << 32 | lower

    def _now(self) -> "_Coding":
        """Return what codes with the keys of this moment."""
        coding = self._coding
        if self._current is not None and (keys := self._current()) is not coding.keys:
            self._coding = coding = _Coding(keys)
        return coding


class _Coding:
    """What codes with the keys of one ring."""

    def __init__(self, keys: KeyRing) -> None:
        self.keys = keys
        self.coders = {number: _Coder(key) for number, key in keys.links.items()}
        self.newest = max(self.coders)


class _Coder:
    """HMAC-SHA256 with one key, which is hashed once for all codes (RFC 2104, 4).

    `hmac.digest` hashes it anew for each code; without that a token takes a third less.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) > _BLOCK_BYTES:
            key = hashlib.sha256(key).digest()
        block = key.ljust(_BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(block.translate(_INNER))
        self._outer = hashlib.sha256(block.translate(_OUTER))

    def code(self, purpose: str, head: bytes) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(b"%b\0%b" % (purpose.encode(), head))
        outer.update(inner.digest())
        return outer.digest()[:_CODE_BYTES]
