"""Reads the sections of settings files and of the environment, and says all that is wrong."""

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import msgspec

from digest.errors import ConfigError
from digest.normalising.urls import web_link
from digest.settings import (
    EditorSettings,
    Settings,
    SourceSettings,
    allowed,
    is_loopback,
    is_sender,
    is_zone,
)

PREFIX = "DIGEST_"
SECRETS = frozenset({"sendgrid.api_key"})
MAX_CONFIG_BYTES = 1_000_000
MAX_LINE = 4_000  # a key of many parts, all on one line, keeps the parser busy for minutes
SHOWN = 60  # characters of a wrong value or key that a message repeats
# What must not be repeated: the name and password of an address, and a provider's key.
_SECRET = re.compile(r"(?s)(?<=://).*@|SG\.[\w.-]+")

_TABLES: Mapping[str, Any] = {"source": SourceSettings, "editor": EditorSettings}
_SECTIONS: Mapping[str, Any] = {
    info.encode_name: _TABLES.get(info.name, info.type) for info in msgspec.structs.fields(Settings)
}


@dataclass(slots=True)
class Reading:
    """What reading the settings has found so far.

    `file` is what is read now, as seen from the project. `sections` holds the good values by
    section, `origins` where each comes from, `bad` the "section.key" of each value that is none,
    and `wrong` a line for people about each fault.
    """

    file: Path
    sections: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    bad: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def over(self, file: Path) -> "Reading":
        """Return the reading of another file, whose values lie over those found here."""
        return Reading(
            file,
            sections={k: v if k in _TABLES else dict(v) for k, v in self.sections.items()},
            origins=dict(self.origins),
            bad=set(self.bad),
        )


def read_document(document: Mapping[str, Any], found: Reading) -> None:
    """Take the sections of a file; a list of tables replaces an earlier one whole."""
    for name, value in document.items():
        if name not in _SECTIONS:
            found.wrong.append(f"{found.file}: [{brief(name)}] is not a section{nearest(name)}")
        elif name in _TABLES:
            found.sections[name] = _tables(name, value, found)
            found.origins[name] = str(found.file)
        else:
            good = _section(_SECTIONS[name], name, value, found)
            found.sections.setdefault(name, {}).update(good)


def read_toml(path: Path) -> dict[str, Any]:
    """Return what the file holds.

    Raises:
        ConfigError: It cannot be read, or is no settings file.
    """
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise ConfigError(
                f"{path} is larger than 1 MB, so it is no settings file; nothing was done.",
                hint="Look at what it holds.",
            )
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} cannot be read: {error}; nothing was done.",
            hint="It must be a file in UTF-8 that you may read.",
        ) from error
    return parsed(path, text)


def parsed(path: Path, text: str) -> dict[str, Any]:
    """Return what `text` holds as the file at `path`.

    Raises:
        ConfigError: It is not TOML.
    """
    try:
        for number, line in enumerate(text.split("\n"), 1):
            if len(line) > MAX_LINE:
                raise ValueError(f"line {number} has more than {MAX_LINE:,} characters")
        return tomllib.loads(text)
    except RecursionError as error:
        raise _not_toml(path, "it is nested too deep") from error
    except ValueError as error:  # TOMLDecodeError is one; so is a number of too many digits
        raise _not_toml(path, str(error)) from error


def _not_toml(path: Path, why: str) -> ConfigError:
    return ConfigError(
        f"{path} is not valid TOML: {why}; nothing was done.", hint="Correct that line."
    )


def nearest(name: str, known: Iterable[str] = tuple(_SECTIONS)) -> str:
    """Return the end of a sentence that names what was meant, or else all that is `known`."""
    close = difflib.get_close_matches(name[:SHOWN], list(known), n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]}?"
    names = sorted(known)
    return f"; there {'is only' if len(names) == 1 else 'are'} {', '.join(names)}."


