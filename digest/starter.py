"""Making a project of the packaged starter, and adding sources to it."""

import codecs
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from digest.configfile import with_source, with_values, without_source
from digest.errors import ConfigError, UsageError
from digest.normalising.text import clean_text
from digest.project import CONFIG, Project, load, starter_root
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
    contents = {name: (starter / name).read_bytes() for name in _files(starter)}
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
    project: Project, source: SourceSettings, environ: Mapping[str, str], *, really: bool = True
) -> None:
    """Add a source to the newsletter's, in the file that has them; the rest of it stays as it is.

    Args:
        project: The project, with the newsletter.
        source: What to add.
        environ: The environment, whose settings count, too.
        really: False: only raise what adding it would raise.

    Raises:
        UsageError: There is a source of that name.
        ConfigError: The settings would be wrong with it; nothing was changed.
        OSError: The system refused; the file is as it was.
    """
    root, slug, file = project.root, project.settings.newsletter.slug, project.source_file
    text = _settings_text(root / file)
    if source.name != clean_text(source.name):
        raise UsageError(
            "The name of the source holds line ends, outer blanks or hidden characters.",
            hint="Give it a plain name; nothing was changed.",
        )
    if source.name in _names(load(root, environ, slug, text=text, file=file)):
        raise UsageError(
            f"There is a source named {source.name!r} already; nothing was changed.",
            hint="See them: digest source list",
        )
    text = with_source(text, source)
    load(root, environ, slug, text=text, file=file)
    if really:
        _write_settings(root / file, text)


def remove_source(project: Project, name: str, environ: Mapping[str, str]) -> None:
    """Take a source out of the newsletter's, in the file that has them; the rest stays as it is.

    Raises:
        UsageError: There is no source of that name, or the newsletter would get others instead.
        ConfigError: The settings are wrong; nothing was changed.
        OSError: The system refused; the file is as it was.
    """
    root, slug, file = project.root, project.settings.newsletter.slug, project.source_file
    text = _settings_text(root / file)
    if name not in _names(load(root, environ, slug, text=text, file=file)):
        raise UsageError(
            f"There is no source named {name!r}; nothing was changed.",
            hint="See them: digest source list",
        )
    text = without_source(text, name)
    left = load(root, environ, slug, text=text, file=file)
    if left.settings.source and left.source_file != file:
        raise UsageError(
            f"{name!r} is the last source in {file}; without it the newsletter would have those "
            f"of {left.source_file}. Nothing was changed.",
            hint="Add another one first: digest source add NAME URL",
        )
    _write_settings(root / file, text)


def _settings_text(path: Path) -> str:
    return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")


def _names(project: Project) -> set[str]:
    return {source.name for source in project.settings.source}


def _write_settings(path: Path, text: str) -> None:
    """Replace a settings' file in one step, in the form that its owner's editor gave it."""
    before = path.read_bytes()
    text = text.replace("\n", "\r\n") if b"\r\n" in before else text
    is_marked = before.startswith(codecs.BOM_UTF8)
    replace_file(path, text.encode("utf-8-sig" if is_marked else "utf-8"))


def _files(starter: Path) -> Iterator[str]:
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
