"""Addresses are taken apart without mercy, and put together again the same."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from digest.errors import SourceError, SourceRefused, SourceUnavailable
from digest.settings import SourceSettings
from digest.sources.targets import MAX_URL_LENGTH, Target, follow, private_endpoints, read_url

HOME = Target("https", "news.example.com", 443, "/a/feed.xml?x=1")

hosts = st.sampled_from(
    ["example.com", "127.0.0.1", "[::1]", "[fe80::1%25eth0]", "bücher.example", "ex_a.example."]
)
urls = st.builds(
    "{}://{}{}/{}".format,
    st.sampled_from(["http", "https", "HTTP", "ftp", "file", "javascript", ""]),
    hosts | st.text(max_size=20),
    st.sampled_from(["", ":", ":80", ":443", ":8080", ":0", ":99999", ":x", "@x"]),
    st.text(max_size=60),
)


@pytest.mark.parametrize(
    ("url", "target", "again"),
    [
        (
            "HTTP://News.Example.COM",
            Target("http", "news.example.com", 80, "/"),
            "http://news.example.com/",
        ),
        (
            " https://news.example.com:443/a?b=c#d ",
            Target("https", "news.example.com", 443, "/a?b=c"),
            "https://news.example.com/a?b=c",
        ),
        (
            "http://news.example.com:8080/a%2Fb/ü?q=é%20!",
            Target("http", "news.example.com", 8080, "/a%2Fb/%C3%BC?q=%C3%A9%20!"),
            "http://news.example.com:8080/a%2Fb/%C3%BC?q=%C3%A9%20!",
        ),
        (
            "http://bücher.example/",
            Target("http", "xn--bcher-kva.example", 80, "/"),
            "http://xn--bcher-kva.example/",
        ),
        ("http://[2600::A]:81/", Target("http", "2600::a", 81, "/"), "http://[2600::a]:81/"),
        ("http://①②⑦.⓪.⓪.①/", Target("http", "127.0.0.1", 80, "/"), "http://127.0.0.1/"),
        (
            "http://news.example.com/a b\"<>\\^`{|}'",
            Target("http", "news.example.com", 80, "/a%20b%22%3C%3E%5C%5E%60%7B%7C%7D'"),
            "http://news.example.com/a%20b%22%3C%3E%5C%5E%60%7B%7C%7D'",
        ),
    ],
)
def test_an_address_is_normalised(url: str, target: Target, again: str) -> None:
    assert read_url(url) == target
    assert target.url == again


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "http and https only"),
        ("news.example.com/feed", "http and https only"),
        ("//news.example.com/feed", "http and https only"),
        ("file:///etc/passwd", '"file:"'),
        ("FTP://news.example.com/", '"ftp:"'),
        ("gopher://news.example.com/", '"gopher:"'),
        ("javascript:alert(1)", '"javascript:"'),
        ("http:", "no usable host name"),
        ("http:///feed", "no usable host name"),
        ("http://exa mple.com/", "no usable host name"),
        ("http://ex%61mple.com/", "no usable host name"),
        ("http://exa*mple.com/", "no usable host name"),
        ("http://-example.com/", "no usable host name"),
        ("http://[fe80::1%25eth0]/", "no usable host name"),
        ("http://a..example.com/", "cannot be read"),
        ("http://" + "a" * 64 + ".com/", "cannot be read"),
        ("http://news.example.com:x/", "cannot be read"),
        ("http://news.example.com:70000/", "cannot be read"),
        ("http://[::1/", "cannot be read"),
        ("http://[::banana]/", "cannot be read"),
        ("http://user:pw@news.example.com/", "news.example.com holds a user name or password"),
        ("http://@news.example.com/", "holds a user name or password"),
        ("http://news.example.com/a\nb", "cannot be seen"),
        ("http://news.example.com/\x00", "cannot be seen"),
        ("http://news.example.com/\u202e", "cannot be seen"),
        ("http://news.example.com/" + "x" * 2000, "too long"),
        ("http://news.example.com/" + "ü" * 500, "too long"),
    ],
)
def test_what_is_no_web_address_is_refused_with_the_reason(url: str, words: str) -> None:
    with pytest.raises(SourceRefused) as caught:
        read_url(url)
    assert words in caught.value.message
    assert caught.value.hint


@given(urls | st.text())
@example("http://[::1]:80\\@example.com/")
@example("http://example.com/?\udcff")
@example("http://v1.[v1.a:b]/")
@example("http://ß.example/")
def test_any_text_is_an_address_that_stays_the_same_or_refused(url: str) -> None:
    try:
        target = read_url(url)
    except SourceRefused:
        return
    assert read_url(target.url) == target
    assert target.url.isascii()
    assert target.url.isprintable()
    assert len(target.url) <= MAX_URL_LENGTH
    assert " " not in target.url
    assert "@" not in target.host


@given(st.binary(max_size=80) | urls.map(lambda url: url.encode("utf-8", "replace")))
@example(b"http://[")
@example(b"//[::1")
@example(b"\xff")
def test_any_location_leads_to_an_address_or_an_error_in_words(location: bytes) -> None:
    try:
        target = follow(HOME, location.decode("latin-1"))
    except SourceError:
        return
    assert read_url(target.url) == target
    assert target.scheme == "https"


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/b", "https://news.example.com/b"),
        ("b", "https://news.example.com/a/b"),
        ("?y=2", "https://news.example.com/a/feed.xml?y=2"),
        ("#top", "https://news.example.com/a/feed.xml?x=1"),
        ("//other.example.com/b", "https://other.example.com/b"),
        ("https://other.example.com:444", "https://other.example.com:444/"),
        ("../../../b", "https://news.example.com/b"),
    ],
)
def test_a_redirect_is_read_from_where_it_was_found(location: str, url: str) -> None:
    assert follow(HOME, location).url == url


def test_a_redirect_to_nowhere_is_a_passing_fault() -> None:
    with pytest.raises(SourceUnavailable, match="without saying where"):
        follow(HOME, "")


def test_encryption_is_not_given_up_on_the_way() -> None:
    with pytest.raises(SourceRefused, match="from https to http"):
        follow(HOME, "http://news.example.com/feed")
    plain = Target("http", "news.example.com", 80, "/")
    assert follow(plain, "https://news.example.com/feed").scheme == "https"


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("http://nas.example.com/feed", ("nas.example.com", 80)),
        ("https://NAS.example.com/feed", ("nas.example.com", 443)),
        ("http://[FD00::1]:8080/", ("fd00::1", 8080)),
        ("articles", None),
        ("http://user:pw@nas.example.com/", None),
    ],
)
def test_a_source_opens_exactly_its_own_private_host_and_port(
    url: str, endpoint: tuple[str, int] | None
) -> None:
    other = SourceSettings(name="Other", url="http://127.0.0.1:6379/")
    source = SourceSettings(name="NAS", url=url, allow_private=True)
    assert private_endpoints([other, source]) == ({endpoint} if endpoint else set())
