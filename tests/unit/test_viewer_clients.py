"""What the simulations of Gmail and of Word keep and drop."""

import pytest
from lxml import html as lxml_html

from digest.viewer.gmail import SHEETS_LIMIT
from digest.viewer.simulations import simulate
from digest.viewer.word import as_word_reads


def in_gmail(sheet: str, body: str = "<p>x</p>") -> str:
    """Return the sheet that Gmail keeps of a mail with `sheet` in its head."""
    copy = simulate(f"<html><head><style>{sheet}</style></head><body>{body}</body></html>", {})
    kept = lxml_html.fromstring(copy.gmail).xpath("//body//style/text()")
    return "".join(kept)


def in_word(mail: str) -> lxml_html.HtmlElement:
    return lxml_html.fromstring(simulate(mail, {}).word).body


def style(mail: str, tag: str) -> str:
    """Return the style that Word leaves on the first `tag` of a mail."""
    return str(in_word(mail).find(f".//{tag}").get("style", ""))


@pytest.mark.parametrize(
    ("sheet", "kept"),
    [
        (".a { color: red }", ".gmail-message .a { color:red }"),
        ("a:hover { color: red }", ".gmail-message a:hover { color:red }"),
        ("u + .a { color: red }", ".gmail-message u + .a { color:red }"),
        ("[class~=a] { color: red }", ".gmail-message [class~=a] { color:red }"),
        ('[class="a"] { color: red }', ""),
        (".a, p:first-child { color: red }", ".gmail-message .a { color:red }"),
        (".a { color: red; box-shadow: 0 0 1px; position: fixed }", ".a { color:red }"),
        (".a { color: var(--b); margin: -4px; margin-top: 4px }", ".a { margin-top:4px }"),
        (
            "@media (max-width: 600px) { .a { color: red !important } }",
            "@media (max-width: 600px) { .gmail-message .a { color:red !important } }",
        ),
        ("@media only screen and (max-width:600px) { .a { top: 0; color: red } }", "{ color:red }"),
        ("@media (prefers-color-scheme: dark) { .a { color: red } }", ""),
        ("@media (min-height: 1px) { .a { color: red } }", ""),
        ("@font-face { font-family: x; src: y }", ""),
        ("@supports (color: red) { .a { color: red } }", ""),
    ],
)
def test_gmail_keeps_of_a_sheet_what_it_knows(sheet: str, kept: str) -> None:
    found = in_gmail(sheet)
    assert kept in found
    assert bool(kept) == bool(found.strip())


@pytest.mark.parametrize(
    "fault",
    [
        "@media (max-width: 9px) { @media (min-width: 1px) { p { color: red } } }",
        "p { color: rgb(0 128 0) }",
        "p { color: red } }",
        "p { color: red",
        "{ color: red }",
        "p { color: 'red }",
    ],
)
def test_gmail_drops_a_whole_sheet_for_one_fault_and_no_other_sheet(fault: str) -> None:
    sheet = f".a {{ color: red }} {fault}</style><style>.b {{ color: blue }}"
    found = in_gmail(sheet)
    assert ".a" not in found
    assert ".b { color:blue }" in found


def test_gmail_drops_the_sheet_that_exceeds_its_limit() -> None:
    rule = ".a { color: red }"
    assert ".a" in in_gmail(rule + " " * (SHEETS_LIMIT - len(rule)))
    assert ".a" not in in_gmail(rule + " " * (SHEETS_LIMIT - len(rule) + 1))


def test_gmail_ignores_a_sheet_in_the_body_and_makes_the_body_a_division() -> None:
    mail = '<html lang="en"><body class="page" style="margin:0" lang="en"><style>p { color: red }'
    copy = lxml_html.fromstring(simulate(f"{mail}</style><p>x</p></body></html>", {}).gmail)
    assert "color: red" not in lxml_html.tostring(copy, encoding="unicode")
    assert copy.body.attrib == {}
    assert copy.get("lang") is None
    (division,) = copy.xpath("//u/following-sibling::div")
    assert dict(division.attrib) == {"class": "page", "style": "margin:0", "lang": "en"}
    assert division.findtext("p") == "x"


def test_gmail_with_an_account_elsewhere_keeps_inline_styles_alone() -> None:
    mail = """<html><head><style>p { color: red }</style></head><body>
    <p style="color:#123456; position:fixed">a</p><p style="color:rgb(0 128 0)">b</p></body>"""
    stripped = simulate(mail, {}).stripped
    assert "color: red" not in stripped
    assert lxml_html.fromstring(stripped).xpath("//p/@style") == ["color:#123456", ""]


