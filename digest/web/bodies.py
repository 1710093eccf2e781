"""Bodies of requests: counted while they come, and parsed only then."""

import asyncio
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message

FORM_LIMIT = 64 * 1024  # bytes
PATIENCE = 20.0  # seconds that a body may take
MAX_FIELDS = 64


async def read_body(request: Request, limit: int) -> bytes:
    """Return the request's body.

    Raises:
        HTTPException: 413, it has more than `limit` bytes; 408, it takes too long.
    """
    declared = request.headers.get("Content-Length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise HTTPException(413)
    body = bytearray()
    try:
        async with asyncio.timeout(PATIENCE):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise HTTPException(413)
    except TimeoutError:
        raise HTTPException(408) from None
    return bytes(body)


async def read_form(request: Request) -> Mapping[str, str]:
    """Return the fields of a form, urlencoded or multipart; none of what is no form, nor files.

    Raises:
        HTTPException: As `read_body`, and 400: it is no well-formed form.
    """
    body = await read_body(request, FORM_LIMIT)

    async def again() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    try:
        async with Request(request.scope, again).form(max_files=0, max_fields=MAX_FIELDS) as form:
            return {name: value for name, value in form.items() if isinstance(value, str)}
    except (LookupError, ValueError):
        raise HTTPException(400) from None
