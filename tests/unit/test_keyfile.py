"""The file with the keys: made once, private, never shown, and never replaced in silence."""

import os
import stat
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from digest.errors import ConfigError
from digest.keyfile import new_keys, open_keys
from digest.tokens import KeyRing

ONE, TWO = bytes(range(32)).hex(), bytes(range(50, 90)).hex()


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def call(text: str) -> Path:
        path = tmp_path / "keys.toml"
        path.write_text(text)
        path.chmod(0o600)
        return path

    return call


def make(path: Path) -> KeyRing:
    return open_keys(path, create=True)


def test_keys_are_made_on_first_need_and_then_stay(tmp_path: Path) -> None:
    path = tmp_path / "var" / "keys.toml"
    ring = open_keys(path, create=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert open_keys(path, create=False) == open_keys(path, create=True) == ring
    assert [p.name for p in path.parent.iterdir()] == ["keys.toml"]


def test_keys_are_random(tmp_path: Path) -> None:
    rings = [new_keys(), new_keys(), make(tmp_path / "a"), make(tmp_path / "b")]
    keys = {key for ring in rings for key in (*ring.links.values(), ring.addresses)}
    assert len(keys) == 2 * len(rings)


def test_processes_that_make_the_file_at_once_end_with_one(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4) as pool:
        for number in range(5):
            rings = list(pool.map(make, [tmp_path / f"keys{number}.toml"] * 8))
            assert all(ring == rings[0] for ring in rings)


def test_missing_file_is_not_made_anew_where_it_would_be_missed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is missing") as refused:
        open_keys(tmp_path / "keys.toml", create=False)
    assert "backup" in refused.value.hint
    assert not list(tmp_path.iterdir())


def test_older_keys_stay_beside_a_new_one(write: Callable[[str], Path]) -> None:
    path = write(f'addresses = "{ONE}"\n[links]\n1 = "{ONE}"\n12 = "{TWO}"\n')
    ring = open_keys(path, create=False)
    assert dict(ring.links) == {1: bytes.fromhex(ONE), 12: bytes.fromhex(TWO)}
    assert ring.addresses == bytes.fromhex(ONE)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o622])
def test_file_that_others_can_get_at_is_refused(write: Callable[[str], Path], mode: int) -> None:
    path = write(f'addresses = "{ONE}"\n[links]\n1 = "{ONE}"\n')
    path.chmod(mode)
    with pytest.raises(ConfigError, match="Others can read") as refused:
        open_keys(path, create=True)
    assert refused.value.hint == f"Run: chmod 600 {path}"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "addresses"),
        ("changeme", "not valid TOML"),
        (f'addresses = "{ONE}"', "addresses"),
        (f'addresses = "{ONE}"\nlinks = "{TWO}"', "addresses"),
        (f'addresses = "{ONE}"\n[links]\n', r"\[links\]"),
        (f'addresses = "{ONE}"\n[links]\n0 = "{TWO}"', "1 to 255"),
        (f'addresses = "{ONE}"\n[links]\n01 = "{TWO}"', "1 to 255"),
        (f'addresses = "{ONE}"\n[links]\n256 = "{TWO}"', "1 to 255"),
        (f'addresses = "{ONE}"\n[links]\nx = "{TWO}"', "1 to 255"),
        (f'addresses = "{ONE}"\n[links]\n1 = "changeme"', "key 1 in"),
        (f'addresses = "{ONE}"\n[links]\n1 = 5', "key 1 in"),
        (f'addresses = "{ONE}"\n[links]\n1 = "{TWO[:62]}"', "key 1 in"),
        (f'addresses = "{ONE}"\n[links]\n1 = "{"00" * 32}"', "not random"),
        (f'addresses = ["{ONE}"]\n[links]\n1 = "{TWO}"', "addresses is not"),
        (f'addresses = "{ONE}"\nmore = 1\n[links]\n1 = "{TWO}"', "nothing else"),
        (f'addresses = "{ONE}"\n[links]\n1 = "{TWO}"\n1 = "{TWO}"', "not valid TOML"),
        ("a = " + "[" * 5000, "keys"),
        ("# " + "x" * 70_000, "64 KB"),
    ],
)
def test_bad_file_is_refused_and_never_shown(
    write: Callable[[str], Path], text: str, fault: str
) -> None:
    path = write(text)
    with pytest.raises(ConfigError, match=fault) as refused:
        open_keys(path, create=True)
    told = f"{refused.value.message} {refused.value.hint} {refused.value.__cause__!r}"
    assert str(path) in told
    for secret in (ONE, TWO, "changeme", ONE[:16], TWO[:16]):
        assert secret not in told
    assert path.read_text() == text


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "file").touch()
    for path in (tmp_path / "pipe", tmp_path, tmp_path / "file" / "keys.toml"):
        with pytest.raises(ConfigError, match="cannot be used"):
            open_keys(path, create=True)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_bytes(b"\xff\xfe\x00")
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="no text"):
        open_keys(path, create=False)
