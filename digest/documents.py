"""Reading documents into types, from many threads."""

from collections.abc import Iterable
from contextlib import suppress

import msgspec


def learn_types(kinds: Iterable[type]) -> None:
    """Let msgspec look at the types of documents, so that later no thread has to.

    It does so at the first use of each, and two threads that do so at once can crash the
    interpreter.
    """
    for kind in kinds:
        with suppress(msgspec.ValidationError):
            msgspec.convert(None, kind)
