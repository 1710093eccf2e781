"""The readers' pages: leaving, the archive, the newsletter's pictures.

A link never acts by being opened: mail programs and scanners open them all. GET shows, POST acts.
"""

import mimetypes
from collections.abc import Sequence
from contextlib import suppress

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from digest.app import App
from digest.model.editions import Edition
from digest.model.subscribers import Subscriber, SubscriberState
from digest.tokens import BadToken
from digest.web.bodies import read_form
from digest.web.headers import policy
from digest.web.pages import Pages, masked

KEPT_PAGES = 8  # of the archive; making one takes some milliseconds
PICTURE_AGE = "public, max-age=86400"
ARCHIVE_AGE = "public, max-age=300"


class PublicPages:
    """Answers readers and whoever has a link of theirs."""

    def __init__(self, app: App, pages: Pages) -> None:
        self._app = app
        self._pages = pages
        self._slug = app.project.settings.newsletter.slug
        self._tokens = app.tokens
        self._subscribers = app.subscribers
        self._renderer = app.renderer  # opened here, in one thread
        self._archive: dict[tuple[str, int], tuple[str, str]] = {}

    def routes(self) -> Sequence[BaseRoute]:
        """Return where each page is."""
        return [
            Route("/u/{token}", self.leaving, methods=["GET", "POST"]),
            Route("/preferences/{token}", self.preferences, methods=["GET", "POST"]),
            Route("/archive/{label}", self.archive, methods=["GET"]),
            Route("/media/{name}", self.picture, methods=["GET"]),
            Route("/favicon.ico", self.no_icon, methods=["GET"]),
            Route("/health", self.health, methods=["GET"]),
        ]

    async def leaving(self, request: Request) -> Response:
        """Show the page with the button, or act on a POST."""
        return await self._answer(request, is_preferences=False)

    async def preferences(self, request: Request) -> Response:
        """Do the same, and say that there is nothing more to choose yet."""
        return await self._answer(request, is_preferences=True)

    async def archive(self, request: Request) -> Response:
        """Show an edition that readers have, and no other."""
        found = await run_in_threadpool(self._edition, request.path_params["label"])
        if found is None:
            raise HTTPException(404)
        page, rules = found
        headers = {
            "Cache-Control": ARCHIVE_AGE,
            "Content-Security-Policy": rules,
            "X-Robots-Tag": "all",
        }
        return HTMLResponse(page, headers=headers)

    async def picture(self, request: Request) -> Response:
        """Answer one of the newsletter's own pictures; mails show it from anywhere."""
        name = request.path_params["name"]
        content = await run_in_threadpool(self._picture, name)
        if content is None:
            raise HTTPException(404)
        headers = {"Cache-Control": PICTURE_AGE, "Cross-Origin-Resource-Policy": "cross-origin"}
        return Response(content, headers=headers, media_type=mimetypes.guess_type(name)[0])

    async def no_icon(self, _request: Request) -> Response:
        """Say that there is none: browsers ask for one by themselves."""
        return Response(status_code=204)

    async def health(self, _request: Request) -> Response:
        """Say that this process answers."""
        return PlainTextResponse("ok\n")

    # Leaving

    async def _answer(self, request: Request, *, is_preferences: bool) -> Response:
        token = request.path_params["token"]
        if request.method == "POST":
            return await self._act(request, token)
        reader = await run_in_threadpool(self._reader, token)
        if reader is None or reader.state is SubscriberState.LEFT:
            return self._left()
        return self._pages.page(
            "leave.html.j2", address=masked(reader.address), is_preferences=is_preferences
        )

    async def _act(self, request: Request, token: str) -> Response:
        """Take the reader off the list: for a mail program (RFC 8058) or by the page's button.

        A mail program gets one answer for all tokens, so that nobody learns anything from it.
        """
        form = await read_form(request)
        if form.get("List-Unsubscribe") == "One-Click":
            with suppress(HTTPException):
                await run_in_threadpool(self._leave, token, "one-click")
            return PlainTextResponse("No further edition goes to this address.\n")
        if form.get("leave") != "yes":
            raise HTTPException(400)
        await run_in_threadpool(self._leave, token, "page")
        return self._left()

    def _left(self) -> Response:
        return self._pages.message(
            200,
            "You are not on the list",
            "No further edition goes to you. There is nothing else to do.",
        )

    def _reader(self, token: str) -> Subscriber | None:
        """Return whose token it is, None for somebody who was erased.

        Raises:
            HTTPException: It is nobody's.
        """
        return self._subscribers.subscriber_by_id(self._number(token))

    def _leave(self, token: str, by: str) -> None:
        self._subscribers.set_left(self._number(token), by=by, now=self._app.clock.now())

    def _number(self, token: str) -> int:
        try:
            return self._tokens.read_reader(token)[1]
        except BadToken:
            raise HTTPException(404) from None

    # What is the same for everybody

    def _edition(self, label: str) -> tuple[str, str] | None:
        """Return the page of an edition and its policy, None if readers have no such edition.

        The page is rendered anew: of a mail the bytes are frozen, of an edition its stories.
        """
        edition = self._app.store.edition(self._slug, label)
        if edition is None or not self._went_out(edition):
            return None
        key = label, edition.revision
        found = self._archive.get(key)
        if found is None:
            page = self._renderer.render_web(edition)
            found = page, policy(page, images="'self' https:")
            if len(self._archive) >= KEPT_PAGES:
                self._archive.clear()
            self._archive[key] = found
        return found

    def _went_out(self, edition: Edition) -> bool:
        """Tell whether a reader may have the edition: some mail was handed over and is released."""
        if edition.id is None:
            return False
        if edition.release_at is not None and self._app.clock.now() < edition.release_at:
            return False
        return self._app.ledger.may_have_reached(edition.id)

    def _picture(self, name: str) -> bytes | None:
        for path in self._app.local_media().values():
            if path.name == name:
                return path.read_bytes()
        return None
