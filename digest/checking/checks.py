"""The list of all rules, and what applies them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from digest.checking import document, links, mail, structure, style
from digest.checking.findings import Fault, Finding, Rule, Severity
from digest.checking.mail import Letter
from digest.checking.parsing import Document
from digest.checking.words import joined, printable

MOST = 10
"""Findings of one rule; a template's fault repeats with every story, and ten show the kind."""

T = TypeVar("T")
HTML_RULES: tuple[Rule[Document], ...] = (
    *document.RULES,
    *structure.RULES,
    *links.RULES,
    *style.RULES,
)
RULES: tuple[Rule[Any], ...] = (*HTML_RULES, *mail.RULES)
"""All rules in the order in which they are applied."""


def check_html(html: str) -> list[Finding]:
    """Return what is wrong in any HTML, the worst first: the rules that need nothing else."""
    parsed = Document(html)
    return _sorted(_apply(HTML_RULES, parsed, parsed))


def check_mail(  # noqa: PLR0913 - these parts are what a mail is
    html: str,
    *,
    text: str,
    subject: str,
    preheader: str,
    stories: Sequence[tuple[str, str, str]],
    tokens: Mapping[str, int],
    postal_address: str,
) -> list[Finding]:
    """Return what is wrong in a rendered mail, the worst first; equal mails, equal findings.

    Args:
        html: The HTML part, with the tokens of `digest.merging` in place of a reader's values.
        text: The text part, likewise.
        subject: The subject.
        preheader: The line that inboxes show after the subject.
        stories: Headline, URL and summary of each story, in the order of their ranks.
        tokens: How often each token must stand in the HTML.
        postal_address: The sender's address, one or more lines.
    """
    parsed = Document(html, stories)
    letter = Letter(
        document=parsed,
        text=text,
        subject=subject,
        preheader=preheader,
        tokens=tokens,
        postal_address=postal_address,
        known=joined(" ".join(part for story in stories for part in story)),
    )
    found = [*_apply(HTML_RULES, parsed, parsed), *_apply(mail.RULES, letter, parsed)]
    return _sorted(found)


def _apply(rules: Sequence[Rule[T]], subject: T, parsed: Document) -> Iterator[Finding]:
    for rule in rules:
        faults = iter(rule.find(subject))
        for fault in islice(faults, MOST):
            yield _finding(rule, fault, parsed)
        if more := sum(1 for _fault in faults):
            yield _finding(rule, Fault(f"{more:,} more like these are not listed"), parsed)


def _finding(rule: Rule[T], fault: Fault, parsed: Document) -> Finding:
    what = printable(fault.what[:1].upper() + fault.what[1:])  # a tag may have any name
    line = fault.line or (fault.element.sourceline or 0 if fault.element is not None else 0)
    return Finding(
        rule=rule.id,
        severity=rule.severity,
        message=f"{what}; {rule.mend}.",
        story=parsed.story_of(fault.element),
        line=line,
    )


def _sorted(findings: Iterator[Finding] | list[Finding]) -> list[Finding]:
    severities = list(Severity)
    order = {rule.id: number for number, rule in enumerate(RULES)}

    def place(finding: Finding) -> tuple[int, int, float]:
        line = finding.line or math.inf  # what has no line is about the whole, or about the rest
        return severities.index(finding.severity), order[finding.rule], line

    return sorted(findings, key=place)
