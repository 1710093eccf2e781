"""`digest db`: look after the database."""

import click

from digest.cli.options import Options, common_options


@click.group(name="db", short_help="Look after the database.")
@common_options
def command() -> None:
    """Look after the database."""


@command.command("upgrade")
@common_options
@click.pass_obj
def upgrade(options: Options) -> None:
    """Bring the database's schema up to date.

    A new database gets its tables by itself; this is needed after an update of digest.
    """
    from digest.upgrading import upgrade_database

    out = options.output()
    before, after = upgrade_database(options.load_project(is_shared=True))
    out.document({"before": before, "after": after})
    if before == after:
        out.line(f"The database has schema {after} already; nothing was changed.")
    elif before:
        out.line(f"The database was brought from schema {before} to {after}.")
    else:
        out.line(f"The database was made with schema {after}.")
