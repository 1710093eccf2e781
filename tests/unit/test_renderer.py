import re
from dataclasses import fields, replace
from html import unescape
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import html as lxml_html

from digest.errors import RenderError
from digest.merging import NAMES, TOKENS, compile_variant, count_tokens
from digest.model.articles import Image
from digest.model.editions import Edition, Variant
from digest.project import starter_root
from digest.rendering.environment import make_environment
from digest.rendering.locales import load_words
from digest.rendering.plaintext import COLUMNS, width, wrapped
from digest.rendering.renderer import MailRenderer
from digest.rendering.views import AlsoView, ImageView, MailView, RatingView, StoryView
from digest.settings import NewsletterSettings
from digest.testing.factories import make_edition, make_story
from tests.golden.editions import ENGLISH, arabic_edition, rich_edition

TEMPLATES = starter_root() / "templates"
THEMES = sorted(file.parent.name for file in TEMPLATES.glob("themes/*/tokens.toml"))
DOCUMENT = TEMPLATES.parent / "docs" / "templates.md"
HOSTILE = [
    "{{ 7*7 }}{% if x %}{# y #}",
    "</td></tr></table><script>top.ran = 1</script>",
    "<style>@import 'https://evil.test/a.css';</style>",
    "@import url(https://evil.test/a.css)",
    '" style="p" onload="top.ran = 1',
    "<!--[if mso]><p>Word</p><![endif]--> --> <!--",
    "<![CDATA[ ]]> &lt;b&gt; &#60;b&#62; &amp;amp;",
    "\u202eright to left\u2069 \u200f",
    "a\0b\x1b[31m\ud800",
    "-%rcpt% %(x)s ${x} [[x]] *|X|*",
    "word " * 300,
    "w" * 3000,
    TOKENS["unsubscribe_url"],
]


def render(edition: Edition, newsletter: NewsletterSettings = ENGLISH) -> Variant:
    return MailRenderer([TEMPLATES], newsletter).render(edition)


def hostile_edition(text: str) -> Edition:
    image = Image(url="https://news.example.com/a.jpg", width=1120, height=630, alt=text)
    stories = tuple(
        make_story(
            number,
            headline=f"{text} {number}",
            summary=text,
            outlet=text,
            source=text,
            topics=(text,),
            language=text,
            url=f"https://example.com/{number}?q={text[:100]}",
            image=image,
        )
        for number in (1, 2)
    )
    return make_edition(2, stories=stories, subject=text, preheader=text, intro=text)


def outline(document: str) -> list[str]:
    """Return the mail's elements and the classes of its own templates, in order."""
    tree = lxml_html.fromstring(document)
    return [f"{e.tag}.{e.get('class')}" for e in tree.iter() if isinstance(e.tag, str)]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_every_field_is_harmless_text(text: str) -> None:
    calm, mail = render(hostile_edition("calm")), render(hostile_edition(text))
    assert outline(mail.html) == outline(calm.html)
    assert mail.tokens == calm.tokens
    assert count_tokens(mail.text) == count_tokens(calm.text)
    tree = lxml_html.fromstring(mail.html)
    assert tree.xpath("//script | //@onload | //*[@style='p']") == []
    [headline, _] = tree.xpath("//*[@class='lead-headline' or @class='headline']")
    for character in "\0\x1b\u202e\u2069\u200f":
        assert character not in mail.html + mail.text
    words = re.sub(r"\W", "", text).lower()
    assert words in re.sub(r"\W", "", headline.text_content()).lower() or "\0" in text


@settings(max_examples=30)
@given(st.text(max_size=50))
def test_no_text_breaks_the_footer(text: str) -> None:
    mail = render(hostile_edition(text))
    tree = lxml_html.fromstring(mail.html)
    assert tree.xpath("//a[.='Unsubscribe']/@href") == [TOKENS["unsubscribe_url"]]
    assert tree.xpath("//body//*[contains(@class,'footer')][1]")[0].text_content().strip()
    values = {name: f"https://news.example.com/{name}" for name in NAMES}
    html, plain = compile_variant(mail).fill(values | {"address": "reader@example.com"})
    for body in (html, plain):
        assert "https://news.example.com/unsubscribe_url" in body
        assert count_tokens(body) == {}


