"""Signing up: asking for a link by mail, and confirming by it.

The page that follows is the same whoever an address belongs to, and nothing about a person is
looked up before it: what is sent, if anything, is decided later (digest/services/letters.py).
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from digest.app import App
from digest.errors import LinkEnded, TooMany, UsageError
from digest.model.letters import LetterKind
from digest.normalising.text import clean_text
from digest.periods import period_containing, send_at
from digest.tokens import FORM_UNTIL, BadToken
from digest.web.bodies import read_form
from digest.web.clients import TRAP, client_address, is_untimely, was_filled_in
from digest.web.languages import Languages
from digest.web.pages import masked

LOOK_EVERY = dt.timedelta(minutes=1)
LONGEST_ADDRESS = 254  # characters; RFC 5321, 4.5.3.1.3 without its angle brackets


class SignUpPages:
    """Answers who wants to be a reader, and readers who have lost their links."""

    def __init__(self, app: App, languages: Languages) -> None:
        self._app = app
        self._pages = languages.own
        self._tokens = app.tokens
        self._letters = app.letters
        self._past = app.past
        self._known: tuple[dt.datetime, str] | None = None
        self._looked_at = dt.datetime.min.replace(tzinfo=dt.UTC)

    def routes(self) -> Sequence[BaseRoute]:
        """Return where each page is."""
        both = ["GET", "POST"]
        return [
            Route("/", self.sign_up, methods=both),
            Route("/link", self.links, methods=both),
            Route("/confirm/{token}", self.confirming, methods=both),
        ]

    async def sign_up(self, request: Request) -> Response:
        """Show the form; on a POST keep that a letter is wanted."""
        return await self._asking(request, LetterKind.SIGN_UP)

    async def links(self, request: Request) -> Response:
        """Do the same for a reader's own links."""
        return await self._asking(request, LetterKind.LINKS)

    async def confirming(self, request: Request) -> Response:
        """Show two buttons: it was me, and it was not me. Do what a POST says."""
        token = request.path_params["token"]
        form = await read_form(request) if request.method == "POST" else None
        return await run_in_threadpool(self._confirm, token, form)

    # Asking

    async def _asking(self, request: Request, kind: LetterKind) -> Response:
        if request.method != "POST":
            form_token = self._tokens.form(now=self._app.clock.now())
            return await run_in_threadpool(self._form, kind, form_token)
        form = await read_form(request)
        client = client_address(request, self._app.project.settings.web)
        return await run_in_threadpool(self._ask, kind, form, client)

    def _ask(self, kind: LetterKind, form: Mapping[str, str], client: str) -> Response:
        now, address = self._app.clock.now(), form.get("address", "")
        if is_untimely(form, self._tokens, now=now):
            # The one that came too soon is old enough at the next press.
            is_old = self._tokens.form_age(form["form"], now=now) > FORM_UNTIL
            token = self._tokens.form(now=now) if is_old else form["form"]
            return self._form(kind, token, typed=address, is_untimely=True)
        if was_filled_in(form, self._tokens, now=now):
            try:
                network = self._letters.network_of(client, now)
                self._letters.ask(kind, address, network=network, now=now)
            except UsageError:
                # The form keeps its token: who only mends a letter is not too quick for it.
                return self._form(kind, form["form"], typed=address, is_wrong=True)
            except TooMany as error:
                return self._pages.too_many(error.until, now=now)
        return self._pages.page("asked.html.j2", kind=kind)

    def _form(
        self,
        kind: LetterKind,
        token: str,
        *,
        typed: str = "",
        is_wrong: bool = False,
        is_untimely: bool = False,
    ) -> Response:
        status = HTTPStatus.UNPROCESSABLE_ENTITY if is_wrong else HTTPStatus.OK
        letter = self._app.project.settings.newsletter
        sent, last = self._front()
        words, zone = self._pages.words, self._pages.zone
        answer = self._pages.page(
            "sign_up.html.j2",
            HTTPStatus.BAD_REQUEST if is_untimely else status,
            kind=kind,
            form=token,
            trap=TRAP,
            is_wrong=is_wrong,
            is_untimely=is_untimely,
            typed=clean_text(typed, limit=LONGEST_ADDRESS),
            longest=LONGEST_ADDRESS,
            intro=clean_text(letter.intro),
            day=words.weekday(sent, zone),
            time=words.time(sent, zone),
            place=words.place(zone),
            last=last,
        )
        if kind is LetterKind.SIGN_UP:
            answer.headers["X-Robots-Tag"] = "all"
        return answer

    def _front(self) -> tuple[dt.datetime, str]:
        """Return an instant at which editions usually go out, and the label of the last one.

        The label is "" for none. Both are as of a minute ago: anybody can ask for this page, so it
        must not cost a look into the database and the calendar each time.
        """
        now = self._app.clock.now()
        if self._known is None or abs(now - self._looked_at) >= LOOK_EVERY:
            settings = self._app.project.settings
            period = period_containing(now, settings.schedule, settings.newsletter.timezone)
            past = self._past.past_editions(settings.newsletter.slug, now=now)
            sent = send_at(period, settings.schedule)
            self._known, self._looked_at = (sent, past[0].label if past else ""), now
        return self._known

    # Confirming

    def _confirm(self, token: str, form: Mapping[str, str] | None) -> Response:
        now = self._app.clock.now()
        try:
            if form is None:
                letter = self._letters.pending(token, now=now)
                return self._pages.page("confirm.html.j2", address=masked(letter.address))
            if form.get("confirm") == "yes":
                self._letters.confirm(token, now=now)
                return self._pages.page("confirmed.html.j2", next=self._next(now))
            if form.get("disown") == "yes":
                self._letters.disown(token, now=now)
                return self._pages.page("disowned.html.j2")
        except BadToken:
            return self._ended(HTTPStatus.NOT_FOUND)
        except LinkEnded as error:
            return self._ended(HTTPStatus.GONE, error)
        raise HTTPException(400)

    def _ended(self, status: int, error: LinkEnded | None = None) -> Response:
        words, zone = self._pages.words, self._pages.zone
        since = words.date(error.at, zone) if error and error.at else ""
        return self._pages.page(
            "confirm_ended.html.j2",
            status,
            is_known=error is not None,
            is_used=error is not None and error.is_used,
            since=since,
        )

    def _next(self, now: dt.datetime) -> str:
        """Return in words when the next edition goes out, as the welcome does; "" for none."""
        at = self._letters.next_at(now)
        return self._pages.words.date(at, self._pages.zone) if at else ""
