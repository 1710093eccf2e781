"""Whether a story's page is still there, asked of a real server."""

import pytest

from digest.sources.http import HttpClient
from digest.sources.links import dead_link
from digest.sources.targets import read_url
from digest.testing.factories import NOON
from tests.loopback import Loopback, Reply


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(body=b"<p>Here it is.", headers={"Content-Type": "text/html"}), ""),
        (Reply(404), "no such page (404)"),
        (Reply(410), "gone (410)"),
        (Reply(403), ""),
        (Reply(500), ""),
        (Reply(302, headers={"Location": "/"}), "front page"),
        (Reply(302, headers={"Location": "/elsewhere"}), ""),
        (Reply(302, headers={"Location": "http://10.0.0.1/"}), ""),
    ],
)
def test_only_what_is_certainly_gone_is_dead(reply: Reply, words: str) -> None:
    with Loopback() as server:
        server.pages |= {"/story": reply, "/": Reply(body=b"front"), "/elsewhere": Reply(body=b"x")}
        url = server.url("/story")
        http = HttpClient("digest", frozenset({read_url(url).endpoint}), host_pause_seconds=0)
        fault = dead_link(http, url, now=NOON)
        assert words in fault
        assert bool(fault) is bool(words)


def test_site_that_does_not_answer_says_nothing_about_the_story() -> None:
    with Loopback() as server:
        url = server.url("/story")
    http = HttpClient("digest", frozenset({read_url(url).endpoint}), host_pause_seconds=0)
    assert dead_link(http, url, now=NOON) == ""
    assert dead_link(http, "ftp://example.com/x", now=NOON) == ""
