"""The wheel, tried as a stranger does: installed somewhere else, in an empty folder."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("digest", "templates", "config", "subscribers", "pyproject.toml", "README.md", "LICENSE")
READERS = "email,first_name\nreader@example.com,Robin\n"
STARTER = "digest/starter"


@dataclass(frozen=True)
class Installed:
    """A wheel and the command that it installed."""

    wheel: Path
    digest: Path

    def names(self) -> set[str]:
        with zipfile.ZipFile(self.wheel) as archive:
            return set(archive.namelist())

    def run(self, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run `digest` with nothing on standard input, as a script would."""
        return subprocess.run(
            [self.digest, *arguments],
            cwd=cwd,
            env={"PATH": os.defpath, "HOME": str(cwd), "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )


def build_wheel(folder: Path) -> Path:
    """Build from a copy of the tree in which somebody keeps real lists of readers."""
    tree = folder / "tree"
    tree.mkdir()
    for part in PARTS:
        source = ROOT / part
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, tree / part)
    (tree / "subscribers" / "readers.csv").write_text(READERS, encoding="utf-8")
    (tree / "subscribers" / "2026").mkdir()
    (tree / "subscribers" / "2026" / "spring.csv").write_text(READERS, encoding="utf-8")
    build = ("-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "dist"))
    subprocess.run([sys.executable, *build], cwd=tree, check=True, capture_output=True)
    [wheel] = (folder / "dist").iterdir()
    return wheel


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Install the wheel into an environment of its own, which borrows only our dependencies."""
    folder = tmp_path_factory.mktemp("wheel")
    wheel = build_wheel(folder)
    home = folder / "home"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    python = home / "bin" / "python"
    pip = ("-m", "pip", "--python", str(python), "--disable-pip-version-check", "--quiet")
    install = ("install", "--no-deps", "--no-index", str(wheel))
    subprocess.run([sys.executable, *pip, *install], check=True, capture_output=True)
    [site] = home.glob("lib/python*/site-packages")
    # A path file adds our packages, but not what our own path files point to: not this checkout.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return Installed(wheel=wheel, digest=home / "bin" / "digest")


def test_wheel_holds_the_starter(installed: Installed) -> None:
    names = installed.names()
    for part in ("templates", "config"):
        files = [p for p in (ROOT / part).rglob("*") if p.is_file()]
        assert files
        assert names >= {f"{STARTER}/{path.relative_to(ROOT).as_posix()}" for path in files}
    assert "digest/py.typed" in names
    assert "digest/viewer/templates/page.html.j2" in names


def test_wheel_holds_no_list_of_readers(installed: Installed) -> None:
    prefix = f"{STARTER}/subscribers/"
    lists = {n.removeprefix(prefix) for n in installed.names() if n.startswith(prefix)}
    assert lists == {"README.md", "example.csv"}
    assert not [n for n in installed.names() if n.endswith(("readers.csv", "spring.csv"))]


def test_wheel_holds_nothing_but_the_package(installed: Installed) -> None:
    names = installed.names()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {
        "digest",
        "digest_newsletter",
    }
    assert not [name for name in names if "__pycache__" in name or name.endswith(".pyc")]


def test_stranger_makes_a_project_and_previews_its_sample(
    installed: Installed, tmp_path: Path
) -> None:
    made = installed.run(
        "init",
        "x",
        "--name",
        "Tool Letter",
        "--from",
        "Tool Letter <news@example.org>",
        cwd=tmp_path,
    )
    assert made.returncode == 0, made.stderr
    project = tmp_path / "x"
    assert (project / "config" / "digest.toml").is_file()
    assert (project / "templates" / "edition.html.j2").is_file()
    assert {p.name for p in (project / "subscribers").iterdir()} == {"README.md", "example.csv"}

    shown = installed.run("send", "--preview", "--sample", "--no-open", "--json", cwd=project)
    assert shown.returncode == 0, shown.stderr
    files = {name: project / path for name, path in json.loads(shown.stdout)["files"].items()}
    for path in files.values():
        assert path.is_file()
        assert path.is_relative_to(project)
    mail = files["mail.html"].read_text(encoding="utf-8")
    assert "Tool Letter" in mail
    assert (files["mail.html"].parent / "index.html").is_file()


def test_stranger_previews_the_starter_from_an_empty_folder(
    installed: Installed, tmp_path: Path
) -> None:
    shown = installed.run("send", "--preview", "--no-open", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    [viewer] = tmp_path.rglob("index.html")
    assert str(viewer.relative_to(tmp_path)) in shown.stdout
    assert {p.name for p in viewer.parent.iterdir()} >= {"mail.html", "mail.txt", "mail.eml"}
