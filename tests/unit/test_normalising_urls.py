"""Links lead where the publisher wants, and one article has one key however it is linked."""

from urllib.parse import urlsplit

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from digest.normalising.urls import MAX_URL, article_key, domain, web_link

FEED = "https://news.example.com/feeds/all.xml"
PIECES = [
    "http:",
    "https:",
    "//",
    "/",
    "\\",
    "@",
    ":",
    "80",
    "443",
    "?",
    "&",
    "=",
    "#",
    "%",
    "%2f",
    "%41",
    "%E4",
    ".",
    "..",
    "amp",
    "www.",
    "m.",
    "example.com",
    "google.com",
    "url",
    "url=",
    "utm_source=",
    "p=123",
    "cdn.ampproject.org",
    "/c/s/",
    "ü",
    "ß",
    "。",
    " ",
    "\t",
    "\n",
    "\x00",
    "\u202e",
    "[::1]",
    "[",
    "]",
    ";",
    "+",
    "javascript:",
    "data:",
    "ref=",
    "~",
    "|",
    "'",
    '"',
    "<",
    "\ud800",
    "xn--",
]
ANY_URL = st.one_of(
    st.text(st.characters(exclude_categories=[])),
    st.lists(st.sampled_from(PIECES), max_size=20).map("".join),
    st.lists(st.sampled_from(PIECES), max_size=20).map(
        lambda p: "https://example.com/" + "".join(p)
    ),
)


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("HTTPS://News.Example.COM:443/A?b=C#d", "https://news.example.com/A?b=C#d"),
        ("http://example.com:80", "http://example.com/"),
        ("http://example.com:8080/x", "http://example.com:8080/x"),
        ("  https://example.com/a b\n", "https://example.com/a%20b"),
        ("https://example.com/a%2Fb%zz", "https://example.com/a%2Fb%25zz"),
        ("https://bücher.example/ä?ö=ü", "https://xn--bcher-kva.example/%C3%A4?%C3%B6=%C3%BC"),
        ("https://straße.example/", "https://xn--strae-oqa.example/"),
        ("https://例え。example/", "https://xn--r8jz45g.example/"),
        ("https://example.com./", "https://example.com/"),
        ("https://[::1]:8443/x", "https://[::1]:8443/x"),
        ("https://example.com/\u202e\u200bx", "https://example.com/%E2%80%AE%E2%80%8Bx"),
        ("https://example.com/?a=1&utm_source=x&p=123&fbclid=y", "https://example.com/?a=1&p=123"),
        ("https://example.com/x?utm_medium=rss", "https://example.com/x"),
        ("https://example.com/x#xtor=RSS-3208", "https://example.com/x"),
        ("https://example.com/x#part-2", "https://example.com/x#part-2"),
        ("https://example.com/story/amp/?amp=1", "https://example.com/story/amp/?amp=1"),
        (
            "https://www.google.com/url?url=https://example.com/x",
            "https://www.google.com/url?url=https://example.com/x",
        ),
    ],
)
def test_readers_get_the_publishers_link_without_tracking(url: str, link: str) -> None:
    assert web_link(url) == link


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("story?id=3", "https://news.example.com/feeds/story?id=3"),
        ("/story", "https://news.example.com/story"),
        ("//other.example.com/x", "https://other.example.com/x"),
        ("\\\\evil.example.com/x", "https://news.example.com/feeds/%5C%5Cevil.example.com/x"),
        ("http://example.org/x?ref=news.example.com", "http://example.org/x"),
        ("http://example.org/x?ref=www.example.org", "http://example.org/x"),
        ("http://example.org/x?ref=homepage", "http://example.org/x?ref=homepage"),
        ("", ""),
        ("  \n", ""),
        ("javascript:alert(1)", ""),
    ],
)
def test_links_are_resolved_against_the_feed(url: str, link: str) -> None:
    assert web_link(url, FEED) == link


@pytest.mark.parametrize(
    "url",
    [
        "",
        "javascript:alert(1)",
        "java\nscript:alert(1)",
        "\x01javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "mailto:a@example.com",
        "//evil.example.com",
        "\\\\evil.example.com",
        "/relative",
        "relative",
        "https://",
        "https:///x",
        "http://user:secret@example.com/",
        "http://user@example.com/",
        "http://example.com\\@evil.example.com/",
        "http://exa mple.com/",
        "http://example.com:99999/",
        "http://example.com:x/",
        "http://[::1/",
        "http://[zz::1]/",
        "http://ex%61mple.com/",
        "http://-.example..com/",
        "https://example.com/" + "a" * 60_000,
        f"https://example.com/{'ü' * (MAX_URL // 4)}",
        f"http://{'a.' * 200}com/",
        "ftp://example.com/x",
    ],
)
def test_what_is_no_web_address_is_no_link(url: str) -> None:
    assert web_link(url) == ""
    assert article_key(url) == ""


