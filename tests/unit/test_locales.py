import datetime as dt
import re
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.plurals import get_plural
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st
from jinja2.ext import babel_extract
from lxml import html as lxml_html

from digest import curation
from digest.errors import RenderError
from digest.merging import TOKENS
from digest.model.articles import Rating
from digest.model.editions import Edition
from digest.project import starter_root
from digest.rendering import letters, views
from digest.rendering.locales import Words, load_words
from digest.rendering.renderer import MailRenderer
from digest.settings import NewsletterSettings
from digest.testing.factories import make_edition, make_story

TEMPLATES = starter_root() / "templates"
LANGUAGES = sorted(path.parent.name for path in TEMPLATES.glob("locales/*/mail.po"))
THEMES = sorted(file.parent.name for file in TEMPLATES.glob("themes/*/tokens.toml"))
PLACE = re.compile(r"%\((\w+)\)s")
Message = str | tuple[str, ...]


def catalogue(language: str) -> Catalog:
    with (TEMPLATES / "locales" / language / "mail.po").open("rb") as file:
        return read_po(file, abort_invalid=True)


def messages(language: str) -> dict[Message, Message]:
    """Return the translations of a catalogue by message."""
    return {frozen(m.id): frozen(m.string) for m in catalogue(language) if m.id}


def frozen(text: Any) -> Message:
    return text if isinstance(text, str) else tuple(text)


def words(language: str, *folders: Path) -> Words:
    return load_words([*folders, TEMPLATES], language)


def used_messages() -> set[Message]:
    """Return every message of the templates, the views and the subject."""
    options = {"trim_blocks": "true", "lstrip_blocks": "true", "newstyle_gettext": "true"}
    found: set[Message] = set()
    for path in TEMPLATES.rglob("*.j2"):
        keywords = ("_", "gettext", "ngettext")
        for _, function, text, _ in babel_extract(
            BytesIO(path.read_bytes()), keywords, (), options
        ):
            parts = [text] if isinstance(text, str) else [part for part in text if part]
            found.add(tuple(parts[:2]) if function == "ngettext" else parts[0])
    keywords_of_python = {"gettext": None, "ngettext": (1, 2)}
    for module in (views, curation, letters):
        source = Path(module.__file__ or "").read_bytes()
        for _, text, _, _ in extract("python", BytesIO(source), keywords_of_python):
            found.add(frozen(text))
    return found


def written(folder: Path, text: str, language: str = "de") -> Path:
    path = folder / "locales" / language / "mail.po"
    path.parent.mkdir(parents=True)
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return folder


def translated(folder: Path, text: str, message: str = "New") -> Path:
    return written(folder, f'msgid "{message}"\nmsgstr "{text}"\n')


