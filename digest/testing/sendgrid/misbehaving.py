"""The layer between wire and API that does what the script of faults says."""

import threading
import time
from collections import Counter
from collections.abc import Callable

from digest.testing.sendgrid.api import Api, endpoint_of
from digest.testing.sendgrid.faults import Fault, Script
from digest.testing.sendgrid.server import Answer, Ask, Wire, refusal

_HALF = b"HTTP/1.1 202 Acce"
_GARBAGE = b"\x15\x03\x01\x00\x02\x02\x16 this is not HTTP\r\n\r\n"


class Misbehaving:
    """Serves the API, except where the script has something else in mind."""

    def __init__(self, api: Api, script: Script) -> None:
        self.closing = threading.Event()
        self._api, self._script = api, script
        self._numbers: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._late: list[threading.Thread] = []
        self._ways: dict[str, Callable[[Fault, Ask, Wire], None]] = {
            "drop_after_read": self._drop,
            "drop_after_accept": self._drop,
            "half_answer": lambda fault, ask, wire: self._say(_HALF, fault, ask, wire),
            "garbage": lambda fault, ask, wire: self._say(_GARBAGE, fault, ask, wire),
            "hang": self._hang,
            "slow": self._answer_slowly,
            "late_accept": self._accept_late,
        }

    def follow(self, script: Script) -> None:
        """Follow another script, counting anew."""
        with self._changed:
            self._script = script
            self._numbers.clear()

    def wait(self) -> None:
        """Wait for what accepts late."""
        for thread in self._late:
            thread.join()

    def wait_for(self, condition: Callable[[], bool], *, seconds: float) -> bool:
        """Wait until the condition holds after some request; return whether it does."""
        end = time.monotonic() + seconds
        with self._changed:
            while not condition():
                # Time alone may make it true, so it is looked at without a request, too.
                if time.monotonic() > end:
                    return False
                self._changed.wait(0.02)
        return True

    def begin(self, ask: Ask) -> int | None:
        """Count the request; return its number, or None to close before the body is read."""
        endpoint = endpoint_of(ask.path)
        with self._changed:
            self._numbers[endpoint] += 1
            number = self._numbers[endpoint]
            fault = self._script.pick(endpoint, number, None)
        if fault is None:
            return number
        self._skip(fault, ask, status=None)
        return None

    def serve(self, ask: Ask, number: int, wire: Wire) -> None:
        """Answer, or do what the script says instead."""
        with self._changed:
            fault = self._script.pick(endpoint_of(ask.path), number, ask.body)
        if fault is None:
            answer = self._api.serve(ask)
            self._tell()
            wire.answer(answer)
        elif fault.kind in self._ways:
            self._ways[fault.kind](fault, ask, wire)
        else:
            answer = self._refusal(fault)
            self._carry_out(fault, ask, status=answer.status)
            wire.answer(answer)

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _carry_out(self, fault: Fault, ask: Ask, *, status: int | None = None) -> Answer | None:
        """Let the request take effect if it does in spite of the fault; return its answer."""
        if not fault.carries_out:
            self._skip(fault, ask, status=status)
            return None
        answer = self._api.serve(ask, fault=fault.kind)
        self._tell()
        return answer

    def _skip(self, fault: Fault, ask: Ask, *, status: int | None) -> None:
        self._api.note(ask, fault=fault.kind, status=status)
        self._tell()

    def _drop(self, fault: Fault, ask: Ask, wire: Wire) -> None:
        self._carry_out(fault, ask)
        wire.drop()

    def _say(self, data: bytes, fault: Fault, ask: Ask, wire: Wire) -> None:
        self._carry_out(fault, ask)
        wire.raw(data)

    def _hang(self, fault: Fault, ask: Ask, wire: Wire) -> None:
        self._carry_out(fault, ask)
        wire.hang()

    def _answer_slowly(self, fault: Fault, ask: Ask, wire: Wire) -> None:
        answer = self._carry_out(fault, ask)
        self.closing.wait(fault.seconds)
        if answer is not None:
            wire.answer(answer)

    def _accept_late(self, fault: Fault, ask: Ask, wire: Wire) -> None:
        def later() -> None:
            self.closing.wait(fault.seconds)
            self._carry_out(fault, ask)

        thread = threading.Thread(target=later, name="sendgrid-standin-late")
        with self._changed:
            self._late.append(thread)
        thread.start()
        wire.drop()

    def _refusal(self, fault: Fault) -> Answer:
        now = self._api.now().timestamp()
        if fault.kind == "too_many":
            headers = {}
            if fault.retry_after is not None:
                headers["Retry-After"] = str(fault.retry_after)
            if fault.reset is not None:
                headers["X-RateLimit-Reset"] = str(int(now) + fault.reset)
            return refusal(429, fault.message or "too many requests", headers=headers)
        if fault.kind == "redirect":
            return Answer(fault.status or 302, None, {"Location": "/v3/elsewhere"})
        status, message = {
            "server_error": (fault.status or 503, "The service is not available."),
            "no_credits": (401, "Maximum credits exceeded"),
            "bad_reader": (400, "Does not contain a valid address."),
            "too_large": (413, "The request is too large."),
            "refuse": (fault.status or 400, "Bad Request"),
        }[fault.kind]
        field = "personalizations" if fault.kind == "bad_reader" else None
        return refusal(status, fault.message or message, field)
