"""Mails with merged and updated stories: every link and every mark is there, and nothing more."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from lxml import html as lxml_html

from digest.checking import Severity
from digest.merging import TOKENS, compile_variant
from digest.model.editions import Edition, Variant
from digest.project import starter_root
from digest.rendering.renderer import MailRenderer
from digest.services.previews import PreviewService
from digest.settings import NewsletterSettings
from digest.testing.factories import make_edition, make_merged, make_story
from digest.transports.message import build_message
from tests.golden.editions import ARABIC, ENGLISH, arabic_edition, combined, rich_edition

TEMPLATES = starter_root() / "templates"
THEMES = sorted(file.parent.name for file in TEMPLATES.glob("themes/*/tokens.toml"))
LANGUAGES = sorted(path.parent.name for path in TEMPLATES.glob("locales/*/mail.po"))


def render(
    edition: Edition, newsletter: NewsletterSettings = ENGLISH, **changes: Any
) -> tuple[Variant, Any, str]:
    """Return the mail, its HTML as a tree, and its text."""
    changed = msgspec.structs.replace(newsletter, **changes)
    variant = MailRenderer([TEMPLATES], changed).render(edition)
    html, text = compile_variant(variant).whole()
    return variant, lxml_html.fromstring(html), text


def findings(edition: Edition, variant: Variant) -> list[str]:
    previews = PreviewService(ENGLISH, build_message, ignored={}, weights={})
    found = previews.findings(edition, variant)
    return [f"{f.rule}: {f.message}" for f in found if f.severity is not Severity.INFO]


@pytest.mark.parametrize("theme", THEMES)
def test_others_are_linked_below_their_story_in_both_parts(theme: str) -> None:
    edition = combined(rich_edition(3))
    variant, tree, text = render(edition, theme=theme)
    links = tree.xpath("//a[contains(@class,'also-link')]")
    assert [link.get("href") for link in links] == [
        "https://cipher.example.com/a?b=1&c=2",
        "https://other.example.com/22",
        "https://other.example.com/24",
    ]
    lines = [" ".join(link.getparent().text_content().split()) for link in links]
    assert lines[0] == lines[1] == "Also: Cipher & Co. · تقنية اليوم · On paper"
    assert lines[2] == "Also: Cipher & Co."
    assert "Also: Cipher & Co.\nhttps://cipher.example.com/a?b=1&c=2\n" in text
    assert "Also: On paper\n\n" in text
    assert findings(edition, variant) == []


@pytest.mark.parametrize("theme", THEMES)
def test_update_is_marked_before_its_headline_in_both_parts(theme: str) -> None:
    edition = combined(rich_edition(3))
    _, tree, text = render(edition, theme=theme)
    words = " ".join(tree.text_content().split())
    for story in edition.stories[:2]:
        before = words[: words.index(story.headline)]
        assert "Update" in before[-60:]
        assert f". Update: {story.headline[:30]}" in text
    assert words.count("Update") == text.count("Update") == 2


def test_links_of_one_outlet_do_not_sound_alike() -> None:
    _, tree, _ = render(combined(rich_edition(3)))
    names = tree.xpath("//a[.='Cipher & Co.']/@aria-label")
    assert names == ["Cipher & Co.: Headline number 21", "Cipher & Co.: Headline number 24"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_others_and_updates_are_told_in_the_language_of_the_mail(language: str) -> None:
    changed = msgspec.structs.replace(ENGLISH, language=language)
    renderer = MailRenderer([TEMPLATES], changed)
    also, update = (
        renderer._words.gettext(message, **values)
        for message, values in (("Also: %(outlets)s", {"outlets": "On paper"}), ("Update", {}))
    )
    _, tree, text = render(combined(arabic_edition(3)), ARABIC, language=language)
    for spoken in (tree.text_content(), text):
        assert update in spoken
        assert also.split("On paper")[0] in spoken
    assert ("Also" in text) is ("Update" in text) is (language == "en")


@pytest.mark.parametrize(
    "text",
    [
        '"><script>x</script>',
        "javascript:alert(1)",
        TOKENS["unsubscribe_url"],
        f"https://example.com/{TOKENS['unsubscribe_url']}",
        'https://example.com/" onload="x',
        "\u202eright to left\0",
    ],
)
def test_hostile_words_and_links_are_harmless_in_a_merged_article(text: str) -> None:
    other = make_merged(2, outlet=text, url=text, headline=text, source=text)
    edition = make_edition(1, stories=(make_story(1, also=(other,), update_of=text),))
    variant, tree, plain = render(edition)
    calm = render(make_edition(1))[0]
    assert variant.tokens == calm.tokens
    assert tree.xpath("//script | //@onload | //a[starts-with(@href,'javascript')]") == []
    for character in "\0\u202e":
        assert character not in variant.html + variant.text
    assert plain.count(TOKENS["unsubscribe_url"]) == 1


@pytest.mark.parametrize(
    ("name", "line", "says"),
    [
        ("components.html.j2", '{{ also(story, "lead-facts", "lead-link") }}', "HTML has no link"),
        ("edition.txt.j2", "{{ other.url }}", "text part has no address"),
    ],
)
def test_template_that_leaves_others_out_is_found(
    tmp_path: Path, name: str, line: str, says: str
) -> None:
    text = (TEMPLATES / name).read_text()
    assert line in text
    (tmp_path / name).write_text(text.replace(line, ""))
    edition = combined(rich_edition(2))
    variant = MailRenderer([tmp_path, TEMPLATES], ENGLISH).render(edition)
    found = [line for line in findings(edition, variant) if says in line]
    assert "“Headline number 21”" in found[0]


def test_reader_of_some_topics_gets_the_others_of_their_stories_alone() -> None:
    edition = combined(rich_edition(3))
    variant, _, _ = render(edition)
    values = dict.fromkeys(TOKENS, "https://news.example.com/x")
    for part in compile_variant(variant).fill(values, kept=(0, 2)):
        assert "https://other.example.com/22" in part
        assert "https://other.example.com/24" not in part


def test_page_on_the_web_has_the_others_and_the_marks_too() -> None:
    page = MailRenderer([TEMPLATES], ENGLISH).render_web(combined(rich_edition(3)))
    tree = lxml_html.fromstring(page)
    assert len(tree.xpath("//a[contains(@class,'also-link')]")) == 3
    assert " ".join(tree.find("body").text_content().split()).count("Update") == 2
