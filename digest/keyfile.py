"""The file with the keys of readers' links: made once, kept from others, never shown."""

import datetime as dt
import os
import re
import secrets
import stat
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

from digest.errors import ConfigError, UsageError
from digest.tokens import KEY_BYTES, MAX_KEY_ID, KeyRing
from digest.wholefiles import replace_file, write_new_file

MAX_BYTES = 64 * 1024
LOOK_EVERY = 0.1  # seconds
_MIN_DIFFERENT = 8  # bytes; 32 random ones hold fewer about once in 10^40 files

_CONTENT = """\
# The keys of this newsletter: of the links in its mails, and of erased addresses.
# Keep a backup: without this file the links in mails that went out are dead for ever.
# Whoever can read it can take any reader off the list, so let nobody.
# For a new key of the links: digest keys rotate. What the older ones made stays valid.

addresses = "{addresses}"

[links]
{links}"""
_SINCE = re.compile(r"#\s*since\s+(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)\s*")
_SINCE_FORM = "%Y-%m-%dT%H:%M:%SZ"

log = structlog.get_logger(__name__)


def new_keys() -> KeyRing:
    """Return random keys, which are written nowhere."""
    return KeyRing({1: secrets.token_bytes(KEY_BYTES)}, secrets.token_bytes(KEY_BYTES))


def open_keys(path: Path, *, create: bool, now: dt.datetime | None = None) -> KeyRing:
    """Read the keys at `path`; with `create` a missing file is made, readable by its owner only.

    Two processes that make it at once end with the keys of one. `now` is an aware instant; a new
    file says that its first key is from then.

    Raises:
        ConfigError: The file is missing, others can read it, or it holds no good keys. Its text
            repeats nothing of the file.
    """
    if create:
        _make(path, now)
    return _parsed(path, _text(path))


def key_dates(path: Path) -> Mapping[int, dt.datetime | None]:
    """Return the numbers of the links' keys, ascending, and since when each makes links.

    That is an aware UTC instant, None where the file does not say.

    Raises:
        ConfigError: As `open_keys`.
    """
    text = _text(path)
    return {number: _since(text, number) for number in sorted(_parsed(path, text).links)}


def rotate_keys(path: Path, *, now: dt.datetime) -> int:
    """Add a random key to the file, which makes the links from `now` on; return its number.

    The file is replaced in one step, with its comments. Whoever calls keeps others from doing the
    same meanwhile.

    Raises:
        ConfigError: As `open_keys`, or somebody else owns the file; it is as it was.
        UsageError: There is no number left.
    """
    text = _text(path)
    ring = _parsed(path, text)
    number = max(ring.links) + 1
    if number > MAX_KEY_ID:
        raise UsageError(
            f"Key {MAX_KEY_ID} is the last that there can be; nothing was changed.",
            hint="Only a new file begins anew, and with it all links in sent mails die.",
        )
    new = KeyRing({**ring.links, number: secrets.token_bytes(KEY_BYTES)}, ring.addresses)
    line = _line(number, new, now)
    _replace(path, f"{text.rstrip()}\n{line}", new, {**_dates(text, ring), number: now})
    return number


def drop_key(path: Path, number: int) -> None:
    """Take a key of the links out of the file; the links that it made are dead from then on.

    Raises:
        ConfigError: As `rotate_keys`.
        UsageError: There is no such key, or it is the newest, which makes links.
    """
    text = _text(path)
    ring = _parsed(path, text)
    if number not in ring.links:
        have = ", ".join(map(str, sorted(ring.links)))
        raise UsageError(
            f"There is no key {number}; nothing was changed.", hint=f"There are: {have}."
        )
    if number == max(ring.links):
        raise UsageError(
            f"Key {number} is the newest, which makes the links; nothing was changed.",
            hint="Make a new one first: digest keys rotate",
        )
    kept = {other: key for other, key in ring.links.items() if other != number}
    new = KeyRing(kept, ring.addresses)
    own = _own_line(number)
    lines = [line for line in text.splitlines(keepends=True) if not own.match(line)]
    _replace(path, "".join(lines), new, _dates(text, new))


class LiveKeys:
    """The keys as they stand in the file now, for what runs for weeks. Safe in many threads.

    A file that cannot be used any more changes nothing, but the log says so once: whoever runs
    goes on with the keys that they had.

    Args:
        path: The file.
        ring: What stood in it last.
        every: It is looked at once in so many seconds; a look takes as long as making a token.
    """

    def __init__(self, path: Path, ring: KeyRing, *, every: float = LOOK_EVERY) -> None:
        self._path, self._ring, self._every = path, ring, every
        self._seen: tuple[int, ...] | None = ()
        self._next_look = 0.0

    def __call__(self) -> KeyRing:
        """Return the keys; they are read when the file has changed."""
        now = time.monotonic()
        if now < self._next_look:
            return self._ring
        self._next_look = now + self._every
        try:
            status = self._path.stat()
            seen = (status.st_ino, status.st_size, status.st_ctime_ns)
        except OSError:
            seen = None
        if seen != self._seen:
            self._seen = seen
            try:
                self._ring = open_keys(self._path, create=False)
            except ConfigError as error:
                log.warning("keys_unusable", reason=error.message)
        return self._ring


