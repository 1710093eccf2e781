import datetime as dt
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html as lxml_html

from digest.viewer.page import FindingRow, PreviewPage, StoryRow, error_page, viewer_page
from digest.viewer.simulations import NOT_LOADED, Simulations, picture_urls, simulate

LEAD = "https://news.example.com/media/lead.png"
DATA = "data:image/png;base64,AAAA"
MAIL = f"""<!DOCTYPE html><html lang="en"><head><style>
@media (prefers-color-scheme: dark) {{ p {{ color: #fff !important }} }}
@media ( Prefers-Color-Scheme:light ) {{ p {{ color: #000 !important }} }}
</style></head><body><!--[if mso]><p>Word</p><![endif]-->
<p style="color:#123456">Grüße &amp; <a href="https://example.com/a">a link</a></p>
<img src="{LEAD}" alt="Lead"><img src="https://tracker.test/p.gif" alt=""></body></html>"""
HOSTILE = """<!DOCTYPE html><html><head><base href="https://evil.test/">
<meta http-equiv="refresh" content="0;url=https://evil.test/refresh">
<link rel="stylesheet" href="https://evil.test/a.css"><script>top.ran = 1</script>
<style>@import "https://evil.test/b.css"; p { background: url(https://evil.test/c.png) }</style>
</head><body onload="top.ran = 1" background="https://evil.test/d.png">
<p style="background:url('https://evil.test/e.png')">Text"></iframe></p>
<img src=https://evil.test/f.png srcset="https://evil.test/g.png 2x" onerror="top.ran = 1">
<a href="javascript:top.ran=1">x</a><a href="https://evil.test/h" ping="https://evil.test/i">y</a>
<iframe src="https://evil.test/j"></iframe><object data="https://evil.test/k"></object>
<svg onload="top.ran = 1"><image xlink:href="https://evil.test/l"/></svg>
<form action="https://evil.test/m"><input autofocus onfocus="top.ran = 1"></form>
<video src="https://evil.test/n" poster="https://evil.test/o" autoplay></video></body></html>"""
PAGE = PreviewPage(
    newsletter="App News Weekly",
    edition="2026-W47",
    starts_at=dt.datetime(2026, 3, 22, 17, tzinfo=dt.UTC),
    ends_at=dt.datetime(2026, 3, 29, 16, tzinfo=dt.UTC),
    timezone="Europe/Berlin",
    state="draft",
    subject="Ten apps worth your week",
    preheader="Notes that survive a dead phone",
    sender="App News Weekly <news@example.com>",
    reader="reader@example.com",
    sha256="ab" * 32,
    html=MAIL,
    text="Ten apps\n",
    stories=(
        StoryRow(
            position=1,
            lead=True,
            headline="Notes",
            source="App News",
            rating="4.6 of 5 from 120 votes",
            score=4.43,
            reasons=(("4.60★ from 120 votes", 4.6), ("4 days old", -0.17)),
        ),
    ),
    findings=(
        FindingRow("size", "info", "The HTML is small."),
        FindingRow("image-alt", "error", "A picture has no text.", "Notes"),
    ),
    notes=("Two were left out.",),
)


def everything(copies: Simulations) -> list[str]:
    return [value for name in copies.__slots__ if isinstance(value := getattr(copies, name), str)]


def text_of(page: str) -> str:
    """Return what a page says; elements side by side are words of their own."""
    return " ".join(" ".join(lxml_html.fromstring(page).itertext()).split())


def test_dark_copy_shows_the_dark_rules_and_light_copies_never_do() -> None:
    copies = simulate(MAIL, {})
    dark = "@media (min-width:0) { p { color: #fff"
    light = "@media (min-width:0) { p { color: #000"
    assert dark in copies.dark
    assert light not in copies.dark
    for copy in (copies.light, copies.inverted, copies.images_off):
        assert light in copy
        assert dark not in copy
        assert "prefers-color-scheme" not in copy.lower()
    assert copies.has_dark_rules


def test_a_mail_without_dark_rules_is_said_to_have_none() -> None:
    copies = simulate("<p>x</p>", {})
    assert not copies.has_dark_rules
    assert copies.dark == copies.light
    assert "no dark colours of its own" in viewer_page(replace(PAGE, html="<p>x</p>"))


def test_pictures_at_hand_are_shown_and_the_others_counted_but_not_fetched() -> None:
    assert picture_urls(MAIL) == {LEAD, "https://tracker.test/p.gif"}
    copies = simulate(MAIL, {LEAD: DATA})
    assert DATA in copies.light
    assert NOT_LOADED in lxml_html.fromstring(copies.light).xpath("//img/@src")
    assert copies.web_pictures == 1
    assert DATA not in copies.images_off
    assert 'alt="Lead"' in copies.images_off


def test_copies_of_a_hostile_mail_name_nothing_that_loads_or_runs() -> None:
    copies = simulate(HOSTILE, {})
    for copy in everything(copies):
        assert set(re.findall(r"https://evil\.test/\w*", copy)) == {"https://evil.test/h"}
        assert "top.ran" not in copy
        assert "Text" in copy


def test_deep_mail_is_shown_to_its_end() -> None:
    deep = "<div>" * 400 + "<b>inside</b>" + "</div>" * 400 + "<p>unsubscribe</p>"
    for copy in everything(simulate(deep, {})):
        assert "inside" in copy
        assert "unsubscribe" in copy


