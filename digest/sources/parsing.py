"""The killable parser: bytes from strangers are read in child processes with limits.

Limits inside one process do not work: 430 KB of attributes cost a feed parser a minute, and
nothing in Python can interrupt it. So each body goes to a child that has a gigabyte of address
space, some seconds of CPU and a deadline; a child that breaks one of them is killed and replaced,
and only the body that did it is lost. What crosses the pipe is msgpack with fixed types, never
pickle.
"""

import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Literal, Self

import msgspec

from digest.errors import SourceError, SourceMalformed, SourceRefused, SourceUnavailable
from digest.model.articles import RawEntry

Form = Literal["feed", "page", "text", "markdown"]
ErrorKind = Literal["refused", "malformed"]

MAX_BODY_BYTES = 5 * 1024 * 1024
MAX_FRAME_BYTES = 64 * 1024 * 1024
OUT_OF_MEMORY = 99
"""The exit code of a child that hit its memory limit."""

_LENGTH_BYTES = 4
_JOBS_PER_CHILD = 250  # then a fresh one: the libraries' caches only ever grow
_KEPT_ENVIRONMENT = ("PYTHONPATH",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What a body held.

    `entries` stand in its order; `refused` are those that cannot be one, as (what, why); `title`
    and `language` are the body's own, where it states them.
    """

    entries: tuple[RawEntry, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    title: str = ""
    language: str = ""


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One body to be parsed; `url`, `language` and `timezone` are what the reader may assume."""

    form: Form
    body: bytes
    url: str = ""
    content_type: str = ""
    language: str = ""
    timezone: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A child's answer: either `parsed`, or the error that the body deserves."""

    parsed: Parsed | None = None
    kind: ErrorKind = "malformed"
    message: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one body may cost: bytes of address space, seconds of CPU, seconds on the wall."""

    memory_bytes: int = 1024 * 1024 * 1024
    cpu_seconds: int = 15
    wall_seconds: float = 15.0


def write_frame(pipe: IO[bytes], frame: bytes) -> None:
    """Write one frame: its length as four big-endian bytes, then itself."""
    pipe.write(len(frame).to_bytes(_LENGTH_BYTES, "big") + frame)
    pipe.flush()


def read_frame(pipe: IO[bytes]) -> bytes:
    """Read one frame.

    Raises:
        EOFError: The other end is gone, or it announces more than MAX_FRAME_BYTES.
    """
    length = int.from_bytes(_read_exactly(pipe, _LENGTH_BYTES), "big")
    if length > MAX_FRAME_BYTES:
        raise EOFError
    return _read_exactly(pipe, length)


def _read_exactly(pipe: IO[bytes], length: int) -> bytes:
    data = pipe.read(length)
    if len(data) < length:
        raise EOFError
    return data


class ParserKilled(SourceRefused):
    """The body broke a limit or crashed the child that read it."""


class ParserPool:
    """A few child processes that parse, started when needed and ended with the context.

    Safe to use from several threads. Children stand in a session of their own, so that Ctrl-C
    reaches only this process, which ends them on leaving the context; should it die without
    that, they read the end of their pipe and leave.
    """

    def __init__(self, *, size: int = 2, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._free = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()
        self._idle: list[_Child] = []
        self._children: set[_Child] = set()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def parse(
        self,
        form: Form,
        body: bytes,
        *,
        url: str,
        content_type: str = "",
        language: str = "",
        timezone: str = "",
    ) -> Parsed:
        """Parse one body in a child; blocks until a child is free and has answered.

        Args:
            form: What the body is said to be.
            body: At most MAX_BODY_BYTES, never interpreted in this process.
            url: Where it came from; relative links are resolved against it.
            content_type: The Content-Type header, if there was one.
            language: BCP 47 tag to assume where the body states none.
            timezone: IANA zone of dates without one.

        Raises:
            ParserKilled: It broke a limit of the parser, or crashed it.
            SourceRefused: It is too large.
            SourceMalformed: It is not what `form` says.
            SourceUnavailable: The pool was closed meanwhile, or no child can be started.
        """
        if len(body) > MAX_BODY_BYTES:
            raise SourceRefused(f"It is larger than {MAX_BODY_BYTES // 1024**2} MB.")
        job = Job(
            form=form,
            body=body,
            url=url,
            content_type=content_type,
            language=language,
            timezone=timezone,
        )
        with self._free:
            answer = self._ask(job)
        if answer.parsed is not None:
            return answer.parsed
        error = SourceRefused if answer.kind == "refused" else SourceMalformed
        raise error(answer.message, hint=answer.hint)

    def close(self) -> None:
        """End all children, busy or not; a parse under way raises SourceUnavailable."""
        with self._lock:
            self._closed = True
            children = list(self._children)
        for child in children:
            child.kill()

    def _ask(self, job: Job) -> Answer:
        child = self._take()
        reusable = False
        try:
            answer = child.ask(job)
            reusable = child.reusable
            return answer
        except EOFError:
            raise self._failure(child) from None
        finally:
            self._give_back(child, reusable=reusable)

    def _take(self) -> "_Child":
        with self._lock:
            if self._closed:
                raise SourceUnavailable("The run was stopped before this was read.")
            while self._idle:
                child = self._idle.pop()
                if child.alive:
                    return child
                self._children.discard(child)
                child.kill()
            try:
                child = _Child(self._limits)
            except OSError as error:
                raise SourceUnavailable(
                    f"No parser process can be started ({error.strerror}). Nothing was changed.",
                    hint="Run it again when this computer has more room for processes.",
                ) from error
            self._children.add(child)
            return child

    def _give_back(self, child: "_Child", *, reusable: bool) -> None:
        with self._lock:
            if reusable and not self._closed:
                self._idle.append(child)
                return
            self._children.discard(child)
        child.kill()

    def _failure(self, child: "_Child") -> SourceError:
        with self._lock:
            if self._closed:
                return SourceUnavailable("The run was stopped while this was read.")
        code = child.kill(grace_seconds=1)
        if child.overran:
            why = f"it took longer than {self._limits.wall_seconds:g} s"
        elif code == -signal.SIGXCPU:
            why = f"it computed for longer than {self._limits.cpu_seconds} s"
        elif code == OUT_OF_MEMORY:
            why = f"it needed more than {self._limits.memory_bytes // 1024**2} MB"
        elif code < 0:
            why = "it crashed it"
        else:
            return SourceUnavailable(
                "The parser process ended before it answered. Nothing was changed.",
                hint="Install digest again, with all that it needs.",
            )
        return ParserKilled(
            f"It killed the parser: {why}. Other sources are not affected.",
            hint="Tell the site; it is tried again at the next run.",
        )


class _Child:
    """One child process; used by one thread at a time, but any thread may kill it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._jobs = 0
        self._killing = threading.Lock()
        self.overran = False
        command = [sys.executable, "-P", "-m", "digest.sources.worker"]
        self._process = subprocess.Popen(  # noqa: S603 (fixed words; nothing of a stranger's)
            [*command, str(limits.memory_bytes), str(limits.cpu_seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=_environment(),
            start_new_session=True,
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError("both are pipes")
        self._jobs_pipe, self._answers_pipe = self._process.stdin, self._process.stdout

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def reusable(self) -> bool:
        return not self.overran and self._jobs < _JOBS_PER_CHILD

    def ask(self, job: Job) -> Answer:
        """Have the job done; EOFError when the child dies, or is killed at the deadline."""
        self._jobs += 1
        watchdog = threading.Timer(self._limits.wall_seconds, self._overrun)
        watchdog.daemon = True
        watchdog.start()
        try:
            write_frame(self._jobs_pipe, msgspec.msgpack.encode(job))
            return msgspec.msgpack.decode(read_frame(self._answers_pipe), type=Answer)
        except (OSError, ValueError, msgspec.MsgspecError):
            raise EOFError from None
        finally:
            watchdog.cancel()
            watchdog.join()  # so that a late bark cannot hit the next job

    def kill(self, *, grace_seconds: float = 0) -> int:
        """End the process, close its pipes and return its exit code (negative: a signal's).

        One that is just dying by itself within the grace keeps the exit code that tells why.
        """
        with self._killing:
            if self._jobs_pipe.closed:
                return self._process.wait()
            try:
                code = self._process.wait(timeout=grace_seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
                code = self._process.wait()
            self._close_pipes()
            return code

    def _overrun(self) -> None:
        self.overran = True
        self._process.kill()

    def _close_pipes(self) -> None:
        for pipe in (self._jobs_pipe, self._answers_pipe):
            try:
                pipe.close()
            except OSError:  # half a frame that nobody reads any more
                continue


def _environment() -> dict[str, str]:
    """Return the least that a child needs; no secret of this process is in it."""
    kept = {name: os.environ[name] for name in _KEPT_ENVIRONMENT if name in os.environ}
    # Thread pools of numeric libraries would eat the address space.
    return {"LANG": "C.UTF-8", "PYTHONUTF8": "1", "TZ": "UTC", "OPENBLAS_NUM_THREADS": "1", **kept}
