"""Ctrl-C and SIGTERM as a request to end after what is under way."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

NUMBERS = (signal.SIGINT, signal.SIGTERM)
NEVER_CAME = b"\0"


@contextmanager
def ending(
    over: threading.Event, *, once: bool = False, told: Callable[[], object] = lambda: None
) -> Iterator[None]:
    """Set `over` when Ctrl-C or SIGTERM comes while the context is open; then call `told`.

    Both happen in a thread of their own, to which the system itself writes what came. A handler of
    Python would run in the main thread between any two of its steps: not at all while that waits
    and the signal came to it just before, or to another thread; and in the midst of waiting for
    `over` and holding its lock, so that setting it there would wait for itself for ever. Outside
    the main thread, which alone may say what signals do, this does nothing.

    Args:
        over: What to set.
        once: Whether a second signal does what it would do without this context.
        told: Called once, after the first signal.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)

    def pass_on() -> None:
        came = b""
        while not came or came[0] not in (*NUMBERS, *NEVER_CAME):  # others have signals, too
            came = os.read(reading, 1)
        if came != NEVER_CAME:
            over.set()
            told()

    def handle(_number: int, _frame: object) -> None:
        if once:
            restore()

    def restore() -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)

    passing = threading.Thread(target=pass_on, name="signals", daemon=True)
    passing.start()
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    previous = {number: signal.signal(number, handle) for number in NUMBERS}
    try:
        yield
    finally:
        restore()
        signal.set_wakeup_fd(before)
        os.write(writing, NEVER_CAME)
        passing.join()
        os.close(reading)
        os.close(writing)
