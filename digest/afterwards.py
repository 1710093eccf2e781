"""What an installation keeps of a send beside the database, so that an old copy of it is known."""

from digest.app import App
from digest.model.deliveries import DeliveryReport
from digest.model.editions import Edition
from digest.reports import keep_report
from digest.wholefiles import replace_file

KEPT = "var/last-sent"


def is_current(app: App) -> bool:
    """Tell whether the database still holds what it held when something was last sent from here."""
    try:
        kept = (app.project.root / KEPT).read_text("ascii").strip()
    except FileNotFoundError:
        return True
    return not kept or app.audit.has(kept)  # it may have held nothing yet


def keep_last(app: App) -> None:
    """Keep the hash of the newest entry of the audit log beside the database."""
    path = app.project.root / KEPT
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, f"{app.audit.last()}\n".encode())


def note_run(app: App, edition: Edition, report: DeliveryReport) -> str:
    """Put down what a run has handed over so far; return the path of the account.

    The entry is new after each run, also between two waves, so a backup from before is known.
    """
    told = f"{report.accepted} of {report.planned} readers accepted"
    app.audit.note(edition.newsletter, edition.period.label, "handed over", [told])
    keep_last(app)
    return str(keep_report(app.project, report))
