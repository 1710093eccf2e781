"""`digest send`: an edition to its readers, to test addresses, or only to a preview."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from digest.cli import previewing
from digest.cli.options import Options, common_options, edition_option, none_blank, not_blank


@click.command(name="send", short_help="Send an edition, or preview it: --preview.")
@edition_option
@click.option("--yes", is_flag=True, help="Do not ask; needs --expect.")
@click.option(
    "--expect",
    type=click.IntRange(0),
    metavar="N",
    help="The number of readers that you expect; more than 2 % off sends nothing.",
)
@click.option("--resume", is_flag=True, help="Go on with an edition that was paused or cut off.")
@click.option(
    "--no-hold", is_flag=True, help="Let the provider send at once, not at the send time."
)
@click.option(
    "--test",
    multiple=True,
    metavar="ADDRESS",
    callback=none_blank,
    help="Only to this address, marked as a test; may be given again.",
)
@click.option("--preview", "is_preview", is_flag=True, help="Send nothing; show what would go.")
@click.option(
    "--as", "reader", metavar="ADDRESS", callback=not_blank, help="As this reader would get it."
)
@click.option("--sample", is_flag=True, help="With the packaged sample articles.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder to write (default: previews/EDITION/).",
)
@click.option(
    "--format", "form", type=click.Choice(["html", "text", "eml"]), help="Only this part, to -o."
)
@click.option(
    "-o",
    "target",
    type=click.Path(dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Where --format goes; - is standard output.",
)
@click.option("--serve", is_flag=True, help="Serve it here, and reload it when a template changes.")
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    metavar="N",
    help="Where --serve listens on 127.0.0.1 (default: a free port).",
)
@click.option("--open/--no-open", "open_viewer", default=None, help="Open the viewer, or not.")
@click.option("--collect/--no-collect", "may_collect", default=True, help="Fill an empty store.")
@common_options
@click.pass_obj
def command(options: Options, /, is_preview: bool, **chosen: Any) -> int:
    """Send an approved edition to its readers, once to each.

    It shows who gets it and asks for their number, hands it over batch by batch, and ends with a
    report in which everybody is accounted for. A run that was cut off goes on with --resume.

    With --preview nothing is sent and nothing changed: it renders the edition as it would go,
    checks it, and shows it. Only when the store is empty are the sources fetched first. With
    --serve the preview stays open until Ctrl-C.
    """
    _refuse_contradictions(is_preview, chosen)
    if is_preview:
        return previewing.run(options, chosen)
    from digest.cli import sending

    return sending.run_test(options, chosen) if chosen["test"] else sending.run(options, chosen)


# Which options go with which way of using the command, as they are typed.
_OF_PREVIEW = {
    "reader": "--as",
    "sample": "--sample",
    "out": "--out",
    "form": "--format",
    "target": "-o",
    "serve": "--serve",
    "port": "--port",
    "open_viewer": "--open",
}
_OF_SENDING = {"yes": "--yes", "expect": "--expect", "resume": "--resume", "no_hold": "--no-hold"}


def _refuse_contradictions(is_preview: bool, chosen: Mapping[str, Any]) -> None:
    if is_preview and chosen["test"]:
        raise click.UsageError("--preview sends nothing; it does not go with --test.")
    unfit = _OF_SENDING if is_preview or chosen["test"] else {}
    unfit = unfit | ({} if is_preview else _OF_PREVIEW)
    given = [typed for name, typed in unfit.items() if chosen[name] not in (None, "", False, 0)]
    if given:
        mode = "--preview" if is_preview else "--test" if chosen["test"] else "sending"
        raise click.UsageError(f"{given[0]} does not go with {mode}.")
