import re
import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from lxml import html as lxml_html

from digest.checking import check_mail
from digest.errors import ConfigError, RenderError
from digest.merging import compile_variant, count_tokens
from digest.model.articles import Image
from digest.model.editions import Edition
from digest.project import starter_root
from digest.rendering.renderer import MailRenderer
from digest.rendering.themes import Colours, Theme, load_theme
from digest.settings import NewsletterSettings
from tests.golden.editions import ARABIC, ENGLISH, PICTURE, arabic_edition, rich_edition

TEMPLATES = starter_root() / "templates"
THEMES = sorted(file.parent.name for file in TEMPLATES.glob("themes/*/tokens.toml"))
DOCUMENT = TEMPLATES.parent / "docs" / "themes.md"
JAPANESE = msgspec.structs.replace(ENGLISH, language="ja")


def themed(newsletter: NewsletterSettings, theme: str) -> NewsletterSettings:
    return msgspec.structs.replace(newsletter, theme=theme)


def html_of(edition: Edition, theme: str, newsletter: NewsletterSettings = ENGLISH) -> str:
    return MailRenderer([TEMPLATES], themed(newsletter, theme)).render(edition).html


def illustrated(edition: Edition) -> Edition:
    """Return the edition with a picture for each story."""
    image = Image(url=PICTURE, width=1120, height=630, alt="A paper notebook beside a phone, open")
    return replace(edition, stories=tuple(replace(s, image=image) for s in edition.stories))


def own_theme(folder: Path, *changes: tuple[str, str], name: str = "mine") -> Path:
    """Write the tokens of `plain` with `changes` into a project's templates; return these."""
    text = (TEMPLATES / "themes" / "plain" / "tokens.toml").read_text()
    for old, new in changes:
        assert re.search(old, text, re.MULTILINE)
        text = re.sub(old, new, text, flags=re.MULTILINE)
    path = folder / "themes" / name / "tokens.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return folder


def fault(folder: Path, *changes: tuple[str, str]) -> str:
    """Return what is said about a theme with `changes`."""
    with pytest.raises(RenderError) as caught:
        load_theme([own_theme(folder, *changes), TEMPLATES], "mine")
    assert caught.value.message.startswith("templates/themes/mine/tokens.toml: ")
    assert caught.value.message.endswith(". Nothing was written.")
    assert "docs/themes.md" in caught.value.hint
    return caught.value.message


def test_three_themes_are_shipped() -> None:
    assert THEMES == ["compact", "magazine", "plain"]


@pytest.mark.parametrize("newsletter", [ENGLISH, ARABIC, JAPANESE], ids=["en", "ar", "ja"])
@pytest.mark.parametrize("theme", THEMES)
def test_checks_find_nothing_in_a_shipped_theme(theme: str, newsletter: NewsletterSettings) -> None:
    edition = illustrated(arabic_edition() if newsletter is ARABIC else rich_edition())
    variant = MailRenderer([TEMPLATES], themed(newsletter, theme)).render(edition)
    html, text = compile_variant(variant).whole()
    findings = check_mail(
        html,
        text=text,
        subject=variant.subject,
        preheader=variant.preheader,
        stories=[(story.headline, story.url, story.summary) for story in edition.stories],
        tokens=count_tokens(html),
        postal_address=newsletter.postal_address,
    )
    assert [finding.message for finding in findings] == []


