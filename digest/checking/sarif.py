"""Findings in SARIF 2.1.0, the form in which code hosts and editors read what checks find."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from digest.checking.checks import RULES
from digest.checking.findings import Finding, Rule, Severity

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
VERSION = "2.1.0"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def sarif(
    kept: Sequence[Finding],
    ignored: Sequence[Finding],
    *,
    reasons: Mapping[str, str],
    uri: str,
    version: str,
    has_lines: bool = True,
) -> dict[str, Any]:
    """Return the findings as a SARIF document of one run.

    Args:
        kept: The findings that count.
        ignored: Those that do not; they are in the document as suppressed.
        reasons: For each rule that is ignored, why.
        uri: What was checked, as a URI reference.
        version: The version of this program.
        has_lines: Whether the lines of the findings are lines of the file at `uri`; those of a
            mail's HTML part are not.
    """
    results = [_result(finding, uri, has_lines, ()) for finding in kept]
    results += [_result(f, uri, has_lines, [reasons.get(f.rule, "")]) for f in ignored]
    return {
        "$schema": SCHEMA,
        "version": VERSION,
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "digest check",
                        "version": version,
                        "rules": [_descriptor(rule) for rule in RULES],
                    }
                },
                "invocations": [{"executionSuccessful": True}],
                "results": results,
            }
        ],
    }


def _descriptor(rule: Rule[Any]) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": f"{rule.wants}."},
        "help": {"text": f"{rule.wants}. To mend it: {rule.mend}."},
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
    }


def _result(finding: Finding, uri: str, has_lines: bool, reasons: Iterable[str]) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": uri}}
    names = [finding.story] if finding.story else []
    if finding.line and has_lines:
        place["region"] = {"startLine": finding.line}
    elif finding.line:
        names.append(f"line {finding.line} of the HTML part")
    location: dict[str, Any] = {"physicalLocation": place}
    if names:
        location["logicalLocations"] = [{"fullyQualifiedName": name} for name in names]
    return {
        "ruleId": finding.rule,
        "ruleIndex": next(i for i, rule in enumerate(RULES) if rule.id == finding.rule),
        "level": _LEVELS[finding.severity],
        "message": {"text": _literal(finding.message)},
        "locations": [location],
        # A list without anything says that the result is not suppressed; no list says nothing.
        "suppressions": [
            {"kind": "external", "status": "accepted", "justification": reason}
            for reason in reasons
        ],
    }


def _literal(message: str) -> str:
    """Return the message with nothing in it that SARIF reads as a placeholder or a link.

    It quotes what strangers wrote, and a single brace is a placeholder's.
    """
    return message.replace("{", "{{").replace("}", "}}").replace("](", "] (")
