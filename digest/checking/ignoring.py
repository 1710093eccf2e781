"""Findings that somebody has looked at and found fine: kept with their reason, blocking nothing."""

import difflib
from collections.abc import Iterable, Mapping

from digest.checking.checks import RULES
from digest.checking.findings import Finding


def without_ignored(
    findings: Iterable[Finding], ignored: Mapping[str, str]
) -> tuple[list[Finding], list[Finding]]:
    """Part the findings whose rule is in `ignored` (rule: reason) from those that stay.

    What may not be ignored stays, whatever `ignored` says.

    Returns:
        The findings that stay and those that are ignored, both in the order that they had.
    """
    fixed = {rule.id for rule in RULES if rule.is_fixed}
    kept: list[Finding] = []
    left: list[Finding] = []
    for finding in findings:
        is_ignored = finding.rule in ignored and finding.rule not in fixed
        (left if is_ignored else kept).append(finding)
    return kept, left


def refusal(rule: str) -> str:
    """Return in half a sentence why the rule cannot be ignored, or "" if it can."""
    by_id = {known.id: known for known in RULES}
    if rule not in by_id:
        near = difflib.get_close_matches(rule[:60], by_id, n=1)
        return "is no check" + (f", but {near[0]} is" if near else "; docs/checks.md lists them")
    if by_id[rule].is_fixed:
        return "may not be ignored: readers could not leave, or would get what nobody meant to send"
    return ""
