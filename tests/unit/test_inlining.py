import re
import subprocess
import sys
from contextlib import suppress
from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html as lxml_html

from digest.errors import RenderError
from digest.merging import TOKENS
from digest.rendering.finishing import MAX_LINE, finished
from digest.rendering.guards import DEEPEST
from digest.rendering.inlining import inline, merge_in_order
from tests.loopback import Loopback

KEPT = (
    '<style data-premailer="ignore">\n@media (max-width:9px) { p { color:#111111 !important } }\n'
)


def page(body: str = "<p>Text</p>", css: str = "", head: str = "") -> str:
    style = f"<style>{css}</style>" if css else ""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">{style}{head}</head>'
        f"<body>{body}</body></html>"
    )


def style_of(document: str, tag: str = "p") -> dict[str, str]:
    text = lxml_html.fromstring(document).xpath(f"string(//{tag}/@style)")
    pairs = (part.split(":", 1) for part in text.split(";") if part.strip())
    return {name.strip(): value.strip() for name, value in pairs}


def test_base_sheet_goes_into_the_elements_and_leaves_the_head() -> None:
    mail = inline(page('<p class="a">Text</p>', ".a { color: #123456; }"))
    assert style_of(mail) == {"color": "#123456"}
    assert "<style" not in mail
    assert mail.startswith("<!DOCTYPE html>")


def test_second_sheet_stays_byte_for_byte() -> None:
    kept = f"{KEPT}/* comment */ @supports (a:b) {{ q {{ x: y }} }}\n</style>"
    mail = inline(page(css="p { color: #000000; }", head=kept))
    assert kept.removeprefix('<style data-premailer="ignore">') in mail
    assert mail.count("<style") == 1


def test_colours_keep_six_digits_and_only_tables_get_attributes() -> None:
    css = "p, td { background-color: #ffffff; text-align: left; }"
    mail = inline(page("<p>x</p><table><tr><td>y</td></tr></table>", css))
    assert style_of(mail)["background-color"] == "#ffffff"
    tree = lxml_html.fromstring(mail)
    assert tree.xpath("//p/@bgcolor | //p/@align") == []
    assert tree.xpath("string(//td/@bgcolor)") == "#ffffff"


def test_picture_keeps_the_size_of_its_attributes() -> None:
    image = '<img src="https://example.com/a.png" width="552" height="310" alt="">'
    mail = inline(page(image, "img { width: 100%; height: auto; }"))
    assert 'width="552" height="310"' in mail


def test_shorthand_between_two_declarations_of_one_side_does_not_win() -> None:
    css = ".a { padding-left: 5px; } .b { padding: 10px; } .c { padding-left: 30px; }"
    mail = inline(page('<p class="a b c">Text</p>', css))
    assert list(style_of(mail).items()) == [("padding", "10px"), ("padding-left", "30px")]


@given(st.lists(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("1234")))))
def test_merged_declarations_stand_in_the_order_of_their_last_mention(
    styles: list[list[tuple[str, str]]],
) -> None:
    everything = [pair for style in styles for pair in style]
    last = {name: index for index, (name, _) in enumerate(everything)}
    expected = [f"{n}:{everything[i][1]}" for n, i in sorted(last.items(), key=lambda p: p[1])]
    assert merge_in_order(styles) == "; ".join(expected)


def test_inline_style_that_looks_like_a_selector_does_not_break_the_cache() -> None:
    mail = inline(page('<p style="p">Text</p>', "p { color: #000000; }"))
    assert style_of(mail) == {"color": "#000000"}


def test_tokens_come_through_in_every_place() -> None:
    link = TOKENS["unsubscribe_url"]
    body = f'<p title="{link}">{link}</p><a href="{link}">Leave</a>'
    assert inline(page(body, "p { color: #000000; }")).count(link) == 3


def test_words_that_look_like_code_are_only_words() -> None:
    words = "{{ 7*7 }} @import url(x) &lt;base&gt; {% if %} <b>[a,b]{</b>"
    mail = inline(page(f"<p>{words}</p>", "p { color: #000000; }"))
    assert words in mail


BROKEN = [
    (page().replace("DOCTYPE", "doctype"), "does not begin with <!DOCTYPE html>"),
    (page().replace('<meta charset="utf-8">', ""), "has no <meta charset"),
    (page(head=" " * 1100).replace("<meta", "").replace("</head>", "<meta"), "has no <meta"),
    (page(css="@import 'a.css'; p { color: red }"), "has @import"),
    (page(css="@IMPORT url(a.css);"), "has @import"),
    (page(head="<style data-premailer='ignore'>@import 'a';</style>"), "has @import"),
    (page(head='<link href="a.css" rel="StyleSheet">'), "has a linked style sheet"),
    (page(head='<base href="https://example.com/">'), "has <base>"),
    (page(css='p[title="a,b"] { color: red }'), 'brackets of a selector: [title="a,b"]'),
    (page("<div>" * 99 + "</div>" * 99), f"nests 101 elements, and {DEEPEST} are allowed"),
    (page(css="p { color: red } p:hover { color: blue }"), "they belong into enhance.css"),
    (page(css="p { color: red } @media print { p { color: blue } }"), "into enhance.css"),
    (page(css="@font-face { font-family: x }"), "has @font-face in its base sheet"),
    (page(css="td > * { color: red }"), "has a rule for *"),
    (page("<a href='#'><table><tr><td>x</td></tr></table></a>"), "has <table> in line 2"),
    (page("<h1><table><tr><td>x</td></tr></table></h1>"), "an HTML parser sees </h1>"),
    (page("<p><div>x</div></p>"), "has <div> in line 2"),
    (page("<div><p>never closed</div>"), "close every element"),
    (page("<p>a</p></div>"), "close every element"),
    (page("<p>a\0b</p>"), "lost elements or text"),
]


