import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.checking import Finding, Severity, check_html
from digest.checking.checks import HTML_RULES, MOST

MAILS = Path(__file__).parent.parent / "fixtures" / "mails"
CLEAN = (MAILS / "clean.html").read_text(encoding="utf-8")
PROSE = "An app for notes now keeps them when the phone is gone."
NOTES = "https://news.example.com/notes"
IMAGE = "https://news.example.com/media/notes.jpg"
H1 = "font-size:32px; line-height:40px; color:#14213d"
BODY = "font-size:16px; line-height:25px; color:#2b3650"
CSS = ".cell { color: #123456; }\n"

# Each is the least change that makes the clean page break one rule: what to replace, and with what.
FAULTS = (
    ("html-size", "</body>", "<!-- " + "ü" * 50_000 + " --></body>"),
    ("html-size-near", "</body>", "<!-- " + "ü" * 37_000 + " --></body>"),
    ("charset", '<meta charset="utf-8">\n', ""),
    ("charset", "utf-8", "iso-8859-1"),
    ("charset", "<head>", f"<head><!-- {'x' * 1000} -->"),
    ("leftover", "The week in", "The week of {{ mail.week }} in"),
    ("leftover", "The week in", "{% if mail %}"),
    ("leftover", "The week in", "[[FirstName]], the week in"),
    ("leftover", ">4.6 (120 votes)<", ">4.6<b>None</b><"),
    ("leftover", "A page of notes", "undefined"),
    ("leftover", "<title>", "<title>{{ subject }}"),
    ("mso-comment", "<td><![endif]-->", "<td>-->"),
    ("mso-comment", "</div>\n</body>", "</div><!-- never closed </body></html>"),
    ("mso-comment", "<h1", "<!--[if !mso]><!--><h1"),
    ("mso-comment", "<h1", "<![if !mso]><h1"),
    ("doctype", "<!DOCTYPE html>", "<!DOCTYPE HTML PUBLIC>"),
    ("doctype", "<!DOCTYPE html>", "\n<!DOCTYPE html>"),
    ("html-end", "</html>", ""),
    ("title", "<title>Notes that keep, and two more apps", "<title> "),
    ("language", '<html lang="en"', "<html"),
    ("language", ' lang="en" dir="ltr">\n<!--', ' dir="ltr">\n<!--'),
    ("language", '<html lang="en"', '<html lang="en_US"'),
    ("language", '<html lang="en"', '<html lang="de"'),
    ("direction", '<html lang="en" dir="ltr"', '<html lang="en"'),
    ("direction", ' dir="ltr">\n<!--', ">\n<!--"),
    ("direction", '<html lang="en" dir="ltr"', '<html lang="en" dir="rtl"'),
    ("wrapper", 'role="article" ', ""),
    ("wrapper", ' aria-roledescription="email"', ""),
    ("wrapper", 'aria-label="Notes that keep, and two more apps"', 'aria-label=" "'),
    ("wrapper", "</body>", "<p>Outside of it all.</p></body>"),
    ("nesting-depth", "The week in", "<span>" * 100 + "The" + "</span>" * 100),
    ("nesting-depth", "The week in", "<span>" * 900 + "The" + "</span>" * 900),
    ("vml", "<tr><td><![endif]-->", '<v:rect href="https://example.com" alt=""><![endif]-->'),
    ("vml", "<tr><td><![endif]-->", "<v:roundrect><![endif]-->"),
    ("forbidden-element", "<h1", "<script></script><h1"),
    ("forbidden-element", "<h1", "<iframe></iframe><h1"),
    ("forbidden-element", "<h1", "<form></form><h1"),
    ("forbidden-element", "<h1", "<svg></svg><h1"),
    ("forbidden-element", "</head>", '<base target="_blank"></head>'),
    ("forbidden-element", "</head>", '<link rel="stylesheet"></head>'),
    ("forbidden-element", "</head>", '<meta http-equiv="Refresh" content="0"></head>'),
    ("event-handler", "<h1 ", '<h1 onclick="top.ran = 1" '),
    ("event-handler", "<img ", "<img OnError=top.ran=1 "),
    ("image-alt", ' alt="A page of notes"', ""),
    ("image-alt-words", "A page of notes", "notes-2.JPG"),
    ("image-alt-words", "A page of notes", "A page of notes. " * 8),
    ("image-size", 'width="552"', ""),
    ("image-size", 'height="310"', 'height="auto"'),
    ("image-size", 'width="552"', 'width="100%"'),
    ("table-role", '<table role="presentation" width="100%"', '<table width="100%"'),
    ("table-role", "<h1", '<table role="none"><tr><th scope="row">x</th></tr></table><h1'),
    ("table-role", "<h1", "<table><caption>x</caption><tr><th>x</th></tr></table><h1"),
    ("table-place", "<h1", '<a href="https://example.com">x<table role="none"></table></a><h1'),
    ("table-place", "<h1", '<p><table role="none"></table></p><h1'),
    ("table-place", PROSE, f'{PROSE}<table role="none"></table>'),
    ("heading-one", "h1", "h2"),
    ("heading-one", "<h2", "<h1>Another</h1><h2"),
    ("heading-order", "h3", "h4"),
    ("heading-empty", ">App News Weekly</h1>", "> &nbsp; </h1>"),
    ("rating-words", ' role="img"', ""),
    ("rating-words", "4.6 (120 votes)", "liked"),
    ("script-url", NOTES, "javascript:top.ran=1"),
    ("script-url", NOTES, " java\tscript:top.ran=1"),
    ("script-url", NOTES, "data:text/html,x"),
    ("script-url", "height:auto", "background-image:url('javascript:x')"),
    ("link-target", NOTES, ""),
    ("link-target", NOTES, "#"),
    ("link-target", NOTES, "#nowhere"),
    ("link-target", NOTES, "https://news.example.com/a b"),
    ("link-target", NOTES, "https://[news/"),
    ("link-target", NOTES, "https:///notes"),
    ("link-target", NOTES, "/notes"),
    ("link-target", NOTES, "file:///notes"),
    ("link-https", NOTES, "http://news.example.com/notes"),
    ("load-https", IMAGE, "http://news.example.com/media/notes.jpg"),
    ("load-https", IMAGE, "notes.jpg"),
    ("load-https", "height:auto", "background-image:url( http://example.com/a.png )"),
    ("load-https", "</style>", ".a { background-image: url('//example.com/a.png'); }</style>"),
    ("data-uri", IMAGE, "data:image/png;base64,AAAA"),
    ("data-uri", "height:auto", "background-image:url(data:image/png;base64,AAAA)"),
    ("link-name", ">View in browser</a>", "></a>"),
    ("link-name", ">View in browser</a>", "><img src='cid:a' width='1' height='1' alt=''></a>"),
    ("link-vague", ">Notes that keep</a>", ">Read more »</a>"),
    ("link-vague", ">Notes that keep</a>", ' aria-label="Here">Notes that keep</a>'),
    ("link-same-name", ">View in browser<", ">Unsubscribe<"),
    ("css-active", "<style>", '<style>@IMPORT "https://example.com/a.css";'),
    ("css-active", "height:auto", "height:expression(1)"),
    ("style-size", "<style>", "<style>" + CSS * 700),
    ("style-size-near", "<style>", "<style>" + CSS * 400),
    ("css-nested", "</style>", "@media screen { @media print { p { margin: 0; } } }</style>"),
    ("css-braces", "</style>", "@media print { p { margin: 0; }}</style>"),
    ("text-unreadable", H1, "font-size:32px; line-height:40px; color:#f6f6f6"),
    ("contrast", H1, "font-size:32px; line-height:40px; color:#a0a0a0"),
    ("contrast", BODY, "font-size:16px; line-height:25px; color:#808080"),
    ("contrast", BODY, "font-size:16px; line-height:25px; background-color:#1d4ed8"),
    ("text-size", BODY, "font-size:12px; line-height:25px; color:#2b3650"),
    ("text-size", BODY, "font-size:9pt; line-height:25px; color:#2b3650"),
    ("line-height", BODY, "font-size:16px; line-height:1.2; color:#2b3650"),
    ("line-height", BODY, "font-size:16px; line-height:120%; color:#2b3650"),
    ("word-css", H1, H1 + "; width:20rem"),
    ("word-css", H1, H1 + "; display:flex"),
    ("word-css", H1, "font-size:32px; line-height:40px; color:rgba(20,33,61,1)"),
    ("word-css", H1, H1 + "; background-image:linear-gradient(#ffffff,#eeeeee)"),
    ("word-css", H1, "font-size:32px; line-height:40px; color:var(--ink)"),
    ("word-padding", "<h1 style=", '<h1 style="padding:4px" data-was='),
    ("colour-form", H1, "font-size:32px; line-height:40px; color:navy"),
    ("colour-form", H1, "font-size:32px; line-height:40px; color:rgb(20, 33, 61)"),
    ("colour-form", H1, "font-size:32px; line-height:40px; color:#14213dff"),
    ("colour-form", 'bgcolor="#ffffff"', 'bgcolor="white"'),
    ("colour-form", "</style>", ".a { color: rgb(0 128 0); }</style>"),
    ("colour-short", "#ffffff", "#fff"),
    ("text-language", 'lang="ar" dir="rtl"', 'dir="rtl"'),
    ("text-language", "An app for notes now keeps them", "Приложение теперь хранит все заметки"),
    ("text-direction", 'lang="ar" dir="rtl"', 'lang="ar"'),
    ("text-direction", 'lang="fr" dir="ltr"', 'lang="fr" dir="rtl"'),
)  # fmt: skip


