"""The language of an article is the one stated, or told from enough text, or unknown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.normalising.languages import language_of, language_tag

GERMAN = "Die neue App zeigt, wann der nächste Bus kommt, und kostet dabei gar nichts."


@pytest.mark.parametrize(
    ("stated", "tag"),
    [
        ("en", "en"), ("EN-us", "en-US"), ("pt_br", "pt-BR"), ("zh-hant-tw", "zh-Hant-TW"),
        ("zh-cmn-Hans-CN", "zh"), ("es-419", "es-419"), ("de-DE-1996", "de-DE"), (" fr ", "fr"),
        ("sr_latn", "sr-Latn"), ("und", ""), ("zxx", ""), ("mul", ""), ("english", ""), ("", ""),
        ("x-default", ""), ("e", ""), ("en us", ""), ("<script>", ""), ("es-٤١٩", "es"),
    ],
)  # fmt: skip
def test_a_stated_language_becomes_a_well_formed_tag(stated: str, tag: str) -> None:
    assert language_tag(stated) == tag


@pytest.mark.parametrize(
    ("text", "stated", "language"),
    [
        (GERMAN, ("fr", "en"), "fr"),
        (GERMAN, ("", "nonsense", "en-GB"), "en-GB"),
        (GERMAN, ("", "und"), "de"),
        ("Neue App für den Bus", (), ""),
        ("12345 67890 " * 20, (), ""),
        ("", (), ""),
    ],
)
def test_the_first_stated_language_counts_else_the_text_tells(
    text: str, stated: tuple[str, ...], language: str
) -> None:
    assert language_of(text, *stated) == language


@given(st.text(st.characters(exclude_categories=[])))
def test_a_tag_is_its_own_tag(stated: str) -> None:
    assert language_tag(language_tag(stated)) == language_tag(stated)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=60))
def test_any_text_has_a_language_or_none(text: str) -> None:
    language = language_of(text)
    assert language_tag(language) == language
