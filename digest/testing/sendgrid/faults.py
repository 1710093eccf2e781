"""Faults by script: what goes wrong, at which endpoint, and with which of its requests."""

import json
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

ENDPOINTS = ("mail", "batch", "scheduled_sends", "logs", "suppression", "scopes")
"""What a fault can be aimed at."""

ACCEPTS = {
    "drop_before_read": False,
    "drop_after_read": False,
    "drop_after_accept": True,
    "half_answer": True,
    "garbage": True,
    "hang": True,
    "slow": True,
    "late_accept": True,
    "too_many": False,
    "server_error": False,
    "redirect": False,
    "no_credits": False,
    "refuse": False,
    "bad_reader": False,
    "too_large": False,
}
"""Each kind of fault, and whether the request is carried out unless `accepts` says otherwise."""

_NUMBER = (int, float)
_FORMS: Mapping[str, type | tuple[type, ...]] = {
    "kind": str,
    "endpoint": str,
    "at": list,
    "every": int,
    "chance": _NUMBER,
    "times": int,
    "accepts": bool,
    "status": int,
    "message": str,
    "retry_after": int,
    "reset": int,
    "seconds": _NUMBER,
    "address": str,
    "size": int,
}
"""What a script may say of a fault."""

_FREE = ("half_answer", "garbage", "hang", "server_error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong.

    Without `at`, `every`, `chance` and `when` it hits each request of its endpoint. Requests of an
    endpoint are counted from 1. Of several faults that fit, the first of the script wins.

    Args:
        kind: One of `ACCEPTS`.
        endpoint: One of `ENDPOINTS`.
        at: The numbers of the requests that it hits.
        every: Hits each nth request.
        chance: Hits at random, from 0 to 1, always in the same places for a seed.
        when: Hits the requests whose body this returns true for.
        times: Hits so many times at most.
        accepts: Whether the request is carried out all the same; see `ACCEPTS`.
        status: The answer's status, for server_error, redirect and refuse.
        message: What the error says to people.
        retry_after: Seconds, for too_many: the header Retry-After.
        reset: Seconds from now, for too_many: the header X-RateLimit-Reset, a Unix time.
        seconds: For slow and late_accept, of the machine's own clock.
        address: For bad_reader: who is refused.
        size: For too_large: bytes of a body that are too many.
    """

    kind: str
    endpoint: str = "mail"
    at: Sequence[int] = ()
    every: int = 0
    chance: float = 0.0
    when: Callable[[bytes], bool] | None = None
    times: int | None = None
    accepts: bool | None = None
    status: int = 0
    message: str = ""
    retry_after: int | None = None
    reset: int | None = None
    seconds: float = 0.0
    address: str = ""
    size: int = 0

    def __post_init__(self) -> None:
        """Refuse a fault that would never do what it says.

        Raises:
            ValueError: The kind or the endpoint does not exist, or `accepts` cannot be so.
        """
        if self.kind not in ACCEPTS:
            raise ValueError(f"There is no fault {self.kind!r}; there is {', '.join(ACCEPTS)}.")
        if self.endpoint not in ENDPOINTS:
            raise ValueError(f"{self.endpoint!r} is none of {', '.join(ENDPOINTS)}.")
        if self.accepts not in (None, ACCEPTS[self.kind]) and self.kind not in _FREE:
            raise ValueError(f"{self.kind!r} cannot choose whether it accepts.")
        if self.kind == "bad_reader" and not self.address:
            raise ValueError("bad_reader needs the address that it refuses.")

    @property
    def carries_out(self) -> bool:
        """Whether the request takes effect although something goes wrong."""
        return ACCEPTS[self.kind] if self.accepts is None else self.accepts


class Script:
    """The faults of a run. Safe to use from several threads.

    The same faults and the same seed hit the same requests, whatever the order of threads makes of
    which request is the nth.
    """

    def __init__(self, faults: Sequence[Fault] = (), *, seed: int = 0) -> None:
        self.faults = tuple(faults)
        self._seed = seed
        self._hits: Counter[int] = Counter()
        self._lock = Lock()

    def pick(self, endpoint: str, number: int, body: bytes | None) -> Fault | None:
        """Return what goes wrong with this request, if anything does.

        Without a body it is asked before anything was read, and only what happens so early counts.
        """
        with self._lock:
            for index, fault in enumerate(self.faults):
                if fault.endpoint != endpoint or (fault.kind == "drop_before_read") != (
                    body is None
                ):
                    continue
                is_used_up = fault.times is not None and self._hits[index] >= fault.times
                if not is_used_up and self._is_hit(index, number) and _fits(fault, body or b""):
                    self._hits[index] += 1
                    return fault
        return None

    def _is_hit(self, index: int, number: int) -> bool:
        fault = self.faults[index]
        chosen = [
            number in fault.at if fault.at else None,
            number % fault.every == 0 if fault.every else None,
            self._draw(index, number) < fault.chance if fault.chance else None,
        ]
        limits = [choice for choice in chosen if choice is not None]
        return any(limits) if limits else True

    def _draw(self, index: int, number: int) -> float:
        return random.Random(f"{self._seed}/{index}/{number}").random()  # noqa: S311 - no secret


def _fits(fault: Fault, body: bytes) -> bool:
    if fault.when is not None and not fault.when(body):
        return False
    if fault.kind == "bad_reader":
        return json.dumps(fault.address).lower().encode() in body.lower()
    return fault.kind != "too_large" or len(body) > fault.size


def sequence(*kinds: str, endpoint: str = "mail") -> tuple[Fault, ...]:
    """Return the faults that make the first requests end so, one after the other.

    "ok" lets one pass, a number is a status ("429", "503"), anything else is a kind of fault.
    """
    return tuple(
        _from_word(word, endpoint, number)
        for number, word in enumerate(kinds, start=1)
        if word != "ok"
    )


def _from_word(word: str, endpoint: str, number: int) -> Fault:
    if not word.isdigit():
        return Fault(kind=word, endpoint=endpoint, at=(number,))
    status = int(word)
    kind = "too_many" if status == 429 else "server_error" if status >= 500 else "refuse"
    return Fault(kind=kind, endpoint=endpoint, at=(number,), status=status)


def read_script(text: str) -> Script:
    """Return the script that a JSON document describes: `{"seed": 1, "faults": [{"kind": …}]}`.

    Raises:
        ValueError: It is no such document; the words are for people.
    """
    document: Any = json.loads(text)
    if not isinstance(document, dict) or not set(document) <= {"seed", "faults"}:
        raise ValueError('A script is an object with "faults" and, if need be, "seed".')
    faults, seed = document.get("faults", []), document.get("seed", 0)
    if not isinstance(faults, list) or not isinstance(seed, int):
        raise ValueError("The faults of a script are a list, and its seed is a whole number.")
    return Script([_read_fault(entry) for entry in faults], seed=seed)


def _read_fault(entry: Any) -> Fault:
    if not isinstance(entry, dict) or "kind" not in entry:
        raise ValueError("A fault of a script is an object with a kind.")
    for name, value in entry.items():
        if name not in _FORMS:
            raise ValueError(f"A fault of a script has no {name!r}; it has {', '.join(_FORMS)}.")
        if not isinstance(value, _FORMS[name]):
            raise ValueError(f"{value!r} cannot be the {name!r} of a fault.")
    return Fault(**entry)
