"""How many letters may be asked for: by one network, by all, and to one address."""

import datetime as dt
from collections.abc import Callable, Sequence
from ipaddress import IPv6Address, ip_address, ip_network

import structlog

from digest.errors import TooMany
from digest.model.letters import LetterKind
from digest.ports import Letters, Marks
from digest.settings import LettersSettings
from digest.tokens import KeyRing

HOUR, DAY, MONTH = dt.timedelta(hours=1), dt.timedelta(days=1), dt.timedelta(days=30)
BY_ANYBODY = (LetterKind.SIGN_UP, LetterKind.LINKS)
A_DAY, A_MONTH = 1, 3
"""Letters to one address; a welcome, which only who confirmed gets, is not counted."""

NETWORK_BITS = {4: 24, 6: 48}
"""What one household or one small business usually has, by the version of its addresses."""

log = structlog.get_logger(__name__)

Note = Callable[[str, str, str, Sequence[str]], None]
"""Adds an entry to the audit log: newsletter, edition, action and details."""


class Limits:
    """The limits of one newsletter. It counts what is stored, and remembers nothing itself.

    Args:
        letters: The letters that were asked for.
        newsletter: The newsletter's slug.
        settings: How many may be.
        marks: Remember that the alarm was given.
        note: Gives it.
    """

    def __init__(
        self,
        letters: Letters,
        newsletter: str,
        settings: LettersSettings,
        *,
        marks: Marks,
        note: Note,
    ) -> None:
        self._letters = letters
        self._newsletter = newsletter
        self._settings = settings
        self._marks = marks
        self._note = note

    def check_network(self, network: str, *, now: dt.datetime) -> None:
        """Refuse one more letter from a network that asked for enough of them.

        Raises:
            TooMany: It did.
        """
        known = self._letters.asked_from(self._newsletter, network, since=now - HOUR)
        if known >= self._settings.per_network_per_hour:
            raise TooMany(
                "From here too many letters were asked for; this one is not sent.",
                hint="Try again in an hour.",
                until=now + HOUR,
            )

    def is_braked(self, *, now: dt.datetime) -> bool:
        """Tell whether all together asked for so many that no more are sent for now."""
        allowed = self._settings.per_hour
        return self._letters.asked(self._newsletter, since=now - HOUR, at_most=allowed) >= allowed

    def had_enough(self, kind: LetterKind, key: str, *, now: dt.datetime) -> bool:
        """Tell whether the address with this key was sent as many letters as it may get.

        What strangers can ask for is counted together, and by itself what takes a reader's link.
        """
        kinds = [kind] if kind is LetterKind.ACCOUNT else BY_ANYBODY
        return any(
            self._letters.sent_to(self._newsletter, key, kinds=kinds, since=now - span) >= most
            for most, span in ((A_DAY, DAY), (A_MONTH, MONTH))
        )

    def watch(self, *, now: dt.datetime) -> None:
        """Give the alarm, once an hour, while more letters are asked for than may be."""
        if not self.is_braked(now=now):
            return
        if not self._marks.claim(f"letters braked {self._newsletter}", now, every=HOUR):
            return
        allowed = self._settings.per_hour
        log.error("letters_braked", newsletter=self._newsletter, allowed=allowed)
        self._note(
            self._newsletter,
            "",
            "letters braked",
            [
                f"Within an hour {allowed:,} letters were asked for, and no more are allowed. "
                "Until it is less, the others are dropped. Editions go out as ever."
            ],
        )


def hashed_network(client: str, keys: KeyRing, *, now: dt.datetime) -> str:
    """Return what stands for the network of the address `client` until midnight (UTC).

    The address itself is kept nowhere. What is no address counts as one network.
    """
    return keys.hash_network(_network(client), now.astimezone(dt.UTC).date())


def _network(client: str) -> str:
    try:
        address = ip_address(client)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        # One of IPv4 on a socket of IPv6, and one with the name of an interface behind it.
        address = address.ipv4_mapped or IPv6Address(int(address))
    return str(ip_network(f"{address}/{NETWORK_BITS[address.version]}", strict=False))
