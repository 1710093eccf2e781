"""Figures on the command line: what somebody counted, and a dash for what nobody reported."""

from pathlib import Path

from digest.model.votes import Vote
from digest.storage.choices import SqlChoices
from digest.storage.database import open_database
from digest.storage.votes import SqlVotes
from digest.testing.factories import NOON
from tests.acceptance.conftest import Digest
from tests.acceptance.feeds import NOW, rss, use_sources
from tests.loopback import Loopback, Reply

COLUMNS = [
    "edition",
    "state",
    "week_start",
    "week_end",
    "planned",
    "accepted",
    "deferred",
    "delivered",
    "dropped",
    "bounced",
    "complained",
    "left",
    "votes",
    "opens",
    "clicks",
]


def test_edition_is_told_as_far_as_anybody_knows(
    digest: Digest, project: Path, server: Loopback
) -> None:
    assert digest("stats").out == "No edition was sent yet.\n"
    assert digest("stats", "--json").document == {"newsletter": "app-news-weekly", "editions": []}
    server.pages["/feed"] = Reply(body=rss("Maps", "Notes", "Music"))
    use_sources(project, {"News": server.url("/feed")})
    for number in (1, 2, 3):
        added = digest(
            "subscribers", "add", f"r{number}@example.com", "--origin", "o", "--now", NOW
        )
        assert added.code == 0
    for command in (
        ("collect",),
        ("edition", "freeze"),
        ("edition", "approve", "--by", "Ana"),
        ("send", "--yes", "--expect", "3"),
    ):
        assert digest(*command, "--now", NOW).code == 0
    change_their_minds(project)

    told = digest("stats", "--json").document
    assert list(told) == ["newsletter", "editions"]
    [edition] = told["editions"]
    assert list(edition) == COLUMNS
    assert (edition["edition"], edition["planned"], edition["accepted"]) == ("2026-W48", 3, 3)
    assert (edition["left"], edition["votes"]) == (1, 1)
    assert [edition[name] for name in (*COLUMNS[6:11], "opens", "clicks")] == [None] * 7
    table = digest("stats").out
    assert table.count("—") == 4  # delivered, bounced, complained; and what a dash means
    assert "Opens and clicks are not measured" in table

    one = digest("stats", "--edition", "2026-W48", "--json").document
    assert list(one) == ["newsletter", *COLUMNS, "reasons", "week", "stories"]
    assert one["reasons"] == [{"why": "too often", "readers": 1}]
    assert one["week"] == {"joined": 3, "left": 1}
    rated = [story for story in one["stories"] if story["votes"]]
    assert [(story["article"], story["mean"], story["counted"]) for story in rated] == [(1, 4, 1)]
    assert rated[0]["stars"] == {"1": 0, "2": 0, "3": 0, "4": 1, "5": 0}
    shown = digest("stats", "--edition", "2026-W48").out
    for words in ("because: too often", "3 readers joined, 1 left", "4.00", "Music"):
        assert words in shown


def change_their_minds(project: Path) -> None:
    """Let one reader rate a story, and another leave and say why."""
    database = open_database(f"sqlite:///{project}/var/digest.db")
    vote = Vote(
        newsletter="app-news-weekly", edition_id=1, article_id=1, subscriber_id=1, stars=4, at=NOON
    )
    assert SqlVotes(database).vote(vote, at_most=20, since=NOON)
    choices = SqlChoices(database)
    assert choices.leave(2, 1, by="page", now=NOON)
    assert choices.say_why(2, "too often")
    database.close()


def test_what_was_not_sent_has_no_figures(digest: Digest, project: Path) -> None:
    for label in ("2026-W48", "nonsense", "%"):
        digest("stats", "--edition", label).refuses(2, f"Edition {label} was not sent")
    for wrong in ("0", "-1", "many"):
        assert digest("stats", "--last", wrong).code == 2
    digest("stats", "--edition", " ").refuses(2, "blank")
