"""What a reader of the code may rely on: small pieces, no dangerous calls, a quick start."""

import ast
import importlib
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "digest").rglob("*.py"))
# A migration is a list of tables and never changes again; cutting it up would hide what it does.
MIGRATIONS = ROOT / "digest" / "storage" / "migrations" / "versions"
TEMPLATES = sorted(
    path
    for folder in (ROOT / "templates", ROOT / "digest")
    for path in folder.rglob("*.j2")
    if path.is_file()
)

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50

# Too slow for `digest --help`, or with a life of their own at import.
HEAVY = {
    "alembic", "babel", "concurrent", "cssutils", "dateparser", "extruct", "feedparser",
    "frontmatter", "jinja2", "lxml", "markdown_it", "msgspec", "numpy", "premailer", "py3langid",
    "pysbd", "requests", "rich", "sqlalchemy", "sqlite3", "ssl", "starlette", "structlog",
    "tomlkit", "trafilatura", "urllib3", "uvicorn", "w3lib", "yaml",
}  # fmt: skip

FORBIDDEN_IMPORTS = {"dill", "marshal", "pickle", "shelve"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "yaml.load", "os.system", "os.popen"}

# Installed without being imported: what the standard library or another package reads.
NEEDED_UNSEEN = {
    "python-multipart": "starlette reads forms with it",
    "tzdata": "zoneinfo reads it where the system has no zones",
}


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = function.body
    if ast.get_docstring(function) is not None:
        body = body[1:]
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def imports(tree: ast.Module) -> set[str]:
    """Return the top-level packages that a module imports, wherever it does."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def loaded_by(*arguments: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has loaded after `arguments` ran."""
    run = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments], capture_output=True, check=True, text=True
    )
    lines = re.findall(r"^import time:.*\|\s*([\w.]+)$", run.stderr, re.MULTILINE)
    return {line.partition(".")[0] for line in lines}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_file_can_be_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_FILE_LINES


@pytest.mark.parametrize("path", [m for m in MODULES if m.parent != MIGRATIONS], ids=name_of)
def test_function_fits_a_screen(path: Path) -> None:
    long = {f.name: n for f in functions(parse(path)) if (n := body_lines(f)) > MAX_FUNCTION_LINES}
    assert not long


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_module_neither_unpickles_nor_evaluates_nor_calls_a_shell(path: Path) -> None:
    tree = parse(path)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    called = {ast.unparse(call.func) for call in calls}
    keywords = {f"{k.arg}={ast.unparse(k.value)}" for call in calls for k in call.keywords}
    assert not imports(tree) & FORBIDDEN_IMPORTS
    assert not called & FORBIDDEN_CALLS
    assert "shell=True" not in keywords
    assert not keywords & {"autoescape=False", "verify=False", "cert_reqs='CERT_NONE'"}
    assert not called & {"Markup", "markupsafe.Markup", "jinja2.Markup"}


def test_templates_are_found() -> None:
    assert {path.name for path in TEMPLATES} >= {"base.html.j2", "edition.html.j2", "page.html.j2"}


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_template_never_lifts_the_escaping(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"\|\s*safe\b|\bMarkup\b|\bautoescape\b", text)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_public_names_exist(path: Path) -> None:
    assigned = [
        node.value
        for node in parse(path).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    for value in assigned:
        module = importlib.import_module(module_name(path))
        missing = [name for name in ast.literal_eval(value) if not hasattr(module, name)]
        assert not missing


def test_help_loads_nothing_heavy() -> None:
    loaded = loaded_by("-m", "digest", "--help")
    assert "click" in loaded
    assert not loaded & HEAVY


def test_version_loads_nothing_heavy() -> None:
    assert not loaded_by("-m", "digest", "--version") & HEAVY


@pytest.mark.parametrize("module", ["digest", "digest.cli.main"])
def test_importing_loads_nothing_heavy_and_opens_nothing(module: str) -> None:
    watch = (
        "import importlib, json, sys\n"
        "import encodings.idna, encodings.latin_1\n"
        "opened = []\n"
        "quiet = ('.py', '.pyc', '.so', '.pth')\n"
        "def note(event, arguments):\n"
        "    if event == 'open' and not str(arguments[0]).endswith(quiet):\n"
        "        opened.append(str(arguments[0]))\n"
        "    elif event.startswith(('socket.', 'sqlite3.', 'subprocess.', 'os.mkdir')):\n"
        "        opened.append(event)\n"
        "sys.addaudithook(note)\n"
        f"importlib.import_module({module!r})\n"
        "print(json.dumps([opened, sorted({name.partition('.')[0] for name in sys.modules})]))\n"
    )
    run = subprocess.run([sys.executable, "-c", watch], capture_output=True, check=True, text=True)
    opened, loaded = json.loads(run.stdout)
    assert not [name for name in opened if "__pycache__" not in name]
    assert not set(loaded) & HEAVY


def test_dependencies_are_what_the_code_imports() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = {canonicalize_name(Requirement(r).name) for r in declared["dependencies"]}
    imported = set().union(
        *(imports(parse(path)) for path in MODULES if "testing" not in path.parts)
    )
    owners = importlib.metadata.packages_distributions()
    foreign = imported - set(sys.stdlib_module_names) - {"digest"}
    assert foreign <= set(owners)
    needed = {canonicalize_name(owner) for name in foreign for owner in owners[name]}
    assert needed - asked == set(), "imported, but not declared in pyproject.toml"
    assert asked - needed == set(NEEDED_UNSEEN), "declared in pyproject.toml, but not imported"
