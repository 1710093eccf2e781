"""The SARIF document has the shape that SARIF 2.1.0 asks for, and says what was found."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.checking import (
    RULES,
    Finding,
    Severity,
    check_clients,
    check_html,
    client_names,
    sarif,
    without_ignored,
)

MAILS = Path(__file__).parent.parent / "fixtures" / "mails"
CLEAN = (MAILS / "clean.html").read_text(encoding="utf-8")
FAULTY = (
    CLEAN.replace(' alt="A page of notes"', "")
    .replace("h3", "h4")
    .replace("#ffffff", "#fff")
    .replace("</body>", "<!-- " + "ü" * 50_000 + " --></body>")
)
REASONS = {"heading-order": "the outline is ours"}

# What the SARIF 2.1.0 schema asks of each object that the document has: which keys it must have,
# and which it may have; none of them allows others.
SHAPES = {
    "sarifLog": ({"version", "runs"}, {"$schema"}),
    "run": ({"tool", "results"}, {"invocations"}),
    "driver": ({"name"}, {"version", "rules"}),
    "invocation": ({"executionSuccessful"}, set()),
    "rule": ({"id"}, {"shortDescription", "help", "defaultConfiguration"}),
    "result": ({"message", "ruleId"}, {"ruleIndex", "level", "locations", "suppressions"}),
    "location": (set(), {"physicalLocation", "logicalLocations"}),
    "physicalLocation": ({"artifactLocation"}, {"region"}),
    "suppression": ({"kind"}, {"status", "justification"}),
}
LEVELS = {"none", "note", "warning", "error"}
URI_REFERENCE = re.compile(
    r"(?:[a-z][a-z0-9+.-]*:)?(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-F]{2})+"
)


def has_shape(name: str, value: Any) -> None:
    must, may = SHAPES[name]
    assert isinstance(value, dict), name
    assert must <= value.keys() <= must | may, name


def is_text(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"text"} and bool(value["text"])


def validate(document: Any) -> None:
    """Assert that the document keeps the schema, as far as it uses it."""
    has_shape("sarifLog", document)
    assert document["version"] == "2.1.0"
    [run] = document["runs"]
    has_shape("run", run)
    assert run["tool"].keys() == {"driver"}
    driver = run["tool"]["driver"]
    has_shape("driver", driver)
    for invocation in run["invocations"]:
        has_shape("invocation", invocation)
    ids = [rule["id"] for rule in driver["rules"]]
    assert len(set(ids)) == len(ids)
    for rule in driver["rules"]:
        has_shape("rule", rule)
        assert is_text(rule["shortDescription"])
        assert is_text(rule["help"])
        assert rule["defaultConfiguration"]["level"] in LEVELS
    for result in run["results"]:
        validate_result(result, ids)


def validate_result(result: Any, ids: list[str]) -> None:
    has_shape("result", result)
    assert ids[result["ruleIndex"]] == result["ruleId"]
    assert result["level"] in LEVELS
    assert is_text(result["message"])
    text = result["message"]["text"].replace("{{", "").replace("}}", "")
    assert not re.search(r"[{}]|\]\(", text)
    for location in result["locations"]:
        has_shape("location", location)
        place = location["physicalLocation"]
        has_shape("physicalLocation", place)
        assert URI_REFERENCE.fullmatch(place["artifactLocation"]["uri"])
        if "region" in place:
            assert place["region"].keys() == {"startLine"}
            assert place["region"]["startLine"] >= 1
        for logical in location.get("logicalLocations", ()):
            assert logical.keys() == {"fullyQualifiedName"}
            assert logical["fullyQualifiedName"]
    for suppression in result["suppressions"]:
        has_shape("suppression", suppression)
        assert suppression["kind"] in {"inSource", "external"}
        assert suppression["status"] in {"accepted", "underReview", "rejected"}


def document_of(findings: list[Finding], **changes: Any) -> Any:
    kept, ignored = without_ignored(findings, REASONS)
    values: dict[str, Any] = {"reasons": REASONS, "uri": "mail.html", "version": "1.0"} | changes
    return json.loads(json.dumps(sarif(kept, ignored, **values)))


def test_document_of_a_faulty_mail_keeps_the_schema() -> None:
    findings = [*check_html(FAULTY), *check_clients(FAULTY, client_names("all"))]
    document = document_of(findings)
    validate(document)
    [run] = document["runs"]
    assert len(run["results"]) == len(findings)
    assert {result["level"] for result in run["results"]} == {"error", "warning", "note"}


def test_document_of_a_clean_mail_has_an_empty_list_of_results() -> None:
    document = document_of(check_html(CLEAN))
    validate(document)
    assert document["runs"][0]["results"] == []


def test_every_rule_is_described_with_how_to_mend_it() -> None:
    [run] = document_of([])["runs"]
    described = {rule["id"]: rule for rule in run["tool"]["driver"]["rules"]}
    for rule in RULES:
        assert rule.wants in described[rule.id]["shortDescription"]["text"]
        assert rule.mend in described[rule.id]["help"]["text"]
    assert list(described) == [rule.id for rule in RULES]


def test_result_says_what_where_and_how_bad() -> None:
    [finding] = check_html(CLEAN.replace(' alt="A page of notes"', ""))
    [result] = document_of([finding], uri="a%20b/mail.html")["runs"][0]["results"]
    assert result["ruleId"] == "image-alt"
    assert result["level"] == "error"
    assert result["message"] == {"text": finding.message}
    assert result["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "a%20b/mail.html"},
                "region": {"startLine": finding.line},
            }
        }
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("{{ week }}", "{{{{ week }}}}"),
        ("{{[Hello](https://a.test/)}}", "{{{{[Hello] (https://a.test/)}}}}"),
    ],
)
def test_words_of_a_mail_are_no_placeholder_and_no_link(words: str, told: str) -> None:
    [finding] = check_html(CLEAN.replace("The week in", words))
    [result] = document_of([finding])["runs"][0]["results"]
    assert words in finding.message
    assert told in result["message"]["text"]


def test_finding_about_the_whole_mail_has_no_line() -> None:
    [finding] = check_html(CLEAN.replace("<title>Notes that keep, and two more apps", "<title>"))
    [result] = document_of([finding])["runs"][0]["results"]
    assert "region" not in result["locations"][0]["physicalLocation"]


def test_line_of_an_html_part_is_not_told_as_a_line_of_the_message() -> None:
    [finding] = check_html(CLEAN.replace(' alt="A page of notes"', ""))
    [result] = document_of([finding], has_lines=False)["runs"][0]["results"]
    assert "region" not in result["locations"][0]["physicalLocation"]
    [named] = result["locations"][0]["logicalLocations"]
    assert named["fullyQualifiedName"] == f"line {finding.line} of the HTML part"


def test_ignored_finding_is_suppressed_with_its_reason_and_the_others_are_not() -> None:
    [run] = document_of(check_html(FAULTY))["runs"]
    suppressed = {result["ruleId"]: result["suppressions"] for result in run["results"]}
    assert suppressed["heading-order"] == [
        {"kind": "external", "status": "accepted", "justification": "the outline is ours"}
    ]
    assert suppressed["image-alt"] == []


@pytest.mark.parametrize(
    ("severity", "level"), [("error", "error"), ("warning", "warning"), ("info", "note")]
)
def test_severity_has_its_level(severity: str, level: str) -> None:
    finding = Finding(rule="title", severity=Severity(severity), message="A fault.")
    [result] = document_of([finding])["runs"][0]["results"]
    assert result["level"] == level


@given(st.text(max_size=80))
def test_any_html_makes_a_document_that_keeps_the_schema(text: str) -> None:
    validate(document_of(check_html(CLEAN.replace("The week in", text))))
