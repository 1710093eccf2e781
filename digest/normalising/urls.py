"""Addresses of articles: the link that is shown, and the key that tells articles apart."""

import re
import unicodedata
from functools import lru_cache
from urllib.parse import parse_qs, quote, unquote, urljoin, urlsplit, urlunsplit

MAX_URL = 2000

# Parameters that name the way a reader came, not the article.
_TRACKING = re.compile(
    r"(?:utm_\w+|mtm_\w+|mc_[ce]id|mkt_tok|fbclid|gclid|gclsrc|dclid|gbraid|wbraid|msclkid|yclid"
    r"|twclid|ttclid|igshid|igsh|li_fat_id|_hs(?:enc|mi)|hsctatracking|vero_(?:id|conv)|srsltid"
    r"|oly_(?:anon|enc)_id|_openstat|wt_?mc|wt\.mc_\w+|ns_(?:source|mchannel|campaign|linkname|fee)"
    r"|cmpid|ocid|ito|ncid|sr_share|spm|rb_clickid|s_cid|ref_(?:src|url)|__twitter_impression"
    r"|guccounter|guce_referrer\w*|at_(?:medium|campaign)\w*|xtor)(?:=.*)?"
    r"|(?:source|partner|emc|cid|ref|from)=(?:rss|feed)[\w.-]*|rss(?:=[01]?)?",
    re.IGNORECASE | re.DOTALL,
)
_AMP = re.compile(r"amp=(?:1|true)?|(?:amp_js_v|amp_gsa|usqp)=.*", re.DOTALL)
_AMP_SUFFIX = re.compile(r"(?<=[^/])(?:/+amp)+/*$")
_AMP_COPY = re.compile(r"/(?:amp|[a-z])/(?:s/)?([^/]+\.[^/]+(?:/.*)?)", re.DOTALL)
_GOOGLE = re.compile(r"(?:www\.)?google(?:\.[a-z]{2,3}){1,2}")
_DEVICE = re.compile(r"^(?:(?:www|m|amp)\.(?=[^.]+\.))+")  # "amp.dev" is a name of its own
_HOST = re.compile(r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_-]{1,63}")
_DOTS = re.compile("[.\u3002\uff0e\uff61]")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def web_link(url: str, base: str = "") -> str:
    """Return `url` taken apart and rebuilt as an absolute http(s) address, or "" if it is none.

    The host becomes lower-case ASCII (IDNA), ports that are the default and tracking parameters go
    away, unsafe characters are percent-encoded (RFC 3986). A URL with a user's name in it is none.
    Applying it twice changes nothing.

    Args:
        url: What the source states.
        base: The absolute address that relative links start from, the feed's.
    """
    url = url.strip()
    if not url or len(url) > 4 * MAX_URL:  # joined to the base, no link would be the feed itself
        return ""
    try:
        parts = urlsplit(urljoin(base, url) if base else url)
        host, port = _host(parts.hostname or ""), parts.port
    except (ValueError, UnicodeError):
        return ""
    if parts.scheme not in _DEFAULT_PORTS or not host or parts.username or parts.password:
        return ""
    sites = (_site(host), _site(domain(base)))
    query = _without_tracking(_quoted(parts.query), sites)
    fragment = _without_tracking(_quoted(parts.fragment), sites)
    if port is not None and port != _DEFAULT_PORTS[parts.scheme]:
        host = f"{host}:{port}"
    link = urlunsplit((parts.scheme, host, _quoted(parts.path) or "/", query, fragment))
    return link if len(link) <= MAX_URL else ""


def article_key(url: str) -> str:
    """Return what makes an article unique: its canonical URL, or "" where `url` is no web link.

    On top of `web_link`, redirectors and copies for phones are seen through, http counts as https,
    the parameters are sorted, and neither the fragment nor a slash at the end counts. Nobody is
    sent to a key: readers get the link.
    """
    from w3lib.url import canonicalize_url

    link = web_link(url)
    while inner := web_link(_wrapped(link)):
        link = inner
    if not link:
        return ""
    parts = urlsplit(canonicalize_url(link))
    host = _site(parts.netloc.removesuffix(":443"))
    query = _without_tracking(parts.query, (_site(parts.hostname or ""),))
    query = "&".join(part for part in query.split("&") if not _AMP.fullmatch(part))
    path = parts.path
    while (shorter := _AMP_SUFFIX.sub("", path.rstrip("/;"))) != path:
        path = shorter
    return urlunsplit(("https", host, path or "/", query, ""))


def domain(url: str) -> str:
    """Return the host of `url` without "www.", for people; "" where there is none."""
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.")
    except ValueError:
        return ""


def _wrapped(link: str) -> str:
    """Return the address inside a redirector's link or that of an AMP copy, or ""."""
    parts = urlsplit(link)
    host = parts.hostname or ""
    is_google = bool(_GOOGLE.fullmatch(host))
    if is_google and parts.path == "/url":
        query = parse_qs(parts.query)
        return (query.get("url") or query.get("q") or [""])[0]
    is_copy = host == "cdn.ampproject.org" or host.endswith(".cdn.ampproject.org")
    if is_copy or (is_google and parts.path.startswith("/amp/")):
        found = _AMP_COPY.fullmatch(parts.path)
        asked = f"?{parts.query}" if parts.query else ""
        return f"https://{found[1]}{asked}" if found else ""
    return ""


def _site(host: str) -> str:
    """Return `host` without the prefixes of its versions for other devices."""
    return _DEVICE.sub("", host)


@lru_cache(maxsize=1024)
def _host(name: str) -> str:
    name = name.lower().rstrip(".")
    if len(name) > 253:
        return ""
    if ":" in name:
        return f"[{name}]" if re.fullmatch(r"[0-9a-f:.]+", name) else ""
    if not name.isascii():
        name = ".".join(_ascii(label) for label in _DOTS.split(name))
    return name if _HOST.fullmatch(name) else ""


def _ascii(label: str) -> str:
    if "ß" in label or "ς" in label:  # the codec has IDNA 2003, where these are other letters
        return "xn--" + unicodedata.normalize("NFC", label).encode("punycode").decode("ascii")
    return label.encode("idna").decode("ascii")


def _quoted(text: str) -> str:
    # "%" is kept where it starts an escape, so that quoting twice changes nothing.
    text = re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", text)
    return quote(text, safe="%/:=&?~#+!$,;'@()*[]", errors="ignore")


def _without_tracking(query: str, sites: tuple[str, ...]) -> str:
    return "&".join(part for part in query.split("&") if not _is_tracking(part, sites))


def _is_tracking(part: str, sites: tuple[str, ...]) -> bool:
    if not part or _TRACKING.fullmatch(part):
        return True
    name, _, value = part.partition("=")
    return name.lower() == "ref" and bool(value) and _site(unquote(value).lower()) in sites
