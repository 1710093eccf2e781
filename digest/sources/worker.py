"""The child process that parses: `python -m digest.sources.worker MEMORY_BYTES CPU_SECONDS`.

It reads jobs from standard input and answers on standard output until the input ends, in the
frames of `digest.sources.parsing`. Its own code opens no connection, and it is given
no secrets.
"""

import os
import resource
import signal
import sys
import time
import warnings
from typing import IO

import msgspec

from digest.errors import SourceError, SourceRefused
from digest.sources.parsing import (
    OUT_OF_MEMORY,
    Answer,
    ErrorKind,
    Job,
    Parsed,
    read_frame,
    write_frame,
)


def main() -> None:
    """Take jobs until standard input ends."""
    memory_bytes, cpu_seconds = (int(word) for word in sys.argv[1:3])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore")  # the libraries' own, about input that is known to be odd
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    jobs, answers = sys.stdin.buffer, _private_stdout()
    try:
        while True:
            job = msgspec.msgpack.decode(read_frame(jobs), type=Job)
            _allow_cpu(cpu_seconds)
            write_frame(answers, answer(job))
    except EOFError:
        return
    except MemoryError:
        os._exit(OUT_OF_MEMORY)  # at once: an orderly end would need memory


def answer(job: Job) -> bytes:
    """Parse one body and return the encoded Answer; whatever the libraries raise becomes one.

    Raises:
        MemoryError: The memory limit is reached; this process is of no more use.
    """
    encode = msgspec.msgpack.encode
    try:
        return encode(Answer(parsed=parse(job)))
    except SourceError as error:
        kind: ErrorKind = "refused" if isinstance(error, SourceRefused) else "malformed"
        return encode(Answer(kind=kind, message=error.message, hint=error.hint))
    except RecursionError:
        return encode(Answer(kind="refused", message="It is nested too deeply."))
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 (a stranger's bytes reached a library's bug)
        return encode(Answer(message=f"It cannot be read ({type(error).__name__})."))


def parse(job: Job) -> Parsed:
    """Hand the job to the reader of its form, and import only that one.

    Raises:
        SourceRefused: The body breaks a limit.
        SourceMalformed: The body is not of the form.
    """
    if job.form == "feed":
        from digest.sources.feedform import parse_feed

        return parse_feed(job)
    if job.form == "page":
        from digest.sources.pages import parse_page

        return parse_page(job)
    from digest.sources.texts import parse_markdown, parse_text

    return parse_text(job) if job.form == "text" else parse_markdown(job)


def _private_stdout() -> IO[bytes]:
    """Return standard output for the frames, and point descriptor 1 at nothing.

    A library that prints would break the frames.
    """
    answers = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.close(nothing)
    return answers


def _allow_cpu(seconds: int) -> None:
    """Grant the next job its CPU seconds; the kernel counts over the whole process life."""
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + 1 + seconds, hard))


if __name__ == "__main__":
    main()
