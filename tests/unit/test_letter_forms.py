"""The forms of letters: in every theme and language, whole, checked, and the same for everybody."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from digest.checking import Severity
from digest.errors import ChecksFailed, RenderError
from digest.merging import ACCOUNT_URL, CONFIRM_URL, READER, count_tokens
from digest.model.letterforms import EditionLink, LetterForm, Occasion
from digest.project import starter_root
from digest.rendering.renderer import MailRenderer
from digest.services.letterforms import LetterForms
from digest.settings import NewsletterSettings

TEMPLATES = starter_root() / "templates"
LANGUAGES = sorted(path.parent.name for path in TEMPLATES.glob("locales/*/mail.po"))
THEMES = sorted(file.parent.name for file in TEMPLATES.glob("themes/*/tokens.toml"))
MONDAY = dt.datetime(2026, 11, 30, 6, tzinfo=dt.UTC)
PAST = (
    EditionLink(label="2026-W47", subject="Maps & <b>more</b> xDIGESTaddressx"),
    EditionLink(label="2026-W46", subject=""),
)
LINKS = {
    CONFIRM_URL: "https://news.example.com/confirm/C",
    ACCOUNT_URL: "https://news.example.com/account/A",
    READER: "T",
}


def forms(*folders: Path, ignored: dict[str, str] | None = None, **newsletter: Any) -> LetterForms:
    settings = NewsletterSettings(**newsletter)
    renderer = MailRenderer([*folders, TEMPLATES], settings)
    return LetterForms(settings, renderer.render_letter, ignored=ignored or {})


def occasion(form: LetterForm) -> Occasion:
    return Occasion(form=form, next_at=MONDAY, past=PAST)


@pytest.mark.parametrize(
    ("theme", "language"),
    [*((theme, "ar") for theme in THEMES), *(("plain", language) for language in LANGUAGES[1:])],
)
def test_letters_of_every_theme_and_language_pass_all_checks(theme: str, language: str) -> None:
    found = forms(theme=theme, language=language).findings()
    assert [f for f in found if f.severity is not Severity.INFO] == []


@pytest.mark.parametrize("language", ["ar", "de", "en"])
@pytest.mark.parametrize("form", LetterForm)
def test_letter_holds_its_links_in_both_parts_and_no_token_of_its_own(
    form: LetterForm, language: str
) -> None:
    mail = forms(language=language, postal_address="1 Street\n2 Town").mail(occasion(form), LINKS)
    wanted = {
        LetterForm.CONFIRM: ["/confirm/C"],
        LetterForm.RETURN: ["/confirm/C", "/account/A"],
        LetterForm.LINKS: ["/archive/2026-W47/T", "/archive/2026-W46/T", "/account/A"],
        LetterForm.WELCOME: ["/archive/2026-W47"],
    }[form]
    listed = {"xDIGESTaddressx", "xDIGESTunsubscribeurlx", "xDIGESTpreferencesurlx"}
    for body in (mail.html, mail.text):
        assert [link for link in wanted if f"https://news.example.com{link}" not in body] == []
        on_list = form in (LetterForm.LINKS, LetterForm.WELCOME)
        assert count_tokens(body).keys() == (listed if on_list else set())
        assert "1 Street" in body
        assert "2 Town" in body
    assert "<b>more" not in mail.html
    assert mail.is_notice
    assert f'lang="{language}"' in mail.html
    assert ('dir="rtl"' in mail.html) is (language == "ar")


def test_welcome_says_when_the_next_edition_comes_as_its_readers_do() -> None:
    said = {
        language: " ".join(
            forms(language=language, timezone="America/New_York")
            .mail(occasion(LetterForm.WELCOME), LINKS)
            .text.split()
        )
        for language in LANGUAGES
    }
    assert "Monday, November 30, 2026 at 1:00" in said["en"].replace("\u202f", " ")
    assert "Montag, 30. November 2026 um 01:00 Uhr" in said["de"]
    assert "lunes, 30 de noviembre de 2026 a las 1:00" in said["es"]
    assert "lundi 30 novembre 2026 à 01:00" in said["fr"]


def test_letter_says_nothing_where_nothing_is_known() -> None:
    for form in LetterForm:
        mail = forms().mail(Occasion(form=form), LINKS)
        assert "None" not in mail.text
        assert "/archive/" not in mail.text


def test_same_letter_is_rendered_and_checked_once() -> None:
    times: list[Occasion] = []
    settings = NewsletterSettings()
    renderer = MailRenderer([TEMPLATES], settings)

    def render(asked: Occasion) -> Any:
        times.append(asked)
        return renderer.render_letter(asked)

    made = LetterForms(settings, render, ignored={})
    first = made.mail(occasion(LetterForm.CONFIRM), LINKS)
    other = made.mail(occasion(LetterForm.CONFIRM), LINKS | {CONFIRM_URL: "https://x.test/c/D"})
    assert len(times) == 1
    assert first.html.replace("https://news.example.com/confirm/C", "https://x.test/c/D") == (
        other.html
    )


def changed(folder: Path, name: str, old: str, new: str) -> Path:
    source = (TEMPLATES / name).read_text("utf-8")
    assert old in source
    (folder / name).write_text(source.replace(old, new), "utf-8")
    return folder


def test_letter_with_an_error_goes_to_nobody_and_the_check_says_so(tmp_path: Path) -> None:
    made = forms(changed(tmp_path, "letter.html.j2", "{{ parts.sender() }}", ""))
    with pytest.raises(ChecksFailed, match="postal address"):
        made.mail(occasion(LetterForm.CONFIRM), LINKS)
    found = made.findings()
    assert {f.rule for f in found if f.severity is Severity.ERROR} == {"postal-address"}
    assert found[0].message.startswith("In the letter “confirm”: ")
    forms(tmp_path, ignored={"postal-address": "it stands elsewhere"}).mail(
        occasion(LetterForm.CONFIRM), LINKS
    )


def test_letter_with_a_token_that_nobody_fills_goes_to_nobody(tmp_path: Path) -> None:
    template = changed(tmp_path, "letter.txt.j2", "{{ letter.title }}", "xDIGESTnobodyx")
    with pytest.raises(ChecksFailed, match="xDIGESTnobodyx"):
        forms(template, ignored={"token-unknown": "x"}).mail(occasion(LetterForm.LINKS), LINKS)


def test_broken_template_is_named(tmp_path: Path) -> None:
    made = forms(changed(tmp_path, "letter.html.j2", "letter.title", "letter.titel"))
    with pytest.raises(RenderError, match=r"letter\.html\.j2"):
        made.findings()
