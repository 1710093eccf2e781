"""What a check is and what it finds."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar

Subject = TypeVar("Subject", contravariant=True)


class Severity(StrEnum):
    """How much a finding weighs.

    An error is something that readers would see, that keeps them from leaving, or that could run
    or fetch something; it stops an edition. A warning goes wrong in some mail clients.
    """

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A fault in a mail.

    `message` is one sentence: what is wrong, where, and how to mend it. `story` is the headline of
    the story in which it stands, "" elsewhere. `line` is the line of the HTML, 0 if unknown.
    """

    rule: str
    severity: Severity
    message: str
    story: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """What a rule saw: half a sentence without a full stop, and the element or line of the HTML."""

    what: str
    element: Any = None
    line: int = 0


@dataclass(frozen=True, slots=True)
class Rule(Generic[Subject]):
    """One check: a stable id, its weight, what it wants, how to mend a fault, and the function.

    `wants` and `mend` are half sentences; a finding reads "what was seen; how to mend it."
    `is_fixed` marks what nobody may ignore: a reader's way out, and what could run or leak.
    """

    id: str
    severity: Severity
    wants: str
    mend: str
    find: Callable[[Subject], Iterable[Fault]]
    is_fixed: bool = False
