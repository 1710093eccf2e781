"""What tells an installation and its database from copies: its home, and what it last sent."""

import hashlib
import ipaddress
from pathlib import Path
from typing import Any

from digest.app import App
from digest.model.deliveries import DeliveryReport
from digest.model.editions import Edition
from digest.reports import keep_report
from digest.wholefiles import replace_file

KEPT = "var/last-sent"
MACHINE = Path("/etc/machine-id")


def home(app: App) -> str:
    """Return what names this installation, in letters that tell nothing else about it.

    With SQLite that is its machine and folder, with PostgreSQL the database's address, and its
    machine where the database is on it: two machines may each call theirs "localhost".
    """
    machine = MACHINE.read_text("ascii").strip() if MACHINE.is_file() else ""
    if app.database.is_sqlite:
        place = f"{machine} {app.project.root.resolve()}"
    else:
        place = server_place(app.database.engine.url, machine)
    return hashlib.sha256(place.encode()).hexdigest()[:32]


def server_place(url: Any, machine: str) -> str:
    """Return which database of a server SQLAlchemy's `url` names, as seen from everywhere.

    Args:
        url: PostgreSQL's; its host may stand in the query, and there may be several.
        machine: Names this machine.
    """
    given = (url.host or "", url.query.get("host", ""), url.query.get("hostaddr", ""))
    hosts = [host for each in given for host in _listed(each) if host]
    place = f"{','.join(hosts)} {url.port} {url.database}"
    return f"{machine} {place}" if not hosts or any(map(_is_here, hosts)) else place


def _listed(value: str | tuple[str, ...]) -> list[str]:
    values = [value] if isinstance(value, str) else list(value)
    return [host for each in values for host in each.split(",")]


def _is_here(host: str) -> bool:
    """Tell whether a host is the machine that asks, by its name alone; a path is a socket."""
    name = host.rstrip(".").lower()
    if name.startswith(("/", "@")) or name.partition(":")[0] == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


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
