"""`digest send --preview`: the due edition as it would go, without sending anything."""

from pathlib import Path
from typing import Any

import click

from digest.cli import previewing
from digest.cli.options import Options, common_options, edition_option, not_blank


@click.command(name="send", short_help="Preview an edition: digest send --preview.")
@edition_option
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
    """Preview an edition: render it as it would go, check it, and show it.

    A preview sends nothing and changes nothing. Only when the store is empty are the sources
    fetched first. With --serve it stays open until Ctrl-C.
    """
    if not is_preview:
        raise click.UsageError(
            "This version previews editions and does not send them yet: digest send --preview"
        )
    return previewing.run(options, chosen)
