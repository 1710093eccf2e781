"""What every answer carries, and the one line that is logged about it."""

import base64
import hashlib
import re
import time
from collections.abc import Callable, Mapping

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from digest.errors import DigestError, StoreError

NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

_DEFAULTS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": NOTHING,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
}
PLACES = frozenset(
    {
        "account",
        "archive",
        "confirm",
        "desk",
        "favicon.ico",
        "health",
        "hooks",
        "link",
        "media",
        "preferences",
        "r",
        "u",
    }
)
_STYLE = re.compile(r"<style[^>]*>(.*?)</style>", re.DOTALL)

log = structlog.get_logger(__name__)


def policy(page: str, *, images: str = "'none'", forms: str = "'none'") -> str:
    """Return the Content-Security-Policy of a page: its own style sheets, and what is named."""
    hashes = [
        f"'sha256-{base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()}'"
        for css in _STYLE.findall(page)
    ]
    return (
        f"default-src 'none'; style-src {' '.join(hashes) or chr(39) + 'none' + chr(39)}; "
        f"img-src {images}; base-uri 'none'; form-action {forms}; frame-ancestors 'none'"
    )


class Frontage:
    """Stands before all pages: safe headers, no traceback, and a log without token or address.

    Args:
        app: What answers.
        failed: Makes the answer for a status, where there was an error.
    """

    def __init__(self, app: ASGIApp, failed: Callable[[int], Response]) -> None:
        self._app = app
        self._failed = failed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.monotonic(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _DEFAULTS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except ClientDisconnect:
            pass  # nobody is there to be answered
        except Exception as error:  # noqa: BLE001  # a stranger must never see what broke
            reason = error.message if isinstance(error, DigestError) else type(error).__name__
            log.error("request_failed", place=_place(scope), reason=reason)
            if not status:
                answer = self._failed(503 if isinstance(error, StoreError) else 500)
                await answer(scope, receive, sending)
        log.info(
            "request_answered",
            method=scope["method"],
            place=_place(scope),
            status=status,
            ms=round(1000 * (time.monotonic() - began), 1),
        )


def _place(scope: Scope) -> str:
    """Return the first known part of the path; what follows may be a reader's token."""
    parts = str(scope["path"]).split("/")
    return next((part for part in parts if part in PLACES), "other")
