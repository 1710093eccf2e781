import re
from html import unescape
from pathlib import Path

from digest.checking import RULES, Severity
from digest.checking.checks import HTML_RULES
from digest.checking.mail import RULES as MAIL_RULES

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")


def test_document_lists_every_rule_as_it_is() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| (\w+) \| (.+) \| (.+) \|$", DOCUMENT, re.MULTILINE)
    assert [tuple(map(unescape, row)) for row in rows] == [
        (rule.id, str(rule.severity), rule.wants, rule.mend[:1].upper() + rule.mend[1:])
        for rule in RULES
    ]


def test_document_says_how_many_rules_need_more_than_html() -> None:
    assert f"The last {len(MAIL_RULES)} rules need more than the HTML" in DOCUMENT
    assert (*HTML_RULES, *MAIL_RULES) == RULES


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
