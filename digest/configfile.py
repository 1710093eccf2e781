"""Changes to settings files that keep its comments and order: the only import of tomlkit."""

import re
from collections.abc import Mapping
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT

from digest.errors import ConfigError
from digest.settings import SourceSettings

_SOURCE = re.compile(r"\s*\[\[\s*source\s*\]\]")
_TABLE = re.compile(r"\s*\[")
_IDLE = re.compile(r"\s*(#|$)")


def with_values(text: str, values: Mapping[str, str]) -> str:
    """Return the TOML `text` with `values` ("section.key": value) in the place of the old ones."""
    document = _parsed(text)
    for name, value in values.items():
        section, _, key = name.partition(".")
        table: Any = document.setdefault(section, tomlkit.table())
        table[key] = value
    return tomlkit.dumps(document)


def with_source(text: str, source: SourceSettings) -> str:
    """Return the TOML `text` with one more [[source]], behind the others.

    Raises:
        ConfigError: `text` is no TOML, or its sources are no tables.
    """
    document = _parsed(text)
    table = tomlkit.table()
    table["name"] = source.name
    table["kind"] = source.kind
    table["url"] = source.url
    for key in ("timezone", "language"):
        if value := getattr(source, key):
            table[key] = value
    if source.trust != 1.0:
        table["trust"] = source.trust
    if source.topics:
        table["topics"] = list(source.topics)
    if source.allow_private:
        table["allow_private"] = True
    if "source" not in document:
        document["source"] = tomlkit.aot()
    sources = _sources(document)
    # An empty line between this table and what stands before and after it.
    table.add(tomlkit.nl())
    sources.append(table)
    return tomlkit.dumps(document)


def without_source(text: str, name: str) -> str:
    """Return the TOML `text` without the [[source]] named `name`; comments behind it stay.

    Lines are cut here, because tomlkit counts a comment to the table before it.

    Raises:
        ConfigError: `text` is no TOML, its sources are no tables, or it is written in an odd way.
    """
    names = [table.get("name") for table in _sources(_parsed(text))]
    lines = text.splitlines(keepends=True)
    heads = [number for number, line in enumerate(lines) if _SOURCE.match(line)]
    start = heads[names.index(name)] if len(heads) == len(names) else 0
    after = (number for number in range(start + 1, len(lines)) if _TABLE.match(lines[number]))
    end = next(after, len(lines))
    while _IDLE.match(lines[end - 1]):
        end -= 1
    if end < len(lines) and not lines[end].strip():
        end += 1  # the empty line that stood between it and what follows
    rest = "".join(lines[:start] + lines[end:])
    left = [table.get("name") for table in _parsed(rest).get("source", [])]
    if left != [other for other in names if other != name]:
        raise ConfigError(
            f"The source {name!r} is written in a way that cannot be cut out; nothing was changed.",
            hint="Take its lines out of the settings file by hand.",
        )
    return rest


def _sources(document: tomlkit.TOMLDocument) -> AoT:
    sources = document.get("source")
    if not isinstance(sources, AoT):
        raise ConfigError(
            "The sources stand in an inline list; nothing was changed.",
            hint="Write each of them as a table that begins with [[source]].",
        )
    return sources


def _parsed(text: str) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(text)
    except (TOMLKitError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"The settings file is not valid TOML: {error}; it was left as it is.",
            hint="Correct it first.",
        ) from error
