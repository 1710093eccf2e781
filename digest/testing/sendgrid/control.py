"""A few addresses beside the API, for who runs the stand-in as a process of its own."""

import dataclasses
import datetime as dt
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from digest.testing.sendgrid.account import Request
from digest.testing.sendgrid.faults import read_script
from digest.testing.sendgrid.server import Answer, Application, Ask, Wire, refusal

if TYPE_CHECKING:
    from digest.testing.sendgrid.standin import SendgridStandIn

PREFIX = "/_standin/"
_SHOWN = tuple(
    field.name
    for field in dataclasses.fields(Request)
    if not field.name.startswith("_") and field.name != "body"
)


class Control:
    """Serves what is below `PREFIX`, and leaves the rest to the API. No key is asked for."""

    def __init__(self, standin: "SendgridStandIn", inner: Application) -> None:
        self._standin, self._inner = standin, inner
        self._ways: Mapping[tuple[str, str], Callable[[Ask], Any]] = {
            ("GET", "accepted"): self._accepted,
            ("GET", "summary"): self._summary,
            ("GET", "requests"): self._requests,
            ("POST", "script"): self._script,
            ("POST", "clock"): self._clock,
            ("POST", "events"): self._events,
        }

    def begin(self, ask: Ask) -> int | None:
        """Count what is for the API; see `Application`."""
        return 0 if ask.path.startswith(PREFIX) else self._inner.begin(ask)

    def serve(self, ask: Ask, number: int, wire: Wire) -> None:
        """Answer what is asked here; see `Application`."""
        if not ask.path.startswith(PREFIX):
            self._inner.serve(ask, number, wire)
            return
        way = self._ways.get((ask.method, ask.path.removeprefix(PREFIX)))
        try:
            answer = refusal(404, "not found") if way is None else Answer(200, way(ask))
        except Exception as error:  # noqa: BLE001  # whoever asked hears what was wrong with it
            answer = refusal(400, f"{type(error).__name__}: {error}")
        wire.answer(answer)

    def _accepted(self, ask: Ask) -> Mapping[str, int]:
        addresses = parse_qs(ask.query).get("address")
        if addresses is None:
            return self._standin.copies()
        return {address: self._standin.accepted(address) for address in addresses}

    def _summary(self, _ask: Ask) -> Mapping[str, int]:
        requests = self._standin.requests
        live = [each for each in requests if each.state in ("sent", "scheduled")]
        copies = self._standin.copies()
        return {
            "requests": len(requests),
            "accepted_requests": sum(each.accepted_at is not None for each in requests),
            "bytes": sum(each.size for each in requests),
            "copies": sum(each.readers for each in live),
            "addresses": len(copies),
            "addresses_twice": sum(count > 1 for count in copies.values()),
        }

    def _requests(self, _ask: Ask) -> list[Mapping[str, Any]]:
        return [
            {name: _plain(getattr(each, name)) for name in _SHOWN}
            for each in self._standin.requests
        ]

    def _script(self, ask: Ask) -> Mapping[str, int]:
        script = read_script(ask.body.decode())
        self._standin.follow(script)
        return {"faults": len(script.faults)}

    def _clock(self, ask: Ask) -> Mapping[str, str]:
        self._standin.move_clock(dt.timedelta(seconds=json.loads(ask.body)["seconds"]))
        return {"now": self._standin.now().isoformat()}

    def _events(self, ask: Ask) -> Mapping[str, list[int]]:
        wanted = json.loads(ask.body)
        url = wanted.pop("url")
        return {"statuses": self._standin.post_events(url, self._standin.events(**wanted))}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.datetime) else value