@pytest.mark.parametrize("count", [0, 1, 2, 10, 50])
def test_any_number_of_stories_makes_a_whole_mail(count: int) -> None:
    mail = render(make_edition(count))
    tree = lxml_html.fromstring(mail.html)
    linked = tree.xpath("//h2[@class='lead-headline']/a | //h3/a")
    assert [link.text_content() for link in linked] == [
        f"Headline number {number}" for number in range(1, count + 1)
    ]
    assert len(tree.xpath("//h1")) == 1
    assert tree.xpath("//a[.='Unsubscribe']")
    assert len(mail.html.encode()) <= 12_000 + 3_400 * count


def test_html_and_text_tell_the_same_stories_in_the_same_order() -> None:
    edition = rich_edition()
    mail = render(edition)
    text = lxml_html.fromstring(mail.html).text_content()
    plain = " ".join(mail.text.split())
    for body, links in ((text, mail.html), (plain, mail.text)):
        places = [body.index(story.headline.split(":")[0][:40]) for story in edition.stories]
        assert places == sorted(places)
        assert all(story.url in unescape(links) for story in edition.stories)
        for word in ("4.6", "1,204 votes", "The Long Screen", "8 min read", "Productivity", "New"):
            assert word in body


def test_every_story_says_its_place_and_its_origin_and_is_one_link() -> None:
    tree = lxml_html.fromstring(compile_variant(render(rich_edition())).whole()[0])
    assert tree.xpath("//*[@class='place-number']/text()") == [str(n) for n in range(2, 11)]
    kickers = [k.text_content() for k in tree.xpath("//*[contains(@class,'kicker')]")]
    assert len(kickers) == 10
    assert kickers[0] == "Productivity · The Long Screen · Nov 24"
    assert kickers[4] == "Craft · news.example.com · Nov 24"


def test_reader_s_footer_says_why_and_how_to_leave_and_who_writes() -> None:
    mail = render(rich_edition())
    footer = lxml_html.fromstring(mail.html).xpath("//*[contains(@class,'footer to-')]")[0]
    words = " ".join(footer.text_content().split())
    assert f"This mail goes to {TOKENS['address']}, because that address subscribed" in words
    assert "1 Example Street" in words
    assert "12345 Example" in words
    for name in ("unsubscribe_url", "preferences_url", "web_url"):
        assert mail.tokens[TOKENS[name]] == 1
        assert TOKENS[name] in mail.text


def test_story_without_a_link_is_shown_without_one() -> None:
    mail = render(make_edition(1, stories=(make_story(1, url=""),)))
    tree = lxml_html.fromstring(mail.html)
    assert tree.xpath("//h2//a | //*[@class='button']") == []
    assert tree.xpath("string(//h2)").strip() == "Headline number 1"


def test_right_to_left_mail_has_no_left_side_that_should_be_right() -> None:
    mail = render(arabic_edition(3), NewsletterSettings(language="ar"))
    tree = lxml_html.fromstring(mail.html)
    assert tree.xpath("//html/@dir") == tree.xpath("//*[@role='article']/@dir") == ["rtl"]
    assert {e.get("align") for e in tree.xpath("//td[contains(@class,'masthead')]")} == {"right"}
    sides = [e.get("align") for e in tree.xpath("//td[contains(@class,'words')]")]
    assert sides == ["right", "left"]  # the third story is English


