import re
from html import unescape
from pathlib import Path

from digest.checking import CLIENTS, RULES, Severity
from digest.checking.checks import HTML_RULES
from digest.checking.clients import RULES as CLIENT_RULES
from digest.checking.mail import MESSAGE_RULES
from digest.checking.mail import RULES as MAIL_RULES

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")


def test_document_lists_every_rule_as_it_is() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| (\w+) \| (.+) \| (.+) \|$", DOCUMENT, re.MULTILINE)
    assert [tuple(map(unescape, row)) for row in rows] == [
        (rule.id, str(rule.severity), rule.wants, rule.mend[:1].upper() + rule.mend[1:])
        for rule in RULES
    ]


def test_document_says_which_rules_need_more_than_html() -> None:
    assert (*HTML_RULES, *MAIL_RULES, *CLIENT_RULES) == RULES
    assert f"They come after `{HTML_RULES[-1].id}` in the" in DOCUMENT
    part = DOCUMENT[DOCUMENT.index("## What is checked of a file") :].partition("\n## ")[0]
    named = re.findall(r"`([\w-]+)`", part)
    assert named[1:] == [rule.id for rule in MESSAGE_RULES]


def test_document_lists_what_may_not_be_ignored() -> None:
    [sentence] = re.findall(r"These may never be ignored, [^:]+:([^.]+)\.", DOCUMENT)
    assert re.findall(r"`([\w-]+)`", sentence) == [rule.id for rule in RULES if rule.is_fixed]


def test_document_lists_every_client() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| ([^|]+) \| [^|]+ \|$", DOCUMENT, re.MULTILINE)
    assert dict(rows) == CLIENTS


def test_every_rule_has_its_own_id_in_kebab_case() -> None:
    ids = [rule.id for rule in RULES]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("[a-z0-9]+(-[a-z0-9]+)+|[a-z0-9]+", rule) for rule in ids)


def test_every_rule_can_be_read_as_a_sentence() -> None:
    for rule in RULES:
        assert rule.wants[:1].isupper() or rule.wants.startswith("“")
        assert not rule.wants.endswith(".")
        assert not rule.mend.endswith(".")
        assert rule.find.__doc__


def test_severities_are_sorted_from_worst_to_least() -> None:
    assert [str(severity) for severity in Severity] == ["error", "warning", "info"]
