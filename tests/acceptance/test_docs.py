"""The documents tell what is so: every command and option, every exit code, commands that run."""

import os
import re
from pathlib import Path

import click

from digest.cli.main import COMMANDS, EXIT_CODES, LazyGroup, cli

ROOT = Path(__file__).parents[2]
CLI_PAGE = ROOT / "docs" / "cli.md"
BEGIN, END = "<!-- generated from --help -->\n", "<!-- end -->\n"


def help_of(command: click.Command, words: str) -> str:
    context = click.Context(
        command,
        info_name=words,
        terminal_width=96,
        max_content_width=96,
        help_option_names=["-h", "--help"],
    )
    return f"### {words}\n\n```text\n{command.get_help(context)}\n```\n"


def reference() -> str:
    """Return the help of every command, in the order of `digest --help`."""
    parts = []
    group = LazyGroup()
    for name in COMMANDS:
        command = group.get_command(click.Context(group), name)
        assert command is not None
        parts.append(help_of(command, f"digest {name}"))
        if isinstance(command, click.Group):
            for sub, subcommand in command.commands.items():
                parts.append(help_of(subcommand, f"digest {name} {sub}"))
    return "\n".join(parts)


def test_command_line_page_shows_the_help_of_every_command() -> None:
    page = CLI_PAGE.read_text(encoding="utf-8")
    head, rest = page.split(BEGIN)
    shown, tail = rest.split(END)
    if os.environ.get("DIGEST_TEST_DOCS") == "write":
        CLI_PAGE.write_text(head + BEGIN + reference() + END + tail, encoding="utf-8")
    assert shown == reference(), "run this test with DIGEST_TEST_DOCS=write and review the diff"


def test_every_exit_code_is_explained() -> None:
    page = CLI_PAGE.read_text(encoding="utf-8")
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.M)}
    assert listed >= {0, 2, 5, 7, 130} | {code for _, code in EXIT_CODES}


def test_every_link_between_documents_leads_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    assert len(pages) > 10
    for page in pages:
        for link in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            if "://" not in link:
                assert (page.parent / link).exists(), f"{page.name} links to {link}"


def test_source_in_ten_lines_is_the_one_that_is_tested() -> None:
    [shown] = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.S)
    assert shown in (ROOT / "docs" / "adding-a-source.md").read_text()


def test_readme_names_only_files_and_commands_that_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in re.findall(r"`((?:tests|digest|docs)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:^\$ |`)make ([a-z-]+)", text, re.M):
        assert f"\n{target}:" in makefile, target
    group = LazyGroup()
    for words in re.findall(r"^\$ digest (\S+)(?: ([a-z]+))?", text, re.M):
        command = group.get_command(click.Context(cli), words[0])
        assert command is not None, words
        if isinstance(command, click.Group):
            assert words[1] in command.commands, words