STORY = "https://example.com/2026/story"


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/2026/story",
        "http://example.com/2026/story",
        "http://www.example.com:80/2026/story/",
        "https://EXAMPLE.com:443/2026/story#comments",
        "http://example.com:443/2026/story",
        "https://m.example.com/2026/story",
        "https://amp.example.com/2026/story",
        "https://www.m.example.com/2026/story",
        "https://example.com/2026/story/amp",
        "https://example.com/2026/story/amp/",
        "https://example.com/2026/story?amp=1",
        "https://example.com/2026/story?amp",
        "https://example.com/2026/../2026/./story",
        "https://example.com/2026/s%74ory",
        "https://example.com/2026/story?ref=example.com",
        "https://example.com/2026/story?ref=www.example.com",
        "https://example.com/2026/story?source=rss----abc0---4",
        "https://example.com/2026/story?partner=rss&emc=rss",
        "https://example.com/2026/story?utm%5Fsource=x",
        "https://example-com.cdn.ampproject.org/c/s/example.com/2026/story/amp?usqp=mq331&amp_js_v=0.1",
        "https://cdn.ampproject.org/v/s/www.example.com/2026/story",
        "https://cdn.ampproject.org/c/example.com/2026/story",
        "https://www.google.com/amp/s/example.com/2026/story",
        "https://www.google.co.uk/amp/amp.example.com/2026/story",
        "https://www.google.com/url?rct=j&sa=t&url=https://www.example.com/2026/story&ct=ga&usg=AFQ",
        "https://google.de/url?q=https%3A%2F%2Fexample.com%2F2026%2Fstory%3Futm_source%3Dx",
        "https://www.google.com/url?url=https://www.google.com/url?q=https://example.com/2026/story",
    ],
)
def test_one_article_has_one_key_however_it_is_linked(url: str) -> None:
    assert article_key(url) == STORY


@pytest.mark.parametrize(
    "name",
    [
        "utm_source",
        "UTM_Campaign",
        "mtm_campaign",
        "fbclid",
        "gclid",
        "dclid",
        "gbraid",
        "wbraid",
        "msclkid",
        "yclid",
        "twclid",
        "igshid",
        "mc_cid",
        "mc_eid",
        "mkt_tok",
        "_hsenc",
        "_hsmi",
        "vero_id",
        "srsltid",
        "ocid",
        "cmpid",
        "wt_mc",
    ],
)
def test_tracking_is_neither_in_the_link_nor_in_the_key(name: str) -> None:
    url = f"{STORY}?p=123&{name}=x%20y"
    assert web_link(url) == f"{STORY}?p=123"
    assert article_key(url) == f"{STORY}?p=123"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("?p=123", "?p=124"),
        ("?id=1&page=2", "?id=1&page=3"),
        ("?q=b%e4", "?q=b%f6"),  # bytes of an old charset: no UTF-8, and not the same
        ("?source=apps", "?source=games"),
        ("?ref=1", "?ref=2"),
        ("?amp=2", "?amp=3"),
        ("story", "Story"),
        ("amplifier", "amp-review"),
        ("x?a=1%262", "x?a=1&2"),
    ],
)
def test_different_articles_keep_different_keys(one: str, other: str) -> None:
    assert article_key("https://example.com/" + one) != article_key("https://example.com/" + other)


def test_the_order_of_parameters_does_not_count() -> None:
    assert article_key(f"{STORY}?b=2&a=1") == article_key(f"{STORY}?a=1&b=2") == f"{STORY}?a=1&b=2"


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("https://amp.dev/x", "https://amp.dev/x"),
        ("https://m.example/x", "https://m.example/x"),
        ("https://example.com/amp", "https://example.com/amp"),
        ("https://www.google.com/url?x=1", "https://google.com/url?x=1"),
        ("https://cdn.ampproject.org/v0.js", "https://cdn.ampproject.org/v0.js"),
        ("https://google.com/url?q=javascript:x", "https://google.com/url?q=javascript%3Ax"),
    ],
)
def test_what_only_looks_like_a_copy_stays(url: str, key: str) -> None:
    assert article_key(url) == key


@given(ANY_URL, st.sampled_from(["", FEED]))
def test_a_link_is_absolute_http_or_nothing_and_stays_as_it_is(url: str, base: str) -> None:
    link = web_link(url, base)
    assert web_link(link) == link
    if link:
        parts = urlsplit(link)
        assert parts.scheme in ("http", "https")
        assert parts.hostname
        assert parts.username is None
        assert link.isascii()
        assert not set(link) & set(' "<>\\^`{|}\x00\n\t')
        assert len(link) <= MAX_URL


@given(ANY_URL)
@example("HTTP://0/;/")
@example("https://example.com/x/amp;/amp")
def test_a_key_is_its_own_key(url: str) -> None:
    key = article_key(url)
    assert article_key(key) == key
    assert bool(key) == bool(web_link(url))
    assert not key or key.startswith("https://")


@given(
    st.from_regex(r"[a-z0-9-]{1,12}(/[a-z0-9-]{1,12}){0,3}", fullmatch=True),
    st.lists(
        st.sampled_from(["utm_source=rss", "fbclid=a%20b", "mc_cid=1", "_hsenc=-x", "ocid=y"])
    ),
    st.lists(st.from_regex(r"(p|id|page|story)=[a-z0-9]{1,5}", fullmatch=True), max_size=3),
)
def test_tracked_and_untracked_links_have_one_key(
    path: str, tracking: list[str], meant: list[str]
) -> None:
    assume(not path.endswith("amp"))
    plain = f"https://example.com/{path}?{'&'.join(meant)}"
    tracked = f"http://www.example.com/{path}/?{'&'.join([*tracking, *meant, *tracking])}#top"
    assert article_key(plain) == article_key(tracked)
    assert sorted(filter(None, urlsplit(article_key(plain)).query.split("&"))) == sorted(meant)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://www.example.com/x", "example.com"),
        ("https://m.example.com", "m.example.com"),
        ("", ""),
        ("http://[", ""),
    ],
)
def test_people_see_the_host_without_www(url: str, name: str) -> None:
    assert domain(url) == name
