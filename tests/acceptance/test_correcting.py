"""Putting right what readers have, on the command line."""

from pathlib import Path

import pytest

from tests.acceptance.conftest import Digest, Result
from tests.acceptance.feeds import NOW, rss, use_sources
from tests.loopback import Loopback, Reply

WRONG = "The app costs 4 euros, not 40."


@pytest.fixture
def sent(digest: Digest, project: Path, server: Loopback) -> Digest:
    """Send an edition with the stories Photos, Notes and Maps close."""

    def at_noon(*arguments: object) -> Result:
        return digest(*arguments, "--now", NOW)

    server.pages["/feed"] = Reply(body=rss("Maps close", "Notes", "Photos"))
    use_sources(project, {"News": server.url("/feed")})
    for command in (
        ["collect"],
        ["subscribers", "add", "reader@example.com", "--origin", "asked"],
        ["edition", "freeze"],
        ["edition", "approve", "--by", "Ana"],
    ):
        assert at_noon(*command).code == 0
    at_noon("edition", "correct", WRONG).refuses(2, "No edition has gone out yet", "edition edit")
    assert at_noon("send", "--yes", "--expect", "1").code == 0
    return at_noon


def mails(project: Path) -> dict[str, bytes]:
    found = {path.name: path.read_bytes() for path in project.rglob("*.eml")}
    assert found
    return found


def test_story_is_put_right_without_touching_a_mail(sent: Digest, project: Path) -> None:
    before = mails(project)
    told = sent(
        "edition", "correct", WRONG, "--story", "photos", "--headline", "Photos for 4 euros"
    )
    assert told.code == 0, told.err
    assert "Corrected 2026-W48: " in told.out
    assert WRONG in told.out
    assert "https://news.example.com/archive/2026-W48" in told.err
    document = sent(
        "edition", "correct", "It was another week.", "--by", "Maria", "--json"
    ).document
    assert document == {
        "edition": "2026-W48",
        "article": None,
        "words": "It was another week.",
        "headline": "",
        "summary": "",
        "by": "Maria",
        "at": NOW,
    }
    shown = sent("edition", "show", "--edition", "2026-W48").out
    assert f"by Maria: {document['words']}" in shown
    assert f"(article 3): {WRONG}" in shown
    kept = sent("edition", "show", "--edition", "2026-W48", "--json").document
    assert [one["headline"] for one in kept["corrections"]] == ["Photos for 4 euros", ""]
    assert kept["stories"][0]["title"] == "Photos"  # what the mail says stays known
    audit = sent("audit", "show").out
    assert audit.count("corrected") == 2
    assert WRONG in audit
    assert "by Maria" in audit
    assert sent("audit", "verify").code == 0
    assert mails(project) == before


def test_what_cannot_be_put_right_is_refused_in_words(sent: Digest) -> None:
    correct = ("edition", "correct")
    cases: list[tuple[tuple[str, ...], tuple[str, ...]]] = [
        ((WRONG, "--edition", "2026-W49"), ("No reader has 2026-W49", "edition edit")),
        ((WRONG, "--edition", "nonsense"), ("No reader has nonsense",)),
        ((WRONG, "--story", "zebra"), ("not a story of 2026-W48", "edition show")),
        ((WRONG, "--story", "o"), ("may be several stories", "by its number")),
        ((WRONG, "--headline", "Words"), ("that of a story", "--story")),
        (("\u200e\x07 ",), ("what was wrong",)),
        (("a" * 501,), ("501 characters", "500 are allowed")),
        ((WRONG, "--story", "3", "--headline", "a" * 201), ("headline", "201")),
        ((WRONG, "--story", " "), ("it is blank",)),
        ((WRONG, "--summary", ""), ("it is blank",)),
        ((), ("TEXT",)),
    ]
    for arguments, words in cases:
        sent(*correct, *arguments).refuses(2, *words)
    assert "corrected" not in sent("audit", "show").out
    assert sent("edition", "show", "--edition", "2026-W48", "--json").document["corrections"] == []


def test_hostile_words_steer_no_terminal(sent: Digest) -> None:
    told = sent("edition", "correct", "\x1b[31mred\u202e <b>bold</b> \x00 100 %s")
    assert told.code == 0, told.err
    assert "\x1b" not in told.out
    assert "[31mred <b>bold</b> 100 %s" in told.out
