"""Freezing and approving on the command line, and the preview of what is frozen."""

import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from digest.storage.database import open_database
from tests.acceptance.conftest import Digest, Result
from tests.acceptance.feeds import NOW, rss, use_sources
from tests.editing import add_readers
from tests.loopback import Loopback, Reply

TITLES = ("Maps", "Notes", "Music", "Photos", "Mail")


@pytest.fixture
def desk(digest: Digest, project: Path, server: Loopback) -> Digest:
    """A project with five collected articles of this week, at a fixed time."""
    server.pages["/feed"] = Reply(body=rss(*TITLES))
    use_sources(project, {"News": server.url("/feed")})
    assert digest("collect", "--now", NOW).code == 0

    def call(*arguments: object) -> Result:
        return digest(*arguments, "--now", NOW)

    return call


def hash_shown(told: Result) -> str:
    [found] = re.findall(r"^  Hash       ([0-9a-f]{64})$", told.out, re.M)
    return str(found)


def preview(desk: Digest, *arguments: object) -> Result:
    return desk("send", "--preview", "--no-open", *arguments)


def test_one_hash_goes_from_the_first_preview_to_the_approval(desk: Digest) -> None:
    before = hash_shown(preview(desk))
    frozen = desk("edition", "freeze")
    assert (frozen.code, hash_shown(frozen)) == (0, before)
    assert "digest edition approve --by NAME" in frozen.err
    assert "frozen, 5 stories" in frozen.out
    shown = preview(desk)
    assert (shown.code, hash_shown(shown)) == (0, before)
    approved = desk("edition", "approve", "--by", "Ana")
    assert (approved.code, hash_shown(approved)) == (0, before)
    assert "approved by Ana, 5 stories" in approved.out
    told = preview(desk)
    assert (hash_shown(told), "approved by Ana" in told.out) == (before, True)
    listed = desk("edition", "list").out
    assert re.search(rf"2026-W48 +approved by Ana +5 +{before[:12]} ", listed)
    document = desk("edition", "show", "--json").document
    assert (document["state"], document["approved_by"]) == ("approved", "Ana")
    assert document["sha256"] == before


def test_frozen_edition_is_previewed_as_it_was_frozen(desk: Digest, project: Path) -> None:
    assert desk("edition", "freeze").code == 0
    before = preview(desk, "--json").document
    (project / "templates" / "edition.txt.j2").write_text("{{ broken")
    settings = project / "config" / "digest.toml"
    text = settings.read_text()
    settings.write_text(text.replace("minimum_stories = 3", "minimum_stories = 9"))
    after = preview(desk, "--json").document
    assert after == before
    assert (after["state"], after["variant"]) == ("frozen", "all")
    page = (project / "previews" / "2026-W48" / "index.html").read_text()
    assert '<span class="badge">frozen</span>' in page
    assert desk("check").code == 0
    assert desk("edition", "reopen").code == 0
    preview(desk).refuses(4, "2026-W48 has 5 stories, and it needs 9")


def test_freezing_before_the_week_is_over_says_where_later_articles_go(
    desk: Digest, digest: Digest
) -> None:
    words = "goes on until Sun 2026-11-29 18:00 Europe/Berlin; what comes later goes into the next"
    assert words in desk("edition", "freeze").err
    assert desk("edition", "reopen").code == 0
    over = digest("edition", "freeze", "--edition", "2026-W48", "--now", "2026-11-29T18:00+01:00")
    assert (over.code, "goes on until" in over.err) == (0, False)


@pytest.mark.parametrize("state", ["frozen", "approved"])
def test_curating_makes_it_a_draft_again_and_says_so(desk: Digest, state: str) -> None:
    desk("edition", "freeze")
    if state == "approved":
        desk("edition", "approve", "--by", "Ana")
    told = desk("edition", "lead", "maps")
    assert told.code == 0
    assert f"The edition was {state}; it is a draft again. Freeze and approve it anew." in told.err
    assert "draft, 5 stories" in told.out
    assert "again" not in desk("edition", "hide", "notes").err
    desk("edition", "approve", "--by", "Ana").refuses(2, "is a draft", "digest edition freeze")


def test_change_that_is_refused_leaves_the_approval(desk: Digest) -> None:
    desk("edition", "freeze")
    desk("edition", "approve", "--by", "Ana")
    told = desk("edition", "move", "maps", "99")
    told.refuses(2, "no position 99")
    assert "draft again" not in told.err
    assert desk("edition", "show", "--json").document["state"] == "approved"


def test_edition_with_an_error_is_not_frozen(desk: Digest, project: Path) -> None:
    path = project / "templates" / "edition.html.j2"
    page = path.read_text()
    path.write_text(page.replace("{% endblock %}", '<a href="javascript:x">x</a>{% endblock %}'))
    desk("edition", "freeze").refuses(5, "script-url", "Nothing was frozen", "digest check")
    assert desk("edition", "list", "--json").document["editions"] == []
    path.write_text(page)
    assert desk("edition", "freeze").code == 0