def test_lines_of_the_text_part_fit_a_terminal() -> None:
    for edition in (rich_edition(), arabic_edition()):
        _, text = compile_variant(render(edition)).whole()
        for line in text.split("\n"):
            assert width(line) <= COLUMNS or " " not in line.strip()


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("one two three", ["one two", "three"]),
        ("https://example.com/long and", ["https://example.com/long", "and"]),
        ("縦書き、読書。三つ", ["縦書き、", "読書。三", "つ"]),
        ("abc縦書き、x", ["abc縦書", "き、x"]),
        ("e\u0301" * 5 + " " + "e\u0301" * 3, ["é" * 5, "é" * 3]),
        ("", [""]),
    ],
)
def test_lines_are_cut_where_their_script_allows_it(text: str, lines: list[str]) -> None:
    expected = [line.replace("é", "e\u0301") for line in lines]
    assert wrapped(text, 8).split("\n") == expected


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]) | st.just(" "), max_size=200))
def test_wrapping_loses_no_character(text: str) -> None:
    found = wrapped(text, 20)
    assert "".join(found.split()) == "".join(text.split())
    for line in found.split("\n"):
        assert width(line) <= 20 or " " not in line


def test_hash_covers_what_the_reader_sees() -> None:
    edition = rich_edition(2)
    changes: list[dict[str, Any]] = [
        {},
        {"subject": "Another"},
        {"preheader": "Another"},
        {"intro": "Another"},
        {"stories": edition.stories[:1]},
    ]
    assert len({render(replace(edition, **change)).sha256 for change in changes}) == len(changes)
    assert render(edition) == render(edition)


def own_templates(tmp_path: Path, name: str, old: str, new: str) -> MailRenderer:
    """Return a renderer for a project that changed one file of the starter's templates."""
    text = (TEMPLATES / name).read_text()
    assert old in text
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(text.replace(old, new))
    return MailRenderer([tmp_path, TEMPLATES], ENGLISH)


def test_project_changes_one_file_and_keeps_the_starter_s_others(tmp_path: Path) -> None:
    renderer = own_templates(tmp_path, "components.html.j2", '_("Story of the week")', '"Our pick"')
    mail = renderer.render(rich_edition(1))
    assert "Our pick" in mail.html
    assert "Story of the week" not in mail.html
    assert "color:#a23b12" in mail.html


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("components.html.j2", "mail.tokens.unsubscribe_url", "mail.home_url", "unsubscribe_url"),
        ("components.html.j2", "mail.tokens.address", "mail.site", "address"),
        ("edition.txt.j2", "mail.tokens.unsubscribe_url", "mail.home_url", "edition.txt.j2"),
        ("base.html.j2", "<!DOCTYPE html>", "<!doctype html>", "<!DOCTYPE html>"),
        ("base.html.j2", "{% block content %}", "{% blok content %}", "base.html.j2, line "),
        ("edition.html.j2", "mail.intro", "mail.introduction", "edition.html.j2, line "),
        ("edition.html.j2", "base.html.j2", "bass.html.j2", "bass.html.j2 is missing"),
        ("css/base.css.j2", ".page {", ".page { {", "moved into the elements"),
    ],
)
def test_broken_template_is_one_sentence_and_nothing_is_written(
    tmp_path: Path, name: str, old: str, new: str, says: str
) -> None:
    with pytest.raises(RenderError) as caught:
        own_templates(tmp_path, name, old, new).render(rich_edition(1))
    assert says in caught.value.message
    assert "othing was written." in caught.value.message
    assert caught.value.hint


def web(edition: Edition, theme: str = "plain", **options: bool) -> str:
    newsletter = msgspec.structs.replace(ENGLISH, theme=theme)
    return MailRenderer([TEMPLATES], newsletter).render_web(edition, **options)