def named(findings: list[Finding]) -> set[str]:
    return {finding.rule for finding in findings}


def test_clean_page_is_silent() -> None:
    assert check_html(CLEAN) == []


@pytest.mark.parametrize(("rule", "before", "after"), FAULTS)
def test_planted_fault_is_found_by_its_rule_alone(rule: str, before: str, after: str) -> None:
    assert before in CLEAN
    findings = check_html(CLEAN.replace(before, after))
    assert named(findings) == {rule}


def test_every_rule_for_html_has_a_planted_fault() -> None:
    assert {rule for rule, _before, _after in FAULTS} == {rule.id for rule in HTML_RULES}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<h1", '<!--[if !mso]><!--><p style="margin:0">Hello</p><!--<![endif]--><h1'),
        ("</head>", "<!--[if gte mso 9]><xml><o:AllowPNG></o:AllowPNG></xml><![endif]--></head>"),
        ("<h1", '<table><caption>Votes</caption><tr><th scope="row">x</th></tr></table><h1'),
        ('alt="A page of notes"', 'alt=""'),
        (IMAGE, "cid:notes@example.com"),
        (NOTES, "mailto:news@example.com?subject=Notes%20that%20keep"),
        (NOTES, "tel:+15550100"),
        (NOTES, "https://[2001:db8::1]/notes"),
        (f'href="{NOTES}"', 'id="top" href="#top"'),
        ("<h1", '<p>Hi<div><table role="none"><tr><td>x</td></tr></table></div><h1'),
        (">Notes that keep<", '><img src="cid:a" width="9" height="9" alt="Notes"><'),
        ("The week in", "None of the week in"),
        ("The week in", "An <b>undefined</b> week { in } [braces] {"),
        ("The week in", "The <i>if (a) {b = c[d[0]]}</i> week in"),
        (H1, H1 + "; padding:0"),
        (H1, "font-size:32px; line-height:40px; color:#14213d !important"),
        ("</style>", "/* }} @media { @media */ .a:after { content: '}} @import'; }</style>"),
        ("</style>", "@media print { p { margin: 0; } } @media screen { p { top: 0; } }</style>"),
        (BODY, "font-size:24px; line-height:34px; color:#888888"),
        (BODY, "font-size:19px; font-weight:700; line-height:28px; color:#888888"),
        (BODY, "line-height:1.6; color:#2b3650"),
        (PROSE, f'{PROSE} <span style="display:none; color:#ffffff; font-size:1px">x</span>'),
        ('lang="en"', 'lang="en-GB-oxendict"'),
        ('lang="en"', 'lang="en-u-ca-gregory"'),
    ],
)  # fmt: skip
def test_what_is_right_is_not_found_fault_with(before: str, after: str) -> None:
    assert before in CLEAN
    page = CLEAN.replace(before, after)
    wrong = {"leftover"} if "undefined" in after else set()  # it stands alone there
    assert named(check_html(page)) == wrong


