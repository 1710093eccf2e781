"""Ctrl-C and SIGTERM are heard at any moment, also while what they set is waited for."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from digest.cli.signals import ending

STEPS = 24  # lines of the standard library until the wait has begun, and some more

# A signal comes to the process after so many lines of what waits, whatever that holds by then.
WAITING = """
import os, signal, sys, threading
from digest.cli.signals import ending

def trace(frame, event, _argument):
    global left
    if frame.f_code.co_filename != threading.__file__:
        return None
    if event == "line":
        left -= 1
        if left == 0:
            sys.settrace(None)
            os.kill(os.getpid(), signal.SIGTERM)
    return trace

for number in range(1, int(sys.argv[1])):
    left, over = number, threading.Event()
    with ending(over):
        sys.settrace(trace)
        over.wait(0.01)
        sys.settrace(None)
        if left > 0:
            os.kill(os.getpid(), signal.SIGTERM)
        while not over.wait(0.01):
            pass
print("heard", number)
"""


def test_signal_is_heard_whatever_the_wait_for_it_has_locked(tmp_path: Path) -> None:
    program = tmp_path / "waiting.py"
    program.write_text(WAITING)
    root = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, str(program), str(STEPS)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": root},
    ) as child:
        try:
            assert child.communicate(timeout=120)[0] == f"heard {STEPS - 1}\n"
        finally:
            child.kill()


def test_signal_that_comes_to_another_thread_is_heard_while_the_main_one_waits() -> None:
    over, main = threading.Event(), threading.main_thread().ident

    def get_it() -> None:
        while sys._current_frames()[main or 0].f_code is not threading.Condition.wait.__code__:
            time.sleep(0.001)
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

    with ending(over):
        other = threading.Thread(target=get_it)
        other.start()
        assert over.wait(60)
        other.join()


def test_second_signal_does_what_it_always_does_where_that_is_wanted() -> None:
    over, told = threading.Event(), []
    with ending(over, once=True, told=lambda: told.append("ending")):
        os.kill(os.getpid(), signal.SIGINT)
        assert over.wait(60)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert told == ["ending"]


def test_afterwards_signals_do_what_they_did_before() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    over, threads = threading.Event(), threading.active_count()
    with ending(over):
        assert signal.getsignal(signal.SIGINT) is not before[0]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert (over.is_set(), threading.active_count()) == (False, threads)


def test_outside_the_main_thread_there_is_nothing_to_hear() -> None:
    over, done = threading.Event(), []

    def work() -> None:
        with ending(over):
            done.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [signal.getsignal(signal.SIGINT)]
    assert not over.is_set()
