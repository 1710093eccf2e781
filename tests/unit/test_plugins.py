"""Sources and transports are found by their entry points, and only those in use are loaded."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from digest.errors import ConfigError
from digest.model.deliveries import Accepted
from digest.settings import DeliverySettings, Settings
from digest.sources import feeds, files
from digest.sources.plugins import GROUP, factories
from digest.testing.factories import NOON, make_handover
from digest.transports import plugins as transports
from digest.transports.plugins import TransportContext, open_transport


class Site:
    """A folder on the path, in which plug-ins can be installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(
        self, name: str, kind: str, code: str = "def make(*context): ...", group: str = GROUP
    ) -> None:
        """Put a package there with one module, which has a kind's factory `make`."""
        (self.folder / f"{name}.py").write_text(code, encoding="utf-8")
        info = self.folder / f"{name}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{kind} = {name}:make\n")


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
    assert caught.value.hint == "Installed: feed, files, mastodon."


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
    with pytest.raises(ConfigError, match="kind of source 'broken' cannot be loaded") as caught:
        factories({"broken"})
    assert words in caught.value.message
    assert caught.value.hint


def test_a_plug_in_does_not_take_a_kind_from_another_in_silence(site: Site) -> None:
    site.install("plugin_thief", "feed")
    with pytest.raises(ConfigError, match="Two plug-ins offer the kind of source 'feed'") as caught:
        factories({"feed"})
    assert "digest.sources.feeds:make_source, plugin_thief:make" in caught.value.hint
    assert factories({"files"}) == {"files": files.make_source}


def context(root: Path, transport: str) -> TransportContext:
    return TransportContext(
        root=root,
        settings=Settings(delivery=DeliverySettings(transport=transport)),
        secrets={"sendgrid.api_key": "SG.secret"},
    )


def test_without_a_setting_mails_go_to_the_outbox_of_the_project(tmp_path: Path) -> None:
    transport = open_transport(TransportContext(root=tmp_path, settings=Settings()))
    assert transport.name == "outbox"
    assert isinstance(transport.submit(make_handover(1), now=NOON), Accepted)
    assert (tmp_path / "outbox" / "2026-W48" / "batch-1" / "1.eml").is_file()


def test_a_transport_of_a_plug_in_is_made_with_the_project_and_its_secrets(site: Site) -> None:
    site.install("plugin_pigeon", "pigeon", "def make(context): return context", transports.GROUP)
    site.install("plugin_ship", "ship", "raise SystemExit('it was imported')", transports.GROUP)
    given = context(site.folder, "pigeon")
    assert open_transport(given) is given
    assert "SG.secret" not in repr(given)


def test_a_transport_that_nobody_offers_is_named_with_those_that_there_are(site: Site) -> None:
    site.install("plugin_dove", "dove", group=transports.GROUP)
    with pytest.raises(ConfigError, match="no transport named 'pidgeon'") as caught:
        open_transport(context(site.folder, "pidgeon"))
    assert caught.value.hint == "Installed: dove, outbox, sendgrid."


def test_sendgrid_is_a_plug_in_like_any_other_and_says_which_key_it_misses(tmp_path: Path) -> None:
    given = context(tmp_path, "sendgrid")
    transport = open_transport(given)
    assert transport.name == "sendgrid"
    transport.close()
    with pytest.raises(ConfigError) as caught:
        open_transport(replace(given, secrets={}))
    assert "DIGEST_SENDGRID__API_KEY" in caught.value.hint
