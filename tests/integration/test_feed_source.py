"""A feed over http: what is remembered, what is spared, what is not believed."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from digest.errors import (
    SourceError,
    SourceGone,
    SourceMalformed,
    SourceMissing,
    SourceUnavailable,
)
from digest.model.sources import Fetched, SourceState
from digest.settings import SourceSettings
from digest.sources.context import SourceContext
from digest.sources.feeds import MAX_VALIDATOR_LENGTH, make_source
from digest.sources.parsing import ParserPool
from tests.loopback import Loopback, Reply, Request, SmallInternet, make_client

FEEDS = Path(__file__).parent.parent / "fixtures" / "feeds"
FEED = (FEEDS / "rss20.xml").read_bytes()
NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
NEW = SourceState(name="Courier")
PUBLIC = "11.0.0.1"


@pytest.fixture(scope="module")
def parser() -> Iterator[ParserPool]:
    with ParserPool(size=1) as parser:
        yield parser


@pytest.fixture
def server() -> Iterator[Loopback]:
    with Loopback() as server:
        server.pages["/feed"] = Reply(body=FEED)
        yield server


@pytest.fixture
def context(server: Loopback, parser: ParserPool, tmp_path: Path) -> SourceContext:
    return SourceContext(root=tmp_path, http=make_client(server), parser=parser)


def without_parser(context: SourceContext) -> SourceContext:
    """Return a context in which nothing can be parsed."""
    ended = ParserPool()
    ended.close()
    return replace(context, parser=ended)


def fetch(
    context: SourceContext,
    url: str,
    state: SourceState = NEW,
    now: dt.datetime = NOW,
    **settings: Any,
) -> Fetched:
    source = SourceSettings(name="Courier", url=url, **settings)
    return make_source(source, context).fetch(state, now=now)


def test_a_feed_is_read_and_what_the_next_fetch_needs_is_remembered(
    server: Loopback, context: SourceContext
) -> None:
    server.pages["/feed"] = Reply(body=FEED, headers={"ETag": 'W/"1"', "Last-Modified": "today"})
    failed = replace(NEW, failures=3, last_error="No answer.", not_before_at=NOW)
    fetched = fetch(context, server.url("/feed"), failed)
    assert not fetched.unchanged
    assert (fetched.title, fetched.language) == ("App Courier", "en-GB")
    assert [entry.title for entry in fetched.entries][1:] == [
        "Only a guid",
        "A guid that is no link",
        "Active link",
    ]
    state = fetched.state
    assert (state.name, state.url) == ("Courier", server.url("/feed"))
    assert (state.etag, state.last_modified) == ('W/"1"', "today")
    assert state.last_fetch_at == state.last_success_at == NOW
    assert (state.failures, state.last_error, state.not_before_at) == (0, "", None)


def test_a_304_costs_no_parse(server: Loopback, context: SourceContext) -> None:
    def page(request: Request) -> Reply:
        is_known = request.headers.get("if-none-match") == '"1"'
        return Reply(304 if is_known else 200, FEED, {"ETag": '"1"'})

    server.pages["/feed"] = page
    first = fetch(context, server.url("/feed"))
    second = fetch(without_parser(context), server.url("/feed"), first.state, NOW + HOUR)
    assert second.unchanged
    assert second.entries == ()
    assert second.state == replace(
        first.state, last_fetch_at=NOW + HOUR, last_success_at=NOW + HOUR
    )


@pytest.mark.parametrize(
    "settings", [{"language": "de"}, {"timezone": "Europe/Berlin"}, {"topics": ("Apps",)}]
)
@pytest.mark.parametrize("headers", [{}, {"ETag": '"1"', "Last-Modified": "today"}])
def test_a_setting_that_is_corrected_takes_effect(
    server: Loopback, context: SourceContext, settings: dict[str, Any], headers: dict[str, str]
) -> None:
    def page(request: Request) -> Reply:
        is_known = {"if-none-match", "if-modified-since"} & set(request.headers)
        return Reply(304 if is_known else 200, FEED, headers)

    server.pages["/feed"] = page
    state = fetch(context, server.url("/feed")).state
    second = fetch(context, server.url("/feed"), state, **settings)
    assert len(second.entries) == 4
    assert fetch(context, server.url("/feed"), second.state, **settings).unchanged


def test_the_marks_of_another_site_are_not_kept(server: Loopback, context: SourceContext) -> None:
    internet = SmallInternet()
    internet.put("news.example.com", PUBLIC, server)
    internet.put("other.example.org", "11.0.0.2", server)
    server.pages["/old"] = Reply(302, headers={"Location": "http://other.example.org/feed"})
    server.pages["/feed"] = Reply(body=FEED, headers={"ETag": '"1"', "Last-Modified": "today"})
    context = replace(context, http=make_client(network=internet.network))
    state = fetch(context, "http://news.example.com/old").state
    assert (state.etag, state.last_modified) == ("", "")
    assert fetch(without_parser(context), "http://news.example.com/old", state).unchanged


def test_the_same_bytes_cost_no_parse_and_bring_the_new_validators(
    server: Loopback, context: SourceContext
) -> None:
    first = fetch(context, server.url("/feed"))
    server.pages["/feed"] = Reply(body=FEED, headers={"ETag": '"2"'})
    second = fetch(without_parser(context), server.url("/feed"), first.state)
    assert second.unchanged
    assert second.state.etag == '"2"'
    assert second.state.body_sha256 == first.state.body_sha256


def test_other_bytes_are_parsed_and_validators_that_are_gone_are_forgotten(
    server: Loopback, context: SourceContext
) -> None:
    server.pages["/feed"] = Reply(body=FEED, headers={"ETag": '"1"', "Last-Modified": "today"})
    first = fetch(context, server.url("/feed"))
    server.pages["/feed"] = Reply(body=FEED + b"\n")
    second = fetch(context, server.url("/feed"), first.state)
    assert not second.unchanged
    assert second.entries == first.entries
    assert (second.state.etag, second.state.last_modified) == ("", "")
    assert second.state.body_sha256 != first.state.body_sha256


@pytest.mark.parametrize(
    ("etag", "is_kept"),
    [
        ("x" * MAX_VALIDATOR_LENGTH, True),
        ("x" * (MAX_VALIDATOR_LENGTH + 1), False),
        ('"a\x00b"', False),
        ("é", True),
    ],
)
def test_a_validator_that_cannot_be_sent_back_is_not_kept(
    server: Loopback, context: SourceContext, etag: str, is_kept: bool
) -> None:
    server.pages["/feed"] = Reply(body=FEED, headers={"ETag": etag})
    fetched = fetch(context, server.url("/feed"))
    assert fetched.state.etag == (etag if is_kept else "")
    fetch(context, server.url("/feed"), fetched.state)
    assert server.requests[1].headers.get("if-none-match") == (etag if is_kept else None)


@pytest.mark.parametrize("status", [301, 308])
def test_a_permanent_redirect_is_followed_at_once_and_remembered_when_it_is_proved(
    server: Loopback, context: SourceContext, status: int
) -> None:
    server.pages["/old"] = Reply(status, headers={"Location": "/older"})
    server.pages["/older"] = Reply(301, headers={"Location": "/feed"})
    old, new = server.url("/old"), server.url("/feed")
    first = fetch(context, old)
    assert len(first.entries) == 4
    assert (first.state.url, first.state.moved_to, first.state.moved_seen) == (old, new, 1)
    assert first.state.moved_since == NOW
    second = fetch(context, old, first.state, NOW + 12 * HOUR)
    assert (second.state.url, second.state.moved_seen) == (old, 2)
    assert second.state.moved_since == NOW
    third = fetch(context, old, second.state, NOW + 24 * HOUR)
    assert third.state.url == new
    assert (third.state.moved_to, third.state.moved_seen, third.state.moved_since) == ("", 0, None)
    fetch(context, old, third.state, NOW + 25 * HOUR)
    assert [request.path for request in server.requests[-2:]] == ["/feed", "/feed"]


@pytest.mark.parametrize(
    ("hours", "is_moved"),
    [
        ([0, 1, 23], False),
        ([0, 24], False),
        ([0, 1, 2, 3, 24], True),
        ([0, 23, 24], True),
        ([0, 48, 96], True),
    ],
)
def test_three_fetches_and_a_whole_day_are_proof(
    server: Loopback, context: SourceContext, hours: list[int], is_moved: bool
) -> None:
    server.pages["/old"] = Reply(301, headers={"Location": "/feed"})
    state = NEW
    for hour in hours:
        state = fetch(context, server.url("/old"), state, NOW + hour * HOUR).state
    assert (state.url == server.url("/feed")) is is_moved


@pytest.mark.parametrize(
    "interruption",
    [
        Reply(body=FEED),
        Reply(302, headers={"Location": "/feed"}),
        Reply(301, headers={"Location": "/other"}),
    ],
    ids=["back again", "for now", "elsewhere"],
)
def test_the_proof_starts_over_when_a_fetch_disagrees(
    server: Loopback, context: SourceContext, interruption: Reply
) -> None:
    moved = Reply(301, headers={"Location": "/feed"})
    server.pages["/other"] = Reply(body=FEED)
    state = NEW
    for hour, page in enumerate([moved, moved, interruption, moved]):
        server.pages["/old"] = page
        state = fetch(context, server.url("/old"), state, NOW + 24 * hour * HOUR).state
    assert state.url == server.url("/old")
    assert state.moved_seen == 1


def test_a_move_to_what_is_no_feed_is_no_proof(server: Loopback, context: SourceContext) -> None:
    server.pages["/old"] = Reply(301, headers={"Location": "/sorry"})
    server.pages["/sorry"] = Reply(body=b"<!DOCTYPE html><title>Back soon</title>")
    with pytest.raises(SourceMalformed):
        fetch(context, server.url("/old"))


@pytest.mark.parametrize("statuses", [(302,), (303,), (307,), (301, 302), (307, 308)])
def test_a_redirect_for_now_is_never_remembered(
    server: Loopback, context: SourceContext, statuses: tuple[int, ...]
) -> None:
    for number, status in enumerate(statuses):
        is_last = number == len(statuses) - 1
        location = "/feed" if is_last else f"/{number + 1}"
        server.pages[f"/{number}"] = Reply(status, headers={"Location": location})
    state = NEW
    for day in range(4):
        state = fetch(context, server.url("/0"), state, NOW + 24 * day * HOUR).state
    assert (state.url, state.moved_to, state.moved_seen) == (server.url("/0"), "", 0)


@pytest.mark.parametrize(
    "way",
    [
        ["http://other.example.org/feed"],
        ["http://other.example.org/back", "http://feeds.news.example.com/feed"],
        ["http://sibling.example.com/feed"],
    ],
    ids=["elsewhere", "by way of elsewhere", "a sibling"],
)
def test_a_feed_is_never_given_away_to_another_site(
    server: Loopback, context: SourceContext, way: list[str]
) -> None:
    internet = SmallInternet()
    for number, name in enumerate(
        ["news.example.com", "other.example.org", "feeds.news.example.com", "sibling.example.com"]
    ):
        internet.put(name, f"11.0.0.{number + 1}", server)
    server.pages["/old"] = Reply(301, headers={"Location": way[0]})
    server.pages["/back"] = Reply(301, headers={"Location": way[-1]})
    context = replace(context, http=make_client(network=internet.network))
    state = NEW
    for day in range(4):
        fetched = fetch(context, "http://news.example.com/old", state, NOW + 24 * day * HOUR)
        assert fetched.unchanged or len(fetched.entries) == 4
        state = fetched.state
    assert (state.url, state.moved_to) == ("http://news.example.com/old", "")


def test_a_feed_that_moves_to_https_or_www_of_its_site_is_remembered(
    server: Loopback, context: SourceContext
) -> None:
    internet = SmallInternet()
    with Loopback(tls=True) as secure:
        internet.put("www.news.example.com", "11.0.0.1", server)
        internet.put("news.example.com", "11.0.0.2", secure)
        secure.pages["/feed"] = Reply(body=FEED)
        server.pages["/feed"] = Reply(301, headers={"Location": "https://news.example.com/feed"})
        context = replace(context, http=make_client(network=internet.network))
        state = NEW
        for day in range(3):
            now = NOW + 24 * day * HOUR
            state = fetch(context, "http://www.news.example.com/feed", state, now).state
    assert state.url == "https://news.example.com/feed"


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(410), SourceGone),
        (Reply(404), SourceMissing),
        (Reply(500), SourceUnavailable),
        (Reply(200, b""), SourceMalformed),
        (Reply(200, b"<!DOCTYPE html><title>Oops</title>"), SourceMalformed),
        (Reply(200, b"/etc/passwd"), SourceMalformed),
        (Reply(200, b"file:///etc/passwd"), SourceMalformed),
    ],
)
def test_a_feed_that_cannot_be_used_says_why_in_a_sentence(
    server: Loopback, context: SourceContext, reply: Reply, kind: type[SourceError]
) -> None:
    server.pages["/feed"] = reply
    with pytest.raises(kind) as caught:
        fetch(context, server.url("/feed"))
    assert type(caught.value) is kind
    assert caught.value.message.endswith(".")


def test_a_body_that_is_an_address_is_not_fetched(server: Loopback, context: SourceContext) -> None:
    with Loopback() as sink:
        server.pages["/feed"] = Reply(body=sink.url("/feed").encode())
        with pytest.raises(SourceMalformed):
            fetch(context, server.url("/feed"))
        assert sink.connections == 0


def external(declarations: str, title: str) -> str:
    item = f"<item><title>{title}</title><link>https://news.example.com/1</link></item>"
    return (
        f'<?xml version="1.0"?><!DOCTYPE rss [{declarations}]>'
        f'<rss version="2.0" xmlns:xi="http://www.w3.org/2001/XInclude">'
        f"<channel><title>Feed</title>{item}</channel></rss>"
    )


@pytest.mark.parametrize(
    "feed",
    [
        external('<!ENTITY x SYSTEM "file://SECRET">', "a &x; b"),
        external('<!ENTITY x SYSTEM "SINK">', "a &x; b"),
        external('<!ENTITY % x SYSTEM "SINK"> %x;', "a"),
        external('<!ENTITY % x SYSTEM "file://SECRET"> %x;', "a"),
        external("", 'a <xi:include href="file://SECRET" parse="text"/> b'),
        external("", 'a <xi:include href="SINK"/> b'),
        external("", "a").replace("rss [", 'rss SYSTEM "SINK" ['),
        external("", "a").replace("rss [", 'rss PUBLIC "-//x//y" "SINK" ['),
    ],
)
def test_a_feed_opens_no_file_and_no_address(
    server: Loopback, context: SourceContext, feed: str, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("s3cret words")
    with Loopback() as sink:
        sink.pages["/x"] = Reply(body=b"<!ENTITY y 's3cret words'>")
        body = feed.replace("SECRET", str(secret)).replace("SINK", sink.url("/x"))
        server.pages["/feed"] = Reply(body=body.encode())
        try:
            found = repr(fetch(context, server.url("/feed")))
        except SourceError as error:
            found = error.message + error.hint
        assert "s3cret" not in found
        assert sink.connections == 0
