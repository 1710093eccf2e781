"""Importing: from the rows of a list to readers. It sends nothing and revives nobody."""

import datetime as dt
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from digest.model.subscribers import Frequency, Subscriber
from digest.normalising.addresses import address_key, parse_address
from digest.normalising.languages import language_tag
from digest.normalising.text import clean_text
from digest.ports import CHANGEABLE, Added, SubscriberStore
from digest.services.columns import Columns
from digest.settings import is_zone

MAX_NAME = 100  # characters, of a person and of a topic
MAX_TOPICS = 50  # of one reader
MAX_NEWSLETTER_TOPICS = 1_000

EVERY = 1_000  # rows between two calls of `tick`
_REMEMBERED = 10_000  # cells

# RFC 5646, 2.1. A feed's tag may end in anything, but nobody's choice is cut short without a word.
_LANGUAGE = re.compile(
    r"[a-z]{2,3}(-[a-z]{3}){0,3}(-[a-z]{4})?(-([a-z]{2}|\d{3}))?(-([a-z\d]{5,8}|\d[a-z\d]{3}))*"
    r"(-[a-wyz\d](-[a-z\d]{2,8})+)*(-x(-[a-z\d]{1,8})+)?",
    re.ASCII | re.IGNORECASE,
)
_PLAIN_NAME = re.compile(r"[A-Za-z]+(?:[ '-][A-Za-z]+)*")
# A name that holds an address is an advertisement: it would stand in a mail of ours.
_WEB = re.compile(r"https?:|://|www\.", re.IGNORECASE)
_TOKEN = "xDIGEST"  # noqa: S105  # what stands in a mail for a value; see digest.merging

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """How an import went: rows = added.new + … + added.repeated + erased + refused.

    `unknown_zones` counts rows that are taken though their time zone is none: it is left out.
    """

    rows: int
    added: Added
    erased: int
    refused: int
    unread: tuple[str, ...]
    unknown_zones: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Watcher:
    """Who is told while an import runs: of each row that is left out and why, and now and then."""

    refuse: Callable[[int, str], None] = lambda _line, _reason: None
    tick: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """To which newsletter the readers of a list said yes, where that is known from, and when."""

    newsletter: str
    origin: str
    now: dt.datetime


class Importer:
    """Takes lists into the store.

    Args:
        store: Where the readers are kept.
        hash_address: Makes the keyed hash by which an erased address is known again; asked only if
            there are such.
    """

    def __init__(self, store: SubscriberStore, hash_address: Callable[[str], str]) -> None:
        self._store = store
        self._hash_address = hash_address

    def run(
        self,
        rows: Iterable[tuple[int, list[str], str]],
        columns: Columns,
        consent: Consent,
        watcher: Watcher,
        *,
        is_trial: bool = False,
    ) -> ImportReport:
        """Take in the good rows, all of them or, on any error, none.

        Args:
            rows: For each the number of its line, its cells, and why it cannot be read or "".
            columns: Where the fields stand; known readers keep what has no column.
            consent: What is recorded of each new reader.
            watcher: Is told of rows that are left out.
            is_trial: Count only; change nothing.

        Raises:
            Conflict: An address was erased while the rows were read; nothing is changed.
        """
        choices = self._store.topic_choices(consent.newsletter)
        topics = Topics(topic for choice, _ in choices for topic in choice)
        conversion = _Conversion(columns, consent, topics, watcher)
        readers = conversion.readers(rows)
        erased = self._store.all_erased()
        if erased:
            readers = conversion.without_erased(readers, erased, self._hash_address)
        changing = [name for name in CHANGEABLE if name in columns.found]
        added = self._store.add_subscribers(
            readers, changing=changing, erased=erased, is_trial=is_trial
        )
        return ImportReport(
            rows=conversion.rows,
            added=added,
            erased=conversion.erased,
            refused=conversion.refused,
            unread=columns.unread,
            unknown_zones=conversion.unknown_zones,
        )


def parse_name(cell: str) -> str:
    """Return a first name as it is stored.

    Raises:
        ValueError: It is no name; its text does not repeat it.
    """
    name = cell if _PLAIN_NAME.fullmatch(cell) else clean_text(cell)
    if len(name) > MAX_NAME:
        raise ValueError(f"the first name is longer than {MAX_NAME} characters")
    if _WEB.search(name) or _TOKEN in name:
        raise ValueError("the first name is no name")
    return name


def parse_frequency(cell: str) -> Frequency:
    """Return how often a reader wants the newsletter; weekly if nothing is said.

    Raises:
        ValueError: There is no such frequency.
    """
    try:
        return Frequency(clean_text(cell).casefold() or "weekly")
    except ValueError:
        raise ValueError("the frequency is neither weekly nor monthly") from None


