"""A feed: RSS, Atom or JSON Feed, over http(s) or from a file of the project."""

import datetime as dt
import re
from dataclasses import replace

from digest.model.sources import Fetched, SourceState
from digest.ports import Source
from digest.settings import SourceSettings
from digest.sources.addresses import same_site
from digest.sources.context import SourceContext, fingerprint, is_read_under, succeeded
from digest.sources.http import PERMANENT, Response
from digest.sources.targets import read_url

ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, "
    "application/json;q=0.8, text/xml;q=0.8, */*;q=0.1"
)
MAX_VALIDATOR_LENGTH = 1000
PROOF_FETCHES = 3
PROOF_TIME = dt.timedelta(hours=24)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
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

        A 304 and a body with the same bytes come back as `unchanged`, unless the settings that
        entries are read by have changed. A permanent redirect is followed at once, and remembered
        when PROOF_FETCHES over PROOF_TIME agree: hosts redirect feeds to
        maintenance pages, too.
        """
        state = replace(state, url=state.url or self._settings.url)
        fresh = succeeded(state, now=now)
        if _SCHEME.match(self._settings.url):
            return self._from_web(state, fresh, now)
        body = self._context.read_file(self._settings.url)
        return self._read(fresh, body, url="", content_type="")

    def _from_web(self, state: SourceState, fresh: SourceState, now: dt.datetime) -> Fetched:
        is_known = is_read_under(self._settings, state.body_sha256)
        response = self._context.http.get(
            state.url,
            now=now,
            etag=state.etag if is_known else "",
            last_modified=state.last_modified if is_known else "",
            accept=ACCEPT,
        )
        fresh = _moved(fresh, response, now)
        if response.status == 304:
            return Fetched(state=fresh, unchanged=True)
        fresh = replace(
            fresh,
            etag=_validator(state.url, response, "etag"),
            last_modified=_validator(state.url, response, "last-modified"),
        )
        content_type = response.headers.get("content-type", "")
        return self._read(fresh, response.body, url=response.url, content_type=content_type)

    def _read(self, fresh: SourceState, body: bytes, *, url: str, content_type: str) -> Fetched:
        content = fingerprint(self._settings, [body])
        if content == fresh.body_sha256:
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
            state=replace(fresh, body_sha256=content),
            entries=parsed.entries,
            refused=parsed.refused,
            title=parsed.title,
            language=parsed.language,
        )


def _validator(url: str, response: Response, name: str) -> str:
    """Return a header that is to be sent back byte for byte, or "" if it is not fit for that.

    One of another site, to which `url` redirects for now, is not: it goes to no site but its own.
    """
    value = response.headers.get(name, "")
    is_own = same_site(read_url(url).host, read_url(response.url).host)
    is_fit = is_own and len(value) <= MAX_VALIDATOR_LENGTH and not _CONTROL.search(value)
    return value if is_fit else ""


def _moved(state: SourceState, response: Response, now: dt.datetime) -> SourceState:
    """Count one more proof that the feed has moved, and follow it for good when there are enough.

    Only a chain of permanent redirects within one site counts; anything else starts over.
    """
    here, there = read_url(state.url), read_url(response.url)
    is_proof = bool(response.hops) and all(
        status in PERMANENT and same_site(here.host, read_url(url).host)
        for status, url in response.hops
    )
    if not is_proof:
        return replace(state, moved_to="", moved_seen=0, moved_since=None)
    if state.moved_to != there.url or state.moved_since is None:
        return replace(state, moved_to=there.url, moved_seen=1, moved_since=now)
    seen = state.moved_seen + 1
    if seen < PROOF_FETCHES or now - state.moved_since < PROOF_TIME:
        return replace(state, moved_seen=seen)
    return replace(state, url=there.url, moved_to="", moved_seen=0, moved_since=None)
