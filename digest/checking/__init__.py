"""Checking: the rules that a mail must keep to be read everywhere, and the way out of it.

Pure: HTML and text in, findings out; nothing is fetched, opened or run. docs/checks.md lists all
rules. A rule is a small function over a parsed mail; to add one, write it into the module of its
kind, with its line in the RULES there and in the document.
"""

from digest.checking.checks import RULES, check_html, check_mail
from digest.checking.findings import Finding, Rule, Severity

__all__ = ["RULES", "Finding", "Rule", "Severity", "check_html", "check_mail"]
