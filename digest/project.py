"""Finds the project folder and loads its settings: the only reader of the environment."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from digest.errors import ConfigError, UsageError
from digest.settings import NewsletterSettings, Settings, SourceSettings, allowed
from digest.settingsfile import (
    PREFIX,
    Reading,
    assemble,
    brief,
    cross_checks,
    nearest,
    parsed,
    read_document,
    read_environment,
    read_toml,
    shown,
)

CONFIG = Path("config") / "digest.toml"
NEWSLETTERS = Path("config") / "newsletters"
SHARED = frozenset({"database", "keys", "queue", "sendgrid", "web"})
"""The sections that all newsletters of a project have in common."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A folder with the settings of a newsletter.

    `origins` tells for each "section.key" where its value comes from. `secrets` is never printed.
    `is_starter` is True for the packaged starter, which stands in where no project is: it shows
    the sample and keeps nothing. `templates_root` is the folder whose templates come first, where
    that is not `root`. `others` holds the settings of the project's other newsletters.
    """

    root: Path
    settings: Settings
    origins: Mapping[str, str]
    secrets: Mapping[str, str] = field(repr=False, default_factory=dict)
    is_starter: bool = False
    templates_root: Path | None = None
    others: tuple[Settings, ...] = ()

    @property
    def place(self) -> Path:
        """Where files of this newsletter are, below a folder that all of the project use."""
        return Path(self.settings.newsletter.slug) if self.others else Path()

    @property
    def source_file(self) -> Path:
        """The settings' file with this newsletter's sources, as seen from `root`."""
        return Path(self.origins.get("source", CONFIG))

    @property
    def keys_path(self) -> Path:
        """Where the file with the secret keys of readers' links is, or will be."""
        return self.root / self.settings.keys.file

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


def find_project(
    start: Path, environ: Mapping[str, str], explicit: Path | None = None, newsletter: str = ""
) -> Project:
    """Load a newsletter of the project that `find_root` finds; see `load`."""
    return load(find_root(start, environ, explicit), environ, newsletter)


def find_root(start: Path, environ: Mapping[str, str], explicit: Path | None = None) -> Path:
    """Return the project at `explicit`, else DIGEST_PROJECT, else the nearest parent of `start`.

    Without any of them it is the starter. Changes nothing.

    Raises:
        ConfigError: The named folder is no project.
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
        return root
    start = start.absolute()
    return next((f for f in (start, *start.parents) if _has_config(f)), None) or starter_root()


def _has_config(folder: Path) -> bool:
    try:
        return (folder / CONFIG).is_file()
    except OSError:  # a name that is too long, a folder that lets nobody in
        return False


def newsletters(root: Path, environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return the slugs of the project's newsletters, in order; there is at least one.

    Raises:
        ConfigError: There is one, and its settings are wrong.
    """
    slugs = tuple(path.stem for path in _newsletter_files(root))
    return slugs or (load(root, environ or {}).settings.newsletter.slug,)


def _newsletter_files(root: Path) -> list[Path]:
    """Return the files of newsletters as seen from `root`, in the order of their slugs."""
    try:
        names = [path.name for path in (root / NEWSLETTERS).iterdir() if path.suffix == ".toml"]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigError(
            f"{NEWSLETTERS} cannot be read: {error}; nothing was done.",
            hint="It must be a folder that you may read.",
        ) from error
    found = (NEWSLETTERS / name for name in names if not name.startswith("."))
    return sorted(found, key=lambda path: path.stem)


def load(
    root: Path,
    environ: Mapping[str, str],
    newsletter: str = "",
    *,
    text: str | None = None,
    file: Path = CONFIG,
) -> Project:
    """Load the settings of a newsletter of the project at `root`. Reads files, writes nothing.

    The settings of all its newsletters are read, because they have to fit together.

    Args:
        root: The project's folder.
        environ: The environment, whose settings lie over those of all files.
        newsletter: Its slug; "" for the only one.
        text: If given, it is as if that stood in `file`: a change is tried before it is made.
        file: As seen from `root`.

    Raises:
        ConfigError: The settings are wrong; lists every fault.
        UsageError: There is no such newsletter, or several and none is named.
    """

    def document(path: Path) -> dict[str, Any]:
        is_tried = text is not None and path == file
        return parsed(path, text or "") if is_tried else read_toml(root / path)

    shared = Reading(CONFIG)
    read_document(document(CONFIG), shared)
    files = _newsletter_files(root)
    readings = [_over(shared, path, document(path)) for path in files] or [shared]
    for reading in readings:
        read_environment(environ, reading)
        if files:
            _name_by_file(reading)
    all_settings = [assemble(reading) for reading in readings]
    wrong = [*shared.wrong, *_unlisted(shared, files)]
    for settings, reading in zip(all_settings, readings, strict=True):
        wrong += [*reading.wrong, *cross_checks(settings, reading)]
    if files:
        wrong += _between(all_settings, readings)
    _refuse(list(dict.fromkeys(wrong)))  # what is wrong for all is told once
    chosen = _chosen([settings.newsletter.slug for settings in all_settings], newsletter)
    return Project(
        root=root,
        settings=all_settings[chosen],
        origins=readings[chosen].origins,
        secrets=readings[chosen].secrets,
        is_starter=root.resolve() == starter_root(),
        others=tuple(all_settings[:chosen] + all_settings[chosen + 1 :]),
    )


