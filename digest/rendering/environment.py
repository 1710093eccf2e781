"""Jinja2 as the mail's templates see it, and its errors in plain words."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from traceback import walk_tb
from typing import Any

from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateError,
    TemplateNotFound,
    TemplateSyntaxError,
)

from digest.errors import RenderError

SUFFIX = ".j2"


def make_environment(folders: Sequence[Path]) -> Environment:
    """Return an environment that looks a template up in `folders`, first found first.

    Names with ".html" in them are escaped; an unknown variable is an error, never an empty place.
    """
    return Environment(
        loader=FileSystemLoader(folders),
        autoescape=lambda name: bool(name) and ".html" in str(name),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def render_template(environment: Environment, name: str, values: Mapping[str, Any]) -> str:
    """Return the rendered template.

    Raises:
        RenderError: It is missing, has a syntax error, or uses what does not exist.
    """
    try:
        return environment.get_template(name).render(values)
    except TemplateNotFound as error:
        raise RenderError(
            f"The template {error.name} is missing; nothing was written.",
            hint="Take it from the starter again, or correct the name that includes it.",
        ) from error
    except TemplateSyntaxError as error:
        raise RenderError(
            f"templates/{error.name or name}, line {error.lineno}: {error.message} "
            "Nothing was written.",
            hint="Correct that line and run it again.",
        ) from error
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        # A template runs what its author wrote, so these are faults of the template.
        where = _line(error, environment)
        raise RenderError(
            f"{where or 'templates/' + name}: {error}. Nothing was written.",
            hint="Correct that line; docs/templates.md lists what a template can use.",
        ) from error


def _line(error: BaseException, environment: Environment) -> str:
    """Return "templates/NAME, line N" of the innermost template in the traceback."""
    where = ""
    for frame, line in walk_tb(error.__traceback__):
        path = frame.f_code.co_filename
        if SUFFIX in path and isinstance(environment.loader, FileSystemLoader):
            for folder in environment.loader.searchpath:
                if Path(path).is_relative_to(folder):
                    where = f"templates/{Path(path).relative_to(folder)}, line {line}"
    return where
