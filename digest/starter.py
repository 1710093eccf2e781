"""Making a project: the packaged starter, copied into a folder and given a name."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from digest.configfile import with_values
from digest.errors import ConfigError, UsageError
from digest.project import CONFIG, starter_root
from digest.wholefiles import write_new_file

PARTS = ("templates", "config", "subscribers/README.md", "subscribers/example.csv")
GITIGNORE = """# Real lists of readers, the database and previews stay out of version control.
subscribers/*
!subscribers/README.md
!subscribers/example.csv
var/
previews/
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
            hint=f"Use it: cd {folder}, or choose another folder.",
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


def _names(starter: Path) -> Iterator[str]:
    """Yield the starter's files but the settings, in a fixed order."""
    for part in PARTS:
        root = starter / part
        paths = sorted(root.rglob("*")) if root.is_dir() else [root]
        if not paths:
            raise ConfigError(
                f"The starter's {part} is missing from this installation.",
                hint="Install again: pipx reinstall digest-newsletter",
            )
        for path in paths:
            if path.is_file() and path != starter / CONFIG:
                yield path.relative_to(starter).as_posix()
