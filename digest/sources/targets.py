"""Addresses taken apart before anything is asked."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit

from digest.errors import SourceRefused, SourceUnavailable
from digest.settings import SourceSettings
from digest.sources.failures import UNHARMED, refused

MAX_URL_LENGTH = 2000
DEFAULT_PORTS = {"http": 80, "https": 443}
_HINT = "Correct `url`."
_HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?|[0-9a-f:.]*:[0-9a-f:.]*")


@dataclass(frozen=True, slots=True)
class Target:
    """An address taken apart and found fit to be asked: `host` is ASCII and lower-case."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def endpoint(self) -> tuple[str, int]:
        """Host and port, as `HttpClient.allowed` names them."""
        return self.host, self.port

    @property
    def url(self) -> str:
        """The address again, normalised and without a fragment."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"


def read_url(url: str) -> Target:
    """Take an http(s) address apart.

    Raises:
        SourceRefused: It is no such address, it holds a user name or password, or it is too long.
            The message never repeats what could be a secret.
    """
    url = url.strip()
    if len(url) > MAX_URL_LENGTH or not url.isprintable():
        raise refused("The address is too long, or holds characters that cannot be seen", _HINT)
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").encode("idna").decode("ascii").lower(), parts.port
    except ValueError:
        raise refused("The address cannot be read", _HINT) from None
    if parts.scheme not in DEFAULT_PORTS:
        raise _other_scheme(url, parts.scheme)
    if "@" in parts.netloc:
        raise refused(
            f"The address for {host[:80]} holds a user name or password, and digest sends none",
            "Use an address without them.",
        )
    if not _HOST_NAME.fullmatch(host):
        raise refused("The address has no usable host name", _HINT)
    path = quote(parts.path or "/", safe="/%:=&~+!$,;'@()*[]")
    query = quote(parts.query, safe="/%:=&~+!$,;'@()*[]?")
    target = Target(
        parts.scheme,
        host,
        DEFAULT_PORTS[parts.scheme] if port is None else port,
        f"{path}?{query}" if query else path,
    )
    if len(target.url) > MAX_URL_LENGTH:
        raise refused("The address is too long", _HINT)
    return target


def private_endpoints(sources: Iterable[SourceSettings]) -> frozenset[tuple[str, int]]:
    """Return the exact hosts and ports that the settings allow to be private."""
    endpoints = set()
    for source in sources:
        if source.allow_private:
            try:
                endpoints.add(read_url(source.url).endpoint)
            except SourceRefused:
                continue  # fetching it says what is wrong with the address
    return frozenset(endpoints)


def _other_scheme(url: str, scheme: str) -> SourceRefused:
    # In "name:password@host" the name looks like a scheme.
    named = f'uses "{scheme[:20]}:"' if scheme and "@" not in url else "is of another kind"
    return refused(
        f"The address {named}, and digest reads http and https only",
        "Use the http or https address of the feed.",
    )


def follow(target: Target, location: str) -> Target:
    """Return where a redirect leads.

    Raises:
        SourceRefused: To an address of another kind, or from https to http.
        SourceUnavailable: Nowhere.
    """
    if not location:
        raise SourceUnavailable(f"{target.host} redirects without saying where. {UNHARMED}")
    # Header values come as Latin-1; addresses that are not ASCII are meant as UTF-8.
    location = location.encode("latin-1", "replace").decode("utf-8", "replace")
    try:
        joined = urljoin(target.url, location)
    except ValueError:
        raise refused(f"{target.host} redirects to an address that cannot be read", "") from None
    following = read_url(joined)
    if (target.scheme, following.scheme) == ("https", "http"):
        raise refused(
            f"{target.host} redirects from https to http on {following.host}",
            "Ask the site for an https address, or give the http one in `url`.",
        )
    return following
