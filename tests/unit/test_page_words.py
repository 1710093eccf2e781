"""The words of the readers' pages: each page's, in each language, and no other."""

import re
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.plurals import get_plural
from babel.messages.pofile import read_po
from jinja2.ext import babel_extract

from digest.project import starter_root
from digest.rendering.locales import PAGES, languages, load_words
from digest.web.pages import TEMPLATES as PAGE_TEMPLATES

TEMPLATES = starter_root() / "templates"
LANGUAGES = ["ar", "de", "en", "es", "fr", "ja"]
PLACE = re.compile(r"%\((\w+)\)s")
Message = str | tuple[str, ...]


def catalogue(language: str) -> Catalog:
    with (TEMPLATES / "locales" / language / PAGES).open("rb") as file:
        return read_po(file, abort_invalid=True)


def frozen(text: Any) -> Message:
    return text if isinstance(text, str) else tuple(text)


def messages(language: str) -> dict[Message, Message]:
    return {frozen(m.id): frozen(m.string) for m in catalogue(language) if m.id}


def used_messages() -> set[Message]:
    options = {"trim_blocks": "true", "lstrip_blocks": "true", "newstyle_gettext": "true"}
    found: set[Message] = set()
    for path in PAGE_TEMPLATES.glob("*.j2"):
        calls = babel_extract(BytesIO(path.read_bytes()), ("_", "gettext", "ngettext"), (), options)
        for _, function, text, _ in calls:
            parts = [text] if isinstance(text, str) else [part for part in text if part]
            found.add(tuple(parts[:2]) if function == "ngettext" else parts[0])
    return found


def test_pages_speak_the_languages_of_the_mail() -> None:
    assert list(languages([TEMPLATES], PAGES)) == LANGUAGES
    assert languages([TEMPLATES], PAGES)["de"] == "Deutsch"


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalogue_has_every_message_of_the_pages_and_no_other(language: str) -> None:
    found = messages(language)
    assert found.keys() - used_messages() == set()
    assert used_messages() - found.keys() == set()
    assert all(found.values())
    assert not any(message.fuzzy for message in catalogue(language) if message.id)
    load_words([TEMPLATES], language, PAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_translation_fills_in_what_its_message_does(language: str) -> None:
    for message, translated in messages(language).items():
        last, form = ((t,) if isinstance(t, str) else t for t in (message, translated))
        assert sorted(PLACE.findall(form[-1])) == sorted(PLACE.findall(last[-1])), message
        if not isinstance(message, str):
            assert len(translated) == get_plural(language).num_plurals


@pytest.mark.parametrize("language", sorted({*LANGUAGES} - {"en"}))
def test_no_translation_is_left_in_english(language: str) -> None:
    found = messages(language).items()
    same = [m for m, t in found if t == m and isinstance(m, str) and "%" not in m]
    assert same == []


def test_project_changes_one_word_of_a_page_and_keeps_the_others(tmp_path: Path) -> None:
    own = tmp_path / "locales" / "de" / PAGES
    own.parent.mkdir(parents=True)
    own.write_text('msgid "Subscribe"\nmsgstr "Bestellen"\n')
    words = load_words([tmp_path, TEMPLATES], "de", PAGES)
    assert words.gettext("Subscribe") == "Bestellen"
    assert words.gettext("Save") == "Speichern"
