"""The command line as a person uses it, in this process or in one of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from digest.cli.main import run
from tests.loopback import Loopback


@dataclass(frozen=True)
class Result:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on standard output."""
        return msgspec.json.decode(self.out)

    def refuses(self, code: int, *words: str) -> None:
        """Assert that it ended with `code` and one clear sentence that has all `words`."""
        assert self.code == code, (self.code, self.err)
        assert "Traceback" not in self.err + self.out
        assert ("\n" + self.err).count("\nError: ") == 1, self.err
        for word in words:
            assert word in self.err, self.err


Digest = Callable[..., Result]


@pytest.fixture
def digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Digest:
    """Run a command line in this process, in an empty folder without DIGEST_ variables."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("DIGEST_"):
            monkeypatch.delenv(name)

    def call(*arguments: object) -> Result:
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        said = capfd.readouterr()
        return Result(code, said.out, said.err)

    return call


@pytest.fixture
def project(digest: Digest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a project with the sample in it, and go there."""
    folder = tmp_path / "weekly"
    assert digest("init", folder).code == 0
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def server() -> Iterator[Loopback]:
    """Serve what a test puts into `pages`."""
    with Loopback() as running:
        yield running


@dataclass
class Process:
    """A command in a process of its own."""

    child: subprocess.Popen[str]

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.child.send_signal(signal.SIGINT)

    def result(self) -> Result:
        """Wait for its end."""
        out, err = self.child.communicate(timeout=60)
        return Result(self.child.returncode, out, err)


@pytest.fixture
def start() -> Iterator[Callable[..., Process]]:
    """Start a command line in a process of its own; what is left over is ended."""
    children: list[subprocess.Popen[str]] = []

    def call(
        *arguments: object,
        before: tuple[str, ...] = (),
        cwd: Path | None = None,
        stdin: int = subprocess.DEVNULL,
    ) -> Process:
        command = [*before, sys.executable, "-m", "digest", *(str(a) for a in arguments)]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("DIGEST_")}
        child = subprocess.Popen(
            command,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=cwd,
            env=environment,
        )
        children.append(child)
        return Process(child)

    yield call
    for child in children:
        if child.poll() is None:
            child.kill()
        child.communicate()
