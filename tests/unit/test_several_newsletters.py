"""Several newsletters in one project: a file each, over what all of them share."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from digest.errors import ConfigError, UsageError
from digest.project import CONFIG, NEWSLETTERS, Project, find_project, load, newsletters
from digest.settings import EditionSettings, SourceSettings
from digest.starter import add_source, remove_source

APPS = 'public_url = "https://news.example.com/apps"'
SHARED = """
[newsletter]
timezone = "Asia/Kathmandu"
[edition]
stories = 7
[[source]]
name = "Wire"
url = "wire.xml"
"""
GAMES = """
[newsletter]
public_url = "https://news.example.com/games"
[edition]
minimum_stories = 2
[[source]]
name = "Play"
url = "play.xml"
"""
LETTERS = {"apps": f"[newsletter]\n{APPS}\n", "games": GAMES}


def make(folder: Path, letters: Mapping[str, str] = LETTERS, shared: str = SHARED) -> Path:
    (folder / NEWSLETTERS).mkdir(parents=True)
    (folder / CONFIG).write_text(shared)
    for name, text in letters.items():
        (folder / NEWSLETTERS / f"{name}.toml").write_text(text)
    return folder


def faults(folder: Path, environ: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder, environ or {}, "apps")
    return [line.removeprefix("  ") for line in caught.value.message.splitlines()[1:]]


def test_without_files_of_their_own_the_project_has_one_newsletter(tmp_path: Path) -> None:
    make(tmp_path, {}, '[newsletter]\nslug = "weekly"\n')
    for name in (".games.toml.swp", "games.toml~", "README.md"):
        (tmp_path / NEWSLETTERS / name).write_text("no settings")
    assert newsletters(tmp_path) == ("weekly",)
    assert newsletters(tmp_path, {"DIGEST_NEWSLETTER__SLUG": "mine"}) == ("mine",)
    project = load(tmp_path, {})
    assert load(tmp_path, {}, "weekly") == project
    assert project.others == ()
    assert project.place == Path()


def test_each_file_is_a_newsletter_over_what_all_share(tmp_path: Path) -> None:
    make(tmp_path)
    assert newsletters(tmp_path) == ("apps", "games")
    apps, games = (load(tmp_path, {}, slug) for slug in ("apps", "games"))
    assert games.settings.newsletter.slug == "games"
    assert games.settings.newsletter.timezone == "Asia/Kathmandu"
    assert games.settings.edition == EditionSettings(stories=7, minimum_stories=2)
    assert apps.settings.edition == EditionSettings(stories=7)
    assert games.others == (apps.settings,)
    assert games.place == Path("games")
    assert games.origins["edition.stories"] == str(CONFIG)
    assert games.origins["edition.minimum_stories"] == "config/newsletters/games.toml"


def test_sources_of_a_newsletter_replace_the_shared_ones(tmp_path: Path) -> None:
    make(tmp_path)
    assert [s.name for s in load(tmp_path, {}, "apps").settings.source] == ["Wire"]
    assert [s.name for s in load(tmp_path, {}, "games").settings.source] == ["Play"]


def test_only_file_is_the_only_newsletter(tmp_path: Path) -> None:
    make(tmp_path, {"games": GAMES})
    assert load(tmp_path, {}).settings.newsletter.slug == "games"
    assert load(tmp_path, {}).place == Path()


def test_one_of_several_must_be_named_and_a_wrong_name_gets_the_nearest(tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(UsageError, match="several newsletters: apps, games") as several:
        load(tmp_path, {})
    assert "--newsletter apps" in several.value.hint
    with pytest.raises(UsageError, match=r"no newsletter 'gaems'; did you mean games\?"):
        find_project(tmp_path, {}, None, "gaems")


def test_wrong_name_of_the_only_newsletter_is_refused(tmp_path: Path) -> None:
    make(tmp_path, {}, '[newsletter]\nslug = "weekly"\n')
    with pytest.raises(UsageError, match="no newsletter 'daily'"):
        load(tmp_path, {}, "daily")


def test_environment_lies_over_all_newsletters(tmp_path: Path) -> None:
    make(tmp_path)
    environ = {"DIGEST_EDITION__MINIMUM_STORIES": "5"}
    for slug in ("apps", "games"):
        assert load(tmp_path, environ, slug).settings.edition.minimum_stories == 5


# What is wrong


def test_each_fault_is_told_once_and_names_the_file_in_which_it_stands(tmp_path: Path) -> None:
    games = GAMES.replace("games", "games/", 1) + '[newsletter.x]\n[keys]\nfile = "x"\n'
    make(tmp_path, {**LETTERS, "games": games}, SHARED.replace("7", "900"))
    assert faults(tmp_path, {"DIGEST_EDITION__ZZZ": "1"}) == [
        f"{CONFIG}: edition.stories is 900, and must be a whole number from 1 to 50; "
        "its default is 10",
        "DIGEST_EDITION__ZZZ is not a setting; there are max_age_days, max_per_source, "
        "minimum_stories, stories, thin_week.",
        f"config/newsletters/games.toml: [keys] is for all newsletters, so it stands in {CONFIG}",
        "config/newsletters/games.toml: newsletter.x is not a setting; there are from, intro, "
        "language, name, postal_address, public_url, slug, theme, timezone.",
    ]


@pytest.mark.parametrize("section", ["database", "keys", "queue", "sendgrid", "web"])
def test_what_is_for_the_whole_installation_stands_in_the_shared_file_only(
    tmp_path: Path, section: str
) -> None:
    make(tmp_path, {**LETTERS, "games": f"{GAMES}[{section}]\n"})
    [found] = faults(tmp_path)
    assert found.startswith(f"config/newsletters/games.toml: [{section}] is for all newsletters")


@pytest.mark.parametrize(
    ("letters", "fault"),
    [
        (
            {**LETTERS, "games": GAMES.replace("[newsletter]", '[newsletter]\nslug = "play"')},
            "config/newsletters/games.toml: newsletter.slug is 'play', and the file's name is the "
            "slug: leave it out, or name the file play.toml",
        ),
        (
            {**LETTERS, "My Games": GAMES.replace("/games", "/mine")},
            "config/newsletters/My Games.toml: its name is the slug, and must be at most 60 of",
        ),
        (
            {**LETTERS, "more": f"[newsletter]\n{APPS}\n"},
            "config/newsletters/more.toml: newsletter.public_url is "
            "'https://news.example.com/apps', as it is for apps; each newsletter needs its own",
        ),
        (
            {**LETTERS, "games": GAMES.replace('"Play"', '"Wire"')},
            "config/newsletters/games.toml: source 'Wire' is another one for apps; the same name",
        ),
        (
            {**LETTERS, "games": GAMES + 'timezone = "Mars"\n'},
            "config/newsletters/games.toml: source 'Play'.timezone is 'Mars', which is no time",
        ),
        (
            {**LETTERS, "games": GAMES.replace("minimum_stories = 2", "stories = 2")},
            f"{CONFIG}: edition.minimum_stories is 3, more than edition.stories, which is 2 in "
            "config/newsletters/games.toml",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(
    tmp_path: Path, letters: Mapping[str, str], fault: str
) -> None:
    make(tmp_path, letters, SHARED.replace("stories = 7", "stories = 7\nminimum_stories = 3"))
    [found] = faults(tmp_path)
    assert found.startswith(fault)


def test_newsletter_of_the_shared_file_is_not_lost_when_others_get_files(tmp_path: Path) -> None:
    make(tmp_path, LETTERS, SHARED.replace("[newsletter]", '[newsletter]\nslug = "weekly"'))
    [found] = faults(tmp_path)
    assert "there is no config/newsletters/weekly.toml" in found
    make(tmp_path / "b", LETTERS, SHARED.replace("[newsletter]", '[newsletter]\nslug = "apps"'))
    assert load(tmp_path / "b", {}, "games").settings.newsletter.slug == "games"


def test_variable_cannot_name_all_newsletters_alike(tmp_path: Path) -> None:
    [found] = faults(make(tmp_path), {"DIGEST_NEWSLETTER__SLUG": "mine"})
    assert found.startswith("DIGEST_NEWSLETTER__SLUG: each newsletter has the name of its file")


def test_newsletters_may_trust_the_same_source_differently(tmp_path: Path) -> None:
    same = '[[source]]\nname = "Wire"\nurl = "wire.xml"\ntrust = 0.5\n'
    make(tmp_path, {**LETTERS, "more": same}, SHARED)
    [wire] = load(tmp_path, {}, "more").settings.source
    assert wire.trust == 0.5


def test_file_of_a_newsletter_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / NEWSLETTERS / "apps.toml").unlink()
    (tmp_path / NEWSLETTERS / "apps.toml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path, {}, "games")


# Changing them


def own_names(project: Project) -> list[str]:
    return [source.name for source in load_again(project).settings.source]


def load_again(project: Project) -> Project:
    return load(project.root, {}, project.settings.newsletter.slug)


def test_source_is_added_where_the_newsletter_has_its_sources(tmp_path: Path) -> None:
    make(tmp_path)
    apps, games = (load(tmp_path, {}, slug) for slug in ("apps", "games"))
    add_source(games, SourceSettings(name="Board", url="board.xml"), {})
    add_source(apps, SourceSettings(name="Late", url="late.xml"), {})
    assert own_names(games) == ["Play", "Board"]
    assert own_names(apps) == ["Wire", "Late"]
    assert "Late" in (tmp_path / CONFIG).read_text()
    with pytest.raises(ConfigError, match="'Late' is another one for apps"):
        add_source(games, SourceSettings(name="Late", url="other.xml"), {})
    assert own_names(games) == ["Play", "Board"]


def test_last_own_source_is_not_taken_out_for_the_shared_ones_to_come_in(tmp_path: Path) -> None:
    games = load(make(tmp_path), {}, "games")
    with pytest.raises(UsageError, match="'Play' is the last source in config/newsletters/games"):
        remove_source(games, "Play", {})
    add_source(games, SourceSettings(name="Board", url="board.xml"), {})
    remove_source(games, "Play", {})
    assert own_names(games) == ["Board"]