@pytest.mark.parametrize("name", ["plane", "lost"])
def test_theme_that_does_not_exist_is_told_with_those_that_do(tmp_path: Path, name: str) -> None:
    folders = [own_theme(tmp_path), TEMPLATES]
    with pytest.raises(ConfigError) as caught:
        load_theme(folders, name)
    assert f"There is no theme {name}" in caught.value.message
    assert ("did you mean plain?" in caught.value.message) is (name == "plane")
    assert "compact, magazine, mine, plain" in caught.value.hint


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (r"^accent = ", "acent = ", "colours.acent is no token; did you mean accent?"),
        (r"^accent = ", "acent = ", "colours.accent is missing"),
        (r"^radius = ", "zzzzz = ", "shape.zzzzz is no token; there are width, place,"),
        (r"^\[layout\]", "[layouts]", "layouts is no token; did you mean layout?"),
        (r"#a23b12", "#A23", "colours.accent.light is '#A23', and must be # and six of 0-9"),
        (r"#a23b12", "red", "colours.accent.light is 'red', and must be # and six of 0-9"),
        (r"^radius = 6", "radius = 99", "shape.radius is 99, and must be a whole number from 0"),
        (r"^radius = 6", 'radius = "6"', "shape.radius is '6', and must be a whole number"),
        (r"^name = \[36, 44\]", "name = [36]", "sizes.name is [36], and must be [font size and"),
        (r"^name = \[36, 44\]", "name = [9, 44]", "sizes.name is [9, 44], and must be [font size"),
        (r"^story = \[22, 24\]", "story = 22", "spacing.story is 22, and must be [top and bottom]"),
        (r'^kicker = "above"', 'kicker = "left"', "layout.kicker is 'left', and must be one of"),
        (r"^headline = 'Geor", "headline = '</style>Geor", "fonts.headline is '</style>Georgia"),
        (r"^leading = 108", "leading = 8", "fonts.scripts.Arab.leading is 8, and must be a whole"),
        (r"^leading = 108", "leding = 108", "fonts.scripts.Arab.leding is no token; did you mean"),
        (r"^leading = 105", "", "fonts.scripts.Jpan.leading is missing"),
        (r"^text = '\"Hira", "text = ';\"Hira", "fonts.scripts.Jpan.text is ';\"Hiragino"),
        (r"scripts.Arab\]", "scripts.arab]", "fonts.scripts.arab is no script; did you mean Arab?"),
        (r"scripts.Arab\]", "scripts.arabic]", "scripts.arabic is no script; did you mean Arab?"),
        (r"scripts.Jpan\]", "scripts.Jpn]", "fonts.scripts.Jpn is no script; did you mean Jpan?"),
        (r"scripts.Arab\]", 'scripts."#1"]', "fonts.scripts.#1 is no script; it must be a code"),
        (r"^\[fonts.scripts.Arab\][^[]*", "[fonts.scripts]\nArab = 'Georgia'\n", "Arab must be a"),
        (r"^\[colours\]", "[colours", "it cannot be read: "),
        (r"^# The", "é" * 60_000 + "# The", "larger than 100 kB"),
    ],
)
def test_wrong_token_is_told_with_what_is_right(
    tmp_path: Path, old: str, new: str, says: str
) -> None:
    assert says in fault(tmp_path, (old, new))


def test_value_where_a_table_belongs_is_told(tmp_path: Path) -> None:
    said = fault(tmp_path, (r"^\[colours\]", "layout = 3\n[colours]"), (r"^\[layout\][^$]*", ""))
    assert "layout must be a table" in said


def test_all_wrong_keys_and_values_are_told_at_once(tmp_path: Path) -> None:
    changes = [("^accent = ", "acent = "), ("^radius = ", "radios = "), ("^bar = 4", "bar = 99")]
    said = fault(tmp_path, *changes)
    for words in ("colours.acent", "colours.accent", "shape.radios", "shape.radius", "shape.bar"):
        assert words in said


