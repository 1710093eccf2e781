"""Articles about one event as one story, and next week's update of it, on the command line."""

from pathlib import Path

from tests.acceptance.conftest import Digest, Result
from tests.acceptance.feeds import NOW, rss, use_sources
from tests.loopback import Loopback, Reply

NEXT_WEEK = "2026-12-02T12:00:00+00:00"
TITLES = ("Maps close", "Notes", "Maps shut down", "Photos", "Goodbye, maps")


def test_stories_are_merged_sent_together_and_updated_in_a_later_edition(
    digest: Digest, project: Path, server: Loopback
) -> None:
    def at(now: str, *arguments: object) -> Result:
        return digest(*arguments, "--now", now)

    server.pages["/feed"] = Reply(body=rss(*TITLES))
    use_sources(project, {"News": server.url("/feed")})
    assert at(NOW, "collect").code == 0
    merged = at(NOW, "edition", "merge", "maps close", "maps shut", "goodbye", "--json").document
    assert [story["title"] for story in merged["stories"]] == ["Photos", "Notes", "Maps close"]
    assert [o["title"] for o in merged["stories"][2]["also"]] == ["Maps shut down", "Goodbye, maps"]
    assert "Merged     5 Goodbye, maps (News) into 1" in at(NOW, "edition", "show").out
    assert at(NOW, "rank").out.count("merged into 1") == 2
    explained = at(NOW, "rank", "--explain", "goodbye").out
    assert "An editor merged it into article 1." in explained
    assert "merged into Maps close: Goodbye, maps" in at(NOW, "edition", "diff").out
    assert "merged into Maps close: Goodbye, maps" in at(NOW, "audit", "show").out
    at(NOW, "edition", "merge", "1", "1").refuses(2, "merged into itself")
    at(NOW, "edition", "merge", "1").refuses(2, "OTHER")
    assert at(NOW, "edition", "split", "1", "--json").document["stories"][2]["also"] == []
    assert at(NOW, "edition", "merge", "1", "3", "5").code == 0

    assert at(NOW, "subscribers", "add", "reader@example.com", "--origin", "asked").code == 0
    assert at(NOW, "edition", "freeze").code == 0
    assert at(NOW, "edition", "approve", "--by", "Ana").code == 0
    told = at(NOW, "send", "--yes", "--expect", "1")
    assert told.code == 0, told.err

    fresh = rss("Tea", "Rain", "Keys", day=30, host="fresh.example.com")
    server.pages["/feed"] = Reply(body=fresh)
    assert at(NEXT_WEEK, "collect").code == 0
    for number in ("1", "5"):
        told = at(NEXT_WEEK, "edition", "pin", number, "2")
        told.refuses(2, "was in an earlier edition", f"digest edition pin {number} 3 --update")
    at(NEXT_WEEK, "edition", "lead", "tea", "--update").refuses(2, "it is no update")
    told = at(NEXT_WEEK, "edition", "pin", "1", "2", "--update")
    assert "pin update" in told.out
    assert "1 is an update that says nothing new yet" in told.out
    at(NEXT_WEEK, "edition", "freeze").refuses(2, "nothing that its readers have not read")
    words = ("--summary", "Its users bought it.")
    told = at(NEXT_WEEK, "edition", "edit", "1", *words, "--json")
    assert told.document["stories"][1]["update_of"] == "2026-W48"
    assert "Update of a story in 2026-W48" in at(NEXT_WEEK, "rank", "--explain", "1").out
    assert "in both, as an update: Maps close" in at(NEXT_WEEK, "edition", "diff").out
    frozen = at(NEXT_WEEK, "edition", "freeze")
    assert frozen.code == 0, frozen.err
    assert (
        "2. Update: Maps close"
        in at(NEXT_WEEK, "send", "--preview", "-o", "-", "--format", "text").out
    )