def test_chinese_prose_needs_more_room_between_its_lines() -> None:
    page = CLEAN.replace('<html lang="en"', '<html lang="zh"').replace(
        'lang="en" dir="ltr">\n<!--', 'lang="zh" dir="ltr">\n<!--'
    )
    page = page.replace(PROSE, "这个应用程序现在会在手机丢失时保留您的所有笔记和图片内容。")
    assert named(check_html(page)) == {"line-height"}
    assert named(check_html(page.replace("line-height:25px", "line-height:26px"))) == set()


def test_finding_names_the_line_and_how_to_mend_it() -> None:
    (finding,) = check_html(CLEAN.replace(' alt="A page of notes"', ""))
    line = CLEAN[: CLEAN.index("<img")].count("\n") + 1
    assert finding == Finding(
        rule="image-alt",
        severity=Severity.ERROR,
        message=(
            "The picture “notes.jpg” has no alt; "
            'say what it shows, or write alt="" where a title beside it says it.'
        ),
        line=line,
    )


def test_findings_come_worst_first_then_by_rule_and_by_line() -> None:
    page = (
        CLEAN.replace(' alt="A page of notes"', "").replace("h3", "h4").replace("#ffffff", "#fff")
    )
    findings = check_html(page.replace(NOTES, "#"))
    assert [f.rule for f in findings] == [
        "image-alt",
        "link-target",
        "heading-order",
        "colour-short",
    ]
    lines = [f.line for f in check_html(CLEAN.replace(BODY, "color:#888888"))]
    assert lines == sorted(lines)
    assert len(lines) == 4


