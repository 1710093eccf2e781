"""The `digest` command: a lazy group, so that `--help` and completion stay quick."""

import errno
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from digest import __version__, errors
from digest.cli.options import Options, common_options

# Name: (module with a click command `command`, one line for --help).
COMMANDS = {
    "init": ("digest.cli.init", "Make a new project in a folder."),
    "collect": ("digest.cli.collect", "Fetch the sources into the store."),
    "rank": ("digest.cli.rank", "Show the candidates in order, and why."),
    "edition": ("digest.cli.edition", "Draft, curate, freeze and approve an edition."),
    "check": ("digest.cli.check", "Look for faults in a mail."),
    "schedule": ("digest.cli.schedule", "Show which editions come, and let them come."),
    "tick": ("digest.cli.tick", "Do once what the schedule would do now."),
    "send": ("digest.cli.send", "Send an edition, or preview it: --preview."),
    "audit": ("digest.cli.audit", "Show and verify who did what to editions."),
    "delivery": ("digest.cli.delivery", "See, pause, settle and prove what was sent."),
    "stats": ("digest.cli.stats", "Show what became of the editions, in numbers."),
    "subscribers": ("digest.cli.subscribers", "Import, export and look after the readers."),
    "suppress": ("digest.cli.suppress", "Say whom nobody mails again."),
    "serve": ("digest.cli.serve", "Serve the pages, and let the editions come."),
    "source": ("digest.cli.source", "List, try and add sources."),
    "config": ("digest.cli.config", "Show the settings and where they come from."),
    "keys": ("digest.cli.keys", "Look after the secret keys of readers' links."),
    "db": ("digest.cli.db", "Look after the database."),
}

# The exit codes of docs/cli.md; the first class that fits counts.
EXIT_CODES: tuple[tuple[type[errors.DigestError], int], ...] = (
    (errors.ConfigError, 3),
    (errors.SchemaMismatch, 3),
    (errors.RenderError, 3),
    (errors.UsageError, 2),
    (errors.NothingToSend, 4),
    (errors.ChecksFailed, 5),
    (errors.TransportError, 6),
    (errors.NotApproved, 8),
    (errors.HeldElsewhere, 9),
    (errors.DigestError, 1),
)
INTERRUPTED = 130


class LazyGroup(click.Group):
    """Imports a command's module only when that command runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command, or None."""
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(COMMANDS[cmd_name][0]).command
        assert isinstance(command, click.Command)  # noqa: S101  # a slip in the table above
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or name the nearest one."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            close = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {close[0]}?" if close else " See: digest --help"
            raise click.UsageError(f"There is no command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, importing none."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="digest")
@common_options
def cli() -> None:
    """Collect a week of app news, rank it, and mail it as one good digest.

    Start with: digest send --preview
    """


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; every error becomes a sentence on stderr."""
    options = Options()
    try:
        result = cli.main(
            args=list(arguments) if arguments is not None else None,
            prog_name="digest",
            standalone_mode=False,
            obj=options,
        )
        return result if isinstance(result, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("\nStopped. Nothing half-done is kept; run it again to go on.", err=True)
        return INTERRUPTED
    except errors.DigestError as error:
        _tell(error.message, error.hint)
        if options.verbose and error.__cause__ is not None:
            click.echo(f"  Cause: {type(error.__cause__).__name__}: {error.__cause__}", err=True)
        return next(code for kind, code in EXIT_CODES if isinstance(error, kind))
    except BrokenPipeError:
        # The reader of our output went away (`| head`); the rest would only fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if options.verbose:
            raise
        _tell(*_explain_os_error(error))
        return 1
    except Exception as error:  # the last stop: a person reads it, not a traceback
        if options.verbose:
            raise
        _tell(
            f"Something unexpected happened ({type(error).__name__}). Nothing half-done is kept.",
            "Run it again with -v for the details, and report it as a bug.",
        )
        return 1


def _explain_os_error(error: OSError) -> tuple[str, str]:
    where = f" {_place(str(error.filename))}" if error.filename else ""
    reasons = {
        errno.ENOSPC: ("The disk is full", "Free some space and run it again."),
        errno.EDQUOT: ("The disk quota is used up", "Free some space and run it again."),
        errno.EROFS: ("The folder is read-only:" + where, "Choose another place."),
        errno.EACCES: ("This may not be written or read:" + where, "Check its permissions."),
        errno.EPERM: ("This is not permitted:" + where, "Check its permissions."),
        errno.ENOTDIR: ("This is not a folder:" + where, "Choose another place."),
        errno.EEXIST: ("This exists already:" + where, "Choose another place."),
        errno.ENOENT: ("This does not exist:" + where, "Check the path."),
    }
    what, hint = reasons.get(
        error.errno or 0, (f"The system refused: {error.strerror or type(error).__name__}", "")
    )
    return f"{what}. Nothing half-written is kept.", hint


def _place(name: str) -> str:
    """Return the folder instead of a file that is only there while something is written."""
    folder, _, last = name.rpartition("/")
    return folder if ".digest-" in last or last.endswith((".digest-new", ".digest-old")) else name


def _tell(message: str, hint: str = "") -> None:
    from digest.cli.output import plain

    click.secho("Error: ", fg="red", bold=True, nl=False, err=True)
    click.echo(plain(message), err=True)
    if hint:
        click.echo(f"  {plain(hint)}", err=True)


def main() -> NoReturn:
    """Run the command line of this process."""
    sys.exit(run())