def brief(text: str) -> str:
    """Return `text` fit for a message: without secrets, in one line, and not long."""
    text = _SECRET.sub("…", text[:MAX_LINE])
    shown = text if text.isprintable() else repr(text)[1:-1]
    return shown if len(shown) <= SHOWN else shown[:SHOWN] + "…"


def shown(value: Any) -> str:
    """Return a value as a message repeats it: in few words, and without secrets."""
    if isinstance(value, str):
        return f"'{brief(value)}'"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list with something else in it"
    try:
        return brief(str(value).lower() if isinstance(value, bool) else str(value))
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a very long number"


def _section(kind: Any, where: str, table: Any, found: Reading) -> dict[str, Any]:
    """Return the good values of one table by field name, and note what is wrong."""
    if not isinstance(table, dict):
        header = f"[[{where.split()[0]}]]" if kind in _TABLES.values() else f"[{where}]"
        found.wrong.append(f"{found.file}: {where} is a table: write it as {header}")
        return {}
    fields = {f.encode_name: f for f in msgspec.structs.fields(kind)}
    good: dict[str, Any] = {}
    for key, value in table.items():
        label = f"{found.file}: {where}.{brief(key)}"
        name = f"{where}.{key}"
        if name in SECRETS:
            found.wrong.append(f"{label} is a secret: set {_variable(where, key)} instead")
        elif key not in fields:
            found.wrong.append(f"{label} is not a setting{nearest(key, fields)}")
        elif _convert(value, fields[key], label, good, found):
            found.origins[name] = str(found.file)
        else:
            found.bad.add(name)
    return good


def _convert(value: Any, info: Any, label: str, good: dict[str, Any], found: Reading) -> bool:
    """Put the value into `good`, or note under `label` what is wrong with it; tell which."""
    try:
        good[info.name] = msgspec.convert(value, info.type, strict=not label.startswith(PREFIX))
    except msgspec.ValidationError:
        default = "" if info.default is msgspec.NODEFAULT else f"; its default is {info.default!r}"
        found.wrong.append(
            f"{label} is {shown(value)}, and must be {allowed(info.type)}"
            f"{_meant(value, info.type) or default}"
        )
        return False
    return True


def _meant(value: Any, kind: Any) -> str:
    """Return which of a setting's few values was meant, where one is near."""
    info = msgspec.inspect.type_info(kind)
    if not isinstance(value, str) or not isinstance(info, msgspec.inspect.LiteralType):
        return ""
    close = difflib.get_close_matches(value[:SHOWN].lower(), map(str, info.values), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _tables(name: str, value: Any, found: Reading) -> tuple[Any, ...]:
    kind, tables = _TABLES[name], value if isinstance(value, list) else [value]
    needed = [f.name for f in msgspec.structs.fields(kind) if f.required]
    read = []
    for number, table in enumerate(tables, 1):
        where = f"{name} {number}"
        reading = Reading(found.file)
        good = _section(kind, where, table, reading)
        missing = [key for key in needed if isinstance(table, dict) and key not in table]
        if missing:
            reading.wrong.append(f"{found.file}: {where} lacks {' and '.join(missing)}")
        found.wrong.extend(reading.wrong)
        if not reading.wrong:
            read.append(kind(**good))
    return tuple(read)


def _variable(section: str, key: str) -> str:
    return f"{PREFIX}{section}__{key}".upper()


def read_environment(environ: Mapping[str, str], found: Reading) -> None:
    """Apply DIGEST_<SECTION>__<KEY> on top of the files, and take the secrets."""
    for variable, value in sorted(environ.items()):
        if not variable.startswith(PREFIX) or "__" not in variable:
            continue
        section, _, key = variable.removeprefix(PREFIX).lower().partition("__")
        name = f"{section}.{key.removesuffix('_file')}"
        if name in SECRETS:
            secret = _secret(variable, value, found) if key.endswith("_file") else value
            found.secrets[name] = secret.strip()
            found.origins[name] = variable
        elif section in _TABLES:
            found.wrong.append(f"{variable}: {section}s are set in files only, as [[{section}]]")
        elif section not in _SECTIONS:
            found.wrong.append(f"{variable}: there is no section {section}{nearest(section)}")
        else:
            _override(variable, section, key, value, found)


def _override(variable: str, section: str, key: str, value: str, found: Reading) -> None:
    fields = {f.encode_name: f for f in msgspec.structs.fields(_SECTIONS[section])}
    if key not in fields:
        found.wrong.append(f"{variable} is not a setting{nearest(key, fields)}")
        return
    good = found.sections.setdefault(section, {})
    if _convert(value, fields[key], variable, good, found):
        found.origins[f"{section}.{key}"] = variable
    else:
        found.bad.add(f"{section}.{key}")


def _secret(variable: str, path: str, found: Reading) -> str:
    try:
        if Path(path).stat().st_mode & 0o077:
            found.wrong.append(f"{variable}: others can read that file; run chmod 600 on it")
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError):
        found.wrong.append(f"{variable}: the file cannot be read")
        return ""