@pytest.mark.parametrize(
    ("mail", "seen"),
    [
        ("a<!--[if mso]>b<![endif]-->c", "abc"),
        ("a<!--[if gte mso 9]>b<![endif]-->c", "abc"),
        ("a<!--[if (gte mso 9)|(IE)]>b<![endif]-->c", "abc"),
        ("a<!--[if lt mso 12]>b<![endif]-->c", "ac"),
        ("a<!--[if mso 16]>b<![endif]--><!--[if mso 15]>c<![endif]-->", "ab"),
        ("a<!--[if IE]>b<![endif]-->c", "ac"),
        ("a<!--[if !mso]><!-->b<!--<![endif]-->c", "ac"),
        ("a<!--[if !mso]> -->b<!-- <![endif]-->c", "ac"),
        ("a<![if !mso]>b<![endif]>c", "ac"),
        ("a<![if mso]>b<![endif]>c", "abc"),
        ("a<!-- b -->c<!--[if mso]><xml><o:x>1</o:x></xml><![endif]-->", "a<!-- b -->c"),
    ],
)
def test_word_reads_what_is_for_it_and_nothing_that_is_not(mail: str, seen: str) -> None:
    assert as_word_reads(mail) == seen


def test_ghost_table_around_a_column_stands_in_word() -> None:
    mail = (
        '<body><!--[if mso]><table width="616"><tr><td><![endif]--><div>x</div>'
        "<!--[if mso]></td></tr></table><![endif]--></body>"
    )
    assert in_word(mail).xpath("//table[@width='616']/tr/td/div/text()") == ["x"]
    assert in_word(mail).xpath("//table") != []
    assert "616" not in simulate(mail, {}).light


@pytest.mark.parametrize("tag", ["p", "div", "a", "span"])
def test_word_drops_boxes_of_what_is_no_table(tag: str) -> None:
    css = "padding:9px; width:9px; height:9px; max-width:9px; color:#111111; border-radius:4px"
    assert style(f"<body><{tag} style='{css}'>x</{tag}></body>", tag) == "color:#111111"


def test_word_keeps_boxes_of_cells_and_tables() -> None:
    cell = "<table style='max-width:9px; width:9px'><tr><td style='padding:1px 2px; width:9px'>x"
    assert style(f"<body>{cell}</td></tr></table></body>", "table") == "max-width:9px; width:9px"
    sides = "padding-top:1px; padding-right:2px; padding-bottom:1px; padding-left:2px"
    assert style(f"<body>{cell}</td></tr></table></body>", "td") == f"{sides}; width:9px"


@pytest.mark.parametrize(
    ("css", "kept"),
    [
        ("margin:-4px", ""),
        ("margin:0 auto", ""),
        ("margin:4px", "margin:4px"),
        ("color:rgba(0,0,0,.5)", ""),
        ("font-size:1rem", ""),
        ("font-size:16px !important", ""),
        ("background:#112233 url(x.png) no-repeat", "background:#112233"),
        ("background-image:linear-gradient(red, blue)", ""),
        ("display:flex", ""),
        ("display:none", "display:none"),
        ("mso-hide:all", "display:none"),
        ("border-top:12px solid #111111", "border-top:8px solid #111111"),
        ("text-align:start", ""),
        ("position:absolute; opacity:.5; float:left", ""),
    ],
)
def test_word_takes_a_declaration_only_as_it_knows_it(css: str, kept: str) -> None:
    assert style(f"<body><p style='{css}'>x</p></body>", "p") == kept


def test_word_applies_plain_rules_below_inline_styles_and_no_at_rule() -> None:
    mail = """<html><head><style>p { color: red; margin: 1px } .b { color: blue }
    .a.b { color: green } p > b { color: lime } @media screen { p { color: black } }</style></head>
    <body><p style="margin:2px" class="b">x</p><h1 class="a b">y</h1></body></html>"""
    assert style(mail, "p") == "color:blue; margin:2px"
    assert style(mail, "h1") == ""  # of several classes Word knows the first
    assert in_word(mail).getroottree().xpath("//body//style") == []


def test_word_sizes_a_picture_by_its_attributes_in_pixels() -> None:
    mail = '<body><img width="50%" style="width:100%" src="a"><img width="552" height="310"></body>'
    pictures = in_word(mail).xpath("//img")
    assert [picture.get("width") for picture in pictures] == [None, "552"]
    assert [picture.get("style") for picture in pictures] == [None, None]


def test_word_gives_the_cells_of_a_row_the_largest_padding() -> None:
    mail = """<body><table><tr><td style="padding-top:20px">a</td><td>b</td></tr></table></body>"""
    assert in_word(mail).xpath("//td/@style") == ["padding-top:20px", "padding-top:20px"]
