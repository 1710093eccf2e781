"""My data: all that is stored about a reader as a file, and having it erased.

Only a link that came by mail within the last day leads here: links in editions are forwarded.
"""

import datetime as dt
import json
from collections.abc import Mapping, Sequence

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from digest.app import App
from digest.errors import LinkEnded
from digest.model.subscribers import Subscriber
from digest.tokens import BadToken
from digest.web.bodies import read_form
from digest.web.languages import Languages
from digest.web.pages import Pages, masked


class AccountPages:
    """Answers readers who come by the link to their data."""

    def __init__(self, app: App, languages: Languages) -> None:
        self._app = app
        self._languages = languages
        self._tokens = app.tokens
        self._newsletter = app.project.settings.newsletter.slug

    def routes(self) -> Sequence[BaseRoute]:
        """Return where the page is."""
        return [Route("/account/{token}", self.account, methods=["GET", "POST"])]

    async def account(self, request: Request) -> Response:
        """Show the buttons, or act on a POST."""
        token = request.path_params["token"]
        form = await read_form(request) if request.method == "POST" else None
        return await run_in_threadpool(self._answer, token, form)

    def _answer(self, token: str, form: Mapping[str, str] | None) -> Response:
        now, own = self._app.clock.now(), self._languages.own
        try:
            reader = self._reader(token, now)
        except BadToken:
            return own.page("dead_link.html.j2", 404)
        except LinkEnded as error:
            since = own.words.date(error.at, own.zone) if error.at else ""
            return own.page("account_ended.html.j2", 410, since=since)
        if reader is None:
            return own.page("erased.html.j2")
        pages = self._languages.pages(reader.language)
        if form is None:
            return pages.page("account.html.j2", address=masked(reader.address), asks=False)
        return self._act(reader, pages, form)

    def _reader(self, token: str, now: dt.datetime) -> Subscriber | None:
        """Return whose token it is, None for somebody who was erased.

        Raises:
            BadToken: It is nobody's, or of a reader of another newsletter.
            LinkEnded: It has run out.
        """
        number = self._tokens.read_account(token, now=now)
        reader = self._app.subscribers.subscriber_by_id(number)
        if reader is not None and reader.newsletter != self._newsletter:
            raise BadToken
        return reader

    def _act(self, reader: Subscriber, pages: Pages, form: Mapping[str, str]) -> Response:
        match form.get("data"), form.get("erase"):
            case "file", None:
                return self._file(reader)
            case None, "ask":
                return pages.page("account.html.j2", address=masked(reader.address), asks=True)
            case None, "yes":
                self._app.subscriptions.erase(reader.address, now=self._app.clock.now())
                return pages.page("erased.html.j2")
        raise HTTPException(400)

    def _file(self, reader: Subscriber) -> Response:
        data = self._app.subscriptions.data(reader.id or 0)
        return Response(
            json.dumps(data, ensure_ascii=False, indent=2) + "\n",
            media_type="application/json",
            headers={
                "Content-Disposition": f'attachment; filename="{self._newsletter}-my-data.json"'
            },
        )
