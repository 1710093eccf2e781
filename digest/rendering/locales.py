"""The words of mails and pages in the newsletter's language: catalogues, dates, numbers, direction.

The only import of babel. A catalogue is templates/locales/LANGUAGE/mail.po, or pages.po for the
readers' pages; it is read as it is, so that a project can change one word without a tool.
"""

import datetime as dt
import gettext
import html
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.dates import (
    format_date,
    format_interval,
    format_skeleton,
    format_time,
    get_timezone_location,
)
from babel.numbers import format_decimal

from digest.errors import RenderError
from digest.normalising.languages import direction_of

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog, Message

FALLBACK = "en"
CATALOGUE = "mail.po"
PAGES = "pages.po"
MAX_BYTES = 1_000_000
MAX_FORMS = 10  # as many as msgstr[0] to msgstr[9] can give
COUNTED = 1000  # a rule for plurals is tried with every number up to here
_PO_LINE = re.compile(r'\s*(#.*|((msg(ctxt|id|id_plural|str)(\[\d\])?)?\s*".*"\s*)?)')
_PLACE = re.compile(r"%\((\w+)\)s")
_PERCENT = re.compile(r"%(?:%|\((\w+)\)s)?")


@dataclass(frozen=True, slots=True)
class Words:
    """A language as mails or pages speak it.

    Words that no catalogue has are English; dates and numbers are the language's own.
    """

    language: str
    locale: Locale
    translations: gettext.NullTranslations

    @property
    def direction(self) -> str:
        """How the language runs: "ltr" or "rtl"."""
        return direction_of(self.language)

    @property
    def script(self) -> str:
        """The ISO 15924 code of the language's script, such as "Latn" or "Arab"."""
        if self.locale.script:
            return str(self.locale.script)
        likely = get_global("likely_subtags")
        own = self.language.split("-")[0].lower()  # the locale of an unknown language is English
        tags = (f"{self.locale.language}_{self.locale.territory}", own)
        other = "und_Arab" if self.direction == "rtl" else "und_Latn"
        full = next((likely[tag] for tag in tags if tag in likely), other)
        return str(full).split("_")[1]

    @property
    def name(self) -> str:
        """What the language calls itself; its tag, where that is not known."""
        own = self.locale.language == self.language.split("-")[0].lower()
        return str(self.locale.get_display_name() or self.language) if own else self.language

    def gettext(self, message: str, **values: str) -> str:
        """Return the message in this language, its %(name)s filled with `values`."""
        return self.translations.gettext(message) % values

    def ngettext(self, singular: str, plural: str, number: int, **values: str) -> str:
        """Return the form of the message that this language uses with `number`."""
        return self.translations.ngettext(singular, plural, number) % values

    def number(self, number: float, form: str | None = None) -> str:
        """Return the number as the language writes it; `form` is a pattern such as "0.0"."""
        return str(format_decimal(number, format=form, locale=self.locale))

    def day(self, instant: dt.datetime, zone: ZoneInfo) -> str:
        """Return day and month of an aware instant in `zone`."""
        return str(format_skeleton("MMMd", instant, zone, locale=self.locale))

    def date(self, instant: dt.datetime, zone: ZoneInfo) -> str:
        """Return weekday, day, month and year of an aware instant in `zone`."""
        return str(format_date(instant.astimezone(zone).date(), "full", self.locale))

    def weekday(self, instant: dt.datetime, zone: ZoneInfo) -> str:
        """Return the name of the day that an aware instant falls on in `zone`."""
        return str(format_date(instant.astimezone(zone).date(), "EEEE", self.locale))

    def time(self, instant: dt.datetime, zone: ZoneInfo) -> str:
        """Return hour and minute of an aware instant in `zone`."""
        return str(format_time(instant.astimezone(zone), "short", zone, self.locale))

    def place(self, zone: ZoneInfo) -> str:
        """Return the city that `zone` is named after, or what it is called where it is none."""
        return str(get_timezone_location(zone, self.locale, return_city=True))

    def days(self, first: dt.date, last: dt.date) -> str:
        """Return two days as one range."""
        if first.year != last.year:
            long = [str(format_date(day, "long", self.locale)) for day in (first, last)]
            return " – ".join(long)
        return str(format_interval(first, last, "yMMMMd", locale=self.locale))


def known_scripts() -> Mapping[str, str]:
    """Return the English names of scripts by their ISO 15924 codes, such as "Arab"."""
    return dict(Locale(FALLBACK).scripts)


def languages(folders: Sequence[Path], catalogue: str) -> Mapping[str, str]:
    """Return the tags of the languages that have the catalogue, and what they call themselves."""
    paths = (path for folder in folders for path in folder.glob(f"locales/*/{catalogue}"))
    tags = sorted({path.parent.name for path in paths})
    return {tag: Words(tag, _locale(tag), gettext.NullTranslations()).name for tag in tags}


