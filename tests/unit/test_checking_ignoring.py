"""What is fine here is said once, with its reason, and never a reader's way out."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.checking import RULES, Finding, check_html, refusal, without_ignored
from digest.errors import ConfigError
from digest.project import CONFIG, Project, load
from digest.settings import Settings

MAILS = Path(__file__).parent.parent / "fixtures" / "mails"
CLEAN = (MAILS / "clean.html").read_text(encoding="utf-8")
FIXED = {
    "leftover", "forbidden-element", "event-handler", "script-url", "css-active", "subject-signs",
    "leftover-words", "token-unknown", "token-count", "unsubscribe-link", "unsubscribe-text",
}  # fmt: skip


def found(*rules: str) -> list[Finding]:
    severities = {rule.id: rule.severity for rule in RULES}
    return [Finding(rule=rule, severity=severities[rule], message="A fault.") for rule in rules]


def test_ignored_findings_are_parted_from_the_others() -> None:
    findings = check_html(CLEAN.replace(' alt="A page of notes"', "").replace("h3", "h4"))
    kept, ignored = without_ignored(findings, {"image-alt": "a logo", "contrast": "brand"})
    assert [f.rule for f in ignored] == ["image-alt"]
    assert [f.rule for f in kept] == ["heading-order"]
    assert without_ignored(findings, {}) == (findings, [])


@pytest.mark.parametrize("rule", sorted(FIXED))
def test_what_keeps_readers_or_could_run_may_not_be_ignored(rule: str) -> None:
    assert "may not be ignored" in refusal(rule)
    assert without_ignored(found(rule), {rule: "we do not mind"}) == (found(rule), [])


def test_every_other_rule_may_be_ignored() -> None:
    assert {rule.id for rule in RULES if refusal(rule.id)} == FIXED


@given(
    st.lists(st.sampled_from([rule.id for rule in RULES])),
    st.dictionaries(st.sampled_from([rule.id for rule in RULES]), st.text(max_size=5)),
)
def test_no_finding_is_lost_and_none_changes_its_place(
    rules: list[str], reasons: dict[str, str]
) -> None:
    findings = found(*rules)
    kept, ignored = without_ignored(findings, reasons)
    assert {f.rule for f in ignored} <= reasons.keys() - FIXED
    assert not {f.rule for f in kept} & (reasons.keys() - FIXED)
    assert kept == [f for f in findings if f not in ignored]
    assert len(kept) + len(ignored) == len(findings)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("contrst", "is no check, but contrast is"),
        ("", "docs/checks.md"),
        ("\x1b" * 9_000, "is no check; docs/checks.md"),
    ],
)
def test_rule_that_does_not_exist_is_told_with_the_nearest(rule: str, words: str) -> None:
    assert words in refusal(rule)


# In the settings


def read(folder: Path, text: str) -> Project:
    (folder / "config").mkdir()
    (folder / CONFIG).write_text(text, encoding="utf-8")
    return load(folder, {})


def test_settings_keep_the_reason_of_each_rule(tmp_path: Path) -> None:
    project = read(tmp_path, '[checks]\nignore = { contrast = "the brand wants it" }\n')
    assert project.settings.checks.ignore == {"contrast": "the brand wants it"}
    assert project.origins["checks.ignore"] == str(CONFIG)


def test_nothing_is_ignored_where_nobody_says_so() -> None:
    assert Settings().checks.ignore == {}


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ('{ contrst = "x" }', "names 'contrst', which is no check, but contrast is"),
        ('{ unsubscribe-link = "x" }', "names 'unsubscribe-link', which may not be ignored"),
        ('{ contrast = "" }', "and must be rules, each with the reason in quotes"),
        ("{ contrast = true }", "and must be rules, each with the reason in quotes"),
        ('["contrast"]', "and must be rules, each with the reason in quotes"),
    ],
)
def test_settings_refuse_what_cannot_be_ignored(tmp_path: Path, value: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, f"[checks]\nignore = {value}\n")
    assert f"{CONFIG}: checks.ignore " in caught.value.message
    assert fault in caught.value.message
    assert "1 setting is wrong; nothing was done" in caught.value.message
