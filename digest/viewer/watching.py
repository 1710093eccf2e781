"""Seeing that files changed, by looking at them often: no library, and it works on any disk."""

import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

EVERY = 0.15  # seconds

Stamps = Mapping[Path, tuple[int, int, int]]


def stamps(places: Iterable[Path]) -> Stamps:
    """Return what tells one state of the files at or below `places` from another.

    A place need not exist; hidden files are left out, because editors write those on the side.
    """
    found = {}
    for place in places:
        for path in (place, *place.rglob("*")):
            if path.name.startswith("."):
                continue
            try:
                state = path.stat()
            except OSError:  # it was here a moment ago
                continue
            if not path.is_dir():
                found[path] = (state.st_mtime_ns, state.st_size, state.st_ino)
    return found


def watch(
    places: Callable[[], Iterable[Path]],
    changed: Callable[[], None],
    *,
    since: Stamps,
    over: threading.Event,
) -> None:
    """Call `changed` each time that a file at `places` is not as it was, until `over` is set.

    A change while `changed` runs is seen, too. `since` is the state that is known already.
    """
    while not over.wait(EVERY):
        now = stamps(places())
        if now != since:
            since = now
            changed()
