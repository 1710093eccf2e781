"""`digest subscribers`: import, export, see, add, remove and erase readers."""

import datetime as dt
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from digest.app import App
from digest.cli import importing
from digest.cli.options import Options, common_options, not_blank
from digest.cli.tables import count
from digest.errors import NotApproved, UsageError
from digest.model.subscribers import Frequency, Subscriber, SubscriberState, Suppression

COLUMNS = ("email", "first_name", "topics", "frequency", "language", "timezone")
STANDING = ("state", "joined_at", "left_at", "left_by", "origin")
UNKNOWN = "There is no reader with this address."
SEARCH = "Search: digest subscribers list --search TEXT"


@click.group(name="subscribers", short_help="Import, export and look after the readers.")
@common_options
def command() -> None:
    """Import, export and look after the readers."""


command.add_command(importing.command)


@command.command("export")
@click.argument(
    "path", metavar="[FILE]", default="-", type=click.Path(dir_okay=False, allow_dash=True)
)
@click.option(
    "--state",
    type=click.Choice(["active", "left", "all"]),
    default="active",
    help="Who gets mail (default), who has left, or everybody.",
)
@common_options
@click.pass_obj
def export(options: Options, path: str, state: str) -> None:
    """Write the readers as a CSV file that can be imported again; - is standard output.

    With `left` and `all` it also has columns that say who has left, and so is refused by an import.
    """
    from digest.listfiles import new_list, write_list

    out = options.output()
    if path == "-" and options.json:
        raise click.UsageError("--json needs a FILE to export to.")
    header = COLUMNS if state == "active" else (*COLUMNS, *STANDING)
    with options.open_app(options.require_project()) as app:
        rows = _exported(app, state)
        if path == "-":
            with click.open_file("-", "w", encoding="utf-8") as stream:
                write_list(stream, header, rows)
            return
        with new_list(Path(path)) as file:
            number = write_list(file, header, rows)
    out.document({"file": path, "state": state, "rows": number})
    out.line(f"Wrote {count(number, 'reader')} to {path}, readable by its owner alone.")


def _exported(app: App, state: str) -> Iterator[Sequence[str]]:
    slug = app.project.settings.newsletter.slug
    for one in app.subscribers.subscribers(slug, is_mailed=state == "active"):
        topics = "; ".join(one.topics)
        chosen = (topics, one.frequency, one.language, one.timezone)
        row = (one.address, one.first_name, *chosen)
        if state == "active":
            yield row
        elif state in ("all", one.state):
            left_at = one.left_at.isoformat() if one.left_at else ""
            yield (*row, one.state, one.joined_at.isoformat(), left_at, one.left_by, one.origin)


@command.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, help="At most so many.")
@click.option(
    "--search", "text", callback=not_blank, metavar="TEXT", help="In the address or first name."
)
@common_options
@click.pass_obj
def show_list(options: Options, limit: int, text: str) -> None:
    """List readers, newest first, and count them all."""
    from digest.services.subscriptions import subscriber_data

    out = options.output()
    with options.open_app(options.require_project()) as app:
        slug = app.project.settings.newsletter.slug
        counts = app.subscribers.subscriber_counts(slug)
        found = app.subscribers.find_subscribers(slug, text, limit=limit)
        suppressed = {one.key: app.subscribers.suppression(one.key) for one in found}
    out.document(
        {
            "counts": dict(counts),
            "subscribers": [subscriber_data(one, suppressed[one.key]) for one in found],
        }
    )
    if found:
        out.table(
            ("Address", "First name", "Topics", "Frequency", "Language", "State"),
            [
                (
                    one.address,
                    one.first_name,
                    "; ".join(one.topics) or "everything",
                    str(one.frequency),
                    one.language,
                    _state(one, suppressed[one.key]),
                )
                for one in found
            ],
        )
    elif text:
        out.line("Nobody is found.")
    else:
        out.line("The list is empty. Bring in readers: digest subscribers import FILE.csv")
    told = ", ".join(f"{number:,} {state}" for state, number in counts.items())
    if told:
        out.line(f"On the list: {told}.")


@command.command("show")
@click.argument("address")
@common_options
@click.pass_obj
def show(options: Options, address: str) -> None:
    """Show all that is stored about a reader: what they chose, were sent and did.

    With --json it is the copy of the data that a person can ask for.
    """
    out = options.output()
    with options.open_app(options.require_project()) as app:
        data = app.subscriptions.data_about(address)
        if not any(data.values()):
            if app.subscriptions.is_erased(address):
                raise UsageError("This address was erased; nothing but a keyed hash of it is kept.")
            raise UsageError(UNKNOWN, hint=SEARCH)
        now = app.clock.now()
    out.document(data)
    for name, value in _lines(data, now):
        out.line(f"  {name:<11} {value}")
    for columns, rows in _tables(data):
        if rows:
            out.line()
            out.table(columns, rows)


def _lines(data: Mapping[str, Any], now: dt.datetime) -> Iterator[tuple[str, str]]:
    one, suppression = data["subscriber"], data["suppression"]
    if one is not None:
        yield "Address", one["address"]
        yield "First name", one["first_name"] or "–"
        yield "Topics", "; ".join(one["topics"]) or "everything"
        yield "Frequency", one["frequency"]
        yield "Language", one["language"] or "the newsletter's own"
        yield "Time zone", one["timezone"] or "the newsletter's own"
        yield "Joined", f"{one['joined_at'][:10]}, {one['origin']}"
        if one["paused_until_at"] and dt.datetime.fromisoformat(one["paused_until_at"]) > now:
            yield "Paused", f"until {one['paused_until_at'][:10]}"
        if one["is_uncounted"]:
            yield "Votes", "do not count, as they asked"
        if one["left_at"]:
            edition = f", from {one['left_edition']}" if one["left_edition"] else ""
            yield "Left", f"{one['left_at'][:10]}, by {one['left_by']}{edition}"
        if one["left_why"]:
            yield "Said why", one["left_why"]
    if data["other_newsletters"]:
        yield "Also reads", ", ".join(other["newsletter"] for other in data["other_newsletters"])
    if suppression is not None:
        told = f"{suppression['reason']}, said {suppression['origin']}"
        yield "Suppressed", f"{told} on {suppression['since_at'][:10]}"


