"""Where the provider reports what became of mails.

Without its public key there is no such place. A report is verified on its raw bytes and kept; what
it says is folded a little later. Whatever is posted, the answer is no 5xx; only a database that
fails makes a 503, and rightly: the provider then sends the report again.
"""

from collections.abc import Sequence

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from digest.app import App
from digest.transports.sendgrid_events import SIGNATURE, TIMESTAMP, SignedHook
from digest.web.bodies import read_body

REPORT_LIMIT = 1024 * 1024  # bytes; SendGrid sends 768 KB at most

log = structlog.get_logger(__name__)


def hook_routes(app: App) -> Sequence[BaseRoute]:
    """Return where SendGrid reports, if the settings have its key.

    Raises:
        ConfigError: The key is none.
    """
    key = app.project.settings.sendgrid.webhook_public_key
    if not key:
        return []
    hook = SignedHook(key)

    async def take(request: Request) -> Response:
        signature, timestamp = (_only(request, name) for name in (SIGNATURE, TIMESTAMP))
        body = await read_body(request, REPORT_LIMIT)
        now = app.clock.now()
        if not await run_in_threadpool(hook.accepts, body, signature, timestamp, now=now):
            raise HTTPException(403)
        is_new = await run_in_threadpool(app.events.take, body)
        age = round(now.timestamp()) - int(timestamp)
        log.info("report_taken", bytes=len(body), is_new=is_new, age_seconds=age)
        return PlainTextResponse("ok\n")

    return [Route("/hooks/sendgrid", take, methods=["POST"])]


def _only(request: Request, name: str) -> str:
    """Return the header that a request must have once."""
    values = request.headers.getlist(name)
    if len(values) != 1:
        raise HTTPException(403)
    return values[0]