def _text(path: Path) -> str:
    """Return the file's text.

    Raises:
        ConfigError: It is missing, others can read it, or it is no text.
    """
    try:
        content = _content(path)
    except OSError as error:
        raise _unusable(path, error) from error
    if content is None:
        raise ConfigError(
            f"The file with the keys is missing: {path}. Links in mails that went out and erased "
            "addresses stand on it, so no new one was made.",
            hint="Bring the file back from your backup.",
        )
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise _wrong(path, "it is no text file of keys") from None


def _parsed(path: Path, text: str) -> KeyRing:
    try:
        return _ring(tomllib.loads(text))
    except tomllib.TOMLDecodeError:
        raise _wrong(path, "it is not valid TOML") from None
    except RecursionError:
        raise _wrong(path, "it is no text file of keys") from None
    except ValueError as error:
        raise _wrong(path, str(error)) from None


def _unusable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"The keys in {path} cannot be used: {error.strerror}; nothing was done.",
        hint="The file and its folder must belong to whoever runs digest.",
    )


def _wrong(path: Path, why: str) -> ConfigError:
    return ConfigError(
        f"The keys in {path} cannot be used: {why}; nothing was done.",
        hint="Bring the file back from your backup.",
    )


def _content(path: Path) -> bytes | None:
    """Return what is in the file, or None if there is none."""
    try:
        # A pipe must not keep us waiting.
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise _wrong(path, "it is no file")
        if status.st_mode & 0o077:
            raise ConfigError(
                f"Others can read the keys in {path}; nothing was done.",
                hint=f"Run: chmod 600 {path}",
            )
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise _wrong(path, "it is larger than 64 KB")
    return content


def _make(path: Path, now: dt.datetime | None) -> None:
    """Write a file with new keys, unless there is one."""
    try:
        if path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        content = _written(new_keys(), {1: now})
        write_new_file(path, content.encode(), mode=0o600)
        _keep_name(path)
    except OSError as error:
        raise _unusable(path, error) from error


def _replace(path: Path, text: str, ring: KeyRing, dates: Mapping[int, dt.datetime | None]) -> None:
    """Put `text` into the file, or the keys alone where they are not what `text` says."""
    try:
        is_right = _ring(tomllib.loads(text)) == ring
    except ValueError:  # the keys stand in an uncommon form, such as links = {1 = "..."}
        is_right = False
    try:
        if path.stat().st_uid != os.geteuid():
            raise ConfigError(
                f"The file {path} belongs to somebody else; nothing was changed.",
                hint="Run it as whoever runs digest, who could not read the new file else.",
            )
        replace_file(path, (text if is_right else _written(ring, dates)).encode())
        _keep_name(path)
    except OSError as error:
        raise _unusable(path, error) from error


def _keep_name(path: Path) -> None:
    """Let the file's new name outlast a power cut: mails that go out now stand on its keys."""
    folder = os.open(path.resolve().parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _written(ring: KeyRing, dates: Mapping[int, dt.datetime | None]) -> str:
    links = "".join(_line(number, ring, dates.get(number)) for number in sorted(ring.links))
    return _CONTENT.format(addresses=ring.addresses.hex(), links=links)


def _line(number: int, ring: KeyRing, since: dt.datetime | None) -> str:
    comment = f"  # since {since.astimezone(dt.UTC).strftime(_SINCE_FORM)}" if since else ""
    return f'{number} = "{ring.links[number].hex()}"{comment}\n'


def _own_line(number: int) -> re.Pattern[str]:
    return re.compile(rf"""[ \t]*(["']?){number}\1[ \t]*=[^#]*""")


def _dates(text: str, ring: KeyRing) -> Mapping[int, dt.datetime | None]:
    return {number: _since(text, number) for number in ring.links}


def _since(text: str, number: int) -> dt.datetime | None:
    """Return the instant in the comment on the key's line, or None."""
    own = _own_line(number)
    for line in text.splitlines():
        if (found := own.match(line)) and (said := _SINCE.fullmatch(line, found.end())):
            try:
                return dt.datetime.strptime(said[1], _SINCE_FORM).replace(tzinfo=dt.UTC)
            except ValueError:
                return None
    return None


def _ring(document: dict[str, Any]) -> KeyRing:
    """Return the keys of the parsed file.

    Raises:
        ValueError: They are not as they must be; its text repeats nothing of the file.
    """
    links = document.get("links")
    if document.keys() != {"addresses", "links"} or not isinstance(links, dict):
        raise ValueError("it must hold addresses and [links], and nothing else")
    allowed = {str(number): number for number in range(1, MAX_KEY_ID + 1)}
    if not links or not links.keys() <= allowed.keys():
        raise ValueError(f"[links] must hold keys with numbers from 1 to {MAX_KEY_ID}")
    return KeyRing(
        {allowed[name]: _key(f"key {name} in [links]", text) for name, text in links.items()},
        _key("addresses", document["addresses"]),
    )


def _key(name: str, text: object) -> bytes:
    try:
        key = bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        key = b""
    if len(key) < KEY_BYTES:
        raise ValueError(f"{name} is not {2 * KEY_BYTES} hexadecimal digits or more")
    if len(set(key)) < _MIN_DIFFERENT:
        raise ValueError(f"{name} is not random")
    return key