def test_six_languages_are_shipped() -> None:
    assert LANGUAGES == ["ar", "de", "en", "es", "fr", "ja"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalogue_has_every_message_of_the_templates_and_no_other(language: str) -> None:
    found = messages(language)
    assert len(found) > 15
    assert found.keys() == used_messages()
    assert all(found.values())
    assert not any(message.fuzzy for message in catalogue(language) if message.id)


@pytest.mark.parametrize("language", LANGUAGES)
def test_translation_fills_in_what_its_message_does(language: str) -> None:
    for message, translated in messages(language).items():
        last, form = ((t,) if isinstance(t, str) else t for t in (message, translated))
        assert sorted(PLACE.findall(form[-1])) == sorted(PLACE.findall(last[-1])), message


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalogue_counts_as_its_language_does(language: str) -> None:
    found, known = catalogue(language), get_plural(language)
    assert found.num_plurals == known.num_plurals
    for message, translated in messages(language).items():
        if not isinstance(message, str):
            assert len(translated) == known.num_plurals


@pytest.mark.parametrize("language", sorted({*LANGUAGES} - {"en"}))
def test_no_translation_is_left_in_english(language: str) -> None:
    same = {
        message
        for message, translated in messages(language).items()
        if translated == message and isinstance(message, str) and "%" not in message
    }
    assert same == set()


@pytest.mark.parametrize(
    ("language", "number", "says"),
    [
        ("en", 1, "1 vote"),
        ("en", 0, "0 votes"),
        ("en", 1204, "1,204 votes"),
        ("de", 1204, "1.204 Stimmen"),
        ("fr", 0, "0 vote"),
        ("fr", 2, "2 votes"),
        ("es", 1, "1 voto"),
        ("ar", 0, "بلا أصوات"),
        ("ar", 1, "صوت واحد"),
        ("ar", 2, "صوتان"),
        ("ar", 7, "7 أصوات"),
        ("ar", 11, "11 صوتًا"),
        ("ar", 100, "100 صوت"),
        ("ar", 1204, "1,204 أصوات"),
        ("ja", 1, "1票"),
        ("ja", 1204, "1,204票"),
    ],
)
def test_votes_are_counted_as_the_language_does(language: str, number: int, says: str) -> None:
    spoken = words(language)
    votes = spoken.number(number)
    assert spoken.ngettext("%(votes)s vote", "%(votes)s votes", number, votes=votes) == says


@given(st.integers(0, 10**9), st.sampled_from(LANGUAGES))
def test_no_number_is_without_words(number: int, language: str) -> None:
    spoken = words(language)
    said = spoken.ngettext("%(votes)s vote", "%(votes)s votes", number, votes=str(number))
    assert said
    assert str(number) in said or (language == "ar" and number < 3)


@pytest.mark.parametrize(
    ("others", "says"),
    [(1, "خبر 1، وخبر آخر"), (2, "خبر 1، وخبران آخران"), (3, "خبر 1، و3 أخبار أخرى")],
)
def test_arabic_subject_counts_one_and_two_without_a_figure(others: int, says: str) -> None:
    stories = [make_story(number, headline=f"خبر {number}") for number in range(1, others + 2)]
    assert curation.make_subject(stories, words("ar")) == says


@pytest.mark.parametrize(
    ("language", "direction", "script"),
    [
        ("en", "ltr", "Latn"),
        ("ar", "rtl", "Arab"),
        ("ar-EG", "rtl", "Arab"),
        ("fa", "rtl", "Arab"),
        ("he", "rtl", "Hebr"),
        ("ja", "ltr", "Jpan"),
        ("zh-Hant", "ltr", "Hant"),
        ("zh-TW", "ltr", "Hant"),
        ("ko", "ltr", "Kore"),
        ("az-Arab", "rtl", "Arab"),
        ("xx", "ltr", "Latn"),
        ("iw", "rtl", "Hebr"),
        ("ji", "rtl", "Hebr"),
        *((tag, "rtl", "Arab") for tag in ("prs", "pnb", "lrc", "mzn", "glk", "azb", "azb-IR")),
    ],
)
def test_direction_and_script_are_those_of_the_language(
    language: str, direction: str, script: str
) -> None:
    spoken = words(language)
    assert (spoken.direction, spoken.script) == (direction, script)


@pytest.mark.parametrize(
    ("language", "word"),
    [("it", "New"), ("xx", "New"), ("de-AT", "Neu"), ("DE", "Neu"), ("fr-CA", "Nouveau")],
)
def test_unknown_language_speaks_english_and_a_region_its_language(
    language: str, word: str
) -> None:
    assert words(language).gettext("New") == word


def test_language_without_a_catalogue_has_its_own_dates_and_numbers() -> None:
    spoken = words("it")
    assert spoken.days(dt.date(2026, 11, 22), dt.date(2026, 11, 29)) == "22–29 nov 2026"
    assert spoken.number(1204) == "1.204"


def test_project_changes_one_word_and_keeps_the_starter_s_others(tmp_path: Path) -> None:
    own = written(tmp_path, 'msgid "New"\nmsgstr "Frisch"\n')
    spoken = words("de", own)
    assert spoken.gettext("New") == "Frisch"
    assert spoken.gettext("Unsubscribe") == "Abmelden"
    assert words("de").gettext("New") == "Neu"


@pytest.mark.parametrize("language", ["pl", "xx"])
def test_language_of_a_project_counts_as_its_catalogue_says(tmp_path: Path, language: str) -> None:
    head = 'msgid ""\nmsgstr "Plural-Forms: nplurals=3; plural=(n==1 ? 0 : n==2 ? 1 : 2);\\n"\n'
    forms = "".join(f'msgstr[{n}] "{word}"\n' for n, word in enumerate(("one", "two", "many")))
    vote = 'msgid "%(votes)s vote"\nmsgid_plural "%(votes)s votes"\n'
    spoken = words(language, written(tmp_path, head + vote + forms, language))
    said = [spoken.ngettext("%(votes)s vote", "%(votes)s votes", n, votes="") for n in (1, 2, 3)]
    assert said == ["one", "two", "many"]


def test_project_brings_a_language_of_its_own(tmp_path: Path) -> None:
    own = written(tmp_path, 'msgid "New"\nmsgstr "Nuovo"\n', "it")
    assert words("it-CH", own).gettext("New") == "Nuovo"
    assert words("it", own).gettext("Unsubscribe") == "Unsubscribe"


def test_catalogue_of_windows_is_read_like_any_other(tmp_path: Path) -> None:
    head = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n'
    text = "\ufeff" + head + 'msgid "New"\nmsgstr "Völlig neu"\n'
    assert words("de", written(tmp_path, text.replace("\n", "\r\n"))).gettext("New") == "Völlig neu"


def test_percent_sign_is_written_twice_and_read_once(tmp_path: Path) -> None:
    assert words("de", translated(tmp_path, "100 %% neu")).gettext("New") == "100 % neu"


@pytest.mark.parametrize("text", ["R&D", "AT&T & co", "„neu“", "l’un", 'so "new"', "5&6;"])
def test_plain_text_is_no_markup(tmp_path: Path, text: str) -> None:
    own = translated(tmp_path, text.replace('"', '\\"'))
    assert words("de", own).gettext("New") == text


@pytest.mark.parametrize("theme", THEMES)
def test_translation_with_quotes_does_not_leave_its_attribute(tmp_path: Path, theme: str) -> None:
    own = written(tmp_path, 'msgid "email"\nmsgstr "the \\" onclick=\\"x & mail"\n', "en")
    renderer = MailRenderer([own, TEMPLATES], NewsletterSettings(theme=theme))
    document = lxml_html.fromstring(renderer.render(make_edition()).html)
    (wrapper,) = document.xpath("//*[@role='article']")
    assert wrapper.get("aria-roledescription") == 'the " onclick="x & mail'
    assert wrapper.get("onclick") is None


@given(st.text(st.sampled_from("%()sd 0%&;#x3<votes"), max_size=12))
def test_translation_is_refused_or_can_be_said(text: str) -> None:
    with TemporaryDirectory() as folder:
        own = translated(Path(folder), text, "%(votes)s so far")
        try:
            spoken = words("de", own)
        except RenderError:
            return
        said = spoken.gettext("%(votes)s so far", votes="7")
        assert said == (text.replace("%(votes)s", "7").replace("%%", "%") or "7 so far")


@given(st.text(st.sampled_from("n%?:()0123 =!<&|*/-"), max_size=12))
def test_plural_rule_is_refused_or_counts(rule: str) -> None:
    text = counted(rule) + 'msgid "%(votes)s vote"\nmsgid_plural "%(votes)s votes"\n'
    with TemporaryDirectory() as folder:
        own = written(Path(folder), text + 'msgstr[0] "own"\nmsgstr[1] "own"\n')
        try:
            spoken = words("de", own)
        except RenderError:
            return
    for number in range(201):
        assert spoken.ngettext("%(votes)s vote", "%(votes)s votes", number, votes="") == "own"


def counted(rule: str, forms: int = 2) -> str:
    """Return a catalogue without words that counts by `rule`."""
    return f'msgid ""\nmsgstr "Plural-Forms: nplurals={forms}; plural={rule};\\n"\n\n'


FORMS = 'msgid ""\nmsgstr "Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('msgid "New"\nmsgstr Neu\n', "line"),
        ('msgid "New"\nmsgstr "%(votes)s"\n', "does not fit its message"),
        ('msgid "New"\nmsgstr "100 %"\n', "does not fit its message"),
        ('msgid "%(votes)s vote"\nmsgstr "%(vote)s"\n', "%(vote)s"),
        ('msgid "%(votes)s vote"\nmsgstr "%(votes)d"\n', "%(votes)d"),
        (FORMS + 'msgid "a"\nmsgid_plural "b"\nmsgstr[0] "x"\n', "plural forms"),
        ('msgid ""\nmsgstr "Language: zz\\nPlural-Forms: nplurals=1; plural=n.x;\\n"\n', "plural"),
        ('msgid "New"\nmsgstr "caf\udce9"\n', "decode"),
        ("# long\n" * 150_000, "larger than 1 MB"),
        ('msgid "New"\nmsgstr "%s"\n', "a percent sign is written %%"),
        ('msgid "New"\nmsgstr "%d"\n', "a percent sign is written %%"),
        ('msgid "New"\nmsgstr "100% off"\n', "a percent sign is written %%"),
        ('msgid "New"\nmsgstr "100%%%"\n', "a percent sign is written %%"),
        ('msgid "%(a)s"\nmsgstr "%(a)s %(b)s"\n', "which has %(a)s"),
        (counted("n % 0"), "'n % 0' does not work"),
        (counted("n"), "no form of 2 for the number 2"),
        (counted("n == 150 ? 2 : 0"), "for the number 150"),
        (counted("0 - n"), "no form of 2 for the number 1"),
        (counted("n ** n"), "does not work"),
        (counted("0", 0), "nplurals=0"),
        (counted("0", 1_000_000_000), "nplurals=1000000000"),
        ('msgid ""\nmsgstr "Content-Type: text/plain; charset=latin-1\\n"\n', "charset=latin-1"),
        ('msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-7\\n"\n', "charset=utf-7"),
        ('msgid ""\nmsgstr "Content-Type: text/plain; charset=none\\n"\n', "charset=none"),
        ('msgid "New"\nmsgstr "<b>Neu"\n', "no plain text"),
        ('msgid "New"\nmsgstr "Neu -->"\n', "no plain text"),
        ('msgid "New"\nmsgstr "&copy; Neu"\n', "no plain text"),
        ('msgid "New"\nmsgstr "&copy Neu"\n', "no plain text"),
        ('msgid "New"\nmsgstr "Neu&#1;"\n', "no plain text"),
        ('msgid "New"\nmsgstr "Neu&#x3c;b"\n', "no plain text"),
        ('msgid "New"\nmsgstr "A"\n\nmsgid "New"\nmsgstr "B"\n', "line 4: 'New' is there twice"),
    ],
)
def test_broken_catalogue_is_one_sentence_with_its_file(
    tmp_path: Path, text: str, says: str
) -> None:
    with pytest.raises(RenderError) as caught:
        words("de", written(tmp_path, text))
    assert caught.value.message.startswith("templates/locales/de/mail.po: ")
    assert says in caught.value.message
    assert caught.value.message.endswith(". Nothing was written.")


