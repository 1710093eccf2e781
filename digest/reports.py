"""The account of a send, as a document and as the file that is kept with the edition."""

from pathlib import Path
from typing import Any

import msgspec

from digest.model.deliveries import DeliveryReport
from digest.project import Project
from digest.wholefiles import replace_file

REPORTS = Path("var") / "reports"


def keep_report(project: Project, report: DeliveryReport) -> Path:
    """Write the account into the project's folder; return its path as seen from there."""
    path = REPORTS / project.place / f"{report.edition}.json"
    whole = project.root / path
    whole.parent.mkdir(parents=True, exist_ok=True)
    encoded = msgspec.json.format(msgspec.json.encode(report_document(report)), indent=2)
    replace_file(whole, encoded + b"\n")
    return path


def report_document(report: DeliveryReport) -> dict[str, Any]:
    """Return the account with stable keys, for `--json` and the file."""
    document: dict[str, Any] = msgspec.to_builtins(report)
    return {**document, "balanced": report.is_balanced}
