"""The pages that readers see, in their language: small, without script, light and dark."""

import datetime as dt
import math
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from digest.web.headers import policy

if TYPE_CHECKING:
    from digest.rendering.locales import Words

UTC_ZONE = ZoneInfo("UTC")
TEMPLATES = Path(__file__).parent / "templates"


class Pages:
    """Renders the pages of one newsletter in one language.

    Templates have `_` and `ngettext`, and of each page know `newsletter`, its name; `home`, the
    path that its pages are below, None where there is no newsletter; `language` and `direction`.

    Args:
        newsletter: Its name, as settings have it.
        words: The language; English words for the desk.
        home: The path of its public_url, without a slash at its end.
        zone: The newsletter's; times on pages are in it.
    """

    def __init__(
        self,
        newsletter: str,
        words: "Words",
        *,
        home: str | None = None,
        zone: ZoneInfo = UTC_ZONE,
    ) -> None:
        self.words = words
        self.zone = zone
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            extensions=["jinja2.ext.i18n"],
        )
        self._environment.install_gettext_translations(  # type: ignore[attr-defined]  # of the extension
            words.translations, newstyle=True
        )
        self._environment.globals.update(
            newsletter=newsletter,
            home=home,
            language=words.language,
            direction=words.direction,
        )

    def page(self, template: str, status: int = 200, /, **values: object) -> Response:
        """Return the answer that shows a template; its form, if any, leads to its own address."""
        html = self.text(template, **values)
        headers = {"Content-Security-Policy": policy(html, forms="'self'")}
        return HTMLResponse(html, int(status), headers)

    def text(self, template: str, /, **values: object) -> str:
        """Return a template as it is rendered, for what is no page of its own."""
        return self._environment.get_template(template).render(values)

    def message(self, status: int, title: str = "", words: str = "") -> Response:
        """Return the page that says what the status means, or `title` and `words`."""
        if title:
            answer = self.page("message.html.j2", status, title=title, words=words)
        else:
            phrase = HTTPStatus(status).phrase
            answer = self.page("refused.html.j2", status, status=status, phrase=phrase)
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            answer.headers["Retry-After"] = "60"
        if status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE):
            answer.headers["Connection"] = "close"  # nobody reads the rest of the body
        return answer

    def too_many(self, until: dt.datetime | None, *, now: dt.datetime) -> Response:
        """Return the page of somebody who asked too often: they may again from `until` on.

        Where nobody knows when that is, an hour is named.
        """
        until = until or now + dt.timedelta(hours=1)
        # Up to a whole minute: whoever comes at the time that the page names is let in.
        shown = until + dt.timedelta(seconds=-until.timestamp() % 60)
        time = self.words.time(shown, self.zone)
        answer = self.page("too_many.html.j2", HTTPStatus.TOO_MANY_REQUESTS, time=time)
        seconds = math.ceil((shown - now).total_seconds())
        answer.headers["Retry-After"] = str(max(1, seconds))
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