@pytest.mark.parametrize("theme", THEMES)
def test_page_on_the_web_tells_the_same_stories_and_knows_no_reader(theme: str) -> None:
    edition = rich_edition()
    page = lxml_html.fromstring(web(edition, theme))
    assert count_tokens(web(edition, theme)) == {}
    headlines = page.xpath("//h2[@class='lead-headline'] | //h3")
    assert [h.text_content().strip() for h in headlines] == [s.headline for s in edition.stories]
    links = page.xpath("//h2[@class='lead-headline']/a/@href | //h3/a/@href")
    assert links == [story.url for story in edition.stories]
    places = page.xpath("//*[@class='place-number']/text()")
    assert places == [str(number) for number in range(2, 11)]
    assert "nsubscribe" not in page.text_content()
    assert f"{ENGLISH.public_url}/" in page.xpath("//*[contains(@class,'footer')]//a/@href")


def test_page_on_the_web_names_itself_and_its_address() -> None:
    edition = rich_edition(2)
    page = lxml_html.fromstring(web(edition))
    assert page.xpath("string(//title)") == f"{edition.subject} – App News Weekly"
    address = "https://news.example.com/archive/2026-W48"
    assert page.xpath("//link[@rel='canonical']/@href") == [address]
    assert page.xpath("//*[@role='main']")
    assert "[if mso]" not in web(edition)
    assert edition.preheader not in page.find("body").text_content()


def test_page_on_the_web_can_be_printed_and_hidden_from_search_engines() -> None:
    shown, hidden = (web(rich_edition(1), is_indexed=indexed) for indexed in (True, False))
    assert "@media print" in shown
    assert "@media print" not in render(rich_edition(1)).html
    assert "noindex" not in shown
    assert '<meta name="robots" content="noindex">' in hidden
    assert shown == hidden.replace('<meta name="robots" content="noindex">\n', "")
    assert shown == web(rich_edition(1))


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_harmless_on_the_web(text: str) -> None:
    calm, page = web(hostile_edition("calm")), web(hostile_edition(text))
    assert outline(page) == outline(calm)
    assert lxml_html.fromstring(page).xpath("//script | //@onload") == []


def test_page_on_the_web_has_no_mark_to_show(tmp_path: Path) -> None:
    mark = '"<!--" ~ mail.marks.begin_story ~ "-->"'
    renderer = own_templates(tmp_path, "edition.html.j2", "parts.begin()", mark)
    with pytest.raises(RenderError, match=r"templates/edition\.html\.j2, line \d+: .*begin_story"):
        renderer.render_web(rich_edition(2))


def test_token_that_is_typed_into_a_web_template_is_refused(tmp_path: Path) -> None:
    renderer = own_templates(tmp_path, "web.html.j2", 'role="main"', f'id="{TOKENS["address"]}"')
    with pytest.raises(RenderError, match=r"web\.html\.j2 holds a reader's xDIGESTaddressx"):
        renderer.render_web(rich_edition(2))


PARTS = """{% extends "base.html.j2" %}
{% import "components.html.j2" as parts with context %}
{% block content %}
{{ parts.section("A heading") }}
{{ parts.divider() }}
<tr><td class="sheet">{{ parts.columns("First <b>", "Second") }}</td></tr>
<tr><td class="sheet">{% call parts.callout() %}A note{% endcall %}</td></tr>
<tr><td class="sheet">
{% call parts.button("https://example.com/a?b=1&c=2", mail.end) %}Go{% endcall %}
{% call parts.outlook() %}<p>For Word</p>{% endcall %}
{% call parts.not_outlook() %}<p>For others</p>{% endcall %}
</td></tr>
{{ parts.footer() }}
{% endblock %}
"""


@pytest.mark.parametrize("theme", THEMES)
def test_parts_can_be_put_together_anew(tmp_path: Path, theme: str) -> None:
    (tmp_path / "edition.html.j2").write_text(PARTS)
    newsletter = msgspec.structs.replace(ENGLISH, theme=theme)
    renderer = MailRenderer([tmp_path, TEMPLATES], newsletter)
    html = renderer.render(rich_edition(0)).html
    tree = lxml_html.fromstring(html)
    assert tree.xpath("string(//h2)") == "A heading"
    assert [d.text_content() for d in tree.xpath("//div[contains(@class,'half')]")] == [
        "First <b>",
        "Second",
    ]
    assert tree.xpath("string(//td[contains(@class,'note')])") == "A note"
    assert tree.xpath("//a[.='Go']/@href") == ["https://example.com/a?b=1&c=2"]
    assert html.count("<!--[if mso]>") == html.count("<![endif]-->") - 1
    assert "<!--[if !mso]><!--><p" in html
    assert tree.xpath("//p[.='For others']")
    assert not tree.xpath("//p[.='For Word']")


