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
from jinja2.sandbox import ImmutableSandboxedEnvironment

from digest.errors import RenderError
from digest.rendering.locales import Words
from digest.rendering.plaintext import wrapped

SUFFIX = ".j2"


def make_environment(folders: Sequence[Path], words: Words) -> Environment:
    """Return an environment that looks a template up in `folders`, file by file, first found first.

    Names with ".html" in them are escaped; an unknown variable is an error, never an empty place.
    Templates get at no private attribute of a view and change nothing that they are given. Beside
    Jinja2's own filters there is `wrapped`, for plain text; `_` and `ngettext` speak `words`.
    """
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(folders),
        autoescape=_is_html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_translations(  # type: ignore[attr-defined]  # of the extension
        words.translations, newstyle=True
    )
    environment.filters["wrapped"] = wrapped
    return environment


def _is_html(name: str | None) -> bool:
    return name is None or ".html" in name


def render_template(environment: Environment, name: str, values: Mapping[str, Any]) -> str:
    """Return the rendered template.

    Raises:
        RenderError: It is missing, cannot be read, has a syntax error, uses what does not exist, or
            includes itself without an end.
    """
    try:
        return environment.get_template(name).render(values)
    except TemplateNotFound as error:
        where = _line(error, environment)
        raise RenderError(
            f"{where + ': ' if where else ''}The template {error.name} is missing; "
            "nothing was written.",
            hint="Take it from the starter again, or correct the name that includes it.",
        ) from error
    except TemplateSyntaxError as error:
        raise RenderError(
            f"templates/{error.name or name}, line {error.lineno}: {error.message} "
            "Nothing was written.",
            hint="Correct that line and run it again.",
        ) from error
    except (
        TemplateError,
        ArithmeticError,
        AttributeError,
        LookupError,
        OSError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
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
