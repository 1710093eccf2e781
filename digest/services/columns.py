"""Which column of a list holds what, from the names in its header."""

import re
import unicodedata
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
    "timezone": ("timezone", "tz"),
}

# Who reads past a column that says who left may mail people who said no. So these count anywhere in
# a name, as `_bare` leaves it, in the languages that mails are written in and some of their
# neighbours. OPTIN_TIME and OPTIN_IP only tell since when: Mailchimp has them in every list.
_STANDING = re.compile(
    "unsub|opt(?:ed)?out|opt(?:ed)?in(?!time$|ip$)|status|consent|permission|suppress|bounce"
    "|complain|blacklist|blocklist|cleaned|deleted|donot(?:bulk)?(?:e?mail|contact|send)"
    "|accepts(?:e?mail)?marketing|abgemeld|abmeld|austrag|ausgetragen|einwilligung|widerruf"
    "|desinscri|desabonn|desuscri|descadastr|disiscri|afgemeld|uitgeschreven"
    "|配信停止|退会|الغاءالاشتراك"
)
# These stand in innocent names as well, such as last_active, and count where they are all of it.
_STANDING_ALONE = re.compile(
    "(?:is|has|was|not|e?mail|contact|subscriber|newsletter)*"
    "(?:state|(?:in)?acti(?:ve|f|vo)|(?:in)?aktiv|enabled|(?:un)?confirmed|subscribed(?:to.*)?"
    "|(?:left|removed|blocked|disabled)(?:at|on|by|date)?|clean(?:time|date|campaign.*)?"
    "|gesperrt|geloscht|supprimee?|(?:fecha|motivo|dad[oa])?(?:de)?bajas?)"
)


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
        ignored: Columns that are left unread, whatever they are called; all of such a name.

    Raises:
        UsageError: There is no column of addresses, a column that is named is missing or there
            twice, or one says who has left: a list may be older than a reader's last word.
    """
    folded = [_folded(name) for name in header]
    shown = [clean_text(name, limit=40) for name in header]
    skipped = {place for name in ignored for place in _places(folded, shown, name)}
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
    _refuse_standing([n for p, n in enumerate(header) if p not in skipped | set(places.values())])
    unread = tuple(n for p, n in enumerate(shown) if p not in places.values())
    return Columns(places, len(header), unread)


def _folded(name: str) -> str:
    return re.sub(r"[\s._-]", "", clean_text(name).casefold())


def _bare(name: str) -> str:
    """Return the letters and digits of a name, without case and accents."""
    letters = unicodedata.normalize("NFKD", clean_text(name).casefold())
    return "".join(letter for letter in letters if letter.isalnum())


def _refuse_standing(names: Sequence[str]) -> None:
    """Refuse columns that say who has left."""
    standing = dict.fromkeys(
        clean_text(name, limit=200)
        for name in names
        if _STANDING.search(_bare(name)) or _STANDING_ALONE.fullmatch(_bare(name))
    )
    if standing:
        column, seems = ("column", "seems") if len(standing) == 1 else ("columns", "seem")
        raise UsageError(
            f"The {column} {', '.join(standing)} {seems} to say who has left, and that is never "
            "read from a list. Nothing was done.",
            hint="Take out the lines of those who want no mail; then, or if it means something "
            "else: " + " ".join(f'--ignore-column "{name}"' for name in standing),
        )


def _place(folded: Sequence[str], shown: Sequence[str], name: str) -> int:
    """Return where the one column stands that a person names."""
    places = _places(folded, shown, name)
    if len(places) > 1:
        raise _unnamed(shown, name, "twice or more")
    return places[0]


def _places(folded: Sequence[str], shown: Sequence[str], name: str) -> list[int]:
    """Return where the columns stand that a person names."""
    wanted = _folded(name)
    places = [place for place, found in enumerate(folded) if found == wanted]
    if not places:
        raise _unnamed(shown, name, "not")
    return places


def _unnamed(shown: Sequence[str], name: str, often: str) -> UsageError:
    return UsageError(
        f"The column {name!r} is {often} in the file: {', '.join(shown)}. Nothing was done.",
        hint="Name a column as its first line does.",
    )


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
