"""Who asks: the address that a request came from, and whether a person filled in its form."""

import datetime as dt
from collections.abc import Mapping

import structlog
from starlette.requests import Request

from digest.settings import WebSettings
from digest.tokens import FORM_FROM, FORM_UNTIL, BadToken, Tokens

TRAP = "website"
"""A field that people do not see; who fills it in is a program."""

log = structlog.get_logger(__name__)


def client_address(request: Request, web: WebSettings) -> str:
    """Return the IP address that a request came from, "" where nobody knows.

    What a client says about itself does not count. Behind a proxy it is the last address of
    X-Forwarded-For: the proxy has put that one there, and the client all others.
    """
    told = ",".join(request.headers.getlist("X-Forwarded-For")).rpartition(",")[2].strip()
    if told and web.behind_proxy:
        return told
    if told:
        log.warning("visitors_not_told_apart", hint="Behind a proxy set behind_proxy in [web].")
    return request.client.host if request.client else ""


def was_filled_in(form: Mapping[str, str], tokens: Tokens, *, now: dt.datetime) -> bool:
    """Tell whether a form is one of ours, neither too young nor too old, and its trap is empty."""
    age = _age(form, tokens, now)
    return age is not None and FORM_FROM <= age <= FORM_UNTIL


def is_untimely(form: Mapping[str, str], tokens: Tokens, *, now: dt.datetime) -> bool:
    """Tell whether a form is one of ours that came back too soon, or after long.

    A program that fills in forms may be so quick, and so may a browser that does it for a person.
    """
    age = _age(form, tokens, now)
    return age is not None and not FORM_FROM <= age <= FORM_UNTIL


def _age(form: Mapping[str, str], tokens: Tokens, now: dt.datetime) -> dt.timedelta | None:
    """Return how long ago the form was shown, None for one that is not ours or has a full trap."""
    try:
        age = tokens.form_age(form.get("form", ""), now=now)
    except BadToken:
        return None
    return None if form.get(TRAP) else age
