"""Which column of a list holds what, from the names in its header."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from digest.errors import UsageError
from digest.normalising.text import clean_text

# As `_folded` leaves them; of a field's names the first that the header has counts.
NAMES: Mapping[str, Sequence[str]] = {
    "email": ("email", "emailaddress", "mail", "mailaddress", "emailadresse", "address"),
    "first_name": ("firstname", "givenname", "forename", "vorname", "name"),
    "topics": ("topics", "topic", "interests", "tags", "tag"),
    "frequency": ("frequency",),
    "language": ("language", "lang", "locale"),
}

# Who reads these columns past may mail people who said no.
STANDING = frozenset(
    {
        "state", "status", "left", "leftat", "unsubscribed", "unsubscribedat", "unsubscribedate",
        "optedout", "suppressed", "bounced", "complained",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Columns:
    """Where the fields stand in a row.

    `places` holds an index for each of NAMES; that of a field without a column is `width`, the
    number of columns. `unread` names the columns that nothing is taken from.
    """

    places: Mapping[str, int]
    width: int
    unread: tuple[str, ...]

    @property
    def found(self) -> frozenset[str]:
        """The fields that have a column."""
        return frozenset(name for name, place in self.places.items() if place < self.width)


def choose_columns(
    header: Sequence[str], chosen: Mapping[str, str], ignored: Collection[str]
) -> Columns:
    """Find the columns by their usual names, or as they are chosen.

    Args:
        header: The columns' names.
        chosen: For some of NAMES the name of its column.
        ignored: Columns that are left unread, whatever they are called.

    Raises:
        UsageError: There is no column of addresses, a column that is named is missing or there
            twice, or one says who has left: a list may be older than a reader's last word.
    """
    folded = [_folded(name) for name in header]
    shown = [clean_text(name, limit=40) for name in header]
    skipped = {_place(folded, shown, name) for name in ignored}
    places = {field: _place(folded, shown, name) for field, name in chosen.items()}
    for field, names in NAMES.items():
        if field not in places:
            free = [p for p in range(len(folded)) if p not in skipped | set(places.values())]
            places[field] = _usual(folded, shown, names, free)
    if places["email"] == len(header):
        raise UsageError(
            f"There is no column of addresses among: {', '.join(shown)}. Nothing was done.",
            hint="Name it: --map email=COLUMN",
        )
    for place, name in enumerate(folded):
        if name in STANDING and place not in skipped | set(places.values()):
            raise UsageError(
                f"The column {shown[place]} seems to say who has left, and that is never read from "
                "a list. Nothing was done.",
                hint="Take out the lines of those who want no mail; then, or if it means something "
                f'else: --ignore-column "{shown[place]}"',
            )
    unread = tuple(n for p, n in enumerate(shown) if p not in places.values())
    return Columns(places, len(header), unread)


def _folded(name: str) -> str:
    return re.sub(r"[\s._-]", "", clean_text(name).casefold())


def _place(folded: Sequence[str], shown: Sequence[str], name: str) -> int:
    """Return where the column stands that a person names."""
    wanted = _folded(name)
    if folded.count(wanted) != 1:
        often = "twice or more" if wanted in folded else "not"
        raise UsageError(
            f"The column {name!r} is {often} in the file: {', '.join(shown)}. Nothing was done.",
            hint="Name a column as its first line does.",
        )
    return folded.index(wanted)


def _usual(
    folded: Sequence[str], shown: Sequence[str], names: Sequence[str], free: Sequence[int]
) -> int:
    """Return where the first of a field's usual names stands, or the number of columns."""
    for name in names:
        found = [place for place in free if folded[place] == name]
        if len(found) > 1:
            raise UsageError(
                f"The column {shown[found[0]]!r} is in the file twice. Nothing was done.",
                hint="Take one out.",
            )
        if found:
            return found[0]
    return len(folded)
