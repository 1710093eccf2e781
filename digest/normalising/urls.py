"""Addresses of articles: the link that is shown, and the key that tells articles apart."""

import re
from functools import lru_cache
from urllib.parse import parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit

MAX_URL = 2000

# Parameters that name the way a reader came, not the article (collecting research, 3.2).
_TRACKING = re.compile(
    r"utm_\w+|mc_[ce]id|mkt_tok|fbclid|gclid|gclsrc|dclid|gbraid|wbraid|msclkid|yclid|twclid|ttclid"
    r"|igshid|igsh|li_fat_id|_hs(enc|mi)|hsCtaTracking|vero_(id|conv)|oly_(anon|enc)_id|_openstat"
    r"|wt_?mc|ns_\w+|cmpid|ito|ncid|sr_share|spm|rb_clickid|s_cid|ref_src|ref_url|rss|__twitter_impression"
    r"|guccounter|guce_referrer\w*|at_(medium|campaign)\w*|xtor|partner|cid=rss",
    re.IGNORECASE,
)
_UNSAFE = re.compile('[\x00-\x20\x7f"<>\\\\^`{|}\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]')
_HOST = re.compile(r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_-]{1,63}\.?")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def web_link(url: str, base: str = "") -> str:
    """Return `url` taken apart and rebuilt as an absolute http(s) address, or "" if it is none.

    The host becomes lower-case ASCII (IDNA), user names, ports that are the default and tracking
    parameters go away, unsafe characters are percent-encoded (RFC 3986). Applying it twice
    changes nothing.
    """
    try:
        joined = urljoin(base, url.strip()) if base else url.strip()
        parts = urlsplit(joined)
        host, port = _host(parts.hostname or ""), parts.port
    except (ValueError, UnicodeError):
        return ""
    if parts.scheme not in _DEFAULT_PORTS or not host or parts.username or parts.password:
        return ""
    if port is not None and port != _DEFAULT_PORTS[parts.scheme]:
        host = f"{host}:{port}"
    link = urlunsplit(
        (
            parts.scheme,
            host,
            _quoted(parts.path) or "/",
            _query(parts.query),
            _quoted(parts.fragment),
        )
    )
    return link if len(link) <= MAX_URL else ""


def article_key(url: str) -> str:
    """Return what makes an article unique: its canonical URL, or "" where `url` is no web link.

    On top of `web_link`, the fragment goes, http counts as https, the parameters are sorted, and
    a slash at the end does not count.
    """
    link = web_link(url)
    if not link:
        return ""
    parts = urlsplit(link)
    query = urlencode(sorted(parse_qsl(parts.query, keep_blank_values=True)), quote_via=quote)
    path = parts.path.rstrip("/") or "/"
    return urlunsplit(("https", parts.netloc.removesuffix(":443"), path, query, ""))


def domain(url: str) -> str:
    """Return the host of `url` without "www.", for people; "" where there is none."""
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.")
    except ValueError:
        return ""


@lru_cache(maxsize=1024)
def _host(name: str) -> str:
    name = name.lower().rstrip(".")
    if ":" in name:
        return f"[{name}]" if re.fullmatch(r"[0-9a-f:.]+", name) else ""
    if not name.isascii():
        name = name.encode("idna").decode("ascii")
    return name if _HOST.fullmatch(name) else ""


def _quoted(text: str) -> str:
    # "%" is kept where it starts an escape, so that quoting twice changes nothing.
    text = re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", text)
    text = _UNSAFE.sub(lambda match: quote(match[0], errors="ignore"), text)
    return quote(text, safe="%/:=&?~#+!$,;'@()*[]", errors="ignore")


def _query(query: str) -> str:
    kept = [
        part for part in query.split("&") if part and not _TRACKING.fullmatch(part.split("=")[0])
    ]
    return _quoted("&".join(kept))
