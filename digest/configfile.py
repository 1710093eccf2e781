"""Changes to config/digest.toml that keep its comments and order: the only import of tomlkit."""

from collections.abc import Mapping
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AoT

from digest.errors import ConfigError
from digest.settings import SourceSettings


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
    """Return the TOML `text` without the [[source]] named `name`.

    Raises:
        ConfigError: `text` is no TOML, or its sources are no tables.
    """
    document = _parsed(text)
    sources = _sources(document)
    for index, table in enumerate(sources):
        if table.get("name") == name:
            del sources[index]
            break
    if not sources:
        document.remove("source")
    return tomlkit.dumps(document)


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
