"""Programs that read mail or judge it, one at a time, and the mails they get.

Where a program is not installed its tests are skipped with one reason; under CI=true that fails.
`.ci/run` names what to install.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.browser.conftest import Mail, browser, mail, open_page

__all__ = ["Mail", "browser", "mail", "open_page"]

NODE = Path(__file__).parent / "node"
DISPLAY_SIZE = "1100x2400x24"


@dataclass(frozen=True)
class Sample:
    """What `digest send --preview` writes for the sample."""

    folder: Path

    @property
    def html(self) -> str:
        return (self.folder / "mail.html").read_text(encoding="utf-8")

    @property
    def eml(self) -> Path:
        return self.folder / "mail.eml"


def need(*programs: str) -> None:
    """Go on only where all `programs` are installed."""
    absent = [program for program in programs if not shutil.which(program)]
    if absent:
        do_without(f"Not installed here: {', '.join(absent)}; .ci/run names Debian's packages.")


def do_without(why: str) -> None:
    """Skip the test, or fail it in CI, where nothing may be absent."""
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """The sample's mail, as a stranger gets it."""
    folder = tmp_path_factory.mktemp("sample")
    command = [sys.executable, "-m", "digest", "send", "--preview", "--no-open", "--out", "shown"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)
    return Sample(folder / "shown")


@pytest.fixture
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One engine at a time, however many tests run at once: each takes much memory."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    with (shared / "engine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture
def display(tmp_path: Path, alone: None) -> Iterator[dict[str, str]]:
    """A screen that nobody sees; gives the environment for programs that are to use it."""
    need("Xvfb", "dbus-run-session")
    told, tells = os.pipe()
    command = ["Xvfb", "-displayfd", str(tells), "-screen", "0", DISPLAY_SIZE, "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=[tells], stderr=subprocess.DEVNULL) as screen:
        os.close(tells)
        try:
            with os.fdopen(told) as number:
                name = number.readline().strip()
            assert name, "Xvfb did not start"
            home = tmp_path / "home"
            home.mkdir()
            yield {**os.environ, "DISPLAY": f":{name}", "HOME": str(home), "NO_AT_BRIDGE": "1"}
        finally:
            screen.terminate()


RunEngine = Callable[..., str]


@pytest.fixture
def run_engine() -> RunEngine:
    """Return what runs a command to its end and gives its output; `good` are its exit codes."""

    def run(
        *command: object,
        good: tuple[int, ...] = (0,),
        timeout: float = 120,
        env: dict[str, str] | None = None,
    ) -> str:
        done = subprocess.run(
            [str(part) for part in command],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env=env,
        )
        assert done.returncode in good, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout

    return run
