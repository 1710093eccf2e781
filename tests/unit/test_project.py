"""Settings: found where one expects, refused all at once with what would be right, never leaked."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.errors import ConfigError
from digest.project import CONFIG, Project, find_project, load, starter_root
from digest.settings import ScheduleSettings, Settings, SourceSettings

FILE = str(CONFIG)


def make_project(folder: Path, text: str = "") -> Path:
    (folder / "config").mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).write_text(text, encoding="utf-8")
    return folder


def read(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> Project:
    return load(make_project(folder, text), environ or {})


def faults(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    """Return what is wrong with the settings, one line a fault."""
    with pytest.raises(ConfigError) as caught:
        read(folder, text, environ)
    first, *lines = caught.value.message.splitlines()
    assert first.startswith(f"{len(lines)} setting")
    assert "nothing was done" in first
    assert caught.value.hint
    return [line.removeprefix("  ") for line in lines]


# Finding the project


def test_the_named_folder_comes_before_the_environment_and_that_before_this_folder(
    tmp_path: Path,
) -> None:
    named, environment, here = (make_project(tmp_path / name) for name in "abc")
    environ = {"DIGEST_PROJECT": str(environment)}
    assert find_project(here, environ, named).root == named
    assert find_project(here, environ).root == environment
    assert find_project(here, {}).root == here
    assert find_project(here, {"DIGEST_PROJECT": ""}).root == here


def test_the_nearest_parent_is_the_project(tmp_path: Path) -> None:
    make_project(tmp_path / "outer")
    inner = make_project(tmp_path / "outer" / "inner")
    deep = inner / "articles" / "2026"
    deep.mkdir(parents=True)
    assert find_project(deep, {}).root == inner
    assert find_project(inner.parent / "elsewhere", {}).root == inner.parent


def test_where_no_project_is_the_starter_stands_in_and_keeps_nothing(tmp_path: Path) -> None:
    found = find_project(tmp_path, {})
    assert found.is_starter
    assert found.root == starter_root()
    assert found.database_url == "sqlite://"
    assert found.template_folders == (starter_root() / "templates",)


@pytest.mark.parametrize("name", ["missing", "x" * 300, "~nobody-has-this-name/x", "a\nb"])
def test_a_named_folder_that_is_no_project_is_said_and_not_replaced_by_the_starter(
    tmp_path: Path, name: str
) -> None:
    path = Path(name) if name.startswith("~") else tmp_path / name
    with pytest.raises(ConfigError, match="There is no project in"):
        find_project(tmp_path, {}, path)
    with pytest.raises(ConfigError, match="There is no project in"):
        find_project(tmp_path, {"DIGEST_PROJECT": str(path)})


def test_a_projects_own_templates_and_database_are_below_it(tmp_path: Path) -> None:
    project = read(tmp_path, "")
    assert not project.is_starter
    assert project.template_folders == (tmp_path / "templates", starter_root() / "templates")
    assert project.database_url == f"sqlite:///{tmp_path}/var/digest.db"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:////srv/digest.db", "sqlite:////srv/digest.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("postgresql://digest@db.example.com/digest", "postgresql://digest@db.example.com/digest"),
    ],
)
def test_a_database_elsewhere_is_left_where_it_is(tmp_path: Path, url: str, expected: str) -> None:
    assert read(tmp_path, f'[database]\nurl = "{url}"\n').database_url == expected


# What is set, and by whom


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    project = read(tmp_path, "")
    assert project.settings == Settings()
    assert project.origins == {}


def test_the_environment_comes_before_the_file_and_each_value_tells_its_origin(
    tmp_path: Path,
) -> None:
    text = '[edition]\nstories = 7\nminimum_stories = 2\n[newsletter]\nfrom = "A <a@example.com>"\n'
    environ = {"DIGEST_EDITION__STORIES": "5", "DIGEST_RANKING__PRIOR_VOTES": "2.5"}
    project = read(tmp_path, text, environ)
    assert project.settings.edition.stories == 5
    assert project.settings.edition.minimum_stories == 2
    assert project.settings.ranking.prior_votes == 2.5
    assert project.settings.newsletter.sender == "A <a@example.com>"
    assert project.origins == {
        "edition.stories": "DIGEST_EDITION__STORIES",
        "edition.minimum_stories": FILE,
        "newsletter.from": FILE,
        "ranking.prior_votes": "DIGEST_RANKING__PRIOR_VOTES",
    }


def test_a_file_that_an_editor_on_windows_saved_is_read(tmp_path: Path) -> None:
    project = read(tmp_path, "\ufeff[edition]\r\nstories = 7\r\n")
    assert project.settings.edition.stories == 7


def test_sources_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = '[[source]]\nname = "A"\nurl = "a"\n[[source]]\nname = "B"\nurl = "b"\ntopics = ["x"]\n'
    project = read(tmp_path, text)
    assert project.settings.source == (
        SourceSettings(name="A", url="a"),
        SourceSettings(name="B", url="b", topics=("x",)),
    )
    assert project.origins == {"source": FILE}


def test_variables_that_set_nothing_are_left_alone(tmp_path: Path) -> None:
    environ = {"DIGEST_PROJECT": "x", "DIGEST_TEST_POSTGRES": "/x", "OTHER__STORIES": "5"}
    assert read(tmp_path, "", environ).settings == Settings()


# What is wrong


def test_three_wrong_keys_are_told_together_each_with_what_would_be_right(tmp_path: Path) -> None:
    text = '[newsletter]\nnmae = "x"\n[edition]\nstories = "ten"\nthin_week = "hild"\n'
    assert faults(tmp_path, text) == [
        f"{FILE}: newsletter.nmae is not a setting; did you mean name?",
        f"{FILE}: edition.stories is 'ten', and must be a whole number from 1 to 50; "
        "its default is 10",
        f"{FILE}: edition.thin_week is 'hild', and must be one of hold, skip, widen; "
        "did you mean hold?",
    ]


WRONG: list[tuple[str, str]] = [
    (
        '[newsletter]\npublic_url = "https://news.example.com:99999"',
        "newsletter.public_url is 'https://news.example.com:99999', which is no address",
    ),
    ("[newsleter]", "[newsleter] is not a section; did you mean newsletter?"),
    (
        "[zzz]",
        "[zzz] is not a section; there are checks, database, delivery, edition, editor, keys",
    ),
    ("zzz = 1", "[zzz] is not a section"),
    ("edition = 3", "edition is a table: write it as [edition]"),
    ("[[edition]]", "edition is a table: write it as [edition]"),
    ("source = 3", "source 1 is a table: write it as [[source]]"),
    ("[edition]\nzzz = 1", "edition.zzz is not a setting; there are max_age_days, "),
    ("[edition]\nstories = 0", "edition.stories is 0, and must be a whole number from 1 to 50"),
    ("[edition]\nstories = 10.5", "edition.stories is 10.5, and must be a whole number"),
    ("[edition]\nstories = true", "edition.stories is true, and must be a whole number"),
    ("[edition]\nstories = [1]", "edition.stories is a list with something else in it"),
    ("[edition]\nstories.x = 1", "edition.stories is a table, and must be"),
    ("[edition]\nstories = 2026-11-24", "edition.stories is 2026-11-24, and must be"),
    ("[ranking]\nprior_votes = nan", "ranking.prior_votes is nan, and must be a number from 0"),
    ("[ranking]\nprior_votes = inf", "ranking.prior_votes is inf, and must be a number from 0"),
    ("[ranking]\nprior_rating = 4.5", "ranking.prior_rating is 4.5, and must be a number from 1"),
    ("[delivery]\nreaders_per_second = inf", "delivery.readers_per_second is inf, and must"),
    ('[schedule]\nsend = "monday 7"', "schedule.send is 'monday 7', and must be a weekday and"),
    ('[schedule]\nsend = "mon 24:00"', "schedule.send is 'mon 24:00', and must be a weekday"),
    ('[schedule]\nsend = "mon 07:00\\n"', r"schedule.send is 'mon 07:00\n', and must be"),
    ('[schedule]\ncollect = "every 0h"', "schedule.collect is 'every 0h', and must be every"),
    ('[newsletter]\nslug = "A B"', "newsletter.slug is 'A B', and must be at most 60 of a-z"),
    ('[newsletter]\nname = ""', "newsletter.name is '', and must be text of 1 to 200 characters"),
    (
        '[newsletter]\ntimezone = "europe/berlin"',
        "newsletter.timezone is 'europe/berlin', which is no time zone; right is Europe/Berlin",
    ),
    ('[newsletter]\ntimezone = "../x"', "newsletter.timezone is '../x', which is no time zone"),
    ('[newsletter]\ntimezone = "Europe"', "newsletter.timezone is 'Europe', which is no"),
    (
        '[newsletter]\nfrom = "News"',
        "newsletter.from is 'News', which is no sender; right is for example 'App",
    ),
    (
        '[newsletter]\nfrom = "a@localhost"',
        "newsletter.from is 'a@localhost', which is no sender; right is",
    ),
    ('[newsletter]\nfrom = "A\\nB: c <a@example.com>"', "newsletter.from is 'A\\nB: c <a@exam"),
    (
        '[newsletter]\npublic_url = "http://news.example.com"',
        "newsletter.public_url must start with https://",
    ),
    (
        '[newsletter]\npublic_url = "http://localhost.example.com"',
        "newsletter.public_url must start with https://",
    ),
    (
        '[newsletter]\npublic_url = "http://127.0.0.1.example.com"',
        "newsletter.public_url must start with https://",
    ),
    ('[newsletter]\npublic_url = "ftp://a.example"', "newsletter.public_url is 'ftp://a.example'"),
    (
        "[edition]\nstories = 2",
        "edition.minimum_stories is 3, more than edition.stories, which is 2",
    ),
    ('[web]\nbind = "127.0.0.1:70000"', "web.bind is '127.0.0.1:70000'; a port is from 1"),
    ('[web]\nbind = "8000"', "web.bind is '8000', and must be HOST:PORT"),
    ('[database]\nurl = "mysql://x"', "database.url is 'mysql://x', and must be sqlite:///PATH"),
    ('[[source]]\nname = "A"', "source 1 lacks url"),
    ("[[source]]", "source 1 lacks name and url"),
    ('[[source]]\nname = "A"\nurl = ""', "source 1.url is '', and must be text of 1 to 2,000"),
    (
        '[[source]]\nname = "A"\nurl = "a"\ntrust = 2',
        "source 1.trust is 2, and must be a number from 0 to 1; its default is 1.0",
    ),
    (
        '[[source]]\nname = "A"\nurl = "a"\ntopics = [1]',
        "source 1.topics is a list with something else in it, and must be a list of texts",
    ),
    (
        '[[source]]\nname = "A"\nurl = "a"\ntimezone = "Berlin"',
        "source 'A'.timezone is 'Berlin', which is no time zone",
    ),
    (
        '[[source]]\nname = "A"\nurl = "a"\n[[source]]\nname = "A"\nurl = "b"',
        "source has the name 'A' 2 times; each needs its own",
    ),
    ('[sendgrid]\napi_key = "x"', "sendgrid.api_key is a secret: set DIGEST_SENDGRID__API_KEY"),
]


@pytest.mark.parametrize(("text", "fault"), WRONG)
def test_a_wrong_setting_is_named_with_its_file_and_its_key(
    tmp_path: Path, text: str, fault: str
) -> None:
    [found] = faults(tmp_path, text + "\n")
    assert found.startswith(f"{FILE}: {fault}")


@pytest.mark.parametrize(
    ("variable", "value", "fault"),
    [
        ("DIGEST_EDITION__STORIES", "ten", " is 'ten', and must be a whole number from 1 to 50"),
        ("DIGEST_EDITION__STORYS", "5", " is not a setting; did you mean stories?"),
        ("DIGEST_EDITON__STORIES", "5", ": there is no section editon; did you mean edition?"),
        ("DIGEST_SOURCE__URL", "x", ": sources are set in files only, as [[source]]"),
        ("DIGEST_NEWSLETTER__TIMEZONE", "Mars", " is 'Mars', which is no time zone"),
        ("DIGEST_EDITION__MINIMUM_STORIES", "11", " is 11, more than edition.stories"),
        ("DIGEST_RANKING__PRIOR_VOTES", "nan", " is 'nan', and must be a number from 0 to 1,000"),
    ],
)
def test_a_wrong_variable_is_named(tmp_path: Path, variable: str, value: str, fault: str) -> None:
    [found] = faults(tmp_path, "", {variable: value})
    assert found.startswith(variable + fault)


def test_one_fault_causes_no_second_one(tmp_path: Path) -> None:
    [found] = faults(tmp_path, "[edition]\nstories = 0\nminimum_stories = 20\n")
    assert "edition.stories is 0" in found


def test_a_wrong_value_is_not_hidden_by_a_right_one_in_the_environment(tmp_path: Path) -> None:
    [found] = faults(tmp_path, "[edition]\nstories = 0\n", {"DIGEST_EDITION__STORIES": "5"})
    assert "edition.stories is 0" in found


# Secrets


SECRET = "SG.not-a-real-key.0123456789"


def test_a_secret_comes_from_the_environment_or_a_file_and_is_never_printed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "key"
    path.write_text(SECRET + "\n")
    path.chmod(0o600)
    for environ in (
        {"DIGEST_SENDGRID__API_KEY": SECRET},
        {"DIGEST_SENDGRID__API_KEY_FILE": str(path)},
    ):
        project = read(tmp_path, "", environ)
        assert project.secrets == {"sendgrid.api_key": SECRET}
        assert project.origins == {"sendgrid.api_key": next(iter(environ))}
        assert SECRET not in repr(project)


@pytest.mark.parametrize(("mode", "fault"), [(0o644, "chmod 600"), (0o640, "chmod 600")])
def test_a_secret_that_others_can_read_is_refused(tmp_path: Path, mode: int, fault: str) -> None:
    path = tmp_path / "key"
    path.write_text(SECRET)
    path.chmod(mode)
    [found] = faults(tmp_path, "", {"DIGEST_SENDGRID__API_KEY_FILE": str(path)})
    assert fault in found
    assert SECRET not in found


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_secret_that_cannot_be_read_is_told(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "key"
    if content:
        path.write_bytes(content)
        path.chmod(0o600)
    [found] = faults(tmp_path, "", {"DIGEST_SENDGRID__API_KEY_FILE": str(path)})
    assert found == "DIGEST_SENDGRID__API_KEY_FILE: the file cannot be read"


@pytest.mark.parametrize(
    "text",
    [
        f'[sendgrid]\napi_key = "{SECRET}"',
        f'[sendgrid]\napikey = "{SECRET}"',
        f'[sendgrid]\nhost = "{SECRET}"',
        f'[sendgrid]\nhold_minutes = "{SECRET}"',
        f'[database]\nurl = "postgres://digest:{SECRET}@db.example.com/digest"',
        '[database]\nurl = "postgres://digest:not-a-real /key@db.example.com/digest"',
        f'[[source]]\nname = "A"\nurl = "a"\ntrust = "https://digest:{SECRET}@news.example.com"',
    ],
)
def test_a_secret_in_the_wrong_place_is_not_repeated(tmp_path: Path, text: str) -> None:
    [found] = faults(tmp_path, text + "\n")
    assert "not-a-real" not in found


# The environment


def refusal(environ: Mapping[str, str]) -> str:
    """Return the message with which the settings are refused, or ""."""
    try:
        load(starter_root(), environ)
    except ConfigError as error:
        return error.message
    return ""


@given(st.sampled_from(["stories", "thin_week", "zzz"]), st.text(max_size=60))
def test_whatever_stands_in_a_variable_it_is_taken_or_refused_in_few_words(
    key: str, value: str
) -> None:
    message = refusal({f"DIGEST_EDITION__{key.upper()}": value})
    assert message.replace("\n", "").isprintable()
    assert len(message) < 500
    assert message or key != "zzz"


@pytest.mark.parametrize(
    ("value", "is_right"),
    [
        ("sun 20:00", True),
        ("20:00", False),
        ("Sun 20:00", False),
        ("sun 20:00 ", False),
        ("sun 2\u0660:00", False),  # an Arabic zero
    ],
)
def test_a_weekly_time_has_one_form(tmp_path: Path, value: str, is_right: bool) -> None:
    text = f'[schedule]\nperiod_ends = "{value}"\n'
    if is_right:
        assert read(tmp_path, text).settings.schedule == ScheduleSettings(period_ends=value)
    else:
        assert "period_ends" in faults(tmp_path, text)[0]


def test_no_variable_of_this_machine_reaches_a_test() -> None:
    assert not [name for name in os.environ if name.startswith("DIGEST_") and "__" in name]
