"""The list of all rules, and what applies them."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from digest.checking import clients, document, links, mail, structure, style
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
RULES: tuple[Rule[Any], ...] = (*HTML_RULES, *mail.RULES, *clients.RULES)
"""All rules in the order in which they are applied."""


def check_html(html: str) -> list[Finding]:
    """Return what is wrong in any HTML, the worst first: the rules that need nothing else."""
    parsed = Document(html)
    return worst_first(_apply(HTML_RULES, parsed, parsed))


def check_clients(html: str, names: Sequence[str]) -> list[Finding]:
    """Return what the clients in `names` (see `client_names`) lack of what the HTML uses."""
    parsed = Document(html)
    reading = clients.Reading(parsed, names)
    # Each finding is about another feature, so none may be left out as more of the same.
    return worst_first(_apply(clients.RULES, reading, parsed, most=None))


def check_message(html: str, *, text: str, subject: str) -> list[Finding]:
    """Return what is wrong in one reader's mail, the worst first, without knowing its edition."""
    parsed = Document(html)
    letter = Letter(
        document=parsed,
        text=text,
        subject=subject,
        preheader="",
        tokens={},
        postal_address="",
        known=joined(" ".join(run.text for run in parsed.visible)),
        is_filled=True,
    )
    found = [*_apply(HTML_RULES, parsed, parsed), *_apply(mail.MESSAGE_RULES, letter, parsed)]
    return worst_first(found)


def check_letter(
    html: str, *, text: str, subject: str, preheader: str, postal_address: str, known: str
) -> list[Finding]:
    """Return what is wrong in a mail that somebody asked for, the worst first.

    Args:
        html: The HTML part, filled in for somebody.
        text: The text part, likewise.
        subject: The subject.
        preheader: The line that inboxes show after the subject.
        postal_address: The sender's address, one or more lines.
        known: What people wrote who made neither the templates nor the letter.
    """
    parsed = Document(html, [(known, "", "")])
    letter = Letter(
        document=parsed,
        text=text,
        subject=subject,
        preheader=preheader,
        tokens={},
        postal_address=postal_address,
        known=joined(known),
        is_filled=True,
    )
    found = [*_apply(HTML_RULES, parsed, parsed), *_apply(mail.LETTER_RULES, letter, parsed)]
    return worst_first(found)


def check_mail(  # noqa: PLR0913 - these parts are what a mail is
    html: str,
    *,
    text: str,
    subject: str,
    preheader: str,
    stories: Sequence[tuple[str, str, str]],
    tokens: Mapping[str, int],
    postal_address: str,
    weights: Mapping[str, int] | None = None,
    also: Sequence[tuple[str, str]] = (),
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
        weights: Bytes of the pictures that are at hand, by URL.
        also: Headline and URL of each article that is merged into a story.
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
        weights=weights or {},
        also=also,
    )
    found = [*_apply(HTML_RULES, parsed, parsed), *_apply(mail.RULES, letter, parsed)]
    return worst_first(found)


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings of one mail by severity, by the order of the rules, and by line."""
    severities = list(Severity)
    order = {rule.id: number for number, rule in enumerate(RULES)}

    def place(finding: Finding) -> tuple[int, int, float]:
        line = finding.line or math.inf  # what has no line is about the whole, or about the rest
        return severities.index(finding.severity), order[finding.rule], line

    return sorted(findings, key=place)


def _apply(
    rules: Sequence[Rule[T]], subject: T, parsed: Document, most: int | None = MOST
) -> Iterator[Finding]:
    for rule in rules:
        faults = iter(rule.find(subject))
        for fault in islice(faults, most):
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
