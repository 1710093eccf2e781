"""What the mail clients that somebody names lack of what a mail uses, by an embedded table.

The table is cut out of the data of caniemail.com by tools/caniemail.py; caniemail-LICENSE beside
it is theirs. Their tests are years apart, so it is a guide and no oracle.
"""

import difflib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files

from digest.checking.findings import Fault, Rule, Severity
from digest.checking.parsing import Document
from digest.checking.uses import Use, uses
from digest.checking.words import shown
from digest.errors import UsageError

CLIENTS = {
    "gmail": "Gmail",
    "word": "classic Outlook",
    "outlook": "Outlook.com",
    "outlook-mobile": "the Outlook app",
    "apple": "Apple Mail",
    "yahoo": "Yahoo Mail",
    "samsung": "Samsung Email",
    "thunderbird": "Thunderbird",
    "proton": "Proton Mail",
    "gmx": "GMX",
}
"""The clients that can be named, and how people call them."""

ALL = "all"
_KINDS = {
    "property": "the property {}",
    "pair": "{}",
    "function": "the function {}",
    "unit": "the unit {}",
    "value": "the value {}",
    "at": "{}",
    "media": "@media with {}",
    "pseudo": "{}",
    "selector": "the selector {}",
    "element": "the element {}",
    "attribute": "the attribute {}",
    "meta": "the meta tag {}",
    "link": "a link to {}",
    "image": "a picture of the kind {}",
}


@dataclass(frozen=True, slots=True)
class Table:
    """What clients support.

    `columns` are pairs of a client's name and where it runs. For each feature, `marks` has a
    letter a column: y, n, a (partly) or u (nobody has tested it). `keys` tells by the key of a
    use which feature it is; a key that ends in "-*" stands for all longhands.
    """

    columns: tuple[tuple[str, str], ...]
    marks: dict[str, str]
    keys: dict[str, str]

    def feature(self, use: Use) -> str:
        """Return the feature that is used, or "" where every client has it."""
        key = use.key
        while key not in self.keys:
            key, dash, _last = key.removesuffix("-*").rpartition("-")
            if use.kind != "property" or not dash:
                return ""
            key += "-*"
        return self.keys[key]

    def lacking(self, feature: str, mark: str, clients: Sequence[str]) -> tuple[str, ...]:
        """Return in words which of `clients` have `mark` for the feature, and where they run."""
        found = []
        for client in clients:
            pairs = zip(self.columns, self.marks[feature], strict=True)
            known = [(where, is_) for (name, where), is_ in pairs if name == client and is_ != "u"]
            places = [where for where, is_ in known if is_ == mark]
            if places:
                is_whole = len(places) == len(known)
                found.append(CLIENTS[client] + ("" if is_whole else f" ({', '.join(places)})"))
        return tuple(found)


class Reading:
    """A mail, the clients that it shall be good in, and what it uses that the table knows."""

    def __init__(self, document: Document, clients: Sequence[str]) -> None:
        self.clients = tuple(name for name in CLIENTS if name in clients)
        self.table = load_table()
        self._document = document

    @cached_property
    def features(self) -> dict[str, tuple[Use, int]]:
        """Each feature with its first use and how often it is used, in the order of the mail."""
        found: dict[str, tuple[Use, int]] = {}
        for use in uses(self._document):
            if feature := self.table.feature(use):
                first, times = found.get(feature, (use, 0))
                found[feature] = (first, times + 1)
        return found


def client_names(text: str) -> tuple[str, ...]:
    """Return the clients in a list such as "gmail, word"; "all" is all of them.

    Raises:
        UsageError: One of them is not known.
    """
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError("No client is named.", hint=f"There are {', '.join(CLIENTS)}; or all.")
    for name in names:
        if name not in CLIENTS and name != ALL:
            near = difflib.get_close_matches(name, [*CLIENTS, ALL], n=1)
            hint = (
                f"Did you mean {near[0]}?" if near else f"There are {', '.join(CLIENTS)}; or all."
            )
            raise UsageError(f"There is no client named {shown(name)}.", hint=hint)
    return tuple(CLIENTS) if ALL in names else tuple(names)


def load_table() -> Table:
    """Read the table that is installed with this package."""
    text = files("digest.checking").joinpath("caniemail.json").read_text(encoding="utf-8")
    raw = json.loads(text)
    return Table(
        columns=tuple((client, where) for client, where in raw["columns"]),
        marks={feature: row[0] for feature, row in raw["features"].items()},
        keys={key: feature for feature, row in raw["features"].items() for key in row[1:]},
    )


def lacking(reading: Reading) -> Iterator[Fault]:
    """Find what one of the clients named does not do."""
    return _faults(reading, "n", "not supported")


def partly(reading: Reading) -> Iterator[Fault]:
    """Find what one of the clients named does only in part, or with faults."""
    return _faults(reading, "a", "only partly supported")


def _faults(reading: Reading, mark: str, how: str) -> Iterator[Fault]:
    for feature, (use, times) in reading.features.items():
        if clients := reading.table.lacking(feature, mark, reading.clients):
            what = _KINDS[use.kind].format(shown(use.name))
            often = "once" if times == 1 else f"{times:,} times"
            yield Fault(
                f"{what}, used {often}, is {how} by {', '.join(clients)}"
                f" (caniemail.com/features/{feature})",
                line=use.line,
            )


RULES: tuple[Rule[Reading], ...] = (
    Rule(
        "client-support", Severity.WARNING,
        "With --clients: the clients named do all that the mail uses",
        "see that the mail is as good without it", lacking,
    ),
    Rule(
        "client-partly", Severity.INFO,
        "With --clients: the clients named do it without restrictions",
        "look up there what is missing", partly,
    ),
)  # fmt: skip