def foreign(language: str) -> tuple[Edition, NewsletterSettings]:
    """Return an edition without a Latin letter in its data, addresses apart."""
    word = {"ja": "記事", "ar": "خبر"}[language]
    stories = tuple(
        make_story(
            number,
            headline=f"{word} {number}",
            summary=word,
            outlet=word,
            topics=(word,),
            language=language,
            words=2000,
            rating=Rating(mean=4.2, votes=votes, origin="feed"),
        )
        for number, votes in enumerate((1204, 40, 1), 1)
    )
    edition = make_edition(stories=stories, subject=word, preheader=word * 20, intro=word)
    settings = NewsletterSettings(language=language, name=word, postal_address=f"{word} 1")
    return edition, settings


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("language", ["ja", "ar"])
def test_no_english_word_is_left_in_a_foreign_mail(language: str, theme: str) -> None:
    edition, newsletter = foreign(language)
    renderer = MailRenderer([TEMPLATES], msgspec.structs.replace(newsletter, theme=theme))
    mail = renderer.render(edition)
    for document in (mail.html, renderer.render_web(edition)):
        body = lxml_html.fromstring(document).find("body")
        spoken = [body.text_content()]
        for name in ("alt", "title", "aria-label", "aria-roledescription"):
            spoken += body.xpath(f"//*/@{name}")
        assert latin("\n".join(spoken)) == set()
    assert latin(mail.text) == set()


def latin(text: str) -> set[str]:
    """Return the words in Latin letters that are no address and no reader's token."""
    text = re.sub(r"https?://\S+|news\.example\.com|xDIGEST[a-z]+x", " ", text)
    return set(re.findall(r"[A-Za-z]{2,}", text))


def test_tokens_are_what_the_search_for_english_words_leaves_out() -> None:
    assert latin(" ".join(TOKENS.values()) + " left over") == {"left", "over"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_mail_speaks_one_language_in_html_and_text(language: str) -> None:
    newsletter = NewsletterSettings(language=language)
    mail = MailRenderer([TEMPLATES], newsletter).render(make_edition())
    spoken = words(language)
    for message in ("Unsubscribe", "Change preferences", "View in browser"):
        assert spoken.gettext(message) in mail.html
        assert spoken.gettext(message) in mail.text
    assert f'lang="{language}"' in mail.html
