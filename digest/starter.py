"""Making a project of the packaged starter, and adding sources to it."""

import codecs
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from digest.configfile import with_source, with_values, without_source
from digest.errors import ConfigError, UsageError
from digest.normalising.text import clean_text
from digest.project import CONFIG, load, starter_root
from digest.settings import SourceSettings
from digest.wholefiles import replace_file, write_new_file

PARTS = ("templates", "config", "subscribers/README.md", "subscribers/example.csv")
GITIGNORE = """# Real lists, mails, the database and previews stay out of version control.
subscribers/*
!subscribers/README.md
!subscribers/example.csv
var/
previews/
outbox/
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeProject:
    """What was made: names relative to `folder`, of files written and of files that were kept."""

    folder: Path
    written: tuple[str, ...]
    kept: tuple[str, ...]


def make_project(folder: Path, values: Mapping[str, str]) -> MadeProject:
    """Copy the starter to `folder`; a file that is there already is kept as it is.

    The settings come last, so a folder in which this was cut short is no project yet, and making
    it again completes it.

    Args:
        folder: Where; it and its parents are made.
        values: Settings that differ from the starter's, by "section.key".

    Raises:
        UsageError: There is a project in `folder`, or it is a file; nothing was changed.
        ConfigError: The starter is missing from this installation.
        OSError: The system refused.
    """
    if (folder / CONFIG).exists():
        raise UsageError(
            f"There is a project in {folder} already; nothing was changed.",
            hint=f"Use it, in {folder.absolute()}, or choose another folder.",
        )
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; nothing was changed.", hint="Choose another folder.")
    starter = starter_root()
    contents = {name: (starter / name).read_bytes() for name in _names(starter)}
    contents[".gitignore"] = GITIGNORE.encode()
    text = (starter / CONFIG).read_text(encoding="utf-8")
    contents[CONFIG.as_posix()] = with_values(text, values).encode()
    written: list[str] = []
    kept: list[str] = []
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        (written if write_new_file(path, content) else kept).append(name)
    return MadeProject(folder=folder, written=tuple(written), kept=tuple(kept))


def add_source(
    root: Path, source: SourceSettings, environ: Mapping[str, str], *, really: bool = True
) -> None:
    """Add a source to the settings' file of the project at `root`; the rest of it stays as it is.

    Args:
        root: The project's folder.
        source: What to add.
        environ: The environment, whose settings count, too.
        really: False: only raise what adding it would raise.

    Raises:
        UsageError: There is a source of that name.
        ConfigError: The settings would be wrong with it; nothing was changed.
        OSError: The system refused; the file is as it was.
    """
    text = _settings_text(root)
    if source.name != clean_text(source.name):
        raise UsageError(
            "The name of the source holds line ends, outer blanks or hidden characters.",
            hint="Give it a plain name; nothing was changed.",
        )
    if source.name in _names_of_sources(root, environ, text):
        raise UsageError(
            f"There is a source named {source.name!r} already; nothing was changed.",
            hint="See them: digest source list",
        )
    text = with_source(text, source)
    load(root, environ, text=text)
    if really:
        _write_settings(root, text)


def remove_source(root: Path, name: str, environ: Mapping[str, str]) -> None:
    """Take a source out of the settings' file of the project at `root`; the rest stays as it is.

    Raises:
        UsageError: There is no source of that name.
        ConfigError: The settings are wrong; nothing was changed.
        OSError: The system refused; the file is as it was.
    """
    text = _settings_text(root)
    if name not in _names_of_sources(root, environ, text):
        raise UsageError(
            f"There is no source named {name!r}; nothing was changed.",
            hint="See them: digest source list",
        )
    _write_settings(root, without_source(text, name))


def _settings_text(root: Path) -> str:
    return (root / CONFIG).read_bytes().decode("utf-8-sig").replace("\r\n", "\n")


def _names_of_sources(root: Path, environ: Mapping[str, str], text: str) -> set[str]:
    return {source.name for source in load(root, environ, text=text).settings.source}


def _write_settings(root: Path, text: str) -> None:
    """Replace the settings' file in one step, in the form that its owner's editor gave it."""
    before = (root / CONFIG).read_bytes()
    text = text.replace("\n", "\r\n") if b"\r\n" in before else text
    is_marked = before.startswith(codecs.BOM_UTF8)
    replace_file(root / CONFIG, text.encode("utf-8-sig" if is_marked else "utf-8"))


def _names(starter: Path) -> Iterator[str]:
    """Yield the starter's files but the settings, in a fixed order."""
    for part in PARTS:
        root = starter / part
        paths = sorted(root.rglob("*")) if root.is_dir() else [root]
        if not any(path.is_file() for path in paths):
            raise ConfigError(
                f"The starter's {part} is missing from this installation.",
                hint="Install again: pipx reinstall digest-newsletter",
            )
        for path in paths:
            if path.is_file() and path != starter / CONFIG:
                yield path.relative_to(starter).as_posix()