def parse_language(cell: str) -> str:
    """Return a language tag, "" for the newsletter's own language.

    Raises:
        ValueError: It is no tag.
    """
    text = cell.strip()
    tag = language_tag(text) if _LANGUAGE.fullmatch(text.replace("_", "-")) else ""
    if text and not tag:
        raise ValueError("the language is no tag such as en or pt-BR")
    return tag


def parse_timezone(cell: str) -> str:
    """Return the IANA name of a time zone, "" for the newsletter's own.

    Raises:
        ValueError: There is no such zone.
    """
    name = cell.strip()
    # "localtime" is whatever zone this machine is in, and means another one elsewhere.
    if name and (name == "localtime" or len(name) > MAX_NAME or not is_zone(name)):
        raise ValueError("the time zone is no IANA name such as Europe/Berlin")
    return name


class Topics:
    """The topics of a newsletter's readers: one topic has one spelling, the first that was seen."""

    def __init__(self, known: Iterable[str]) -> None:
        self._spellings: dict[str, str] = {}
        for topic in known:
            self._spellings.setdefault(topic.casefold(), topic)

    def parse(self, cell: str) -> tuple[str, ...]:
        """Return the topics that stand in a cell, separated by semicolons, in alphabetical order.

        Raises:
            ValueError: There are too many of them, or one is too long.
        """
        names = [name for part in cell.split(";") if (name := clean_text(part))]
        if len(names) > MAX_TOPICS:
            raise ValueError(f"there are more than {MAX_TOPICS} topics in it")
        if any(len(name) > MAX_NAME for name in names):
            raise ValueError(f"a topic is longer than {MAX_NAME} characters")
        return tuple(sorted({self._spelling(name) for name in names}))

    def _spelling(self, name: str) -> str:
        folded = name.casefold()
        if folded not in self._spellings and len(self._spellings) >= MAX_NEWSLETTER_TOPICS:
            raise ValueError(f"readers already have {MAX_NEWSLETTER_TOPICS:,} different topics")
        return self._spellings.setdefault(folded, name)


class _Remembered(dict[str, Value]):
    """What cells mean, worked out once for each of the last some thousand different ones."""

    def __init__(self, parse: Callable[[str], Value]) -> None:
        super().__init__()
        self._parse = parse

    def __missing__(self, cell: str) -> Value:
        if len(self) >= _REMEMBERED:
            self.clear()
        value = self[cell] = self._parse(cell)
        return value


class _Conversion:
    """Makes readers of rows, and counts."""

    def __init__(
        self, columns: Columns, consent: Consent, topics: Topics, watcher: Watcher
    ) -> None:
        self._columns = columns
        self._consent = consent
        self._watcher = watcher
        self._names = _Remembered(parse_name)
        self._topics = _Remembered(topics.parse)
        self._frequencies = _Remembered(parse_frequency)
        self._languages = _Remembered(parse_language)
        self._zones = _Remembered(_known_zone)
        self.rows = self.refused = self.erased = self.unknown_zones = 0

    def readers(self, rows: Iterable[tuple[int, list[str], str]]) -> Iterator[Subscriber]:
        """Yield the readers of the good rows."""
        places: Mapping[str, int] = self._columns.places
        for line, cells, fault in rows:
            self.rows += 1
            if not self.rows % EVERY:
                self._watcher.tick()
            try:
                if fault:
                    raise ValueError(fault)
                reader = self._reader(cells, places)
            except ValueError as error:
                self.refused += 1
                self._watcher.refuse(line, str(error))
            else:
                yield reader

    def without_erased(
        self,
        readers: Iterable[Subscriber],
        erased: frozenset[str],
        hash_address: Callable[[str], str],
    ) -> Iterator[Subscriber]:
        """Yield those readers whose address was not erased."""
        for reader in readers:
            if hash_address(reader.key) in erased:
                self.erased += 1
            else:
                yield reader

    def _reader(self, cells: list[str], places: Mapping[str, int]) -> Subscriber:
        width = self._columns.width
        if len(cells) != width:
            number = "1 cell" if len(cells) == 1 else f"{len(cells)} cells"
            raise ValueError(f"it has {number}, and the first line names {width}")
        cells.append("")  # where a field that has no column points
        address = parse_address(cells[places["email"]])
        zone = self._zones[cells[places["timezone"]]]
        reader = Subscriber(
            newsletter=self._consent.newsletter,
            address=address,
            key=address_key(address),
            joined_at=self._consent.now,
            origin=self._consent.origin,
            first_name=self._names[cells[places["first_name"]]],
            topics=self._topics[cells[places["topics"]]],
            frequency=self._frequencies[cells[places["frequency"]]],
            language=self._languages[cells[places["language"]]],
            timezone=zone or "",
        )
        self.unknown_zones += zone is None
        return reader


def _known_zone(cell: str) -> str | None:
    """Return the name of a time zone, "" for the newsletter's own; None if there is no such zone.

    Lists hold offsets and names of other systems as well, and nobody loses a mail over that.
    """
    try:
        return parse_timezone(cell)
    except ValueError:
        return None
