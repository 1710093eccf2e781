"""Every error says what happened in a sentence, and carries what to do next."""

import ast
import datetime as dt
import inspect
import re
from pathlib import Path

import pytest

import digest
from digest import errors
from digest.errors import DigestError, SourceError

KINDS = [
    kind
    for kind in vars(errors).values()
    if inspect.isclass(kind) and issubclass(kind, DigestError)
]
PACKAGE = Path(digest.__file__).parent
RAISED = [
    (path.relative_to(PACKAGE.parent), node)
    for path in sorted(PACKAGE.rglob("*.py"))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(node, ast.Call)
    and isinstance(node.func, ast.Name)
    and node.func.id in {kind.__name__ for kind in KINDS}
]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_carries_its_message_and_its_hint(kind: type[DigestError]) -> None:
    error = kind("It happened.", hint="Do this.")
    assert (str(error), error.message, error.hint) == ("It happened.", "It happened.", "Do this.")
    assert kind("It happened.").hint == ""


def test_a_source_can_say_when_to_ask_again() -> None:
    at = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
    assert SourceError("Busy.", not_before_at=at).not_before_at == at
    assert SourceError("Busy.").not_before_at is None


def test_the_tree_at_the_top_of_the_module_is_the_tree() -> None:
    drawn = re.findall(r"^(?:DigestError|[│ ]*[├└]── (\w+))", errors.__doc__ or "", re.MULTILINE)
    assert {name or "DigestError" for name in drawn} == {kind.__name__ for kind in KINDS}
    inner = re.findall(r"^│   [├└]── (\w+)", errors.__doc__ or "", re.MULTILINE)
    assert set(inner) == {kind.__name__ for kind in SourceError.__subclasses__()}


def test_every_kind_is_documented() -> None:
    assert [kind.__name__ for kind in KINDS if not kind.__doc__] == []


def test_every_message_ends_like_a_sentence() -> None:
    assert len(RAISED) > 40
    for path, call in RAISED:
        words = ending_of(call.args[0]) if call.args else None
        assert words is None or words.endswith((".", "?")), f"{path}:{call.lineno}: {words!r}"


def ending_of(node: ast.expr) -> str | None:
    """Return the literal end of a text, or None where it is put together at run time."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr) and isinstance(node.values[-1], ast.Constant):
        return str(node.values[-1].value)
    return None
