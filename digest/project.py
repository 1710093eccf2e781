"""Finds the project folder and loads its settings: the only reader of the environment."""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.utils import parseaddr
from pathlib import Path
from typing import Any, get_origin
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from digest.errors import ConfigError
from digest.settings import Section, Settings, SourceSettings

CONFIG = Path("config") / "digest.toml"
PREFIX = "DIGEST_"
SECRETS = frozenset({"sendgrid.api_key"})
MAX_CONFIG_BYTES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A folder with settings.

    `origins` tells for each "section.key" where its value comes from. `secrets` is never printed.
    `is_starter` is True for the packaged starter, which stands in where no project is: it shows the
    sample and keeps nothing. `templates_root` is the folder whose templates come first, where that is
    not `root`.
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
        root = named.expanduser().absolute()
        if not (root / CONFIG).is_file():
            raise ConfigError(
                f"There is no project in {named}: it has no {CONFIG}.",
                hint=f"Make one: digest init {named}",
            )
        return load(root, environ)
    start = start.absolute()
    for folder in (start, *start.parents):
        if (folder / CONFIG).is_file():
            return load(folder, environ)
    return load(starter_root(), environ)


def load(root: Path, environ: Mapping[str, str]) -> Project:
    """Load the settings of the project at `root`; see `find_project` for the errors."""
    document = _read_toml(root / CONFIG)
    problems: list[str] = []
    origins: dict[str, str] = {}
    sections: dict[str, Any] = {}
    known = {f.encode_name: f for f in msgspec.structs.fields(Settings)}
    for name, value in document.items():
        if name not in known:
            problems.append(f"{CONFIG}: [{name}] is not a section{_nearest(name, known)}")
        elif name == "source":
            sections[name] = _sources(value, problems)
            origins["source"] = str(CONFIG)
        else:
            sections[name] = _section(known[name].type, name, value, problems, origins)
    secrets = _environment(environ, known, sections, problems, origins)
    settings = _assemble(known, sections)
    problems.extend(_cross_checks(settings))
    if problems:
        lines = "\n".join(f"  {problem}" for problem in problems)
        count = "1 setting is" if len(problems) == 1 else f"{len(problems)} settings are"
        raise ConfigError(
            f"{count} wrong; nothing was done:\n{lines}",
            hint="Every setting is explained in docs/settings.md and config/digest.toml.",
        )
    return Project(
        root=root,
        settings=settings,
        origins=origins,
        secrets=secrets,
        is_starter=root.resolve() == starter_root(),
    )


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise ConfigError(f"{path} is larger than 1 MB, so it is no settings file.")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}.") from error
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is a ValueError
        raise ConfigError(
            f"{path} is not valid TOML: {error}.",
            hint="Correct that line; nothing was done.",
        ) from error