def test_a_fault_in_every_story_is_listed_a_few_times_and_then_counted() -> None:
    findings = check_html(
        CLEAN.replace("<h1", "<img src='https://example.com/a.png'>" * 500 + "<h1")
    )
    missing = [f for f in findings if f.rule == "image-alt"]
    assert len(missing) == MOST + 1
    assert missing[-1].message.startswith("490 more like these")


def test_messages_cannot_steer_a_terminal() -> None:
    page = CLEAN.replace(
        "<h1", "<x\x1b[31m onclick=1 style='width:var(\x1b[2J)'>\x1b]0;x\x07</x><h1"
    )
    page = page.replace(NOTES, "#\x1b[1m\u202e")
    findings = check_html(page)
    assert len(findings) >= 3
    assert all(f.message.isprintable() and f.message.endswith(".") for f in findings)


@pytest.mark.parametrize(
    ("page", "rule"),
    [
        ("<!-->" + "<script>1</script>", "forbidden-element"),
        ("<!--->" + "<img src=x onerror=1>", "event-handler"),
        ("<!-- x --!><iframe></iframe>", "forbidden-element"),
        ("<sCrIpT\n>1</sCrIpT>", "forbidden-element"),
        ("<style></style ><script>1</script>", "forbidden-element"),
        ("<a href='&#106;avascript:1'>x</a>", "script-url"),
        ("<a href='\x01javascript:1'>x</a>", "script-url"),
        ("<title></title><embed>", "forbidden-element"),
        ("<div><p><a><b>" * 3000 + "<script>1</script>", "forbidden-element"),
    ],
)
def test_what_could_run_is_found_however_it_is_hidden(page: str, rule: str) -> None:
    assert rule in named([f for f in check_html(page) if f.severity is Severity.ERROR])


@given(st.text(max_size=300))
def test_any_text_can_be_checked(text: str) -> None:
    findings = check_html(text)
    assert findings == check_html(text)


PIECES = re.findall(r"<[^>]*>|[\w-]+|[^\w<]", CLEAN)


@given(st.lists(st.sampled_from(PIECES), max_size=80).map("".join))
def test_any_jumble_of_a_mail_can_be_checked(text: str) -> None:
    assert all(f.line >= 0 and f.message for f in check_html(text))


@given(st.integers(0, len(CLEAN)), st.integers(0, len(CLEAN)))
def test_a_mail_with_its_end_or_its_middle_lost_can_be_checked(first: int, second: int) -> None:
    check_html(CLEAN[: min(first, second)] + CLEAN[max(first, second) :])
    if first < len(CLEAN) - 1:
        assert "html-end" in named(check_html(CLEAN[:first]))


@pytest.mark.parametrize(
    "text",
    ["", " ", "\0", "<!-- -->", "plain", "<", "<a", "</", "\ud800", "<?xml encoding='x'?>"],
)
def test_a_file_that_is_no_mail_gets_findings(text: str) -> None:
    assert "doctype" in named(check_html(text))


@pytest.mark.parametrize(
    "text",
    ["<a" * 50_000, "<a '" * 50_000, "<p style='" + "(" * 100_000 + "'>x", "<div>" * 50_000,
     "<b>{{" * 20_000, "<style>" + "@media{" * 20_000, "<!--[if mso]>" * 20_000,
     "<table><tr><td>" * 5_000, "<h1><a href=x>★★" * 5_000],
)  # fmt: skip
def test_hostile_html_takes_little_time(text: str) -> None:
    before = time.process_time()
    assert check_html(text)
    assert time.process_time() - before < 10


@pytest.mark.parametrize("tag", ["ku-Arab", "pa-Arab", "nqo", "arc", "az-Arab", "iw"])
def test_language_that_runs_to_the_left_may_say_so(tag: str) -> None:
    html = '<html lang="{0}" dir="{1}"><div role="article" lang="{0}" dir="{1}">x</div></html>'
    for direction, faults in (("rtl", 0), ("ltr", 2)):
        found = check_html(html.format(tag, direction))
        assert sum(finding.rule == "direction" for finding in found) == faults