@pytest.mark.parametrize(("document", "says"), BROKEN)
def test_what_the_inliner_cannot_be_trusted_with_is_refused(document: str, says: str) -> None:
    with pytest.raises(RenderError) as caught:
        inline(document)
    assert says in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    "rule", ["p > > b { color: #000000; }", "p { color #000000 }", "p { color: }", "p { {{ x }} }"]
)
def test_typing_error_in_the_base_sheet_is_one_sentence(rule: str) -> None:
    with pytest.raises(RenderError, match="cannot be moved into the elements: ") as caught:
        inline(page(css=rule))
    assert "base.css" in caught.value.hint


@pytest.mark.parametrize("rule", ["@\\69mport url({});", "p {{ background-image: url({}); }}"])
def test_nothing_is_fetched_whatever_a_sheet_names(rule: str) -> None:
    with Loopback() as server:
        with suppress(RenderError):
            inline(page(css=rule.format(server.url("/a.css"))))
        assert server.connections == 0


def test_cache_holds_a_whole_mail() -> None:
    script = (
        "from digest.rendering.inlining import inline\n"
        "inline('<!DOCTYPE html><html><head><meta charset=\"utf-8\"></head><body></body></html>')\n"
        "from premailer.cache import cache; print(cache.maxsize)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["4096"]


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=80))
def test_any_escaped_text_comes_through_unchanged(text: str) -> None:
    mail = inline(page(f"<p title='{escape(text)}'>{escape(text)}</p>", "p { color: #000000; }"))
    [paragraph] = lxml_html.fromstring(mail).xpath("//p")
    assert re.sub(r"\s", "", paragraph.text_content()) == re.sub(r"\s", "", text)


def finish(body: str, css: str = "") -> str:
    return finished(inline(page(body, css)))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('<p style="color:#abc; background-color:#FFF">x</p>', "color:#aabbcc"),
        ('<p style="color:#abc; background-color:#FFF">x</p>', "background-color:#ffffff"),
        ('<p style="color:#ABCDEF">x</p>', "color:#abcdef"),
        ('<table bgcolor="#FFF"><tr><td>x</td></tr></table>', 'bgcolor="#ffffff"'),
        ('<p style="background:url(https://x.test/#abc)">x</p>', "https://x.test/#abc"),
        ('<a href="https://x.test/#abc">#abc</a>', 'href="https://x.test/#abc">#abc<'),
        ("<p style=\"font-family:'#abcd'\">x</p>", "#abcd"),
    ],
)
def test_colours_of_styles_get_six_digits_and_nothing_else_does(before: str, after: str) -> None:
    assert after in finished(before)


def test_kept_sheet_gets_blanks_between_its_braces_and_six_digits() -> None:
    sheet = '<style data-premailer="ignore">@media print{#abc p{color:#ABC!important}}</style>'
    kept = finished(inline(page(css="p { color: #000000; }", head=sheet)))
    assert "@media print{#abc p{color:#aabbcc!important} }" in kept


LONG = "word " * 400


@pytest.mark.parametrize(
    "body",
    [
        f"<p>{LONG}</p>",
        f'<p title="{LONG}">x</p>' + "<b class='a' title='b' lang='en'>y</b>" * 50,
        "<table><tr>" + "<td class='a' align='left'>x</td>" * 60 + "</tr></table>",
        f"<p>{'خبر ' * 400}</p><!-- {'note ' * 300} -->",
    ],
)
def test_long_lines_end_where_that_changes_nothing(body: str) -> None:
    before = inline(page(body, "td { padding: 4px 8px; color: #123456; }"))
    after = finished(before)
    old, new = (lxml_html.fromstring(document) for document in (before, after))
    assert " ".join(old.text_content().split()) == " ".join(new.text_content().split())
    assert [dict(e.attrib) for e in old.iter()] == [dict(e.attrib) for e in new.iter()]
    cut = [line for line in after.split("\n") if len(line.encode()) > MAX_LINE]
    assert all('title="word' in line or "<!--" in line for line in cut)
    assert after.count("\n") > before.count("\n")


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=60)


@given(st.lists(WORDS, max_size=60))
def test_finishing_loses_no_word_and_changes_nothing_twice(words: list[str]) -> None:
    once = finish(f"<p>{escape(' '.join(words))}</p>")
    assert finished(once) == once
    [paragraph] = lxml_html.fromstring(once).xpath("//p")
    assert paragraph.text_content().split() == " ".join(words).split()
    assert all(len(line.encode()) <= MAX_LINE for line in once.split("\n"))
