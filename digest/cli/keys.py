"""`digest keys`: the secret keys of readers' links, of which nobody is shown one."""

import datetime as dt
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from digest.app import App
from digest.cli.options import Options, common_options
from digest.cli.tables import count
from digest.errors import NotApproved, UsageError

HOLD = "keys"
MARGIN = dt.timedelta(minutes=2)
"""A batch that is claimed with one key may be filled in with the next, which came meanwhile."""

Dates = Mapping[int, dt.datetime | None]


@click.group(name="keys", short_help="Look after the secret keys of readers' links.")
@common_options
def command() -> None:
    """Look after the secret keys of readers' links.

    The newest makes the links; all in the file read them. No command shows a key.
    """


@command.command("list")
@common_options
@click.pass_obj
def show_list(options: Options) -> None:
    """List the keys' numbers, and what stands on each."""
    from digest.keyfile import key_dates

    out = options.output()
    with options.open_app(options.require_project(is_shared=True)) as app:
        path = _path(app)
        dates = key_dates(path)
        made = {number: _editions(app, dates, number) for number in dates}
        out.document({"file": str(path), "keys": [_document(dates, made, n) for n in dates]})
        zone = ZoneInfo(app.project.settings.newsletter.timezone)
        rows = [
            (
                str(number),
                "makes links" if number == max(dates) else "reads links",
                f"{since.astimezone(zone):%Y-%m-%d %H:%M}" if since else "—",
                f"{len(made[number]):,}",
            )
            for number, since in dates.items()
        ]
        out.line(f"The keys in {path}; times in {zone.key}.")
        out.table(("Key>", "", "Since", "Editions with its links>"), rows)


@command.command("rotate")
@common_options
@click.pass_obj
def rotate(options: Options) -> None:
    """Add a new key, which makes the links from now on.

    Links in mails that went out stay valid. What runs takes the new key by itself.
    """
    from digest.keyfile import rotate_keys

    out = options.output()
    with options.open_app(options.require_project(is_shared=True)) as app:
        path = _path(app)
        with app.database.hold(HOLD):
            number = rotate_keys(path, now=app.clock.now())
        slug = app.project.settings.newsletter.slug
        app.audit.note(slug, "", "rotated the keys", [f"key {number} makes the links"])
        out.document({"file": str(path), "key": number})
        out.line(f"Key {number} makes the links from now on. Older links stay valid.")
        out.note(f"Make a backup of {path} now: its links are dead without it.")


@command.command("drop")
@click.argument("number", type=click.IntRange(1))
@click.option("--yes", is_flag=True, help="Do not ask.")
@common_options
@click.pass_obj
def drop(options: Options, number: int, yes: bool) -> None:
    """Take an old key out: the links that it made are dead from then on.

    Who opens such a link can have new ones by mail; one click in a mail program no longer takes
    anybody off the list. It is for a key that somebody else may have seen.
    """
    from digest.keyfile import drop_key, key_dates

    out = options.output()
    with options.open_app(options.require_project(is_shared=True)) as app:
        path = _path(app)
        with app.database.hold(HOLD):
            dates = key_dates(path)
            lost: Sequence[tuple[str, str]] = ()
            if number in dates and number != max(dates):  # what else is refused below
                lost = _editions(app, dates, number)
                out.note(_warning(dates, number, lost))
                _confirm(number, is_confirmed=yes)
            drop_key(path, number)
        slug = app.project.settings.newsletter.slug
        app.audit.note(slug, "", "dropped a key", [f"key {number} reads links no more"])
        out.document({"file": str(path), "dropped": number, "editions": _labels(lost)})
        out.line(f"Key {number} is gone, and with it the links that it made.")


def _path(app: App) -> Path:
    """Return where the keys are.

    Raises:
        UsageError: There are none yet.
    """
    from digest.storage.keyuse import needs_its_keys

    path = app.project.keys_path
    if not path.exists() and not needs_its_keys(app.database):
        raise UsageError(
            "There are no keys yet; nothing was done.",
            hint="The first mail or page that needs them makes them.",
        )
    return path


def _span(dates: Dates, number: int) -> tuple[dt.datetime | None, dt.datetime | None]:
    """Return between when batches that have its links were claimed, each None if nobody knows."""
    since = [at for other, at in dates.items() if at is not None and other <= number]
    until = [at for other, at in dates.items() if at is not None and other > number]
    return (
        max(since) - MARGIN if since else None,
        min(until) + MARGIN if until else None,
    )


def _editions(app: App, dates: Dates, number: int) -> Sequence[tuple[str, str]]:
    from digest.storage.keyuse import handed_over

    since, until = _span(dates, number)
    return handed_over(app.database, since=since, until=until)


def _labels(found: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"newsletter": newsletter, "edition": label} for newsletter, label in found]


def _document(
    dates: Dates, made: Mapping[int, Sequence[tuple[str, str]]], number: int
) -> Mapping[str, object]:
    return {
        "key": number,
        "makes_links": number == max(dates),
        "since": dates[number],
        "editions": _labels(made[number]),
    }


def _warning(dates: Dates, number: int, lost: Sequence[tuple[str, str]]) -> str:
    """Return whose links die, in words; where the file has no dates it may be fewer."""
    above = min(other for other in dates if other > number)
    is_known = dates[above] is not None and (dates[number] is not None or number == min(dates))
    editions = f"{'' if is_known else 'at most '}{count(len(lost), 'sent edition')}"
    if lost:
        first, last = lost[0][1], lost[-1][1]
        editions += f" ({first} to {last})" if first != last else f" ({first})"
    return (
        f"With key {number} die the links in the mails of {editions}, "
        "and those of its time in letters and to editors."
    )


def _confirm(number: int, *, is_confirmed: bool) -> None:
    if is_confirmed:
        return
    if not sys.stdin.isatty():
        raise NotApproved(
            "Nobody is here to confirm it; nothing was changed.",
            hint=f"In a script: digest keys drop {number} --yes",
        )
    typed = click.prompt("Type the number of the key to drop it", default="", err=True)
    if typed.strip() != str(number):
        raise NotApproved("That is not the number; nothing was changed.")