def _nearest(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else f"; there are {', '.join(sorted(known))}."


def _section(
    kind: Any, where: str, table: Any, problems: list[str], origins: dict[str, str]
) -> dict[str, Any]:
    """Return the good values of one table by field name, and note each bad one in `problems`."""
    if not isinstance(table, dict):
        problems.append(f"{CONFIG}: {where} is a table: write it as [{where}]")
        return {}
    fields = {f.encode_name: f for f in msgspec.structs.fields(kind)}
    good: dict[str, Any] = {}
    for key, value in table.items():
        label = f"{CONFIG}: {where}.{key}"
        if f"{where}.{key}" in SECRETS:
            problems.append(f"{label} is a secret: set {_variable(where, key)} instead")
        elif key not in fields:
            problems.append(f"{label} is not a setting{_nearest(key, fields)}")
        else:
            _convert(value, fields[key], label, good, problems)
            origins[f"{where}.{key}"] = str(CONFIG)
    return good


def _convert(value: Any, info: Any, label: str, good: dict[str, Any], problems: list[str]) -> None:
    strict = not label.startswith(PREFIX)
    try:
        good[info.name] = msgspec.convert(value, info.type, strict=strict)
    except msgspec.ValidationError as error:
        shown = "" if isinstance(value, dict | list) else f" (it is {value!r})"
        problems.append(f"{label}: {error}{shown}; {_right(info)}")


def _right(info: Any) -> str:
    default = info.default
    return "" if default is msgspec.NODEFAULT else f"right is for example {default!r}"


def _sources(value: Any, problems: list[str]) -> tuple[SourceSettings, ...]:
    tables = value if isinstance(value, list) else [value]
    found = []
    for number, table in enumerate(tables, 1):
        where = f"source {number}"
        before = len(problems)
        good = _section(SourceSettings, where, table, problems, {})
        if len(problems) > before:
            continue
        if missing := [key for key in ("name", "url") if key not in good]:
            problems.append(f"{CONFIG}: {where} lacks {' and '.join(missing)}")
            continue
        found.append(SourceSettings(**good))
    return tuple(found)


def _variable(section: str, key: str) -> str:
    return f"{PREFIX}{section}__{key}".upper()


def _environment(
    environ: Mapping[str, str],
    known: Mapping[str, Any],
    sections: dict[str, Any],
    problems: list[str],
    origins: dict[str, str],
) -> dict[str, str]:
    """Apply DIGEST_<SECTION>__<KEY> on top of the file; return the secrets."""
    secrets: dict[str, str] = {}
    for variable, value in sorted(environ.items()):
        if not variable.startswith(PREFIX) or "__" not in variable:
            continue
        section, _, key = variable.removeprefix(PREFIX).lower().partition("__")
        name = f"{section}.{key.removesuffix('_file')}"
        if name in SECRETS:
            secret = _secret(variable, value, problems) if key.endswith("_file") else value
            secrets[name] = secret.strip()
            origins[name] = variable
            continue
        if section not in known or section == "source":
            problems.append(f"{variable}: there is no section {section}{_nearest(section, known)}")
            continue
        fields = {f.encode_name: f for f in msgspec.structs.fields(known[section].type)}
        if key not in fields:
            problems.append(f"{variable} is not a setting{_nearest(key, fields)}")
            continue
        is_list = get_origin(fields[key].type) is tuple
        raw: Any = [part.strip() for part in value.split(",")] if is_list else value
        _convert(raw, fields[key], variable, sections.setdefault(section, {}), problems)
        origins[f"{section}.{key}"] = variable
    return secrets


def _secret(variable: str, path: str, problems: list[str]) -> str:
    try:
        if Path(path).stat().st_mode & 0o077:
            problems.append(f"{variable}: others can read that file; run chmod 600 on it")
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        problems.append(f"{variable}: the file cannot be read")
        return ""


def _assemble(known: Mapping[str, Any], sections: Mapping[str, Any]) -> Settings:
    values: dict[str, Any] = {}
    for name, info in known.items():
        if name not in sections:
            continue
        part = sections[name]
        values[name] = part if name == "source" else _build(info.type, part)
    return Settings(**values)


def _build(kind: type[Section], values: Mapping[str, Any]) -> Section:
    return kind(**values)


def _cross_checks(settings: Settings) -> list[str]:
    problems = []
    letter = settings.newsletter
    for label, zone in [
        ("newsletter.timezone", letter.timezone),
        *((f"source {s.name!r}: timezone", s.timezone) for s in settings.source if s.timezone),
    ]:
        if not _is_zone(zone):
            problems.append(f"{label}: {zone!r} is no time zone; right is Europe/Berlin, say")
    if not _is_address(letter.sender):
        problems.append(
            f"newsletter.from: {letter.sender!r} is no sender; "
            "right is for example 'App News Weekly <news@example.com>'"
        )
    if not letter.public_url.startswith("https://") and not _is_loopback(letter.public_url):
        problems.append("newsletter.public_url: it must start with https://")
    if settings.edition.minimum_stories > settings.edition.stories:
        problems.append("edition.minimum_stories is larger than edition.stories")
    names = [source.name for source in settings.source]
    problems.extend(
        f"source: the name {name!r} is used {names.count(name)} times; each needs its own"
        for name in sorted(set(names))
        if names.count(name) > 1
    )
    return problems


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _is_address(sender: str) -> bool:
    _, address = parseaddr(sender)
    try:
        parsed = Address(addr_spec=address)
    except (HeaderParseError, ValueError, IndexError):
        return False
    return bool(parsed.username) and "." in parsed.domain and "\n" not in sender


def _is_loopback(url: str) -> bool:
    host = url.partition("://")[2].partition("/")[0]
    return host.startswith(("127.0.0.1", "localhost", "[::1]"))
