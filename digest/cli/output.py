"""What people and scripts see: results on stdout, notes on stderr."""

import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click
import msgspec

from digest.normalising.text import clean_text


def plain(text: str) -> str:
    """Return `text` without anything that could steer a terminal; line ends and blanks stay."""
    return re.sub(r"[^ \n]+", lambda word: clean_text(word[0]), text)


# A database's password may hold anything; in a web address an "@" may stand in the path.
_LOGIN = re.compile(r"(?s)(?<=postgresql://).*@|(?<=psycopg://).*@|(?<=://)[^/?#\s]*@")
_SECRET = re.compile(r"(?<=[?&])(password|pass|token|key|secret)=[^&#\s]*", re.IGNORECASE)


def without_secrets(address: str) -> str:
    """Return an address without the name, the password and the tokens in it."""
    return _SECRET.sub(r"\1=…", _LOGIN.sub("…@", address))


WIDTH = 120
"""Columns of a table that goes into a file or a pipe."""


class Output:
    """Prints in the form that was asked for."""

    def __init__(self, *, json: bool, quiet: bool, color: bool) -> None:
        self.json = json
        self.quiet = quiet
        self.color = color

    def line(self, text: str = "") -> None:
        """Print one line of the result."""
        if not self.json:
            click.echo(plain(text))

    def note(self, text: str) -> None:
        """Say something beside the result, on stderr, unless -q."""
        if not self.quiet:
            click.echo(plain(text), err=True)

    def notes(self, lines: Iterable[str]) -> None:
        """Say several lines beside the result."""
        for line in lines:
            self.note(line)

    def document(self, value: Any) -> None:
        """Print `value` as one JSON document, if --json asks for it."""
        if self.json:
            click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table; columns whose name ends in ">" are right-aligned."""
        if self.json:
            return
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(
            box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold", expand=False
        )
        for number, name in enumerate(columns):
            is_right = name.endswith(">")
            table.add_column(
                Text(name.rstrip(">")),
                justify="right" if is_right else "left",
                no_wrap=is_right or number == 0,
                overflow="ellipsis",
            )
        for row in rows:
            table.add_row(*(Text(plain(cell)) for cell in row))
        console = Console(
            file=sys.stdout,
            no_color=not self.color,
            width=max(shutil.get_terminal_size().columns, 80) if sys.stdout.isatty() else WIDTH,
            highlight=False,
        )
        with console.capture() as captured:
            console.print(table)
        for line in captured.get().splitlines():
            click.echo(line.rstrip(), color=self.color)
        click.echo()
