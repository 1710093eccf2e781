"""What clients lack is told by a table that fits the mail, and comes with its licence."""

import json
import re
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.checking import CLIENTS, Finding, Severity, check_clients, client_names
from digest.checking.clients import RULES, load_table
from digest.checking.parsing import Document
from digest.checking.uses import uses
from digest.errors import UsageError

ROOT = Path(__file__).parents[2]
CLEAN = (ROOT / "tests" / "fixtures" / "mails" / "clean.html").read_text(encoding="utf-8")
PLAIN = CLEAN.replace(" !important", "")
NOTES = "https://news.example.com/notes"
IMAGE = "https://news.example.com/media/notes.jpg"
H1 = "font-size:32px; line-height:40px; color:#14213d"
LACKING, PARTLY = (rule.id for rule in RULES)

# Each is one use of one feature: rule, a client that it is told of, and the change to the page.
FAULTS = (
    (LACKING, "word", "css-border-radius", H1, H1 + "; border-radius:4px"),
    (LACKING, "gmail", "css-transform", H1, H1 + "; transform:none"),
    (LACKING, "gmx", "css-display-flex", H1, H1 + "; display:inline-flex"),
    (LACKING, "word", "css-unit-rem", H1, H1 + "; margin:1.5rem"),
    (LACKING, "yahoo", "css-unit-calc", H1, H1 + "; width:calc(100% - 2px)"),
    (LACKING, "gmail", "css-variables", H1, H1 + "; color:var(--ink)"),
    (LACKING, "word", "css-linear-gradient", H1, H1 + "; background:linear-gradient(#fff,#eee)"),
    (LACKING, "word", "css-unit-initial", H1 + '"', H1 + '; margin:initial"'),
    (LACKING, "word", "css-intrinsic-size", H1, H1 + "; width:max-content"),
    (LACKING, "gmail", "css-margin-inline-start-end", H1, H1 + "; margin-inline-start:1px"),
    (LACKING, "yahoo", "css-scroll-snap", H1, H1 + "; scroll-snap-type:none"),
    (LACKING, "gmx", "css-important", H1, H1 + " !important"),
    (LACKING, "gmail", "css-at-supports", "</style>", "@supports (top: 0) { }</style>"),
    (LACKING, "gmail", "css-at-font-face", "</style>", "@font-face { src: url(a;b); }</style>"),
    (LACKING, "yahoo", "css-at-media-prefers-color-scheme",
        "max-width: 620px", "prefers-color-scheme: dark"),
    (LACKING, "gmail", "css-pseudo-element-before", "</style>", "p:before { top: 0; }</style>"),
    (LACKING, "word", "css-pseudo-class-not", "</style>", "p:not(.a) { top: 0; }</style>"),
    (LACKING, "word", "css-selector-child", "</style>", "td > p { top: 0; }</style>"),
    (LACKING, "word", "css-selector-attribute", "</style>", 'p[lang="a>b"] { top: 0; }</style>'),
    (LACKING, "word", "css-selector-adjacent-sibling", "</style>", "p + p { top: 0; }</style>"),
    (LACKING, "gmx", "html-wbr", "The week in", "The <wbr>week in"),
    (LACKING, "gmail", "html-hidden", "<h1 ", "<h1 hidden "),
    (LACKING, "gmail", "html-srcset", "<img ", "<img srcset='https://a.test/b.jpg 2x' "),
    (LACKING, "gmail", "html-meta-color-scheme", "<title>", '<meta name="color-scheme"><title>'),
    (LACKING, "proton", "html-anchor-links", NOTES, "#top"),
    (LACKING, "word", "image-webp", "notes.jpg", "notes.webp?width=9"),
    (LACKING, "gmail", "image-base64", IMAGE, "data:image/png;base64,A"),
    (PARTLY, "word", "css-background", H1, H1 + "; background:#ffffff"),
    (PARTLY, "word", "css-border", H1, H1 + "; border-top-color:#ffffff"),
    (PARTLY, "yahoo", "css-rgba", H1, H1 + "; color:rgba(0,0,0,1)"),
    (PARTLY, "gmx", "css-float", H1, H1 + "; float:left"),
    (PARTLY, "yahoo", "html-anchor-links", NOTES, "#top"),
)  # fmt: skip


def features(findings: list[Finding], rule: str) -> set[str]:
    """Return the features that findings of a rule are about."""
    found = [f.message for f in findings if f.rule == rule]
    return {re.findall(r"caniemail\.com/features/([\w-]+)\)", message)[0] for message in found}