@pytest.mark.parametrize(
    "mail",
    [
        *("", " ", "<!-- -->", "\0", "plain", "<html></html>"),
        "<style>\x08</style><p style='&#8;x:y' class='&#8;'>",
    ],
)
def test_a_mail_with_nothing_in_it_is_still_shown(mail: str) -> None:
    assert all(copy.startswith("<!DOCTYPE html>") for copy in everything(simulate(mail, {})))


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=200))
def test_no_text_of_a_mail_breaks_out_of_its_frame(text: str) -> None:
    page = viewer_page(replace(PAGE, html=text, text=text, subject=text, notes=(text,)))
    tree = lxml_html.fromstring(page.replace("\0", ""))
    assert len(tree.xpath("//iframe[@sandbox='' and @srcdoc]")) == len(tree.xpath("//iframe")) == 7
    assert tree.xpath("//script") == []
    assert len(tree.xpath("//main/section")) == 5


def test_page_is_one_file_without_script_that_may_load_nothing() -> None:
    page = viewer_page(replace(PAGE, html=HOSTILE), {LEAD: DATA})
    tree = lxml_html.fromstring(page)
    (policy,) = tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert tree.xpath("//script | //link | //img | //*[@src]") == []
    hrefs = tree.xpath("//@href")
    assert all(re.fullmatch(r"#[\w-]+|mail\.\w+|report\.json", href) for href in hrefs)


def test_page_says_what_the_edition_is_and_why() -> None:
    text = text_of(viewer_page(PAGE))
    for words in (
        "App News Weekly 2026-W47",
        "nothing was sent",
        "Sun 22 Mar 2026, 18:00 to Sun 29 Mar 2026, 18:00 Europe/Berlin",
        "1 error, 0 warnings, 1 other.",
        "4.60★ from 120 votes +4.60",
        "4 days old −0.17",
        "Score 4.43",
        "ab" * 32,
        "Two were left out.",
    ):
        assert words in text
    assert "sample articles" not in text
    assert "sample articles" in text_of(viewer_page(replace(PAGE, is_sample=True)))
    assert "Goes to" not in text
    audience = replace(PAGE, goes_to="12,418 readers", not_to="3 left, 1 bounced")
    assert "Goes to 12,418 readers not to 3 left, 1 bounced" in text_of(viewer_page(audience))


def test_findings_are_shown_worst_first_and_their_absence_is_said() -> None:
    severities = lxml_html.fromstring(viewer_page(PAGE)).xpath("//*[@class='severity']/text()")
    assert severities == ["error", "info"]
    assert "Every check passed." in text_of(viewer_page(replace(PAGE, findings=())))


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (75_000, "Well below what Gmail cuts off."),
        (75_001, "with little to spare"),
        (102_400, "with little to spare"),
        (102_401, "Gmail cuts this mail off before its end."),
    ],
)
def test_size_is_counted_in_bytes_against_the_clipping_limit(size: int, words: str) -> None:
    mail = "ü" * (size // 2) + "x" * (size % 2)
    page = text_of(viewer_page(replace(PAGE, html=mail)))
    assert words in page
    assert f"{size:,} of 102,400 bytes" in page


def test_a_finding_shows_its_line_and_leads_to_its_story() -> None:
    found = FindingRow("contrast", "error", "“Grüße & ” is pale; choose another.", "Notes", 5)
    (item,) = lxml_html.fromstring(viewer_page(replace(PAGE, findings=(found,)))).find_class(
        "finding"
    )
    assert item.xpath(".//summary//text()") == ["Show me", ": contrast, line 5"]
    assert item.xpath(".//ol/li/@value") == ["3", "4", "5", "6"]
    assert item.xpath(".//mark/text()") == ["Grüße &amp; "]
    assert item.xpath(".//a/@href") == ["#story-1"]
    assert lxml_html.fromstring(viewer_page(PAGE)).get_element_by_id("story-1") is not None


def test_findings_without_a_place_promise_none() -> None:
    gone = replace(PAGE, findings=(FindingRow("x", "info", "It is.", line=99),))
    for page in (PAGE, gone):
        assert "Show me" not in viewer_page(page)


def test_size_table_adds_up_to_the_mail() -> None:
    mail = MAIL.replace("</body>", "<div><h2>Notes</h2><p>They last.</p></div></body>")
    page = replace(PAGE, html=mail)
    cells = lxml_html.fromstring(viewer_page(page)).xpath("//section[@id='size']//td/text()")
    *parts, total = [int(cell.replace(",", "")) for cell in cells]
    assert len(parts) == 2
    assert sum(parts) == total == page.html_bytes


def test_every_simulation_says_that_it_is_an_approximation_and_of_what() -> None:
    tree = lxml_html.fromstring(viewer_page(PAGE))
    captions = {said.findtext("h3"): said.findtext("p") for said in tree.find_class("said")}
    assert len(captions) == len(tree.xpath("//input[@name='view']")) == 10
    assert [name for name, words in captions.items() if "n approximation of" not in words] == [
        "Text"
    ]


def test_pictures_are_in_the_page_no_oftener_than_frames_differ() -> None:
    page = viewer_page(PAGE, {LEAD: DATA})
    assert page.count(DATA) == len(lxml_html.fromstring(page).xpath("//iframe")) - 1  # images off


def test_error_page_says_the_sentence_as_text() -> None:
    page = error_page("templates/a<b>.j2, line 3: no", "Mend <it>.")
    assert "templates/a<b>.j2, line 3: no Mend <it>." in text_of(page)
    assert lxml_html.fromstring(page).xpath("//script | //iframe | //link") == []


def test_same_preview_gives_the_same_page() -> None:
    assert viewer_page(PAGE, {LEAD: DATA}) == viewer_page(PAGE, {LEAD: DATA})