def assemble(found: Reading) -> Settings:
    """Return the settings of the good values."""
    built = {k: v if k in _TABLES else _SECTIONS[k](**v) for k, v in found.sections.items()}
    return Settings(**built)


def cross_checks(settings: Settings, found: Reading) -> Iterator[str]:
    """Yield what is wrong with values that are good by themselves, each with its place."""
    for name, fault in _faults(settings, found):
        if name not in found.bad:
            # "source 'A'.timezone" comes from where "source" does.
            known = found.origins.get(name) or found.origins.get(name.split()[0])
            origin = known or str(found.file)
            yield f"{origin} {fault}" if origin.startswith(PREFIX) else f"{origin}: {name} {fault}"


def _faults(settings: Settings, found: Reading) -> Iterator[tuple[str, str]]:
    letter, edition = settings.newsletter, settings.edition
    zones = [("newsletter", letter.timezone)]
    zones += [(f"source {s.name!r}", s.timezone) for s in settings.source if s.timezone]
    for where, zone in zones:
        if not is_zone(zone):
            near = difflib.get_close_matches(zone, available_timezones(), n=1)
            right = near[0] if near else "Europe/Berlin, say"
            yield f"{where}.timezone", f"is {shown(zone)}, which is no time zone; right is {right}"
    if not is_sender(letter.sender):
        right = "is for example 'App News Weekly <news@example.com>'"
        yield "newsletter.from", f"is {shown(letter.sender)}, which is no sender; right {right}"
    if not web_link(letter.public_url):
        url = shown(letter.public_url)
        yield "newsletter.public_url", f"is {url}, which is no address that a link can lead to"
    elif not letter.public_url.startswith("https://") and not is_loopback(letter.public_url):
        yield "newsletter.public_url", "must start with https://, because it is not this machine"
    if edition.minimum_stories > edition.stories and "edition.stories" not in found.bad:
        most = f"edition.stories, which is {edition.stories}"
        origin = found.origins.get("edition.stories")
        if origin and origin != found.origins.get("edition.minimum_stories"):
            most += f" in {origin}"
        yield "edition.minimum_stories", f"is {edition.minimum_stories}, more than {most}"
    if not 1 <= int(settings.web.bind.rpartition(":")[2]) <= 65_535:
        yield "web.bind", f"is {shown(settings.web.bind)}; a port is from 1 to 65535"
    yield from _costly_faults(settings)
    names = [source.name for source in settings.source]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield "source", f"has the name {name!r} {names.count(name)} times; each needs its own"


def _costly_faults(settings: Settings) -> Iterator[tuple[str, str]]:
    """Import only then what would slow down every start."""
    if settings.checks.ignore:
        from digest.checking import refusal

        for rule in settings.checks.ignore:
            if why := refusal(rule):
                yield "checks.ignore", f"names {shown(rule)}, which {why}"
    if settings.editor:
        from digest.normalising.addresses import faults_of

        for number, fault in faults_of([editor.address for editor in settings.editor]):
            yield f"editor {settings.editor[number - 1].name!r}.address", fault
