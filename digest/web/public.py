"""What is the same for everybody: the newsletter's pictures, whether it works."""

import mimetypes
from collections.abc import Sequence

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from digest.app import App

PICTURE_AGE = "public, max-age=86400"


class PublicPages:
    """Answers anybody."""

    def __init__(self, app: App) -> None:
        self._app = app

    def routes(self) -> Sequence[BaseRoute]:
        """Return where each page is."""
        return [
            Route("/media/{name}", self.picture, methods=["GET"]),
            Route("/favicon.ico", self.no_icon, methods=["GET"]),
            Route("/health", self.health, methods=["GET"]),
        ]

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

    def _picture(self, name: str) -> bytes | None:
        for path in self._app.local_media().values():
            if path.name == name:
                return path.read_bytes()
        return None
