"""The lock fits pyproject.toml, without asking an index."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
RUN = ROOT / "requirements" / "run.txt"
DEV = ROOT / "requirements" / "dev.txt"


def read_pins(path: Path) -> dict[str, tuple[Requirement, int]]:
    """Return each pinned requirement with the number of its hashes, by name."""
    text = re.sub(r"#.*", "", path.read_text(encoding="utf-8")).replace("\\\n", " ")
    pins: dict[str, tuple[Requirement, int]] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        requirement, *hashes = re.split(r"\s+--hash=sha256:(?=[0-9a-f]{64}\b)", line)
        parsed = Requirement(requirement)
        pins[canonicalize_name(parsed.name)] = (parsed, len(hashes))
    return pins


def project() -> Any:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def group(name: str) -> Iterator[str]:
    for entry in project()["dependency-groups"][name]:
        if isinstance(entry, str):
            yield entry
        else:
            yield from group(entry["include-group"])


def misfits(wanted: Iterable[str], lock: Path) -> list[str]:
    """Return what the lock lacks, or pins to a version that is not wanted."""
    pins = read_pins(lock)
    wrong = []
    for requirement in map(Requirement, wanted):
        pin, _ = pins.get(canonicalize_name(requirement.name), (None, 0))
        if pin is None or not requirement.specifier.contains(locked_version(pin)):
            wrong.append(f"{requirement}, but {lock.name} has {pin}")
    return wrong


def asked_for(lock: Path) -> set[str]:
    """Return the packages that the lock says the project itself asks for."""
    blocks = re.split(r"\n(?=[a-z])", lock.read_text(encoding="utf-8"))
    return {block.partition("==")[0] for block in blocks if "(pyproject.toml" in block}


def names(requirements: Iterable[str]) -> set[str]:
    return {canonicalize_name(Requirement(requirement).name) for requirement in requirements}


def locked_version(pin: Requirement) -> Version:
    [specifier] = pin.specifier
    assert specifier.operator == "=="
    return Version(specifier.version)


def test_lock_for_running_fits_what_the_project_asks_for() -> None:
    wanted = [*project()["project"]["dependencies"], *group("build")]
    assert not misfits(wanted, RUN), "run: make lock"
    assert asked_for(RUN) == names(wanted), "run: make lock"


def test_lock_for_development_fits_what_the_project_asks_for() -> None:
    extras = project()["project"]["optional-dependencies"].values()
    wanted = [*project()["project"]["dependencies"], *group("dev"), *(r for e in extras for r in e)]
    assert not misfits(wanted, DEV), "run: make lock"
    assert asked_for(DEV) == names(wanted), "run: make lock"


def test_development_runs_on_the_very_versions_that_are_installed_for_running() -> None:
    development = read_pins(DEV)
    for name, (pin, _) in read_pins(RUN).items():
        assert locked_version(development[name][0]) == locked_version(pin)


@pytest.mark.parametrize("path", [RUN, DEV], ids=lambda path: path.stem)
def test_lock_pins_each_package_with_its_hashes_and_names_no_host(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"://|--(extra-)?index|--find-links| @ ", text)
    for pin, hashes in read_pins(path).values():
        assert hashes, f"{pin} has no hash"
        assert locked_version(pin)