@pytest.mark.parametrize(("rule", "client", "feature", "before", "after"), FAULTS)
def test_feature_that_a_client_lacks_is_told(
    rule: str, client: str, feature: str, before: str, after: str
) -> None:
    assert before in PLAIN
    assert feature not in features(check_clients(PLAIN, [client]), rule)
    assert feature in features(check_clients(PLAIN.replace(before, after), [client]), rule)


def test_every_rule_for_clients_has_a_planted_fault() -> None:
    assert {rule for rule, *_fault in FAULTS} == {rule.id for rule in RULES}


def test_nothing_is_told_of_clients_that_nobody_named() -> None:
    assert check_clients(CLEAN, []) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("</style>", "/* p:hover { transform: none } @supports */</style>"),
        ("</style>", "p { content: '; transform: none; @supports { p:hover {'; }</style>"),
        ("<h1", "<!-- <p style='transform:none'> --><h1"),
        ("The week in", "The week of transform: none; in"),
        (H1, H1 + "; background-image:url(https://a.test/transform/9rem)"),
        (H1, H1 + "; color:#9ch9ch"),
    ],
)
def test_words_that_only_look_like_a_feature_are_none(before: str, after: str) -> None:
    missed = {"css-transform", "css-pseudo-class-hover", "css-at-supports", "css-unit-rem",
              "css-unit-ch"}  # fmt: skip
    assert before in CLEAN
    found = features(check_clients(CLEAN.replace(before, after), client_names("all")), LACKING)
    assert not found & missed


def test_finding_says_how_often_where_first_and_by_whom() -> None:
    page = CLEAN.replace("font-size:16px;", "font-size:16px; border-radius:4px;")
    line = page[: page.index("border-radius")].count("\n") + 1
    [found] = [f for f in check_clients(page, ["word", "gmx"]) if "radius" in f.message]
    assert found == Finding(
        rule="client-support",
        severity=Severity.WARNING,
        message=(
            "The property “border-radius”, used 4 times, is not supported by classic Outlook, "
            "GMX (web) (caniemail.com/features/css-border-radius); see that the mail is as good "
            "without it."
        ),
        line=line,
    )


def test_finding_in_a_style_sheet_names_its_line() -> None:
    page = CLEAN.replace("</style>", "/* one\ntwo */\n\n\np:hover\n{ top: 0; }</style>")
    [found] = [f for f in check_clients(page, ["word"]) if "hover" in f.message]
    assert page.split("\n")[found.line - 1] == "p:hover"


def test_more_findings_than_other_rules_list_are_all_listed() -> None:
    names = [key for key in load_table().keys if re.fullmatch(r"property [a-z-]+", key)]
    style = "; ".join(f"{name.removeprefix('property ')}:9px" for name in names)
    found = check_clients(CLEAN.replace(H1, style), ["word"])
    assert len(found) > 50
    assert not [f for f in found if "more like these" in f.message]


# The table


def test_table_is_small_and_comes_with_the_licence_of_its_makers() -> None:
    package = files("digest.checking")
    assert len(package.joinpath("caniemail.json").read_bytes()) <= 25_000
    licence = package.joinpath("caniemail-LICENSE").read_text(encoding="utf-8")
    assert "Copyright (c) 2019 HTeuMeuLeu" in licence
    assert "The above copyright notice and this permission notice shall be included" in licence


def test_table_has_a_mark_for_each_column_and_only_features_that_somebody_lacks() -> None:
    table = load_table()
    assert {client for client, _where in table.columns} == set(CLIENTS)
    for feature, marks in table.marks.items():
        assert re.fullmatch("[ynau]+", marks), feature
        assert len(marks) == len(table.columns), feature
        assert set(marks) & set("na"), feature
    assert set(table.keys.values()) == set(table.marks)


@pytest.mark.parametrize(
    ("feature", "client", "mark"),
    [
        ("css-border-radius", "word", "n"), ("css-padding", "word", "a"),
        ("css-width", "word", "a"), ("css-at-media", "word", "n"), ("html-style", "gmail", "a"),
        ("css-at-media-prefers-color-scheme", "gmail", "n"), ("css-unit-rem", "yahoo", "n"),
        ("css-at-media-prefers-color-scheme", "outlook", "y"), ("css-variables", "apple", "y"),
        ("css-at-media", "thunderbird", "n"), ("html-meta-color-scheme", "thunderbird", "y"),
        ("html-aria-label", "yahoo", "n"), ("css-height", "yahoo", "n"),
        ("css-selector-attribute", "proton", "n"), ("image-webp", "samsung", "y"),
    ],
)  # fmt: skip
def test_table_says_what_is_known_of_the_clients(feature: str, client: str, mark: str) -> None:
    table = load_table()
    pairs = zip(table.columns, table.marks[feature], strict=True)
    assert mark in {is_ for (name, _where), is_ in pairs if name == client}