def load_words(folders: Sequence[Path], language: str, catalogue: str = CATALOGUE) -> Words:
    """Return the words of a language.

    Of each message the first counts that is found: in the catalogue of the language in the first
    of `folders`, in the next folder, then the same for English.

    Args:
        folders: Of templates.
        language: A BCP 47 tag.
        catalogue: The file's name, "mail.po" or "pages.po".

    Raises:
        RenderError: A catalogue cannot be read, its rule for plurals does not work, or a
            translation does not fit its message. The message names the file.
    """
    chain: gettext.NullTranslations | None = None
    for path in reversed(list(_catalogues(folders, language, catalogue))):
        found = _translations(path)
        if chain:
            found.add_fallback(chain)
        chain = found
    return Words(language, _locale(language), chain or gettext.NullTranslations())


def _catalogues(folders: Sequence[Path], language: str, catalogue: str) -> Iterator[Path]:
    """Yield the catalogues that there are, the one that counts most first."""
    parts = language.split("-")
    tags = ["-".join(parts[:count]) for count in range(len(parts), 0, -1)]
    for tag in dict.fromkeys([*tags, parts[0].lower(), FALLBACK]):
        for folder in folders:
            path = folder / "locales" / tag / catalogue
            if path.is_file():
                yield path


def _translations(path: Path) -> gettext.GNUTranslations:
    shown = f"templates/locales/{path.parent.name}/{path.name}"
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError("it is larger than 1 MB")
        compiled = _compiled(path.read_bytes(), path.parent.name.replace("-", "_"))
        return gettext.GNUTranslations(io.BytesIO(compiled))
    except (LookupError, OSError, ValueError) as error:
        raise RenderError(
            f"{shown}: {error}. Nothing was written.",
            hint="Correct that file; docs/themes.md says how a catalogue is made.",
        ) from error


@lru_cache(maxsize=64)
def _compiled(content: bytes, language: str) -> bytes:
    """Return a catalogue's text as gettext reads it; it counts as `language` does or as it says.

    Raises:
        ValueError: It is no catalogue, or a translation does not fit.
    """
    from babel.messages.mofile import write_mo

    lines = content.decode("utf-8-sig").splitlines()
    for number, line in enumerate(lines, 1):
        if not _PO_LINE.fullmatch(line):  # babel takes off the first and last sign of any line
            raise ValueError(f"line {number} is neither a message nor a comment: {line[:60]!r}")
    catalogue = _parsed(lines, language)
    if catalogue.charset.replace("-", "") != "utf8":
        raise ValueError(f"its header says charset={catalogue.charset}; catalogues are utf-8")
    if catalogue.locale is None:  # without one the plural forms would not be kept
        catalogue.locale = FALLBACK
    _check_rule(catalogue.plural_expr, catalogue.num_plurals)
    for message in catalogue:
        if message.id:  # the one without an id is the header
            _check_forms(message.id, message.string or "")
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    return compiled.getvalue()


def _parsed(lines: Sequence[str], language: str) -> "Catalog":
    """Return the messages of a catalogue's lines; refuse one that comes twice."""
    from babel.messages.catalog import Catalog
    from babel.messages.pofile import PoFileError, PoFileParser

    class Strict(Catalog):
        def __setitem__(self, id: str | list[str] | tuple[str, ...], message: "Message") -> None:
            if id and self.get(id, message.context):  # babel would keep the first in silence
                raise ValueError(f"line {message.lineno}: {message.id!r} is there twice")
            super().__setitem__(id, message)
            if not 1 <= self.num_plurals <= MAX_FORMS:
                raise ValueError(f"Plural-Forms says nplurals={self.num_plurals}")

    catalogue = Strict(locale=language)
    try:
        PoFileParser(catalogue, abort_invalid=True).parse(lines)
    except PoFileError as error:
        raise ValueError(f"line {error.lineno}: {error}") from error
    return catalogue


def _check_rule(rule: str, forms: int) -> None:
    """Refuse a rule for plurals that some number breaks, or for which it names no form."""
    try:
        plural = gettext.c2py(rule)
        odd = next((n for n in range(COUNTED + 1) if not 0 <= plural(n) < forms), None)
    except Exception as error:  # the rule is compiled and run: anything can happen
        raise ValueError(f"the plural rule {rule!r} does not work: {error}") from error
    if odd is not None:
        raise ValueError(f"the plural rule {rule!r} has no form of {forms} for the number {odd}")


def _check_forms(source: str | Sequence[str], translated: str | Sequence[str]) -> None:
    """Refuse a translation that lacks a form, has a % of its own, or is no plain text."""
    sources, forms = ((text,) if isinstance(text, str) else text for text in (source, translated))
    if any(forms) and not all(forms):
        raise ValueError(f"{sources[0]!r} lacks some of its plural forms")
    known = {name for text in sources for name in _PLACE.findall(text)}
    for form in forms:
        for sign in _PERCENT.finditer(form):
            if sign[0] != "%%" and sign[1] not in known:
                names = ", ".join(f"%({name})s" for name in sorted(known)) or "no name"
                raise ValueError(
                    f"{form!r} does not fit its message, which has {names}; "
                    "a percent sign is written %%"
                )
        if re.search("[<>]", form) or html.unescape(form) != form:
            raise ValueError(f"{form!r} is no plain text: no tags, no < or >, no &name;")


def _locale(language: str) -> Locale:
    try:
        return Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale(FALLBACK)
