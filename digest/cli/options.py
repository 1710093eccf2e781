"""The options that every command takes, and what a command gets from them."""

import datetime as dt
import getpass
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

import click

if TYPE_CHECKING:
    from digest.app import App
    from digest.cli.output import Output
    from digest.project import Project

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(slots=True)
class Options:
    """The common options of one run. An option may stand before or after the command's name."""

    project: Path | None = None
    newsletter: str = ""
    json: bool = False
    quiet: bool = False
    verbose: int = 0
    no_color: bool = False
    now: str = ""

    def find_project(self, *, is_shared: bool = False) -> "Project":
        """Find and load the project with the newsletter that is asked for, or else the starter.

        For what all newsletters of a project share (`is_shared`), any of them will do.

        Raises:
            ConfigError: The named folder is no project, or its settings are wrong.
            UsageError: There is no such newsletter, or several and none is named.
        """
        from digest.project import find_project, find_root, newsletters

        slug = self.newsletter
        if is_shared and not slug:
            slug = newsletters(find_root(Path.cwd(), os.environ, self.project), os.environ)[0]
        return find_project(Path.cwd(), os.environ, self.project, slug)

    def load_project(self, *, is_shared: bool = False) -> "Project":
        """Do as `find_project`, and say so when it is the starter."""
        project = self.find_project(is_shared=is_shared)
        if project.is_starter:
            self.output().note("There is no project here, so this is the sample.")
        return project

    def require_project(self, *, is_shared: bool = False) -> "Project":
        """Do as `find_project`.

        Raises:
            UsageError: There is no project, and the starter keeps nothing; and as there.
        """
        from digest.errors import UsageError

        project = self.find_project(is_shared=is_shared)
        if project.is_starter:
            raise UsageError(
                "There is no project here, and the sample keeps nothing.",
                hint="Make a project: digest init DIR",
            )
        return project

    def open_app(
        self, project: "Project | None" = None, *, is_waiting: bool = False, actor: str = ""
    ) -> "App":
        """Open the project's services with the clock that `--now` asks for.

        That clock stands still, unless `is_waiting` says that the command waits for times to come.
        What is done is done by `actor`, or else by whoever runs the command.
        """
        from digest.app import App
        from digest.clocks import FixedClock, MovedClock, SystemClock

        project = project or self.load_project()
        self._start_logging()
        if not self.now:
            return App(project, SystemClock(), actor=actor or _whoami())
        moment = self._moment(project)
        clock = MovedClock(moment) if is_waiting else FixedClock(moment)
        return App(project, clock, actor=actor or _whoami())

    def output(self) -> "Output":
        """Return where results and notes go."""
        from digest.cli.output import Output

        return Output(json=self.json, quiet=self.quiet, color=self._color())

    def _color(self) -> bool:
        return not (self.no_color or os.environ.get("NO_COLOR")) and sys.stdout.isatty()

    def _moment(self, project: "Project") -> dt.datetime:
        try:
            moment = dt.datetime.fromisoformat(self.now)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=ZoneInfo(project.settings.newsletter.timezone))
            return moment.astimezone(dt.UTC)
        except (ValueError, OverflowError) as error:
            raise click.BadParameter(
                f"{self.now!r} is no time; right is for example 2026-11-24T08:00+01:00",
                param_hint="--now",
            ) from error

    def _start_logging(self) -> None:
        from digest.cli.logs import start_logging

        start_logging(self.verbose)


def _whoami() -> str:
    """Return the name under which the audit log keeps what a person does here."""
    try:
        return os.environ.get("DIGEST_EDITOR", "").strip() or getpass.getuser()
    except (KeyError, OSError, ImportError):  # no name belongs to this user's number
        return ""


def common_options(function: Command) -> Command:
    """Add the common options to a command."""
    for option in reversed(
        [
            _common(
                "--project",
                type=click.Path(path_type=Path, file_okay=False),
                metavar="DIR",
                help="The project's folder (default: this one or a parent).",
            ),
            _common(
                "--newsletter",
                metavar="SLUG",
                help="Which newsletter, where the project has several.",
            ),
            _common("--json", is_flag=True, help="Print one JSON document."),
            _common("-q", "--quiet", is_flag=True, help="Say less."),
            _common("-v", "--verbose", count=True, help="Say more."),
            _common("--no-color", is_flag=True, help="No colours (also NO_COLOR)."),
            _common("--now", metavar="ISO", help="Act as if it were this time."),
        ]
    ):
        function = option(function)
    return function


def _common(*names: str, **rest: Any) -> Callable[[Command], Command]:
    """Return an option whose value goes into `Options`."""

    def keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value == "":
            raise click.BadParameter("it is blank.")
        # None, False and 0 mean "not given here": the other place must not be overwritten.
        if value:
            setattr(ctx.find_object(Options), str(parameter.name), value)

    return click.option(*names, expose_value=False, callback=keep, **rest)


def not_blank(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> str:
    """Refuse a blank value: a script's variable that is not set must not choose by chance."""
    if value is not None and not value.strip():
        raise click.BadParameter("it is blank.")
    return value or ""


def none_blank(
    _ctx: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    """Refuse blank values of an option that may be given again."""
    if not all(value.strip() for value in values):
        raise click.BadParameter("it is blank.")
    return values


def edition_option(function: Command) -> Command:
    """Add `--edition` to a command."""
    return click.option(
        "--edition",
        "label",
        callback=not_blank,
        metavar="LABEL",
        help="Which edition, e.g. 2026-W48 (default: the one that is due).",
    )(function)
