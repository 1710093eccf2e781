"""`digest init`: make a new project in a folder."""

import shlex
import sys
from pathlib import Path

import click

from digest.cli.options import Options, common_options

# Setting: (option, question). At most five, and each can be answered by its option.
QUESTIONS = {
    "newsletter.name": ("name", "Name of the newsletter"),
    "newsletter.from": ("sender", "Sender, as Name <address>"),
    "newsletter.public_url": ("public_url", "Public address of its web pages"),
    "newsletter.timezone": ("timezone", "Time zone"),
    "newsletter.postal_address": ("postal_address", "Postal address for the footer"),
}


@click.command(name="init", short_help="Make a new project in a folder.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--name", help="Name of the newsletter.")
@click.option("--from", "sender", metavar="SENDER", help='Sender: "Name <address>".')
@click.option("--public-url", metavar="URL", help="Where its web pages will be.")
@click.option("--timezone", metavar="ZONE", help="Time zone, e.g. Europe/Berlin.")
@click.option("--postal-address", metavar="TEXT", help="Postal address for the footer.")
@common_options
@click.pass_obj
def command(options: Options, /, folder: Path, **answers: str | None) -> None:
    """Make a new project in DIR: settings, templates, and a sample to start from.

    Nothing that is there already is overwritten. On a terminal, up to five questions are asked;
    Enter takes the answer in brackets.
    """
    from digest.configfile import with_values
    from digest.project import CONFIG, load, starter_root
    from digest.starter import make_project

    out = options.output()
    starter = load(starter_root(), {})
    defaults = {name: str(_default(starter.settings, name)) for name in QUESTIONS}
    offered = dict(defaults)
    ask = sys.stdin.isatty() and not options.quiet and not (folder / CONFIG).exists()
    values: dict[str, str] = {}
    for name, (option, question) in QUESTIONS.items():
        answer = answers[option]
        if answer is None and ask:
            answer = click.prompt(question, default=offered[name], err=True)
        answer = offered[name] if answer is None else answer
        if answer != defaults[name]:
            values[name] = answer
        if name == "newsletter.name":
            offered["newsletter.from"] = _sender(answer, defaults["newsletter.from"])
    if "newsletter.name" in values:
        values["newsletter.slug"] = slug(values["newsletter.name"])
    load(folder, {}, text=with_values("", values))  # nothing is written for a wrong answer
    made = make_project(folder, values)
    out.document(
        {"folder": str(made.folder), "written": list(made.written), "kept": list(made.kept)}
    )
    out.line(f"Made a project in {folder}: {len(made.written)} files.")
    if made.kept:
        out.line(f"Kept as they were: {', '.join(made.kept)}")
    out.line("Next:")
    out.line(f"  cd {shlex.quote(str(folder))}")
    out.line("  digest send --preview")
    out.line("  digest source add NAME URL")


def _default(settings: object, name: str) -> object:
    import msgspec

    section, _, key = name.partition(".")
    table = getattr(settings, section)
    [field] = [f for f in msgspec.structs.fields(table) if f.encode_name == key]
    return getattr(table, field.name)


def _sender(name: str, usual: str) -> str:
    """Return the sender `usual` with another name: a mail comes from the newsletter it is."""
    from email.headerregistry import Address
    from email.utils import parseaddr

    if not name.isprintable():
        return usual  # no header holds such a name
    return str(Address(name, addr_spec=parseaddr(usual)[1]))


def slug(name: str) -> str:
    """Return a name for headers and the database: letters, digits and single hyphens."""
    import re
    import unicodedata

    plain = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].strip("-") or "newsletter"
