"""Checking: the rules that a mail must keep to be read everywhere, and the way out of it.

Pure: HTML and text in, findings out; nothing is fetched or run, and nothing is opened but the
table of clients that comes with the package. docs/checks.md lists all rules. A rule is a small
function over a parsed mail; to add one, write it into the module of its kind, with its line in the
RULES there and in the document.
"""

from digest.checking.checks import (
    RULES,
    check_clients,
    check_html,
    check_letter,
    check_mail,
    check_message,
    worst_first,
)
from digest.checking.clients import CLIENTS, client_names
from digest.checking.findings import Finding, Rule, Severity
from digest.checking.ignoring import refusal, without_ignored
from digest.checking.messages import Parts, read_message
from digest.checking.sarif import sarif

__all__ = [
    "CLIENTS",
    "RULES",
    "Finding",
    "Parts",
    "Rule",
    "Severity",
    "check_clients",
    "check_html",
    "check_letter",
    "check_mail",
    "check_message",
    "client_names",
    "read_message",
    "refusal",
    "sarif",
    "without_ignored",
    "worst_first",
]
