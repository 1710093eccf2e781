"""The composition root: the one place that knows both the services and what they run on."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from digest import __version__
from digest.errors import UsageError
from digest.model.articles import Article
from digest.ports import Clock, Renderer, Store, Words
from digest.project import Project, load, starter_root
from digest.services.collection import CollectionService, OpenSource, SourceReport
from digest.services.editions import EditionService
from digest.services.previews import Preview, PreviewService, edition_state, rating_words, report
from digest.settings import DatabaseSettings, SourceSettings

if TYPE_CHECKING:
    from digest.storage.database import Database
    from digest.viewer.page import PreviewPage

MEDIA = Path("config") / "media"
IN_MEMORY = "sqlite://"
PICTURES = frozenset({".jpg", ".jpeg", ".png", ".gif"})


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
        if "database" in self.__dict__:
            self.database.close()

    @cached_property
    def store(self) -> Store:
        """The database; the first use of a new one creates it."""
        from digest.storage.store import SqlStore

        return SqlStore(self.database)

    @cached_property
    def database(self) -> "Database":
        """The database itself, which the stores share; the first use of a new one creates it."""
        from digest.storage.database import open_database

        return open_database(self.project.database_url)

    @cached_property
    def editions(self) -> EditionService:
        """Drafting and curating."""
        left_out = self._samples if self._has_own_sources else frozenset()
        return EditionService(
            self.store, self.project.settings, left_out=left_out, words=self._words
        )

    def _words(self) -> Words:
        from digest.rendering.locales import load_words

        language = self.project.settings.newsletter.language
        return load_words(self.project.template_folders, language)

    @property
    def sources(self) -> tuple[SourceSettings, ...]:
        """The sources that are collected: the sample steps aside for the project's own."""
        sources = self.project.settings.source
        return tuple(s for s in sources if not s.newest) if self._has_own_sources else sources

    @property
    def _has_own_sources(self) -> bool:
        return any(not source.newest for source in self.project.settings.source)

    @cached_property
    def _samples(self) -> frozenset[str]:
        """The names of the sample's sources, also where the project has taken them out."""
        packaged = load(starter_root(), {}).settings.source
        return frozenset(s.name for s in (*packaged, *self.project.settings.source) if s.newest)

    @cached_property
    def renderer(self) -> Renderer:
        """The mail renderer, with the project's templates before the starter's."""
        from digest.rendering.renderer import MailRenderer

        return MailRenderer(self.project.template_folders, self.project.settings.newsletter)

    @cached_property
    def previews(self) -> PreviewService:
        """Rendering for one reader, and the checks."""
        from digest.transports.message import build_message

        return PreviewService(
            self.project.settings.newsletter,
            self.renderer,
            build_message,
            ignored=self.project.settings.checks.ignore,
            weights={url: path.stat().st_size for url, path in self.local_media().items()},
        )

    @contextmanager
    def open_sources(self) -> Iterator[tuple[OpenSource, Callable[[], None]]]:
        """Yield what makes a Source of its settings, and what cuts all fetches under way.

        The parser processes live as long as the context.

        Raises:
            ConfigError: No installed plug-in makes a source of one of the kinds.
        """
        from digest.sources.context import SourceContext
        from digest.sources.http import HttpClient
        from digest.sources.parsing import ParserPool
        from digest.sources.plugins import factories
        from digest.sources.targets import private_endpoints

        settings = self.project.settings.source
        makers = factories({source.kind for source in settings})
        public = self.project.settings.newsletter.public_url.rstrip("/")
        http = HttpClient(
            user_agent=f"digest/{__version__} (+{public})",
            allowed=private_endpoints(settings),
        )
        with ParserPool() as parser:
            context = SourceContext(root=self.project.root, http=http, parser=parser)

            def stop() -> None:
                http.stop()
                parser.close()

            yield lambda source: makers[source.kind](source, context), stop

    def collect(
        self, *, only: str = "", progress: Callable[[SourceReport], None] = lambda _report: None
    ) -> list[SourceReport]:
        """Fetch the project's sources into the store; see `CollectionService.collect`."""
        now = self.clock.now()
        due = self.editions.period("", now=now)
        with self.open_sources() as (open_source, stop):
            service = CollectionService(self.store, self.sources, open_source, due=due, stop=stop)
            return service.collect(now=now, only=only, progress=progress)

    def try_source(self, settings: SourceSettings) -> tuple[SourceReport, list[Article]]:
        """Fetch one source, which need not be in the settings, and store nothing.

        Returns:
            How it went, and the articles in the source's order.
        """
        alone = msgspec.structs.replace(self.project.settings, source=(settings,))
        project = replace(
            self.project,
            settings=msgspec.structs.replace(alone, database=DatabaseSettings(url=IN_MEMORY)),
        )
        with App(project, self.clock) as app:
            [found] = app.collect()
            stored = app.store.articles(range(1, app.store.article_count() + 1))
            return found, [stored[number].article for number in sorted(stored)]

    def sample(self) -> "App":
        """Return an app with this project's newsletter and templates, but the starter's articles.

        Its store is in memory, so nothing of it stays.
        """
        starter = load(starter_root(), {})
        settings = msgspec.structs.replace(self.project.settings, source=starter.settings.source)
        project = replace(starter, settings=settings, templates_root=self.project.root)
        return App(project, self.clock)

    def local_media(self) -> Mapping[str, Path]:
        """Return the newsletter's own pictures: their public URL and their file."""
        starter = load(starter_root(), {})
        return {
            f"{project.settings.newsletter.public_url.rstrip('/')}/media/{path.name}": path
            for project in (starter, self.project)
            if (project.root / MEDIA).is_dir()
            for path in sorted((project.root / MEDIA).iterdir())
            if path.suffix.lower() in PICTURES
        }

    def write_preview(self, preview: Preview, out: Path) -> Mapping[str, str]:
        """Write the preview's folder at `out`, replacing an earlier one whole; return the files."""
        from digest.viewer.folder import write_preview

        def document(files: Mapping[str, str]) -> bytes:
            encoded = msgspec.json.encode(report(preview, files=files))
            return msgspec.json.format(encoded, indent=2) + b"\n"

        return write_preview(
            self._page(preview), preview.eml, out, media=self.local_media(), report=document
        )

    def _page(self, preview: Preview) -> "PreviewPage":
        from digest.viewer.page import FindingRow, PreviewPage, StoryRow

        edition, letter = preview.edition, self.project.settings.newsletter
        return PreviewPage(
            newsletter=letter.name,
            edition=edition.period.label,
            starts_at=edition.period.start,
            ends_at=edition.period.end,
            timezone=edition.period.timezone,
            state=edition_state(edition),
            subject=preview.variant.subject,
            preheader=preview.variant.preheader,
            sender=letter.sender,
            reader=preview.reader,
            sha256=preview.variant.sha256,
            html=preview.html,
            text=preview.text,
            stories=tuple(
                StoryRow(
                    position=story.position,
                    headline=story.headline,
                    source=story.outlet or story.source,
                    score=story.score,
                    lead=story.lead,
                    rating=rating_words(story),
                    reasons=tuple((reason.text, reason.stars) for reason in story.reasons),
                )
                for story in edition.stories
            ),
            findings=tuple(
                FindingRow(f.rule, str(f.severity), f.message, f.story, f.line)
                for f in preview.findings
            ),
            notes=edition.notes,
            is_sample=self.project.is_starter,
        )


def upgrade_database(project: Project) -> tuple[str, str]:
    """Bring the database's schema up to date; return the versions before and after.

    Raises:
        UsageError: There is no project, and so no database.
        SchemaMismatch: It is of a newer program; nothing was changed.
        StoreError: The database cannot be used.
    """
    from digest.storage.database import Database

    if project.is_starter:
        raise UsageError("There is no project here.", hint="Make one first: digest init DIR")
    database = Database(project.database_url)
    try:
        return database.upgrade()
    finally:
        database.close()
