"""Finds the project folder and loads its settings: the only reader of the environment."""

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Set
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

CONFIG = Path("config") / "digest.toml"
PREFIX = "DIGEST_"
SECRETS = frozenset({"sendgrid.api_key"})
MAX_CONFIG_BYTES = 1_000_000
MAX_LINE = 4_000  # a key of many parts, all on one line, keeps the parser busy for minutes
SHOWN = 60  # characters of a wrong value or key that a message repeats
# What must not be repeated: the name and password of an address, and a provider's key.
_SECRET = re.compile(r"(?s)(?<=://).*@|SG\.[\w.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A folder with settings.

    `origins` tells for each "section.key" where its value comes from. `secrets` is never printed.
    `is_starter` is True for the packaged starter, which stands in where no project is: it shows
    the sample and keeps nothing. `templates_root` is the folder whose templates come first, where
    that is not `root`.
    """

    root: Path
    settings: Settings
    origins: Mapping[str, str]
    secrets: Mapping[str, str] = field(repr=False, default_factory=dict)
    is_starter: bool = False
    templates_root: Path | None = None

    @property
    def database_url(self) -> str:
        """The database's address, with a SQLite path made absolute below the project folder."""
        url = self.settings.database.url
        prefix = "sqlite:///"
        if self.is_starter:
            return "sqlite://"
        if not url.startswith(prefix) or url == "sqlite:///:memory:":
            return url
        return prefix + str(self.root / url.removeprefix(prefix))

    @property
    def template_folders(self) -> tuple[Path, ...]:
        """Where templates are looked up: the project's own first, then the starter's."""
        own = (self.templates_root or self.root) / "templates"
        packaged = starter_root() / "templates"
        return (own,) if own.resolve() == packaged.resolve() else (own, packaged)


def starter_root() -> Path:
    """Return the starter project: inside the wheel, or the checkout that holds this package.

    Raises:
        ConfigError: Neither exists; the installation is incomplete.
    """
    package = Path(__file__).resolve().parent
    for folder in (package / "starter", package.parent):
        if (folder / CONFIG).is_file() and (folder / "templates").is_dir():
            return folder
    raise ConfigError(
        "The starter project is missing from this installation.",
        hint="Install again: pipx reinstall digest-newsletter",
    )


def find_project(start: Path, environ: Mapping[str, str], explicit: Path | None = None) -> Project:
    """Load the project at `explicit`, else DIGEST_PROJECT, else the nearest parent of `start`.

    Without any of them the starter is loaded. Reads files, writes nothing.

    Raises:
        ConfigError: The named folder is no project, or its settings are wrong; lists every fault.
    """
    named = explicit or (Path(environ["DIGEST_PROJECT"]) if environ.get("DIGEST_PROJECT") else None)
    if named is not None:
        try:
            root = named.expanduser().absolute()
        except RuntimeError as error:
            raise ConfigError(
                f"There is no project in {named}: {error}", hint="Name the folder in full."
            ) from error
        if not _has_config(root):
            raise ConfigError(
                f"There is no project in {named}: it has no {CONFIG} that can be read.",
                hint=f"Make one: digest init {named}",
            )
        return load(root, environ)
    start = start.absolute()
    for folder in (start, *start.parents):
        if _has_config(folder):
            return load(folder, environ)
    return load(starter_root(), environ)


def _has_config(folder: Path) -> bool:
    try:
        return (folder / CONFIG).is_file()
    except OSError:  # a name that is too long, a folder that lets nobody in
        return False


def load(root: Path, environ: Mapping[str, str], *, text: str | None = None) -> Project:
    """Load the settings of the project at `root`; see `find_project` for the errors.

    With `text` it is as if that stood in the settings' file: a change is tried before it is made.
    """
    found = _Reading()
    document = _read_toml(root / CONFIG) if text is None else _parsed(CONFIG, text)
    for name, value in document.items():
        if name not in _SECTIONS:
            found.wrong.append(f"{CONFIG}: [{_brief(name)}] is not a section{_nearest(name)}")
        elif name in _TABLES:
            found.sections[name] = _tables(name, value, found)
            found.origins[name] = str(CONFIG)
        else:
            found.sections[name] = _section(_SECTIONS[name], name, value, found)
    _environment(environ, found)
    settings = _assemble(found.sections)
    wrong = [*found.wrong, *_cross_checks(settings, found)]
    if wrong:
        lines = "\n".join(f"  {line}" for line in wrong)
        count = "1 setting is" if len(wrong) == 1 else f"{len(wrong)} settings are"
        raise ConfigError(
            f"{count} wrong; nothing was done:\n{lines}",
            hint="Every setting is explained in docs/settings.md and config/digest.toml.",
        )
    return Project(
        root=root,
        settings=settings,
        origins=found.origins,
        secrets=found.secrets,
        is_starter=root.resolve() == starter_root(),
    )


_TABLES: Mapping[str, Any] = {"source": SourceSettings, "editor": EditorSettings}
_SECTIONS: Mapping[str, Any] = {
    info.encode_name: _TABLES.get(info.name, info.type) for info in msgspec.structs.fields(Settings)
}


@dataclass(slots=True)
class _Reading:
    """What reading the settings has found so far.

    `sections` holds the good values by section, `origins` where each comes from, `bad` the
    "section.key" of each value that is none, and `wrong` a line for people about each fault.
    """

    sections: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    bad: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)


