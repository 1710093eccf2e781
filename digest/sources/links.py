"""Whether the link of a story still leads to it."""

import datetime as dt
from urllib.parse import urlsplit

from digest.errors import SourceError, SourceGone, SourceMissing
from digest.sources.http import HttpClient

NOBODYS = (".example", ".test", ".invalid", ".example.com", ".example.net", ".example.org")
"""Names that belong to nobody (RFC 2606), such as those of the sample: there is nobody to ask."""


def dead_link(http: HttpClient, url: str, *, now: dt.datetime) -> str:
    """Return in words why a link leads to its story no more; "" if it does, or nobody can tell.

    It is dead when the site answers that there is no such page (404) or none any more (410), or
    leads to its front page instead. A site that does not answer now, wants to be left alone or
    turns programs away says nothing about the story.

    Args:
        http: Asks.
        url: The story's address.
        now: Aware UTC.
    """
    host = urlsplit(url).hostname or url
    if f".{host}".endswith(NOBODYS):
        return ""
    try:
        answer = http.get(url, now=now, accept="text/html, */*;q=0.5")
    except SourceGone:
        return f"{host} says that the page is gone (410)."
    except SourceMissing:
        return f"{host} says that there is no such page (404)."
    except SourceError:
        return ""
    if _is_front(answer.url) and not _is_front(url):
        return f"{host} leads to its front page instead."
    return ""


def _is_front(url: str) -> bool:
    parts = urlsplit(url)
    return parts.path in ("", "/") and not parts.query