def test_table_knows_each_kind_of_use_that_a_mail_can_have() -> None:
    page = CLEAN
    for _rule, _client, _feature, before, after in FAULTS:
        page = page.replace(before, after) if before in page else page
    kinds = {use.kind for use in uses(Document(page))}
    assert {key.partition(" ")[0] for key in load_table().keys} <= kinds


def test_tool_cuts_the_table_out_of_a_package(tmp_path: Path) -> None:
    package = tmp_path / "package"
    (package / "data").mkdir(parents=True)
    (package / "package.json").write_text('{"version": "9.9"}', encoding="utf-8")
    old, new = {"2007": "y", "2019": "n #1"}, {"2019-06": "n", "2024-01": "y #2", "2025-01": "u"}
    data = {
        "last_update_date": "2026-05-13 14:45:41 +0000",
        "data": [
            {"slug": "css-opacity", "stats": {"outlook": {"windows": old, "outlook-com": new}}},
            {"slug": "css-color", "stats": {"gmail": {"ios": {"2020-01": "y"}}}},
            {"slug": "amp", "stats": {"gmail": {"ios": {"2020-01": "n"}}}},
        ],
    }
    (package / "data" / "caniemail.json").write_text(json.dumps(data), encoding="utf-8")
    target = tmp_path / "table.json"
    tool = [sys.executable, str(ROOT / "tools" / "caniemail.py")]
    subprocess.run([*tool, str(package), str(target)], check=True, capture_output=True)
    table = json.loads(target.read_text(encoding="utf-8"))
    assert table["source"] == "caniemail 9.9, data of 2026-05-13"
    assert table["features"] == {"css-opacity": ["uuunyuuuuuuuuuuuuuuu", "property opacity"]}
    assert [client for client, _where in table["columns"]][3:5] == ["word", "outlook"]
    told = subprocess.run(tool, capture_output=True, text=True)
    assert (told.returncode, told.stderr.count("\n")) == (1, 1)


# Names of clients


def test_names_of_clients_are_read_as_people_write_them() -> None:
    assert client_names(" Gmail, word,") == ("gmail", "word")
    with pytest.raises(UsageError, match="No client is named"):
        client_names(" , ")
    assert client_names("word,ALL") == tuple(CLIENTS)


@pytest.mark.parametrize(
    ("names", "hint"), [("gmial", "mean gmail"), ("gmail;word", "mean"), ("elm", "There are gmail")]
)
def test_unknown_client_is_refused_with_what_there_is(names: str, hint: str) -> None:
    with pytest.raises(UsageError, match="no client named") as caught:
        client_names(names)
    assert hint in caught.value.hint


# Anything


@given(st.text(max_size=200), st.sampled_from(["<p style='{}'>", "<style>{}</style>", "{}"]))
def test_any_text_can_be_held_against_the_clients(text: str, frame: str) -> None:
    page = CLEAN.replace("<h1", frame.replace("{}", text) + "<h1")
    assert all(f.line >= 0 and f.message.isprintable() for f in check_clients(page, CLIENTS))


@pytest.mark.parametrize(
    "text",
    ["<style>" + "a" * 200_000, "<style>" + "{" * 200_000, "<style>@media" + "(" * 200_000,
     "<style>" + "a:" * 100_000 + "{", "<style>" + "[" * 100_000 + "{", "<style>/*" * 50_000,
     "<style>p{width:" + "9" * 200_000, "<style>p:not" + "(" * 100_000 + "{",
     "<style>p{top:" + "url(" * 50_000 + "}", "<p style='width:" + "9" * 200_000 + "'>",
     "<p style='" + "border-" * 30_000 + "x:1'>", "<img src='" + "." * 200_000 + "'>"],
    ids=range(12),
)  # fmt: skip
def test_hostile_css_takes_little_time(text: str) -> None:
    before = time.process_time()
    check_clients(text, CLIENTS)
    assert time.process_time() - before < 5
