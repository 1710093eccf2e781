"""Preferences: what a reader gets, how often, and in which language they read these pages."""

from collections.abc import Mapping, Sequence

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from digest.app import App
from digest.errors import TooMany
from digest.model.letters import LetterKind
from digest.model.subscribers import Frequency, Subscriber, SubscriberState
from digest.tokens import BadToken
from digest.web.bodies import read_form
from digest.web.clients import client_address
from digest.web.languages import Languages
from digest.web.leaving import LeavingPages, is_paused
from digest.web.pages import masked

MOST_TOPICS = 30  # that are offered; a form has room for some fields more
TOPIC = "topic:"


class PreferencesPages:
    """Answers readers who come by the link to their preferences."""

    def __init__(self, app: App, languages: Languages, leaving: LeavingPages) -> None:
        self._app = app
        self._languages = languages
        self._leaving = leaving
        self._choosing = app.choosing
        self._letters = app.letters

    def routes(self) -> Sequence[BaseRoute]:
        """Return where the page is."""
        return [Route("/preferences/{token}", self.preferences, methods=["GET", "POST"])]

    async def preferences(self, request: Request) -> Response:
        """Show what the reader chose, or act on a POST."""
        token = request.path_params["token"]
        if request.method != "POST":
            return await run_in_threadpool(self._show, token)
        form = await read_form(request)
        client = client_address(request, self._app.project.settings.web)
        return await run_in_threadpool(self._act, token, form, client)

    def _show(self, token: str, *, is_saved: bool = False) -> Response:
        try:
            reader = self._leaving.visit(token).reader
        except BadToken:
            return self._leaving.nobody()
        if reader is None or reader.state is SubscriberState.LEFT:
            return self._leaving.gone(reader)
        pages, now = self._languages.pages(reader.language), self._app.clock.now()
        until = reader.paused_until_at if is_paused(reader, now) else None
        return pages.page(
            "preferences.html.j2",
            address=masked(reader.address),
            reader=reader,
            topics=self._topics(reader),
            topic_field=TOPIC,
            languages=self._languages.names,
            chosen_language=pages.words.language,
            paused_until=pages.words.date(until, pages.zone) if until else "",
            saved_at=pages.words.time(now, pages.zone) if is_saved else "",
        )

    def _act(self, token: str, form: Mapping[str, str], client: str) -> Response:
        if form.get("save") == "yes":
            return self._save(token, form)
        if form.get("data") == "link":
            return self._send_link(token, client)
        return self._leaving.act(token, form)

    def _save(self, token: str, form: Mapping[str, str]) -> Response:
        try:
            reader = self._leaving.visit(token).reader
        except BadToken:
            return self._leaving.nobody()
        if reader is None or reader.id is None:
            return self._leaving.gone(None)
        # What the form does not name as it should stays as it is.
        frequency = form.get("frequency", "")
        self._choosing.choose(
            reader.id,
            topics=tuple(t for t in self._topics(reader) if TOPIC + t in form),
            frequency=Frequency(frequency) if frequency in set(Frequency) else reader.frequency,
            language=self._language(reader, form.get("language", "")),
            is_uncounted="uncounted" in form,
        )
        return self._show(token, is_saved=True)

    def _send_link(self, token: str, client: str) -> Response:
        try:
            reader = self._leaving.visit(token).reader
        except BadToken:
            return self._leaving.nobody()
        if reader is None:
            return self._leaving.gone(None)
        pages, now = self._languages.pages(reader.language), self._app.clock.now()
        try:
            network = self._letters.network_of(client, now)
            self._letters.ask(LetterKind.ACCOUNT, reader.address, network=network, now=now)
        except TooMany as error:
            return pages.too_many(error.until, now=now)
        return pages.page("asked.html.j2", kind=LetterKind.LINKS)

    def _language(self, reader: Subscriber, chosen: str) -> str:
        """Return the reader's language from now on, "" for the newsletter's own."""
        shown = self._languages.pages(reader.language).words.language
        if chosen == shown or chosen not in self._languages.names:
            return reader.language
        return "" if chosen == self._languages.own.words.language else chosen

    def _topics(self, reader: Subscriber) -> Sequence[str]:
        """Return the topics to choose among: those of the sources, and the reader's own."""
        settings = self._app.project.settings
        named = {topic for source in settings.taking_part for topic in source.topics}
        known = {topic.casefold() for topic in reader.topics}
        others = sorted(topic for topic in named if topic.casefold() not in known)
        return sorted([*reader.topics, *others[: max(0, MOST_TOPICS - len(reader.topics))]])
