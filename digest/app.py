"""The composition root: the one place that knows both the services and what they run on."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from digest.gathering import Gathering
from digest.model.articles import Article
from digest.model.deliveries import Audience
from digest.model.editions import Edition
from digest.periods import is_first_of_month
from digest.ports import Transport, Words
from digest.project import load, starter_root
from digest.services.collection import CollectionService, SourceReport
from digest.services.editions import EditionService
from digest.services.freezing import FreezingService
from digest.services.previews import Preview, PreviewService
from digest.settings import DatabaseSettings, SourceSettings

if TYPE_CHECKING:
    from digest.model.subscribers import Subscriber
    from digest.rendering.renderer import MailRenderer
    from digest.services.archive import ArchiveService
    from digest.services.corrections import CorrectionService
    from digest.services.events import EventService
    from digest.services.importing import Importer
    from digest.services.letterforms import LetterForms
    from digest.services.letters import LetterService
    from digest.services.notices import NoticeService
    from digest.services.sending import SendingService
    from digest.services.subscriptions import SubscriptionService
    from digest.services.voting import VotingService
    from digest.tokens import KeyRing, Tokens

MEDIA = Path("config") / "media"
IN_MEMORY = "sqlite://"
SCHEDULE = "schedule"
"""The actor of what comes by itself."""
LETTERS = "letters"
"""The actor of the brake on letters."""
PICTURES = frozenset({".jpg", ".jpeg", ".png", ".gif"})


class App(Gathering):
    """The services of one project, opened when first used. Close it, or use it as a context."""

    def __enter__(self) -> "App":
        """Return itself."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """Close what was opened."""
        self.close()

    def acting_as(self, actor: str) -> "App":
        """Return an app on the same database, and transport if open, for what somebody else does.

        It must not be closed; this one closes what both use.
        """
        other = App(self.project, self.clock, actor=actor)
        other.__dict__["database"] = self.database  # where cached properties keep what they made
        if "transport" in self.__dict__:
            other.__dict__["transport"] = self.transport
        return other

    def close(self) -> None:
        """Give back the database's connections, if any were opened."""
        if "transport" in self.__dict__:
            self.transport.close()
        if "database" in self.__dict__:
            self.database.close()

    @cached_property
    def subscriptions(self) -> "SubscriptionService":
        """Adding, removing and erasing readers, and suppressing addresses."""
        from digest.services.subscriptions import SubscriptionService

        return SubscriptionService(
            self.subscribers, self.project.settings.newsletter.slug, self._hash_address
        )

    @cached_property
    def importer(self) -> "Importer":
        """Taking in lists of readers."""
        from digest.services.importing import Importer

        return Importer(self.subscribers, self._hash_address)

    def _hash_address(self, key: str) -> str:
        return self.keys.hash_address(key)

    @cached_property
    def transport(self) -> Transport:
        """What hands mails over, as the settings name it."""
        from digest.transports.plugins import TransportContext, open_transport

        project = self.project
        context = TransportContext(
            root=project.root, settings=project.settings, secrets=project.secrets
        )
        return open_transport(context)

    @cached_property
    def tokens(self) -> "Tokens":
        """What makes and reads the readers' links."""
        from digest.keyfile import LiveKeys
        from digest.tokens import Tokens

        if self.project.is_starter:
            return Tokens(self.keys)
        return Tokens(self.keys, current=LiveKeys(self.project.keys_path, self.keys))

    @cached_property
    def sending(self) -> "SendingService":
        """Planning and handing over."""
        from digest.services.sending import SendingService

        return SendingService(
            self.store,
            self.ledger,
            self.transport,
            self.tokens,
            self.clock,
            self.project.settings,
            frozen=self.freezing.require_approved,
        )

    @cached_property
    def notices(self) -> "NoticeService":
        """Telling editors by mail what becomes of an edition."""
        from digest.services.editors import EditorLinks
        from digest.services.notices import NoticeService

        return NoticeService(
            self.project.settings,
            render=self.renderer.render_notice,
            transport=lambda: self.transport,
            links=lambda: EditorLinks(self.project.settings, self.tokens, self.keys),
            ahead=lambda edition: self.sending.ahead(edition),
        )

    @cached_property
    def letter_forms(self) -> "LetterForms":
        """Making and checking the letters that people ask for."""
        from digest.services.letterforms import LetterForms

        return LetterForms(
            self.project.settings.newsletter,
            self.renderer.render_letter,
            ignored=self.project.settings.checks.ignore,
        )

    @cached_property
    def letters(self) -> "LetterService":
        """Letters: what people ask for by mail, and what they confirm by it."""
        from digest.services.letters import LetterService, Parts

        parts = Parts(
            letters=self.letters_store,
            subscribers=self.subscribers,
            archive=self.archive,
            marks=self.marks,
            editions=self.editions,
            forms=self.letter_forms,
            tokens=self.tokens,
            keys=self.keys,
            transport=lambda: self.transport,
            hold=self.database.hold,
            note=self.acting_as(LETTERS).audit.note,
        )
        return LetterService(parts, self.project.settings)

    @cached_property
    def archive(self) -> "ArchiveService":
        """Which editions readers have, and what is in them."""
        from digest.services.archive import ArchiveService

        return ArchiveService(self.store, self.past, self.project.settings.newsletter.slug)

    @cached_property
    def correcting(self) -> "CorrectionService":
        """Putting right what went out."""
        from digest.services.corrections import CorrectionService

        return CorrectionService(self.corrections, self.archive.past_page)

    @cached_property
    def voting(self) -> "VotingService":
        """Readers' stars for the stories they were sent."""
        from digest.services.voting import VotingService

        return VotingService(
            self.store,
            self.past,
            self.subscribers,
            self.votes,
            self.tokens,
            self.project.settings.newsletter.slug,
        )

    @cached_property
    def events(self) -> "EventService":
        """Taking and folding the provider's reports."""
        from digest.services.events import EventService
        from digest.storage.events import SqlEvents
        from digest.transports.sendgrid_events import read_report

        return EventService(SqlEvents(self.database), read_report, self.database.hold, self.clock)

    @cached_property
    def keys(self) -> "KeyRing":
        """The secret keys of readers' links; the first use of a new project makes them.

        Raises:
            ConfigError: They are missing though mails were planned or addresses erased with them,
                or cannot be used.
        """
        from digest.keyfile import new_keys, open_keys
        from digest.storage.keyuse import needs_its_keys

        if self.project.is_starter:
            return new_keys()
        path = self.project.keys_path
        is_new = not path.exists() and not needs_its_keys(self.database)
        return open_keys(path, create=is_new, now=self.clock.now())

    @cached_property
    def editions(self) -> EditionService:
        """Drafting and curating."""
        project, own = self.project, self.project.settings.taking_part
        return EditionService(
            self.store,
            project.settings,
            left_out=self._samples if any(not s.newest for s in own) else frozenset(),
            sources=frozenset(source.name for source in own) if project.others else None,
            words=self._words,
            votes=self.votes,
        )

    def _words(self) -> Words:
        from digest.rendering.locales import load_words

        language = self.project.settings.newsletter.language
        return load_words(self.project.template_folders, language)

    @cached_property
    def _samples(self) -> frozenset[str]:
        """The names of the sample's sources, also where the project has taken them out."""
        packaged = load(starter_root(), {}).settings.source
        return frozenset(s.name for s in (*packaged, *self.project.settings.source) if s.newest)

    @cached_property
    def renderer(self) -> "MailRenderer":
        """The mail renderer, with the project's templates before the starter's."""
        from digest.rendering.renderer import MailRenderer

        return MailRenderer(self.project.template_folders, self.project.settings.newsletter)

    @cached_property
    def previews(self) -> PreviewService:
        """Filling a mail for one reader, and the checks."""
        from digest.transports.message import build_message

        return PreviewService(
            self.project.settings.newsletter,
            build_message,
            ignored=self.project.settings.checks.ignore,
            weights={url: path.stat().st_size for url, path in self.local_media().items()},
        )

    @cached_property
    def freezing(self) -> FreezingService:
        """Rendering for good, and approving."""
        slug = self.project.settings.newsletter.slug

        def last_editor(label: str) -> str:
            return self.audit.last_editor(slug, label, other_than=SCHEDULE)

        return FreezingService(
            self.store,
            self.editions,
            self.renderer,
            minimum=self.project.settings.edition.minimum_stories,
            findings=self.previews.findings,
            choices=lambda: self.subscribers.topic_choices(slug),
            last_editor=last_editor if self.project.settings.schedule.two_people else None,
        )

    def preview(self, edition: Edition, reader: str) -> Preview:
        """Return the edition's mail to `reader`: an address, "" for an invented one.

        Who is on the list gets the stories of their topics, anybody else all of them.
        """
        found = self.reader(reader)
        narrow, frozen = self.freezing.mail_for(edition, found.topics if found else ())
        return self.previews.preview(
            narrow, frozen, audience=self.audience(edition), now=self.clock.now(), reader=reader
        )

    def audience(self, edition: Edition) -> Audience:
        """Return who gets the edition: as it was planned, or would be planned now."""
        from digest.services.sending import HAS_DELIVERIES

        if edition.state in HAS_DELIVERIES:
            planned = self.ledger.report(edition)
            return Audience(planned=planned.planned, excluded=planned.excluded)
        is_monthly = is_first_of_month(edition.period)
        return self.ledger.audience(edition, is_monthly=is_monthly)

    def reader(self, address: str) -> "Subscriber | None":
        """Return who is on the list with this address, also if they have left, or None."""
        from digest.normalising.addresses import address_key, parse_address

        try:
            key = address_key(parse_address(address))
        except ValueError:  # nobody on the list; what can't be mailed is refused with the message
            return None
        return self.subscribers.subscriber(self.project.settings.newsletter.slug, key)

    def collect(
        self, *, only: str = "", progress: Callable[[SourceReport], None] = lambda _report: None
    ) -> list[SourceReport]:
        """Fetch the sources of all the project's newsletters; see `CollectionService.collect`."""
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
            others=(),
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
