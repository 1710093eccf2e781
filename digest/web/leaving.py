"""Leaving: the page behind a reader's link, one click in a mail program, and the way back.

A link never acts by being opened: mail programs and scanners open them all. GET shows, POST acts.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from digest.app import App
from digest.model.subscribers import (
    BY_ONE_CLICK,
    BY_PAGE,
    Frequency,
    Subscriber,
    SubscriberState,
)
from digest.tokens import BadToken
from digest.web.bodies import read_form
from digest.web.languages import Languages
from digest.web.pages import Pages, masked

PAUSE = dt.timedelta(weeks=4)
UNDO = dt.timedelta(hours=24)
WHYS = frozenset({"too often", "not for me", "too long", "never asked"})
"""What a reader may say about why they left."""


@dataclass(frozen=True, slots=True)
class Visit:
    """Whose link was opened: a reader, or None for somebody who was erased."""

    token: str
    edition_id: int
    subscriber_id: int
    reader: Subscriber | None


class LeavingPages:
    """Answers readers who come by their link, and mail programs on their behalf."""

    def __init__(self, app: App, languages: Languages) -> None:
        self._app = app
        self._languages = languages
        self._tokens = app.tokens
        self._subscribers = app.subscribers
        self._choosing = app.choosing
        self._newsletter = app.project.settings.newsletter.slug

    def routes(self) -> Sequence[BaseRoute]:
        """Return where the page is."""
        return [Route("/u/{token}", self.leaving, methods=["GET", "POST"])]

    async def leaving(self, request: Request) -> Response:
        """Show the page with the button, or act on a POST."""
        token = request.path_params["token"]
        if request.method != "POST":
            return await run_in_threadpool(self._show, token)
        form = await read_form(request)
        return await run_in_threadpool(self.act, token, form)

    def visit(self, token: str) -> Visit:
        """Return whose token it is.

        Raises:
            BadToken: It is nobody's, or of a reader of another newsletter.
        """
        edition_id, subscriber_id = self._tokens.read_reader(token)
        reader = self._subscribers.subscriber_by_id(subscriber_id)
        if reader is not None and reader.newsletter != self._newsletter:
            raise BadToken
        return Visit(token, edition_id, subscriber_id, reader)

    def nobody(self) -> Response:
        """Return the page of a link that is nobody's: it offers a mail with new links."""
        return self._languages.own.page("dead_link.html.j2", 404)

    def gone(self, reader: Subscriber | None) -> Response:
        """Return the page of somebody who is not on the list, with the way back if there is one."""
        pages = self._pages(reader)
        if reader is None or reader.left_at is None:
            return pages.page("left.html.j2", can_undo=False, asks_why=False, said="")
        themselves = reader.left_by in (BY_PAGE, BY_ONE_CLICK)
        can_undo = themselves and reader.left_at > self._app.clock.now() - UNDO
        return pages.page(
            "left.html.j2",
            can_undo=can_undo,
            asks_why=themselves and not reader.left_why,
            said=reader.left_why,
        )

    def act(self, token: str, form: Mapping[str, str]) -> Response:
        """Do what a form says: leave, come back, say why, read less often, pause.

        A mail program (RFC 8058) gets one answer for all tokens, so that nobody learns anything
        from it.

        Raises:
            HTTPException: 400, the form says nothing of these.
        """
        if form.get("List-Unsubscribe") == "One-Click":
            with suppress(BadToken):
                self._leave(self.visit(token), BY_ONE_CLICK)
            return PlainTextResponse("No further edition goes to this address.\n")
        acts: Mapping[str, Callable[[Visit], Response]] = {
            "leave": self._leave_by_page,
            "undo": self._come_back,
            "monthly": self._monthly,
            "pause": self._pause,
            "resume": self._resume,
        }
        named = [act for name, act in acts.items() if form.get(name) == "yes"]
        why = form.get("why", "")
        if len(named) + (why in WHYS) != 1:
            raise HTTPException(400)
        try:
            visit = self.visit(token)
        except BadToken:
            return self.nobody()
        if why:
            self._choosing.say_why(visit.subscriber_id, why)
            return self.gone(self._now(visit))
        return named[0](visit)

    def _show(self, token: str) -> Response:
        try:
            reader = self.visit(token).reader
        except BadToken:
            return self.nobody()
        if reader is None or reader.state is SubscriberState.LEFT:
            return self.gone(reader)
        return self._pages(reader).page(
            "leave.html.j2",
            address=masked(reader.address),
            is_weekly=reader.frequency is Frequency.WEEKLY,
            is_paused=is_paused(reader, self._app.clock.now()),
        )

    # Acting

    def _leave(self, visit: Visit, by: str) -> None:
        now = self._app.clock.now()
        self._choosing.leave(visit.subscriber_id, visit.edition_id, by=by, now=now)

    def _leave_by_page(self, visit: Visit) -> Response:
        self._leave(visit, BY_PAGE)
        return self.gone(self._now(visit))

    def _come_back(self, visit: Visit) -> Response:
        self._choosing.come_back(visit.subscriber_id, since=self._app.clock.now() - UNDO)
        return self._kept(visit, "back")

    def _monthly(self, visit: Visit) -> Response:
        if visit.reader is not None:
            self._choosing.choose(
                visit.subscriber_id,
                topics=visit.reader.topics,
                frequency=Frequency.MONTHLY,
                language=visit.reader.language,
                is_uncounted=visit.reader.is_uncounted,
            )
        return self._kept(visit, "monthly")

    def _pause(self, visit: Visit) -> Response:
        self._choosing.pause(visit.subscriber_id, self._app.clock.now() + PAUSE)
        return self._kept(visit, "paused")

    def _resume(self, visit: Visit) -> Response:
        self._choosing.pause(visit.subscriber_id, None)
        return self._kept(visit, "resumed")

    def _kept(self, visit: Visit, what: str) -> Response:
        """Say what was done to somebody who stays, or that they are not on the list."""
        reader = self._now(visit)
        if reader is None or reader.state is SubscriberState.LEFT:
            return self.gone(reader)
        pages = self._pages(reader)
        until = reader.paused_until_at if is_paused(reader, self._app.clock.now()) else None
        date = pages.words.date(until, pages.zone) if until else ""
        return pages.page("kept.html.j2", what=what, date=date, address=masked(reader.address))

    def _now(self, visit: Visit) -> Subscriber | None:
        return self._subscribers.subscriber_by_id(visit.subscriber_id)

    def _pages(self, reader: Subscriber | None) -> Pages:
        return self._languages.pages(reader.language if reader else "")


def is_paused(reader: Subscriber, now: dt.datetime) -> bool:
    """Tell whether the reader has paused the newsletter and the pause is not over."""
    return reader.paused_until_at is not None and reader.paused_until_at > now
