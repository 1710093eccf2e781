"""The preview's folder on disk: written beside its place, then put there in one step."""

import fcntl
import mimetypes
import os
import shutil
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import msgspec

from digest.errors import UsageError
from digest.viewer.page import FILES, GENERATOR, PreviewPage, viewer_page
from digest.viewer.simulations import picture_urls

MEDIA = "media"
_LEFT_BY_THE_SYSTEM = (".DS_Store", "Thumbs.db")


def write_preview(
    page: PreviewPage,
    eml: bytes,
    out: Path,
    *,
    media: Mapping[str, Path],
    report: Callable[[Mapping[str, str]], bytes],
) -> Mapping[str, str]:
    """Write the preview to the folder `out`; an earlier preview there is replaced whole.

    Whatever goes wrong, the earlier preview stays as it was and nothing half-written is left. After
    a kill in the middle, the next preview at this place clears up. Previews in one parent folder
    wait for each other.

    Args:
        page: What the viewer shows. Its HTML and text are written as they are, byte for byte.
        eml: The mail as a message.
        out: The folder; its parents are made.
        media: The newsletter's own pictures by public URL. Those that the mail uses are copied to
            media/ and shown in the viewer; mail.html keeps their URLs.
        report: Gets the files by name and returns the bytes of report.json.

    Returns:
        The files by name ("mail.html", "media/lead.jpg"), each with its path under `out`.

    Raises:
        UsageError: `out` is something else than an earlier preview; nothing was touched.
        OSError: The system refused, for example because the disk is full.
    """
    place = out.resolve()
    pictures = _pictures(page.html, media)
    names = (*FILES, *(f"{MEDIA}/{name}" for name in pictures))
    files = {name: str(out / name) for name in names}
    shown = {url: _embedded(path) for url, path in pictures.values()}
    contents = {
        "index.html": viewer_page(page, shown).encode(),
        "mail.html": page.html.encode(),
        "mail.txt": page.text.encode(),
        "mail.eml": eml,
        "report.json": report(files),
    }
    _refuse_foreign(place, out)
    place.parent.mkdir(parents=True, exist_ok=True)
    with _alone_in(place.parent):
        try:
            _settle(place)
            _refuse_foreign(place, out)
            _fill(_new(place), contents, {name: path for name, (_, path) in pictures.items()})
            if place.exists():
                place.rename(_old(place))
            _new(place).rename(place)
        finally:
            _settle(place)
    return files


def _pictures(mail: str, media: Mapping[str, Path]) -> dict[str, tuple[str, Path]]:
    """Return the URL and the file of each picture at hand that the mail uses, by its new name."""
    found: dict[str, tuple[str, Path]] = {}
    for url in sorted(picture_urls(mail) & media.keys()):
        path = media[url]
        if path.is_file():
            name = path.name if path.name not in found else f"{len(found)}-{path.name}"
            found[name] = (url, path)
    return found


def _embedded(path: Path) -> str:
    # A sandboxed frame of a page from disk may not read files, so the viewer carries the pictures.
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return f"data:{kind};base64,{b64encode(path.read_bytes()).decode()}"


def _fill(folder: Path, contents: Mapping[str, bytes], pictures: Mapping[str, Path]) -> None:
    folder.mkdir()
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    if pictures:
        (folder / MEDIA).mkdir()
    for name, path in pictures.items():
        shutil.copyfile(path, folder / MEDIA / name)


def _refuse_foreign(place: Path, out: Path) -> None:
    """Refuse to replace what is not an earlier preview, or holds what somebody put there."""
    if not place.exists():
        return
    if not place.is_dir():
        _refuse(f"{out} is a file")
    if Path.cwd().is_relative_to(place):
        _refuse(f"{out} is the folder in which this runs")
    held = {path.relative_to(place).as_posix() for path in place.rglob("*") if not path.is_dir()}
    held -= {path for path in held if path.endswith(_LEFT_BY_THE_SYSTEM)}
    if not held:
        return
    if not {"index.html", "report.json"} <= held or not _is_ours(place / "index.html"):
        _refuse(f"{out} is a folder of something else")
    if strange := sorted(held - {*FILES, *_reported(place / "report.json")}):
        _refuse(f"{out} holds {strange[0]}, which no preview wrote")


def _reported(report: Path) -> frozenset[str]:
    """Return the files that an earlier preview says it wrote."""
    try:
        return frozenset(msgspec.json.decode(report.read_bytes(), type=_Report).files)
    except msgspec.MsgspecError:
        return frozenset()


class _Report(msgspec.Struct):
    """What is read of an earlier report."""

    files: dict[str, str]


def _is_ours(index: Path) -> bool:
    with index.open("rb") as file:
        return f'content="{GENERATOR}"'.encode() in file.read(1024)


def _refuse(why: str) -> NoReturn:
    raise UsageError(
        f"{why}; it was left as it is.", hint="Name another folder with --out, or move that away."
    )


@contextmanager
def _alone_in(parent: Path) -> Iterator[None]:
    """Hold the folder's lock, so that what another run left there is surely abandoned."""
    handle = os.open(parent, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _new(place: Path) -> Path:
    return place.with_name(f".{place.name}.digest-new")


def _old(place: Path) -> Path:
    return place.with_name(f".{place.name}.digest-old")


def _settle(place: Path) -> None:
    """Bring the earlier preview back if its place is empty, and remove what is beside it."""
    old = _old(place)
    if old.exists() and not place.exists():
        old.rename(place)
    for folder in (old, _new(place)):
        shutil.rmtree(folder, ignore_errors=True)