def _tables(data: Mapping[str, Any]) -> Iterator[tuple[Sequence[str], list[Sequence[str]]]]:
    """Yield columns and rows of what the reader was sent, what they voted and what they asked for.

    Instants are in UTC.
    """
    editions = ("edition", "state", "reason", "reported")
    yield (
        ("Edition", "State", "Why", "Reported"),
        [[str(line[name]) for name in editions] for line in data["history"]],
    )
    yield (
        ("Edition", "Story", "Stars>", "Voted on"),
        [
            (v["edition"], v["title"] or str(v["article_id"]), str(v["stars"]), v["at"][:10])
            for v in data["votes"]
        ],
    )
    yield (
        ("Letter", "State", "Why", "Asked for on"),
        [(x["kind"], x["state"], x["reason"], x["asked_at"][:10]) for x in data["letters"]],
    )


def _topics(
    _ctx: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    """Refuse blank topics: they would choose everything by chance."""
    if not all(value.strip(" ;") for value in values):
        raise click.BadParameter("it is blank. Who wants everything again: --all-topics")
    return values


@command.command("add")
@click.argument("address")
@click.option(
    "--first-name", metavar="NAME", help="The name in the mail's To line; no theme greets by it."
)
@click.option(
    "--topics",
    multiple=True,
    callback=_topics,
    metavar="TOPIC",
    help="What the reader wants; may be given again (default: everything).",
)
@click.option("--all-topics", is_flag=True, help="The reader wants everything again.")
@click.option("--frequency", type=click.Choice([str(f) for f in Frequency]), help="How often.")
@click.option("--language", metavar="TAG", help="A tag such as en or pt-BR.")
@click.option("--timezone", metavar="ZONE", help="An IANA name such as Europe/Berlin.")
@click.option(
    "--origin",
    default="added by an admin",
    callback=not_blank,
    metavar="TEXT",
    help="Where the reader said yes.",
)
@common_options
@click.pass_obj
def add(options: Options, /, address: str, origin: str, all_topics: bool, **chosen: Any) -> None:
    """Add a reader, or change what a known one chose.

    Nobody who left, is suppressed or was erased comes back by it.
    """
    from digest.services.subscriptions import Choices

    if all_topics and chosen["topics"]:
        raise click.UsageError("--topics and --all-topics contradict each other.")
    given = {name: value for name, value in chosen.items() if value not in (None, ())}
    if all_topics:
        given["topics"] = ()
    if "frequency" in given:
        given["frequency"] = Frequency(given["frequency"])
    out = options.output()
    with options.open_app(options.require_project()) as app:
        choices = Choices(**given, changing=frozenset(given))
        added = app.subscriptions.add(address, choices, origin=origin, now=app.clock.now())
    done = "added" if added.new else "changed" if added.updated else "known"
    out.document({"address": address.strip(), "result": done})
    out.line(
        {
            "added": "The reader is on the list. Nothing was sent.",
            "changed": "The reader is known already, and was changed.",
            "known": "The reader is on the list already, as they are.",
        }[done]
    )


@command.command("remove")
@click.argument("address")
@common_options
@click.pass_obj
def remove(options: Options, address: str) -> None:
    """Record that a reader has left; no import and no command brings them back."""
    out = options.output()
    with options.open_app(options.require_project()) as app:
        is_new = app.subscriptions.remove(address, now=app.clock.now())
    out.document({"address": address.strip(), "removed": is_new})
    out.line("The reader has left the list." if is_new else "The reader had left before.")


@command.command("erase")
@click.argument("address")
@click.option("--yes", is_flag=True, help="Do not ask.")
@common_options
@click.pass_obj
def erase(options: Options, address: str, yes: bool) -> None:
    """Delete all that is stored about an address, for good; it stays unmailable.

    What is left is a keyed hash, by which an import knows the address again. Give the person a copy
    of their data first, if they want one: digest subscribers show ADDRESS --json
    """
    from digest.normalising.addresses import address_key
    from digest.services.subscriptions import parsed

    out = options.output()
    key = address_key(parsed(address))
    if not yes:
        if not sys.stdin.isatty():
            raise NotApproved(
                "Nobody is here to confirm it; nothing was erased.", hint="In a script: --yes"
            )
        typed = click.prompt("Type the address again to erase it", default="", err=True)
        if typed.strip().casefold() != key:
            raise NotApproved("That is not the address; nothing was erased.")
    with (
        options.open_app(options.require_project()) as app,
        app.store.hold(importing.HOLD),
    ):
        number = app.subscriptions.erase(address, now=app.clock.now())
    out.document({"erased": number})
    if number:
        out.line("Erased. No import brings this address back.")
    else:
        out.line("The address was on no list; from now on no import brings it in.")


def _state(one: Subscriber, suppression: Suppression | None) -> str:
    if one.state is SubscriberState.LEFT or suppression is None:
        return str(one.state)
    return f"suppressed: {suppression.reason}"
