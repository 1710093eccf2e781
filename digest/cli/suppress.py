"""`digest suppress`: whom nobody mails again."""

from itertools import islice

import click

from digest.cli.options import Options, common_options
from digest.cli.tables import count
from digest.errors import UsageError
from digest.model.subscribers import SuppressionReason


@click.group(name="suppress", short_help="Say whom nobody mails again.")
@common_options
def command() -> None:
    """Say whom nobody mails again, whatever list they are on."""


@command.command("add")
@click.argument("address")
@click.option(
    "--reason",
    type=click.Choice([str(reason) for reason in SuppressionReason]),
    default=str(SuppressionReason.MANUAL),
    help="Why (default: manual).",
)
@common_options
@click.pass_obj
def add(options: Options, address: str, reason: str) -> None:
    """Never mail an address again; it need not be on the list."""
    out = options.output()
    with options.open_app(options.require_project(is_shared=True)) as app:
        is_new = app.subscriptions.suppress(address, SuppressionReason(reason), now=app.clock.now())
    out.document({"address": address.strip(), "added": is_new})
    out.line(
        "The address is suppressed." if is_new else "It was suppressed before, and stays as it was."
    )


@command.command("list")
@click.option("--limit", type=click.IntRange(1), default=50, help="At most so many.")
@common_options
@click.pass_obj
def show_list(options: Options, limit: int) -> None:
    """List suppressed addresses, newest first."""
    from digest.services.subscriptions import suppression_data

    out = options.output()
    with options.open_app(options.require_project(is_shared=True)) as app:
        found = list(islice(app.subscribers.suppressions(), limit))
    out.document({"suppressions": [suppression_data(one) for one in found]})
    if not found:
        out.line("No address is suppressed.")
        return
    rows = [(s.address, str(s.reason), s.origin, f"{s.since_at:%Y-%m-%d}") for s in found]
    out.table(("Address", "Reason", "Said by", "Since"), rows)


@command.command("remove")
@click.argument("address")
@common_options
@click.pass_obj
def remove(options: Options, address: str) -> None:
    """Mail an address again, if it is on the list and has not left.

    The provider may keep a list of its own, from which it must be taken there.
    """
    out = options.output()
    with options.open_app(options.require_project(is_shared=True)) as app:
        if not app.subscriptions.unsuppress(address):
            raise UsageError(
                "This address is not suppressed; nothing was changed.",
                hint="See them: digest suppress list",
            )
    out.document({"address": address.strip(), "removed": True})
    out.line("The address is no longer suppressed.")


@command.command("sync")
@click.option("--all", "is_whole", is_flag=True, help="Ask for everything, not for what is new.")
@common_options
@click.pass_obj
def sync(options: Options, is_whole: bool) -> None:
    """Take over whom the provider no longer mails, since the last time."""
    out = options.output()
    with options.open_app(options.require_project()) as app:
        number = app.subscriptions.sync(app.transport, now=app.clock.now(), is_whole=is_whole)
        name = app.transport.name
    out.document({"transport": name, "new": number})
    out.line(f"{count(number, 'new suppression')} from {name}.")
