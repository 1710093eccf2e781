"""The pages that readers see, except the archive: small, without script, light and dark."""

from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from digest.web.headers import policy

_WORDS: Mapping[int, tuple[str, str]] = {
    400: (
        "This did not arrive as it should",
        "Nothing was changed. Go back, open the link again, and press the button.",
    ),
    404: (
        "There is nothing here",
        "If you followed a link from a mail, open it there again, or copy all of it.",
    ),
    410: ("This link has run out", "Its edition is long over. The next one brings a new link."),
    405: ("This page can only be looked at", "Nothing was changed."),
    408: ("That took too long", "Nothing was changed. Try it again."),
    413: ("That is too much", "Nothing was changed."),
    500: ("Something is wrong here", "Nothing was changed. Try it again in a while."),
    503: ("This does not work right now", "Nothing was changed. Try it again in a while."),
}


class Pages:
    """Renders the pages of one newsletter.

    Args:
        newsletter: Its name, as settings have it.
    """

    def __init__(self, newsletter: str) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self._environment.globals["newsletter"] = newsletter

    def page(self, template: str, status: int = 200, **values: object) -> Response:
        """Return the answer that shows a template; its form, if any, leads to its own address."""
        html = self._environment.get_template(template).render(values)
        headers = {"Content-Security-Policy": policy(html, forms="'self'")}
        return HTMLResponse(html, status, headers)

    def message(self, status: int, title: str = "", words: str = "") -> Response:
        """Return the page that says what the status means, or `title` and `words`."""
        known = _WORDS.get(status, (HTTPStatus(status).phrase, ""))
        answer = self.page(
            "message.html.j2", status, title=title or known[0], words=words or known[1]
        )
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            answer.headers["Retry-After"] = "60"
        if status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE):
            answer.headers["Connection"] = "close"  # nobody reads the rest of the body
        return answer

    def refusal(self, _request: Request, error: Exception) -> Response:
        """Answer what Starlette refuses."""
        if not isinstance(error, HTTPException):
            return self.message(500)
        answer = self.message(error.status_code)
        answer.headers.update(error.headers or {})
        return answer


def masked(address: str) -> str:
    """Return the address so that its owner knows it and nobody else learns it."""
    local, _, domain = address.rpartition("@")
    return f"{local[:1] if len(local) > 1 else ''}…@{domain}"