# Each text, what is behind it, and the size or sizes it is seen in; on phones where it differs.
SEEN = [
    ("ink", "sheet", "sizes.name sizes.section sizes.headline phone.name phone.headline"),
    ("text", "sheet", "sizes.intro sizes.summary sizes.facts"),
    ("quiet", "sheet", "sizes.week sizes.kicker sizes.facts"),
    ("accent", "sheet", "sizes.kicker sizes.facts"),
    ("stars", "sheet", "sizes.facts"),
    ("place", "sheet", "sizes.place phone.place"),
    ("ink", "page", "sizes.small"),
    ("quiet", "page", "sizes.small"),
    ("button_text", "button", "sizes.button"),
    ("text", "callout", "sizes.intro"),
    ("quiet", "picture", "sizes.week sizes.small"),
    ("lead_ink", "lead", "sizes.lead_headline phone.lead_headline"),
    ("lead_text", "lead", "sizes.lead_summary sizes.lead_facts"),
    ("lead_quiet", "lead", "sizes.lead_kicker sizes.lead_facts"),
    ("lead_accent", "lead", "sizes.label sizes.lead_kicker"),
    ("lead_stars", "lead", "sizes.facts sizes.lead_facts"),
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), [pair[:2] for pair in SEEN])
def test_text_that_does_not_stand_out_is_refused_with_both_tokens_and_the_ratio(
    tmp_path: Path, text: str, ground: str, scheme: str
) -> None:
    colour = getattr(getattr(load_theme([TEMPLATES], "plain").colours, text), scheme)
    said = fault(tmp_path, (rf'^({ground} = .*{scheme} = )"[^"]*"', rf'\1"{colour}"'))
    words = f"colours.{text} on colours.{ground} has a contrast of 1.00 to 1 in {scheme} mails"
    assert words in said


@pytest.mark.parametrize(("colour", "size", "is_enough"), [
    ("#949494", "28, 30", True),
    ("#949494", "20, 30", False),
    ("#767676", "20, 30", True),
    ("#a0a0a0", "28, 30", False),
])  # fmt: skip
def test_large_text_may_have_less_contrast(
    tmp_path: Path, colour: str, size: str, is_enough: bool
) -> None:
    changes = [
        (r'^place = \{ light = "#75706a"', f'place = {{ light = "{colour}"'),
        (r"^place = \[28, 30\]", f"place = [{size}]"),
    ]
    if is_enough:
        load_theme([own_theme(tmp_path, *changes)], "mine")
    else:
        assert "colours.place on colours.sheet" in fault(tmp_path, *changes)


@pytest.mark.parametrize(
    ("text", "ground", "size"),
    [(text, ground, size) for text, ground, sizes in SEEN for size in sizes.split()],
)
def test_text_is_judged_by_the_smallest_size_it_is_seen_in(
    tmp_path: Path, text: str, ground: str, size: str
) -> None:
    said = faint_at(tmp_path, text, ground, small=size)
    words = f"colours.{text} on colours.{ground} has a contrast of 3.03 to 1 in dark mails"
    assert f"{words}, and 4.5 is needed, as {size} is 23 pixels" in said
    assert words not in faint_at(tmp_path, text, ground, small="none")


def faint_at(folder: Path, text: str, ground: str, *, small: str) -> str:
    """Return what is said where all text has 24 pixels, that of `small` 23, on a white ground."""
    grey, white = (f'{{ light = "#000000", dark = "{dark}" }}' for dark in ("#949494", "#ffffff"))
    own_theme(
        folder,
        (rf"^{text} = {{.*", f"{text} = {grey}"),
        (rf"^{ground} = {{.*", f"{ground} = {white}"),
    )
    path = folder / "themes" / "mine" / "tokens.toml"
    head, *tables = re.split(r"^(?=\[)", path.read_text(), flags=re.MULTILINE)
    for place, table in enumerate(tables):
        if table.startswith(("[sizes]", "[phone]")):
            name = table[1:6]
            tables[place] = re.sub(
                r"^(\w+) = .*",
                lambda m, name=name: f"{m[1]} = [{23 if small == f'{name}.{m[1]}' else 24}, 40]",
                table,
                flags=re.MULTILINE,
            )
    path.write_text("".join([head, *tables]))
    with pytest.raises(RenderError) as caught:
        load_theme([folder], "mine")
    return caught.value.message


def test_number_beside_the_stars_is_text_too(tmp_path: Path) -> None:
    source = (TEMPLATES / "themes" / "magazine" / "tokens.toml").read_text()
    source = source.replace("lead_summary = [19, 31]", "lead_summary = [24, 32]")
    path = tmp_path / "themes" / "mine" / "tokens.toml"
    path.parent.mkdir(parents=True)
    path.write_text(source.replace("#dbe6e2", "#6f8f88"))
    with pytest.raises(RenderError, match=r"colours\.lead_text .* as sizes\.lead_facts is 15 pix"):
        load_theme([tmp_path], "mine")


