"""The stars below a story: five named links in HTML, one in the text part, none for nobody."""

import msgspec
import pytest
from lxml import html as lxml_html

from digest.merging import TOKENS, compile_variant, reader_links
from digest.model.editions import Variant
from digest.project import starter_root
from digest.rendering.locales import load_words
from digest.rendering.renderer import MailRenderer
from digest.rendering.themes import load_theme
from digest.rendering.views import mail_view
from digest.settings import NewsletterSettings
from digest.testing.factories import make_edition, make_story
from tests.golden.editions import ENGLISH, rich_edition

TEMPLATES = starter_root() / "templates"
LANGUAGES = ("ar", "de", "en", "es", "fr", "ja")


def render(language: str = "en", headline: str = "") -> Variant:
    edition = rich_edition()
    if headline:
        edition = make_edition(1, stories=(make_story(1, headline=headline),))
    newsletter = msgspec.structs.replace(ENGLISH, language=language)
    return MailRenderer([TEMPLATES], newsletter).render(edition)


def test_every_story_has_five_stars_to_press_with_names_and_the_text_part_one_link() -> None:
    mail = render()
    for number, story in enumerate(rich_edition().stories, 1):
        links = lxml_html.fromstring(mail.html).xpath(f"//a[contains(@href, 'x/{number}/')]")
        assert [link.get("href") for link in links] == [
            f"{TOKENS['rate_url']}/{story.article_id}/{stars}" for stars in range(1, 6)
        ]
        names = [link.get("aria-label") for link in links]
        assert [name.split(": ")[0] for name in names] == [f"{n} of 5 stars" for n in range(1, 6)]
        assert all(story.headline[:30] in name and len(name) <= 80 for name in names)
        assert f"\nRate it: {TOKENS['rate_url']}/{story.article_id}\n" in mail.text


def test_theme_of_many_stories_has_five_stars_below_the_lead_and_a_link_below_the_others() -> None:
    newsletter = msgspec.structs.replace(ENGLISH, theme="compact")
    tree = lxml_html.fromstring(MailRenderer([TEMPLATES], newsletter).render(rich_edition()).html)
    links = tree.xpath("//a[@class='star']")
    assert len(links) == 5 + 9
    for story, link in zip(rich_edition().stories[1:], links[5:], strict=True):
        assert link.get("href") == f"{TOKENS['rate_url']}/{story.article_id}"
        assert link.get("aria-label").startswith(f"Rate it: {story.headline[:30]}")


@pytest.mark.parametrize("language", LANGUAGES)
def test_stars_are_named_in_the_language_of_the_mail(language: str) -> None:
    links = lxml_html.fromstring(render(language).html).xpath("//a[@class='star']")
    assert len(links) == 50
    names = [link.get("aria-label") for link in links]
    assert len(set(names)) == 50
    assert ("of 5 stars" in names[0]) is (language == "en")
    assert all(str(number % 5 + 1) in name for number, name in enumerate(names))


def test_headline_cannot_break_out_of_the_name_of_a_star() -> None:
    hostile = 'A " onmouseover="x" > <b> xDIGESTrateurlx'
    links = lxml_html.fromstring(render(headline=hostile).html).xpath("//a[@class='star']")
    assert [sorted(link.keys()) for link in links] == [["aria-label", "class", "href", "style"]] * 5
    assert "xdigestrateurlx" in links[0].get("aria-label")


def test_stars_of_a_reader_lead_to_their_own_page() -> None:
    values = reader_links("https://news.example.com/weekly", "2026-W48", "T" * 36)
    html, text = compile_variant(render()).fill({"address": "reader@example.com", **values})
    story = rich_edition().stories[0].article_id
    for body, rest in ((html, f"/{story}/4"), (text, f"/{story}\n")):
        assert f"https://news.example.com/weekly/r/{'T' * 36}{rest}" in body


def test_page_of_the_archive_has_stars_for_the_reader_whose_page_it_is_alone() -> None:
    words = load_words([TEMPLATES], "en")
    theme = load_theme([TEMPLATES], "plain", script=words.script)
    edition, newsletter = rich_edition(1), NewsletterSettings()
    for rate_url, tokens in (("", {}), ("/r/T", {"rate_url": "/r/T"})):
        view = mail_view(edition, newsletter, words, theme, mode="web", rate_url=rate_url)
        assert view.tokens == tokens
