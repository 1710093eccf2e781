"""Editors in the settings, and what their links are made of."""

from pathlib import Path

import pytest

from digest.errors import ConfigError
from digest.project import CONFIG, Project, load
from digest.tokens import BadToken, KeyRing, Tokens

RING = KeyRing({1: bytes(range(32))}, bytes(range(64, 96)))


def read(folder: Path, *addresses: str) -> Project:
    (folder / "config").mkdir()
    tables = (
        f'[[editor]]\nname = "E{number}"\naddress = "{address}"\n'
        for number, address in enumerate(addresses, 1)
    )
    (folder / CONFIG).write_text("".join(tables), encoding="utf-8")
    return load(folder, {})


def test_editors_are_read_in_their_order(tmp_path: Path) -> None:
    project = read(tmp_path, "maria@example.com", "jo@example.org")
    assert [e.address for e in project.settings.editor] == ["maria@example.com", "jo@example.org"]
    assert project.origins["editor"] == str(CONFIG)


@pytest.mark.parametrize(
    ("addresses", "fault"),
    [
        (["nobody"], "editor 'E1'.address cannot be used: the address has no @"),
        (["a@example.com", "b@c"], "editor 'E2'.address cannot be used"),
        (["a@example.com", "A@EXAMPLE.com"], "editor 'E2'.address is there twice"),
        (["a@example.com, b@example.com"], "editor 'E1'.address cannot be used"),
        (["x"], "editor 1.address is 'x', and must be text of 3 to 254 characters"),
    ],
)
def test_address_that_cannot_be_told_or_comes_twice_is_refused(
    tmp_path: Path, addresses: list[str], fault: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        read(tmp_path, *addresses)
    assert fault in refused.value.message


def test_editor_without_an_address_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / CONFIG).write_text('[[editor]]\nname = "Maria"\n')
    with pytest.raises(ConfigError, match="editor 1 lacks address"):
        load(tmp_path, {})
    with pytest.raises(ConfigError, match=r"editors are set in .* only, as \[\[editor\]\]"):
        load(tmp_path, {"DIGEST_EDITOR__NAME": "Maria"})


def test_number_of_an_editor_needs_the_key_and_is_not_that_of_a_reader() -> None:
    number = RING.editor_number("maria@example.com")
    assert 0 <= number < 2**48
    assert number == RING.editor_number("maria@example.com")
    assert number != RING.editor_number("jo@example.org")
    assert number != KeyRing(RING.links, bytes(32)).editor_number("maria@example.com")
    assert f"{number:012x}" not in RING.hash_address("maria@example.com")


def test_link_of_an_editor_is_none_of_a_reader() -> None:
    tokens = Tokens(RING)
    assert tokens.read_editor(tokens.editor(7, 9)) == (7, 9)
    with pytest.raises(BadToken):
        tokens.read_editor(tokens.reader(7, 9))
    with pytest.raises(BadToken):
        tokens.read_reader(tokens.editor(7, 9))
