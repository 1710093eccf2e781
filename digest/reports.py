"""The account of a send, as a document and as the file that is kept with the edition."""

from pathlib import Path
from typing import Any

import msgspec

from digest.model.deliveries import DeliveryReport
from digest.wholefiles import replace_file

REPORTS = Path("var") / "reports"


def keep_report(root: Path, report: DeliveryReport) -> Path:
    """Write the account into the project at `root`; return its path as seen from there."""
    path = REPORTS / f"{report.edition}.json"
    whole = root / path
    whole.parent.mkdir(parents=True, exist_ok=True)
    encoded = msgspec.json.format(msgspec.json.encode(report_document(report)), indent=2)
    replace_file(whole, encoded + b"\n")
    return path


def report_document(report: DeliveryReport) -> dict[str, Any]:
    """Return the account with stable keys, for `--json` and the file."""
    document: dict[str, Any] = msgspec.to_builtins(report)
    return {**document, "balanced": report.is_balanced}