def _read_toml(path: Path) -> dict[str, Any]:
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
    return _parsed(path, text)


def _parsed(path: Path, text: str) -> dict[str, Any]:
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


def _nearest(name: str, known: Iterable[str] = tuple(_SECTIONS)) -> str:
    close = difflib.get_close_matches(name[:SHOWN], list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else f"; there are {', '.join(sorted(known))}."


def _brief(text: str) -> str:
    """Return `text` fit for a message: without secrets, in one line, and not long."""
    text = _SECRET.sub("…", text[:MAX_LINE])
    shown = text if text.isprintable() else repr(text)[1:-1]
    return shown if len(shown) <= SHOWN else shown[:SHOWN] + "…"


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return f"'{_brief(value)}'"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list with something else in it"
    try:
        return _brief(str(value).lower() if isinstance(value, bool) else str(value))
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a very long number"


def _section(kind: Any, where: str, table: Any, found: _Reading) -> dict[str, Any]:
    """Return the good values of one table by field name, and note what is wrong."""
    if not isinstance(table, dict):
        header = f"[[{where.split()[0]}]]" if kind in _TABLES.values() else f"[{where}]"
        found.wrong.append(f"{CONFIG}: {where} is a table: write it as {header}")
        return {}
    fields = {f.encode_name: f for f in msgspec.structs.fields(kind)}
    good: dict[str, Any] = {}
    for key, value in table.items():
        label = f"{CONFIG}: {where}.{_brief(key)}"
        name = f"{where}.{key}"
        if name in SECRETS:
            found.wrong.append(f"{label} is a secret: set {_variable(where, key)} instead")
        elif key not in fields:
            found.wrong.append(f"{label} is not a setting{_nearest(key, fields)}")
        elif _convert(value, fields[key], label, good, found):
            found.origins[name] = str(CONFIG)
        else:
            found.bad.add(name)
    return good


def _convert(value: Any, info: Any, label: str, good: dict[str, Any], found: _Reading) -> bool:
    """Put the value into `good`, or note under `label` what is wrong with it; tell which."""
    try:
        good[info.name] = msgspec.convert(value, info.type, strict=not label.startswith(PREFIX))
    except msgspec.ValidationError:
        default = "" if info.default is msgspec.NODEFAULT else f"; its default is {info.default!r}"
        found.wrong.append(
            f"{label} is {_shown(value)}, and must be {allowed(info.type)}"
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


def _tables(name: str, value: Any, found: _Reading) -> tuple[Any, ...]:
    kind, tables = _TABLES[name], value if isinstance(value, list) else [value]
    needed = [f.name for f in msgspec.structs.fields(kind) if f.required]
    read = []
    for number, table in enumerate(tables, 1):
        where = f"{name} {number}"
        reading = _Reading()
        good = _section(kind, where, table, reading)
        missing = [key for key in needed if isinstance(table, dict) and key not in table]
        if missing:
            reading.wrong.append(f"{CONFIG}: {where} lacks {' and '.join(missing)}")
        found.wrong.extend(reading.wrong)
        if not reading.wrong:
            read.append(kind(**good))
    return tuple(read)


def _variable(section: str, key: str) -> str:
    return f"{PREFIX}{section}__{key}".upper()


def _environment(environ: Mapping[str, str], found: _Reading) -> None:
    """Apply DIGEST_<SECTION>__<KEY> on top of the file, and take the secrets."""
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
            found.wrong.append(f"{variable}: {section}s are set in {CONFIG} only, as [[{section}]]")
        elif section not in _SECTIONS:
            found.wrong.append(f"{variable}: there is no section {section}{_nearest(section)}")
        else:
            _override(variable, section, key, value, found)


def _override(variable: str, section: str, key: str, value: str, found: _Reading) -> None:
    fields = {f.encode_name: f for f in msgspec.structs.fields(_SECTIONS[section])}
    if key not in fields:
        found.wrong.append(f"{variable} is not a setting{_nearest(key, fields)}")
        return
    good = found.sections.setdefault(section, {})
    if _convert(value, fields[key], variable, good, found):
        found.origins[f"{section}.{key}"] = variable
    else:
        found.bad.add(f"{section}.{key}")


def _secret(variable: str, path: str, found: _Reading) -> str:
    try:
        if Path(path).stat().st_mode & 0o077:
            found.wrong.append(f"{variable}: others can read that file; run chmod 600 on it")
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError):
        found.wrong.append(f"{variable}: the file cannot be read")
        return ""


def _assemble(sections: Mapping[str, Any]) -> Settings:
    built = {k: v if k in _TABLES else _SECTIONS[k](**v) for k, v in sections.items()}
    return Settings(**built)


def _cross_checks(settings: Settings, found: _Reading) -> Iterator[str]:
    """Yield what is wrong with values that are good by themselves, each with its place."""
    for name, fault in _faults(settings, found.bad):
        if name not in found.bad:
            origin = found.origins.get(name, str(CONFIG))
            yield f"{origin} {fault}" if origin.startswith(PREFIX) else f"{CONFIG}: {name} {fault}"


def _faults(settings: Settings, bad: Set[str]) -> Iterator[tuple[str, str]]:
    letter, edition = settings.newsletter, settings.edition
    zones = [("newsletter", letter.timezone)]
    zones += [(f"source {s.name!r}", s.timezone) for s in settings.source if s.timezone]
    for where, zone in zones:
        if not is_zone(zone):
            near = difflib.get_close_matches(zone, available_timezones(), n=1)
            right = near[0] if near else "Europe/Berlin, say"
            yield f"{where}.timezone", f"is {_shown(zone)}, which is no time zone; right is {right}"
    if not is_sender(letter.sender):
        right = "is for example 'App News Weekly <news@example.com>'"
        yield "newsletter.from", f"is {_shown(letter.sender)}, which is no sender; right {right}"
    if not web_link(letter.public_url):
        shown = _shown(letter.public_url)
        yield "newsletter.public_url", f"is {shown}, which is no address that a link can lead to"
    elif not letter.public_url.startswith("https://") and not is_loopback(letter.public_url):
        yield "newsletter.public_url", "must start with https://, because it is not this machine"
    if edition.minimum_stories > edition.stories and "edition.stories" not in bad:
        yield (
            "edition.minimum_stories",
            f"is {edition.minimum_stories}, more than edition.stories, which is {edition.stories}",
        )
    if not 1 <= int(settings.web.bind.rpartition(":")[2]) <= 65_535:
        yield "web.bind", f"is {_shown(settings.web.bind)}; a port is from 1 to 65535"
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
                yield "checks.ignore", f"names {_shown(rule)}, which {why}"
    if settings.editor:
        from digest.normalising.addresses import faults_of

        for number, fault in faults_of([editor.address for editor in settings.editor]):
            yield f"editor {number}.address", fault
