"""The composition root: the one place that knows both the services and what they run on."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from digest import __version__
from digest.ports import Clock, Renderer, Source, Store
from digest.project import Project, load, starter_root
from digest.services.collection import CollectionService, SourceReport
from digest.services.editions import EditionService
from digest.services.previews import Preview, PreviewService
from digest.settings import SourceSettings

MEDIA = Path("config") / "media"


class SystemClock:
    """The machine's clock."""

    def now(self) -> dt.datetime:
        """Return the current instant, aware UTC."""
        return dt.datetime.now(dt.UTC)


class FixedClock:
    """A clock that stands still, for `--now`."""

    def __init__(self, moment: dt.datetime) -> None:
        self._moment = moment

    def now(self) -> dt.datetime:
        """Return the moment it was set to, aware UTC."""
        return self._moment


class App:
    """The services of one project, opened when first used. Close it, or use it as a context."""

    def __init__(self, project: Project, clock: Clock) -> None:
        self.project = project
        self.clock = clock

    def __enter__(self) -> "App":
        """Return itself."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """Close what was opened."""
        self.close()

    def close(self) -> None:
        """Give back the database's connections, if any were opened."""
        if "store" in self.__dict__:
            self.store.close()

    @cached_property
    def store(self) -> Store:
        """The database; the first use of a new one creates it."""
        from digest.storage.store import open_store

        return open_store(self.project.database_url)

    @cached_property
    def editions(self) -> EditionService:
        """Drafting and curating."""
        return EditionService(self.store, self.project.settings)

    @cached_property
    def renderer(self) -> Renderer:
        """The mail renderer, with the project's templates before the starter's."""
        from digest.rendering.renderer import MailRenderer

        return MailRenderer(self.project.template_folders, self.project.settings.newsletter)

    @cached_property
    def previews(self) -> PreviewService:
        """Rendering for one reader, and the checks."""
        from digest.transports.message import build_message

        return PreviewService(self.project.settings.newsletter, self.renderer, build_message)

    @contextmanager
    def open_sources(self) -> Iterator[Callable[[SourceSettings], Source]]:
        """Yield what makes a Source of its settings; the parser processes live as long as it."""
        from digest.sources.context import SourceContext
        from digest.sources.http import HttpClient
        from digest.sources.parsing import ParserPool

        public = self.project.settings.newsletter.public_url.rstrip("/")
        http = HttpClient(
            user_agent=f"digest/{__version__} (+{public}/about-the-fetcher)",
            allowed=_allowed_private(self.project.settings.source),
        )
        with ParserPool() as parser:
            context = SourceContext(root=self.project.root, http=http, parser=parser)
            yield lambda settings: _make_source(settings, context)

    def collect(
        self, *, only: str = "", progress: Callable[[SourceReport], None] = lambda _report: None
    ) -> list[SourceReport]:
        """Fetch the project's sources into the store; see `CollectionService.collect`."""
        with self.open_sources() as open_source:
            service = CollectionService(self.store, self.project.settings.source, open_source)
            return service.collect(now=self.clock.now(), only=only, progress=progress)

    def sample(self) -> "App":
        """Return an app with this project's newsletter and templates, but the starter's articles.

        Its store is in memory, so nothing of it stays.
        """
        starter = load(starter_root(), {}, is_starter=True)
        settings = replace_sources(self.project, starter)
        return App(settings, self.clock)

    def local_media(self) -> Mapping[str, Path]:
        """Return the newsletter's own pictures: their public URL and their file."""
        public = self.project.settings.newsletter.public_url.rstrip("/")
        folders = [starter_root() / MEDIA, self.project.root / MEDIA]
        return {
            f"{public}/media/{path.name}": path
            for folder in folders
            if folder.is_dir()
            for path in sorted(folder.iterdir())
            if path.suffix.lower() in {".jpg", ".jpeg", ".png", ".gif"}
        }

    def write_preview(self, preview: Preview, out: Path) -> Mapping[str, str]:
        """Write the preview's folder at `out`, replacing an earlier one whole; return the files."""
        from digest.viewer.folder import write_preview

        return write_preview(
            preview_page(preview, self.project), preview.eml, out, media=self.local_media()
        )


def replace_sources(project: Project, starter: Project) -> Project:
    """Return `project` reading the starter's sources, from the starter's folder, in memory."""
    import msgspec

    settings = msgspec.structs.replace(
        project.settings,
        source=starter.settings.source,
        database=msgspec.structs.replace(project.settings.database, url="sqlite:///:memory:"),
    )
    return replace(project, settings=settings)