def _over(shared: Reading, file: Path, document: dict[str, Any]) -> Reading:
    """Read a newsletter's file over what all newsletters of the project share."""
    found = shared.over(file)
    for name in sorted(SHARED & document.keys()):
        del document[name]
        found.wrong.append(f"{file}: [{name}] is for all newsletters, so it stands in {CONFIG}")
    read_document(document, found)
    return found


def _name_by_file(found: Reading) -> None:
    """Give the newsletter the name of its file, and note who gives it another."""
    file, slug = found.file, found.file.stem
    letter = found.sections.setdefault("newsletter", {})
    origin = found.origins.get("newsletter.slug", "")
    if origin.startswith(PREFIX):
        found.wrong.append(f"{origin}: each newsletter has the name of its file, and no other")
    elif origin == str(file) and letter["slug"] != slug:
        found.wrong.append(
            f"{file}: newsletter.slug is {shown(letter['slug'])}, and the file's name is the "
            f"slug: leave it out, or name the file {letter['slug']}.toml"
        )
    try:
        msgspec.convert({"slug": slug}, NewsletterSettings)
    except msgspec.ValidationError:
        kinds = {info.name: info.type for info in msgspec.structs.fields(NewsletterSettings)}
        found.wrong.append(f"{file}: its name is the slug, and must be {allowed(kinds['slug'])}")
    letter["slug"], found.origins["newsletter.slug"] = slug, str(file)


def _unlisted(shared: Reading, files: Sequence[Path]) -> Iterator[str]:
    """Yield that the newsletter of the shared file would be lost, if it would."""
    slug = shared.sections.get("newsletter", {}).get("slug")
    if files and slug and NEWSLETTERS / f"{slug}.toml" not in files:
        yield (
            f"{CONFIG}: newsletter.slug is {shown(slug)}, but there is no "
            f"{NEWSLETTERS / slug}.toml; where that folder has files, each is a newsletter, and "
            "there is no other"
        )


def _between(all_settings: Sequence[Settings], readings: Sequence[Reading]) -> Iterator[str]:
    """Yield what does not fit together, of newsletters that are good by themselves."""
    urls: dict[str, str] = {}
    sources: dict[str, tuple[str, SourceSettings]] = {}
    for settings, reading in zip(all_settings, readings, strict=True):
        slug, url = settings.newsletter.slug, settings.newsletter.public_url.rstrip("/")
        if url in urls:
            yield (
                f"{reading.file}: newsletter.public_url is {shown(url)}, as it is for {urls[url]}; "
                f"each newsletter needs its own, like {url}/{slug}"
            )
        urls.setdefault(url, slug)
        for source in settings.source:
            first, known = sources.setdefault(source.name, (slug, source))
            if msgspec.structs.replace(source, trust=known.trust) != known:
                yield (
                    f"{reading.origins['source']}: source {source.name!r} is another one for "
                    f"{first}; the same name means the same source, and only its trust may differ"
                )


def _refuse(wrong: Sequence[str]) -> None:
    if wrong:
        lines = "\n".join(f"  {line}" for line in wrong)
        count = "1 setting is" if len(wrong) == 1 else f"{len(wrong)} settings are"
        raise ConfigError(
            f"{count} wrong; nothing was done:\n{lines}",
            hint="Every setting is explained in docs/settings.md and config/digest.toml.",
        )


def _chosen(slugs: Sequence[str], newsletter: str) -> int:
    """Return which of the newsletters is meant."""
    if newsletter in slugs:
        return slugs.index(newsletter)
    if newsletter:
        raise UsageError(
            f"There is no newsletter {brief(newsletter)!r}{nearest(newsletter, slugs)}",
            hint=f"This project has: {', '.join(slugs)}.",
        )
    if len(slugs) > 1:
        raise UsageError(
            f"This project has several newsletters: {', '.join(slugs)}. Nothing was done.",
            hint=f"Say which one: --newsletter {slugs[0]}",
        )
    return 0
