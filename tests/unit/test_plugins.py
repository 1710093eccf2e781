"""Kinds of sources are found by their entry points, and only those in use are loaded."""

import sys
from pathlib import Path

import pytest

from digest.errors import ConfigError
from digest.sources import feeds, files
from digest.sources.plugins import GROUP, factories


class Site:
    """A folder on the path, in which plug-ins can be installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, name: str, kind: str, code: str = "def make(settings, context): ...") -> None:
        """Put a package there with one module, which has a kind's factory `make`."""
        (self.folder / f"{name}.py").write_text(code, encoding="utf-8")
        info = self.folder / f"{name}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n{kind} = {name}:make\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.syspath_prepend(tmp_path)
    return Site(tmp_path)


def test_the_built_in_kinds_are_plug_ins_like_any_other() -> None:
    found = factories({"feed", "files"})
    assert found == {"feed": feeds.make_source, "files": files.make_source}


def test_a_plug_in_that_is_not_needed_is_not_imported(site: Site) -> None:
    site.install("plugin_unused", "unused", "raise SystemExit('it was imported')")
    site.install("plugin_used", "used")
    assert list(factories({"used"})) == ["used"]
    assert "plugin_used" in sys.modules
    assert "plugin_unused" not in sys.modules


def test_a_kind_that_nobody_offers_is_named_with_those_that_there_are(site: Site) -> None:
    site.install("plugin_mastodon", "mastodon")
    with pytest.raises(ConfigError, match="no kind of source named 'page'") as caught:
        factories({"feed", "page"})
    assert caught.value.hint == "Installed kinds: feed, files, mastodon."


@pytest.mark.parametrize(
    ("number", "code", "words"),
    [
        (1, "import a_package_that_is_missing", "ModuleNotFoundError"),
        (2, "made = None", "AttributeError"),
        (3, "make = undefined", "NameError: name 'undefined' is not defined"),
        (4, "def make(:", "SyntaxError"),
    ],
)
def test_a_plug_in_that_cannot_be_loaded_is_named_with_its_fault(
    site: Site, number: int, code: str, words: str
) -> None:
    site.install(f"plugin_broken_{number}", "broken", code)
    with pytest.raises(ConfigError, match="kind 'broken' cannot be loaded") as caught:
        factories({"broken"})
    assert words in caught.value.message
    assert caught.value.hint


def test_a_plug_in_does_not_take_a_kind_from_another_in_silence(site: Site) -> None:
    site.install("plugin_thief", "feed")
    with pytest.raises(ConfigError, match="Two plug-ins offer sources of kind 'feed'") as caught:
        factories({"feed"})
    assert "digest.sources.feeds:make_source, plugin_thief:make" in caught.value.hint
    assert factories({"files"}) == {"files": files.make_source}