def test_project_s_tokens_come_before_the_starter_s(tmp_path: Path) -> None:
    own_theme(tmp_path, ("#a23b12", "#7a1f5c"), name="plain")
    html = MailRenderer([tmp_path, TEMPLATES], ENGLISH).render(rich_edition(1)).html
    assert "color:#7a1f5c" in html
    assert "#a23b12" not in html


@pytest.mark.parametrize("sheet", ["base", "enhance"])
def test_theme_s_own_style_sheet_counts_for_that_theme_alone(tmp_path: Path, sheet: str) -> None:
    own_theme(tmp_path)
    css = f'{{% include "css/{sheet}.css.j2" %}}\n.week {{ letter-spacing: 1px; }}\n'
    (tmp_path / "themes" / "mine" / f"{sheet}.css.j2").write_text(css)
    mine, plain = (
        MailRenderer([tmp_path, TEMPLATES], themed(ENGLISH, name)).render(rich_edition(1)).html
        for name in ("mine", "plain")
    )
    assert re.search("letter-spacing: ?1px", mine)
    assert "letter-spacing" not in plain


def test_script_of_the_language_decides_fonts_and_leading() -> None:
    latin, arabic, thai = (
        load_theme([TEMPLATES], "plain", script=script) for script in ("Latn", "Arab", "Thai")
    )
    assert "Naskh" in arabic.fonts.headline
    assert "Naskh" not in latin.fonts.headline
    assert (latin.sizes.summary.line, arabic.sizes.summary.line) == (26, 28)
    assert latin.phone.name.line < arabic.phone.name.line
    assert thai == latin


@pytest.mark.parametrize("theme", THEMES)
def test_japanese_and_arabic_mails_name_fonts_of_their_script(theme: str) -> None:
    assert re.search("Hiragino|Noto S[a-z]+ CJK", html_of(rich_edition(2), theme, JAPANESE))
    assert "Geeza Pro" in html_of(arabic_edition(2), theme, ARABIC)


@pytest.mark.parametrize(
    ("theme", "sizes"),
    [
        ("plain", [("552", "310")]),
        ("magazine", [("568", "320"), ("112", "63"), ("112", "63")]),
        ("compact", []),
    ],
)
def test_theme_decides_which_pictures_are_shown(theme: str, sizes: list[tuple[str, str]]) -> None:
    tree = lxml_html.fromstring(html_of(illustrated(rich_edition(3)), theme))
    assert [(i.get("width"), i.get("height")) for i in tree.iter("img")] == sizes
    assert all(image.get("alt") is not None for image in tree.iter("img"))


def test_small_picture_says_no_more_than_fits_into_it() -> None:
    edition = illustrated(rich_edition(2))
    long = replace(edition.stories[1].image or Image(url=PICTURE), alt="w" * 41)
    stories = (edition.stories[0], replace(edition.stories[1], image=long))
    short_tree, long_tree = (
        lxml_html.fromstring(html_of(replace(edition, stories=s), "magazine"))
        for s in (edition.stories, stories)
    )
    assert short_tree.xpath("//img/@alt")[1] == "A paper notebook beside a phone, open"
    assert long_tree.xpath("//img/@alt")[1] == ""


@pytest.mark.parametrize("theme", THEMES)
def test_mail_without_pictures_has_all_words_and_no_gap(theme: str) -> None:
    edition = rich_edition(3)
    bare = replace(edition, stories=tuple(replace(s, image=None) for s in edition.stories))
    tree = lxml_html.fromstring(html_of(bare, theme))
    assert list(tree.iter("img")) == []
    assert tree.xpath("//*[contains(@class, 'thumb')]") == []
    with_pictures = lxml_html.fromstring(html_of(illustrated(edition), theme))
    assert tree.text_content().split() == with_pictures.text_content().split()
    columns = {
        sum(int(cell.get("colspan", 1)) for cell in row.iter("td"))
        for row in with_pictures.xpath("//table[contains(@class,'stories')]/tr")
    }
    assert len(columns) == 1


