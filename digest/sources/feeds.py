"""A feed: RSS, Atom or JSON Feed, over http(s) or from a file of the project."""

import datetime as dt
import hashlib
import re
from dataclasses import replace

from digest.model.sources import Fetched, SourceState
from digest.ports import Source
from digest.settings import SourceSettings
from digest.sources.addresses import same_site
from digest.sources.context import SourceContext
from digest.sources.http import PERMANENT, Response
from digest.sources.targets import read_url

ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, "
    "application/json;q=0.8, text/xml;q=0.8, */*;q=0.1"
)
PROOF_FETCHES = 3
PROOF_TIME = dt.timedelta(hours=24)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def make_source(settings: SourceSettings, context: SourceContext) -> Source:
    """Return the source of kind "feed" for `settings`; touches nothing yet."""
    return FeedSource(settings, context)


class FeedSource:
    """Reads one feed; what is unchanged since the last fetch is not parsed again."""

    def __init__(self, settings: SourceSettings, context: SourceContext) -> None:
        self.name = settings.name
        self._settings = settings
        self._context = context

    def fetch(self, state: SourceState, *, now: dt.datetime) -> Fetched:
        """Read the feed once; see `digest.ports.Source.fetch`.

        A 304 and a body with the same bytes come back as `unchanged`. A permanent redirect is
        followed at once, and remembered when PROOF_FETCHES over PROOF_TIME agree (collecting
        research, 2: hosts redirect feeds to maintenance pages).
        """
        state = replace(state, url=state.url or self._settings.url)
        fresh = replace(
            state,
            last_fetch_at=now,
            last_success_at=now,
            not_before_at=None,
            failures=0,
            last_error="",
        )
        if _SCHEME.match(self._settings.url):
            return self._from_web(state, fresh, now)
        body = self._context.read_file(self._settings.url)
        return self._read(fresh, body, url="", content_type="")

    def _from_web(self, state: SourceState, fresh: SourceState, now: dt.datetime) -> Fetched:
        response = self._context.http.get(
            state.url,
            now=now,
            etag=state.etag,
            last_modified=state.last_modified,
            accept=ACCEPT,
        )
        fresh = _moved(fresh, response, now)
        if response.status == 304:
            return Fetched(state=fresh, unchanged=True)
        fresh = replace(
            fresh,
            etag=response.headers.get("etag", ""),
            last_modified=response.headers.get("last-modified", ""),
        )
        content_type = response.headers.get("content-type", "")
        return self._read(fresh, response.body, url=response.url, content_type=content_type)

    def _read(self, fresh: SourceState, body: bytes, *, url: str, content_type: str) -> Fetched:
        digest = hashlib.sha256(body).hexdigest()
        if digest == fresh.body_sha256:
            return Fetched(state=fresh, unchanged=True)
        parsed = self._context.parser.parse(
            "feed",
            body,
            url=url,
            content_type=content_type,
            language=self._settings.language,
            timezone=self._settings.timezone,
        )
        return Fetched(
            state=replace(fresh, body_sha256=digest),
            entries=parsed.entries,
            refused=parsed.refused,
            title=parsed.title,
            language=parsed.language,
        )


def _moved(state: SourceState, response: Response, now: dt.datetime) -> SourceState:
    """Count one more proof that the feed has moved, and follow it for good when there are enough.

    Only a chain of permanent redirects within one site counts; anything else starts over.
    """
    statuses = {status for status, _ in response.hops}
    here, there = read_url(state.url), read_url(response.url)
    if not statuses or not statuses <= PERMANENT or not same_site(here.host, there.host):
        return replace(state, moved_to="", moved_seen=0, moved_since=None)
    if state.moved_to != there.url or state.moved_since is None:
        return replace(state, moved_to=there.url, moved_seen=1, moved_since=now)
    seen = state.moved_seen + 1
    if seen < PROOF_FETCHES or now - state.moved_since < PROOF_TIME:
        return replace(state, moved_seen=seen)
    return replace(state, url=there.url, moved_to="", moved_seen=0, moved_since=None)