def test_template_that_marks_its_stories_in_one_part_only_is_refused(tmp_path: Path) -> None:
    text = (TEMPLATES / "edition.txt.j2").read_text()
    unmarked = text.replace("{{ mail.marks.begin_story }}", "")
    unmarked = unmarked.replace("{{ mail.marks.end_story }}", "").replace("mail.marks.place", "1")
    (tmp_path / "edition.txt.j2").write_text(unmarked)
    with pytest.raises(RenderError, match="mark different stories"):
        MailRenderer([tmp_path, TEMPLATES], ENGLISH).render(rich_edition(2))


def test_colours_that_a_headline_speaks_of_stay_as_they_are() -> None:
    words = """Why style="color:#FFF" and bgcolor='#ABC' fail"""
    story = make_story(1, headline=words, summary=words)
    mail = MailRenderer([TEMPLATES], ENGLISH).render(make_edition(0, stories=(story,)))
    tree = lxml_html.fromstring(mail.html)
    assert tree.xpath("string(//h2)").strip() == words
    assert words in mail.text


def test_columns_have_no_blank_between_them_that_would_break_the_line() -> None:
    newsletter = msgspec.structs.replace(ENGLISH, theme="compact")
    html = MailRenderer([TEMPLATES], newsletter).render(rich_edition(1)).html
    between = html.split("</h1></div>")[1].split("<div")[0]
    assert re.fullmatch(r"<!--.*-->", between)


def test_template_s_document_is_the_mail_before_inlining() -> None:
    renderer = MailRenderer([TEMPLATES], ENGLISH)
    document, mail = renderer.render_document(rich_edition(2)), renderer.render(rich_edition(2))
    [inlined, kept] = list(lxml_html.fromstring(document).iter("style"))
    inlined.drop_tree()
    assert kept.text in mail.html
    rest = lxml_html.tostring(kept.getroottree(), encoding="unicode")
    assert outline(rest) == outline(mail.html)


def test_mail_is_the_same_whatever_was_rendered_before() -> None:
    renderer = MailRenderer([TEMPLATES], ENGLISH)
    first = renderer.render(rich_edition(3))
    renderer.render(hostile_edition(HOSTILE[1]))
    renderer.render_web(rich_edition(3))
    assert renderer.render(rich_edition(3)) == first == render(rich_edition(3))


def test_no_template_of_ours_switches_escaping_off() -> None:
    for path in TEMPLATES.rglob("*.j2"):
        assert not re.search(r"\|\s*safe|Markup|autoescape", path.read_text()), path.name
        environment = make_environment([TEMPLATES], load_words([TEMPLATES], "en"))
        assert environment.get_template(str(path.relative_to(TEMPLATES)))


@pytest.mark.parametrize("view", [MailView, StoryView, AlsoView, RatingView, ImageView])
def test_document_lists_every_field_that_a_template_can_use(view: type[MailView]) -> None:
    section = DOCUMENT.read_text().split(f"## {view.__name__}\n")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)`", section, re.MULTILINE) == [f.name for f in fields(view)]


def test_document_lists_every_token_and_file() -> None:
    text = DOCUMENT.read_text()
    assert re.findall(r"^\| `mail\.tokens\.(\w+)`", text, re.MULTILINE) == list(NAMES)
    for path in TEMPLATES.rglob("*"):
        name = path.relative_to(TEMPLATES).as_posix()
        if path.is_file() and "confirm" not in name and not name.startswith("locales/"):
            assert f"`{name}`" in text
