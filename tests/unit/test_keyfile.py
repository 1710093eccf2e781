"""The file with the keys: made once, private, never shown, and never replaced in silence."""

import datetime as dt
import os
import stat
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from digest.errors import ConfigError, UsageError
from digest.keyfile import LiveKeys, drop_key, key_dates, new_keys, open_keys, rotate_keys
from digest.testing.factories import NOON
from digest.tokens import BadToken, KeyRing, Tokens

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


# Rotating and dropping


def test_new_key_makes_links_and_old_ones_stay_valid(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    old = open_keys(path, create=True, now=NOON)
    link = Tokens(old).reader(1, 2)
    assert rotate_keys(path, now=NOON + dt.timedelta(days=7)) == 2
    new = open_keys(path, create=False)
    assert (new.links[1], new.addresses) == (old.links[1], old.addresses)
    assert new.links[2] not in (*old.links.values(), old.addresses)
    assert Tokens(new).read_reader(link) == (1, 2)
    with pytest.raises(BadToken):
        Tokens(old).read_reader(Tokens(new).reader(1, 2))
    assert key_dates(path) == {1: NOON, 2: NOON + dt.timedelta(days=7)}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["keys.toml"]


def test_dropped_key_reads_no_more_and_the_newest_cannot_go(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    link = Tokens(make(path)).reader(1, 2)
    rotate_keys(path, now=NOON)
    before = path.read_text()
    for number in (2, 3, 255):
        with pytest.raises(UsageError):
            drop_key(path, number)
    assert path.read_text() == before
    drop_key(path, 1)
    assert key_dates(path) == {2: NOON}
    with pytest.raises(BadToken):
        Tokens(open_keys(path, create=False)).read_reader(link)
    assert rotate_keys(path, now=NOON) == 3


def test_what_people_wrote_into_the_file_stays(write: Callable[[str], Path]) -> None:
    text = f"""# Ours. Backup: in the safe
addresses = "{ONE}"  # since 2020-01-01T00:00:00Z

[links]  # of readers
"1" = "{ONE}"   # the first, by hand
  12 = '{TWO}'# since 2026-13-99T00:00:00Z
# the end"""
    path = write(text)
    assert key_dates(path) == {1: None, 12: None}
    assert rotate_keys(path, now=NOON) == 13
    written = path.read_text()
    assert written.startswith(text + "\n13 = ")
    assert written.endswith('"  # since 2026-11-24T12:00:00Z\n')
    drop_key(path, 1)
    assert path.read_text() == "".join(
        line for line in written.splitlines(keepends=True) if '"1"' not in line
    )


@pytest.mark.parametrize(
    "text",
    [
        f'links = {{ 1 = "{ONE}", 12 = "{TWO}" }}\naddresses = "{ONE}"\n',
        f'links.1 = "{ONE}"\nlinks.12 = "{TWO}"\naddresses = "{ONE}"\n',
        f'addresses = "{ONE}"\n[links]\n1 = """{ONE}"""\n12 = "{TWO[:70]}\\u0030{TWO[71:]}"\n',
    ],
)
def test_keys_in_any_form_are_rotated_and_dropped(write: Callable[[str], Path], text: str) -> None:
    path = write(text)
    old = open_keys(path, create=False)
    assert rotate_keys(path, now=NOON) == 13
    drop_key(path, 1)
    new = open_keys(path, create=False)
    assert new.addresses == old.addresses
    assert new.links == {12: old.links[12], 13: new.links[13]}
    assert key_dates(path) == {12: None, 13: NOON}


def test_no_number_is_left_after_the_last(write: Callable[[str], Path]) -> None:
    path = write(f'addresses = "{ONE}"\n[links]\n255 = "{TWO}"\n')
    before = path.read_text()
    with pytest.raises(UsageError, match="255"):
        rotate_keys(path, now=NOON)
    assert path.read_text() == before


def test_link_to_the_file_stays_one(write: Callable[[str], Path], tmp_path: Path) -> None:
    path = write(f'addresses = "{ONE}"\n[links]\n1 = "{TWO}"\n')
    link = tmp_path / "elsewhere" / "keys.toml"
    link.parent.mkdir()
    link.symlink_to(path)
    rotate_keys(link, now=NOON)
    assert link.is_symlink()
    assert list(key_dates(path)) == [1, 2]


# In what runs


def test_what_runs_takes_a_new_key_and_lets_a_dropped_one_go(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    ring = make(path)
    tokens = Tokens(ring, current=LiveKeys(path, ring, every=0))
    first = tokens.reader(1, 2)
    rotate_keys(path, now=NOON)
    second = tokens.reader(1, 2)
    elsewhere = Tokens(open_keys(path, create=False)).reader(1, 2)
    assert second == elsewhere != first
    assert tokens.read_reader(first) == tokens.read_reader(second) == (1, 2)
    drop_key(path, 1)
    with pytest.raises(BadToken):
        tokens.read_reader(first)
    assert tokens.read_reader(second) == (1, 2)


def test_what_runs_goes_on_while_the_file_cannot_be_used(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    ring = make(path)
    good = path.read_bytes()
    keys = LiveKeys(path, ring, every=0)
    for spoil in (path.unlink, lambda: path.write_text("oops"), lambda: path.chmod(0o644)):
        path.write_bytes(good)
        path.chmod(0o600)
        assert keys() == ring
        spoil()
        with capture_logs() as said:
            assert keys() == keys() == ring
        assert [(line["event"], line["log_level"]) for line in said] == [
            ("keys_unusable", "warning")
        ]
        assert ring.links[1].hex()[:16] not in str(said)


def test_file_of_somebody_else_is_left_alone(write: Callable[[str], Path]) -> None:
    if os.geteuid():
        pytest.skip("only root can give a file to somebody else")
    path = write(f'addresses = "{ONE}"\n[links]\n1 = "{TWO}"\n')
    os.chown(path, 12345, -1)
    with pytest.raises(ConfigError, match="somebody else"):
        rotate_keys(path, now=NOON)
    assert list(key_dates(path)) == [1]