def test_layouts_differ_as_their_tokens_say() -> None:
    plain, magazine, compact = (
        lxml_html.fromstring(html_of(rich_edition(2), theme))
        for theme in ("plain", "magazine", "compact")
    )
    assert magazine.xpath("//td[contains(@class,'masthead')]/@align") == ["center"]
    assert len(compact.xpath("//div[contains(@class,'half')]")) == 2
    assert len(compact.xpath("//table[contains(@class,'callout')]")) == 1
    assert len(magazine.xpath("//p[@class='kicker']/br")) == 1
    assert plain.xpath("//p[@class='kicker']/br | //div[contains(@class,'half')]") == []
    assert compact.xpath("//h3/preceding-sibling::p") == []


def test_story_in_a_tall_script_has_room_between_its_lines() -> None:
    tree = lxml_html.fromstring(html_of(rich_edition(9), "compact"))
    assert "line-height:26px" in tree.xpath("//h3[@lang='ja']/@style")[0]
    assert "line-height:24px" in tree.xpath("//h3[@lang='de']/@style")[0]


def test_every_colour_of_a_theme_is_seen_in_a_mail() -> None:
    tokens = (TEMPLATES / "themes" / "magazine" / "tokens.toml").read_text()
    sheets = "".join(path.read_text() for path in (TEMPLATES / "css").glob("*.j2"))
    for field in msgspec.structs.fields(Colours):
        assert re.search(rf"^{field.name} = ", tokens, re.MULTILINE)
        assert re.search(rf"colours\.{field.name}\.light", sheets), field.name
        assert re.search(rf"colours\.{field.name}(\.dark|\))", sheets), field.name


def test_document_lists_every_token() -> None:
    text = DOCUMENT.read_text()
    for table in msgspec.structs.fields(Theme):
        section = text.split(f"### {table.name}\n")[1].split("\n##")[0]
        listed = re.findall(r"^\| `(\w+)`", section, re.MULTILINE)
        assert listed == [field.name for field in msgspec.structs.fields(table.type)]


def test_starter_is_never_written_to(tmp_path: Path) -> None:
    copy = tmp_path / "templates"
    shutil.copytree(TEMPLATES, copy)
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    MailRenderer([copy], themed(ENGLISH, "magazine")).render(rich_edition(2))
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("theme", THEMES)
def test_dark_colours_stay_off_paper(theme: str) -> None:
    renderer = MailRenderer([TEMPLATES], themed(ENGLISH, theme))
    mail, page = renderer.render(rich_edition(2)).html, renderer.render_web(rich_edition(2))
    assert re.findall("@media[^{]*scheme[^{]*", mail) == ["@media (prefers-color-scheme: dark) "]
    on_screen = "@media screen and (prefers-color-scheme: dark) "
    assert re.findall("@media[^{]*scheme[^{]*", page) == [on_screen]
    assert "@media print {" in page


@pytest.mark.parametrize("letters", [170, 280])
def test_document_tells_what_a_story_of_the_compact_theme_takes(letters: int) -> None:
    told = re.search(rf"([\d,]+) bytes\s+with\s+{letters}\s+letters", DOCUMENT.read_text())
    assert told
    renderer = MailRenderer([TEMPLATES], themed(ENGLISH, "compact"))
    few, many = (
        len(compile_variant(renderer.render(summarised(n, letters))).whole()[0].encode())
        for n in (1, 10)
    )
    assert (many - few) / 9 == pytest.approx(int(told[1].replace(",", "")), rel=0.03)


def summarised(count: int, letters: int) -> Edition:
    """Return an edition whose summaries all have so many letters of its own words."""
    edition = rich_edition(count)
    stories = [
        replace(s, summary=(f"{s.summary} " * letters)[: letters - 1] + ".")
        for s in edition.stories
    ]
    return replace(edition, stories=tuple(stories))