def test_wrong_commands_are_refused_in_a_sentence(desk: Digest) -> None:
    desk("edition", "reopen").refuses(2, "is a draft", "Nothing was changed")
    desk("edition", "approve", "--by", "Ana").refuses(2, "no mail to approve yet")
    desk("edition", "freeze", "--edition", "2026-W40").refuses(4, "no stories")
    desk("edition", "freeze", "--edition", "soon").refuses(2, "is no edition")
    assert desk("edition", "freeze").code == 0
    desk("edition", "freeze").refuses(2, "is frozen already", "reopen")
    for name in ("", " ", "\u200b"):
        told = desk("edition", "approve", "--by", name)
        assert (told.code, "Traceback" in told.err) == (2, False)
    assert desk("edition", "approve").code == 2
    assert desk("edition", "approve", "--by", "Ana").code == 0
    desk("edition", "approve", "--by", "Ben").refuses(2, "Ana approved 2026-W48 already")


def test_sample_without_a_project_is_not_frozen(digest: Digest) -> None:
    for command in (["freeze"], ["approve", "--by", "Ana"], ["reopen"]):
        digest("edition", *command).refuses(2, "There is no project here")


def test_mail_that_somebody_changed_in_the_database_is_neither_shown_nor_approved(
    desk: Digest, project: Path
) -> None:
    desk("edition", "freeze")
    engine = sa.create_engine(f"sqlite:///{project}/var/digest.db")
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE variants SET text = text || ' Buy now!'"))
    engine.dispose()
    for command in (["send", "--preview"], ["edition", "approve", "--by", "Ana"], ["check"]):
        desk(*command).refuses(8, "its hash differs", "digest edition reopen")
    assert desk("edition", "reopen").code == 0
    assert desk("edition", "freeze").code == 0


# The audience


def test_preview_of_an_empty_list_says_how_to_fill_it(desk: Digest) -> None:
    told = preview(desk)
    assert "Goes to    nobody yet: the list is empty (digest subscribers import FILE.csv)" in (
        told.out
    )
    assert preview(desk, "--json").document["audience"] == {"planned": 0, "excluded": {}}


def test_preview_says_how_many_would_get_it_and_why_others_would_not(
    desk: Digest, project: Path
) -> None:
    database = open_database(f"sqlite:///{project}/var/digest.db")
    add_readers(database, [()] * 3)
    add_readers(database, [()] * 2, state="left")
    add_readers(database, frequency="monthly")
    add_readers(database, newsletter="another")
    database.close()
    told = preview(desk)
    assert "  Goes to    3 readers\n  Not to     2 left, 1 not this week\n" in told.out
    page = (project / "previews" / "2026-W48" / "index.html").read_text()
    assert "3 readers<br>" in page
    excluded = {"left": 2, "not this week": 1}
    assert preview(desk, "--json").document["audience"] == {"planned": 3, "excluded": excluded}
    # The first edition of December is also for those who read once a month.
    december = ("--edition", "2026-W49")
    for position, title in enumerate(("maps", "notes", "music"), 1):
        assert desk("edition", "pin", title, position, *december).code == 0
    shown = preview(desk, "--json", *december).document
    assert shown["audience"] == {"planned": 4, "excluded": {"left": 2}}


def test_reader_of_some_topics_is_shown_the_mail_that_is_frozen_for_them(
    digest: Digest, project: Path, server: Loopback
) -> None:
    games = rss("Chess", "Cards", host="games.example.com", more="<category>Games</category>")
    server.pages |= {"/feed": Reply(body=rss(*TITLES)), "/games": Reply(body=games)}
    use_sources(project, {"News": server.url("/feed"), "Games": server.url("/games")})
    assert digest("collect", "--now", NOW).code == 0
    database = open_database(f"sqlite:///{project}/var/digest.db")
    add_readers(database, [("Games",), ()])
    database.close()

    def shown(reader: str) -> dict[str, object]:
        told = digest(*("send", "--preview", "--no-open", "--json", "--as", reader), "--now", NOW)
        assert told.code == 0, told.err
        document = told.document
        document["titles"] = [story["title"] for story in document["stories"]]
        return {key: document[key] for key in ("titles", "subject", "sha256", "variant")}

    drafted = shown("Reader-1@Example.com")
    assert drafted["titles"] == ["Mail", "Cards", "Chess"]
    assert drafted["subject"] == "Mail, and two more"
    frozen = digest("edition", "freeze", "--json", "--now", NOW).document
    assert shown("Reader-1@Example.com") == drafted
    for other in ("reader-2@example.com", "nobody@example.org"):
        whole = shown(other)
        assert (whole["variant"], whole["sha256"]) == ("all", frozen["sha256"])
    told = digest(*("send", "--preview", "--no-open", "--as", "reader-1@example.com"), "--now", NOW)
    assert f"  Hash       {drafted['sha256']}\n  Part of    {frozen['sha256']}" in told.out
    digest("send", "--preview", "--as", "x y", "--now", NOW).refuses(2, "Name one address")
