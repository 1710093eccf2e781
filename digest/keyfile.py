"""The file with the keys of readers' links: made once, kept from others, never shown."""

import os
import secrets
import stat
import tomllib
from pathlib import Path
from typing import Any

from digest.errors import ConfigError
from digest.tokens import KEY_BYTES, MAX_KEY_ID, KeyRing
from digest.wholefiles import write_new_file

MAX_BYTES = 64 * 1024
_MIN_DIFFERENT = 8  # bytes; 32 random ones hold fewer about once in 10^40 files

_CONTENT = """\
# The keys of this newsletter: of the links in its mails, and of erased addresses.
# Keep a backup: without this file the links in mails that went out are dead for ever.
# Whoever can read it can take any reader off the list, so let nobody.
# For a new key of the links add 2 = "..." below; what the older ones made stays valid.

addresses = "{addresses}"

[links]
1 = "{link}"
"""


def new_keys() -> KeyRing:
    """Return random keys, which are written nowhere."""
    return KeyRing({1: secrets.token_bytes(KEY_BYTES)}, secrets.token_bytes(KEY_BYTES))


def open_keys(path: Path, *, create: bool) -> KeyRing:
    """Read the keys at `path`; with `create` a missing file is made, readable by its owner only.

    Two processes that make it at once end with the keys of one.

    Raises:
        ConfigError: The file is missing, others can read it, or it holds no good keys. Its text
            repeats nothing of the file.
    """
    try:
        content = _content(path)
        if content is None and create:
            _make(path)
            content = _content(path)
    except OSError as error:
        raise ConfigError(
            f"The keys in {path} cannot be used: {error.strerror}; nothing was done.",
            hint="The file and its folder must belong to whoever runs digest.",
        ) from error
    if content is None:
        raise ConfigError(
            f"The file with the keys is missing: {path}. Links in mails that went out and erased "
            "addresses stand on it, so no new one was made.",
            hint="Bring the file back from your backup.",
        )
    try:
        return _ring(tomllib.loads(content.decode("utf-8")))
    except tomllib.TOMLDecodeError:
        raise _wrong(path, "it is not valid TOML") from None
    except (UnicodeDecodeError, RecursionError):
        raise _wrong(path, "it is no text file of keys") from None
    except ValueError as error:
        raise _wrong(path, str(error)) from None


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


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    ring = new_keys()
    content = _CONTENT.format(addresses=ring.addresses.hex(), link=ring.links[1].hex())
    write_new_file(path, content.encode(), mode=0o600)


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
