"""The settings file: hostile ones are refused, and the documents tell every option as it is."""

import re
import time
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from digest.errors import ConfigError
from digest.project import CONFIG, Project, find_project, load, starter_root
from digest.settings import EditorSettings, Settings, SourceSettings, allowed


def make_project(folder: Path, text: str = "") -> Path:
    (folder / "config").mkdir()
    (folder / CONFIG).write_text(text, encoding="utf-8")
    return folder


def read(folder: Path, text: str) -> Project:
    return load(make_project(folder, text), {})


# Files that are none


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (".".join(["a"] * 20_000) + " = 1", "line 1 has more than 4,000 characters"),
        ("x = {" + ".".join(["a"] * 20_000) + " = 1}", "line 1 has more than 4,000 characters"),
        ("[" + ".".join(["a"] * 1_900) + "]", "[a] is not a section"),
        ("[edition]\n" + ".".join(["a"] * 1_900) + " = 1", "edition.a is not a setting"),
        ("[edition]\n" + ".".join(["stories"] * 450) + " = 1", "edition.stories is a table"),
        ("a = " + "[" * 3_900, "nested too deep"),
        ("\n".join(["a = ["] + ["["] * 20_000), "nested too deep"),
        ("[edition]\nstories = " + "[" * 200 + "]" * 200, "edition.stories is a list"),
        ("[edition]\nstories = " + "9" * 3_900, "edition.stories is 9999"),
        ("[edition]\nstories = 0x" + "f" * 3_900, "edition.stories is a very long number"),
        ("[edition]\nstories = " + "9" * 5_000, "line 2 has more than 4,000 characters"),
        ('[newsletter]\nname = "\0"', "Illegal character"),
        ('[newsletter]\nname = """' + "\nx" * 40_000 + '"""', "newsletter.name is "),
        ("x" * 3_990 + " = 1", "is not a section"),
        ('"\x1b[31m\u202e" = 1'.replace("\x1b", "\\u001b"), r"[\x1b[31m\u202e] is not a section"),
        ("[edition]\nstories = 1\nstories = 2", "Cannot overwrite a value"),
        ("[edition\n", "line 1"),
        ("x = '" + "y" * 1_000_001 + "'", "larger than 1 MB"),
    ],
    ids=range(18),
)
def test_a_hostile_file_is_refused_quickly_and_in_few_words(
    tmp_path: Path, text: str, fault: str
) -> None:
    started = time.monotonic()
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert time.monotonic() - started < 5
    assert fault in caught.value.message
    assert caught.value.message.replace("\n", "").isprintable()
    assert len(caught.value.message) < 500 + len(str(tmp_path))
    assert caught.value.hint


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    make_project(tmp_path)
    (tmp_path / CONFIG).write_bytes(b'[newsletter]\nname = "Gr\xfc\xdfe"\n')
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, {})
    assert "UTF-8" in caught.value.hint


def test_a_folder_in_the_files_place_is_no_project(tmp_path: Path) -> None:
    (tmp_path / CONFIG).mkdir(parents=True)
    assert find_project(tmp_path, {}).is_starter
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path, {})


# Documentation


ROOT = Path(__file__).parents[2]
SECTIONS: dict[str, Any] = {
    info.name: {"source": SourceSettings, "editor": EditorSettings}.get(info.name, info.type)
    for info in msgspec.structs.fields(Settings)
}
ROW = re.compile(r"\| `(\w+)` \| (.+?) \| (.+?) \| (.+?) \|")


def documented() -> dict[str, dict[str, tuple[str, str]]]:
    """Return by section and key the default and what is allowed, as docs/settings.md has them."""
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    parts = re.split(r"^## `\[+(\w+)\]+`.*$", text, flags=re.MULTILINE)[1:]
    return {
        section: {row[1]: (row[2], row[3]) for row in ROW.finditer(body)}
        for section, body in zip(parts[::2], parts[1::2], strict=True)
    }


def as_toml(value: Any) -> str:
    if value is msgspec.NODEFAULT:
        return "none, it is needed"
    if isinstance(value, str):
        return f'`"{value}"`'
    return f"`{list(value)}`" if isinstance(value, tuple) else f"`{value}`".lower()


def test_every_setting_is_documented_with_its_default_and_what_it_may_be() -> None:
    assert documented() == {
        section: {
            info.encode_name: (as_toml(info.default), allowed(info.type))
            for info in msgspec.structs.fields(kind)
        }
        for section, kind in SECTIONS.items()
    }


def test_the_starters_settings_show_every_option_with_its_default() -> None:
    text = (starter_root() / CONFIG).read_text(encoding="utf-8")
    shown = tomllib.loads(text)
    assert shown.keys() | {"editor"} == SECTIONS.keys()
    for section, kind in SECTIONS.items():
        defaults = {f.encode_name: f.default for f in msgspec.structs.fields(kind)}
        if section in ("source", "editor"):
            part = table_part(text, section)
            assert set(re.findall(r"^#? ?(\w+) = ", part, re.MULTILINE)) == set(defaults)
        else:
            assert shown[section] | {"intro": ""} == defaults | {"intro": ""}


def table_part(text: str, section: str) -> str:
    """Return what stands from the first of the tables to the section after them."""
    after = "[delivery]" if section == "source" else "[edition]"
    return text[text.index(f"[[{section}]]") : text.index(after)]


def test_a_setting_is_explained_in_words() -> None:
    kinds = {info.name: info.type for info in msgspec.structs.fields(SourceSettings)}
    assert allowed(kinds["allow_private"]) == "true or false"
    assert allowed(kinds["topics"]) == "a list of texts"
    assert allowed(kinds["newest"]) == 'one of "", today'
    assert allowed(kinds["trust"]) == "a number from 0 to 1"
    assert allowed(kinds["kind"]) == "a word of a-z, 0-9, _ and -"
