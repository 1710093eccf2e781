"""`digest config`: the settings and where they come from."""

from typing import Any

import click
import msgspec

from digest.cli.options import Options, common_options
from digest.cli.output import without_secrets


@click.group(name="config", short_help="Show the settings and where they come from.")
@common_options
def command() -> None:
    """Show the settings and where they come from."""


@command.command("show")
@common_options
@click.pass_obj
def show(options: Options) -> None:
    """Show every setting with its value and where that comes from; secrets stay hidden."""
    from digest.project import Project
    from digest.settingsfile import SECRETS

    out = options.output()
    project: Project = options.load_project()
    rows: list[tuple[str, Any, str]] = []
    for section in msgspec.structs.fields(project.settings):
        values = getattr(project.settings, section.name)
        if section.name in ("source", "editor"):
            origin = project.origins.get(section.name, "default")
            rows += [
                (f"{section.name} {s.name!r} {field.encode_name}", getattr(s, field.name), origin)
                for s in values
                for field in msgspec.structs.fields(s)
                if field.name != "name" and getattr(s, field.name) != field.default
            ]
            continue
        for field in msgspec.structs.fields(values):
            name = f"{section.encode_name}.{field.encode_name}"
            value = getattr(values, field.name)
            rows.append((name, value, project.origins.get(name, "default")))
    for name in sorted(SECRETS):
        known = bool(project.secrets.get(name))
        rows.append((name, "set, hidden" if known else "", project.origins.get(name, "not set")))
    out.document(
        {
            "project": "" if project.is_starter else str(project.root),
            "newsletter": project.settings.newsletter.slug,
            "settings": [{"key": k, "value": _masked(v), "origin": o} for k, v, o in rows],
        }
    )
    which = f", newsletter {project.settings.newsletter.slug}" if project.others else ""
    out.line("The packaged sample" if project.is_starter else f"Project {project.root}{which}")
    out.table(("Setting", "Value", "From"), [(k, _shown(v), o) for k, v, o in rows])


def _masked(value: Any) -> Any:
    return without_secrets(value) if isinstance(value, str) else value


def _shown(value: Any) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(str(part) for part in value)
    return str(_masked(value)).replace("\n", " ")
