"""The stand-in itself: the provider's addresses, and what a test asks of it."""

import datetime as dt
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from digest.testing.sendgrid import events as reports
from digest.testing.sendgrid.account import Account, Request
from digest.testing.sendgrid.api import Api
from digest.testing.sendgrid.clocks import RunningClock
from digest.testing.sendgrid.control import Control
from digest.testing.sendgrid.events import EventPost, Webhook
from digest.testing.sendgrid.faults import Fault, Script
from digest.testing.sendgrid.messages import Mail
from digest.testing.sendgrid.misbehaving import Misbehaving
from digest.testing.sendgrid.server import Server

Kinds = Sequence[str] | Callable[[Mail], Sequence[str]]


class SendgridStandIn:
    """A mail provider on loopback that speaks the API of SendGrid, and delivers to nobody.

    It serves while its context is open::

        with SendgridStandIn(faults=sequence("ok", "503")) as provider:
            send(host=provider.url, key=provider.api_key)
            assert provider.accepted("reader@example.com") == 1

    Its methods are safe to use from several threads, and can be used after the context, too.

    Args:
        faults: What goes wrong; see `Fault` and `sequence`.
        seed: For the faults that hit at random.
        checks: Whether requests are checked against the documented limits.
        keep: "mails" keeps whole requests, "counts" only who they are to (a million readers are
            25 MB), "nothing" only that they came.
        now: Its clock, a function that returns aware UTC, or a `RunningClock`, which `move_clock`
            moves; by default one of those that runs with the machine's.
        cancel_lead: A pause or cancel that comes later than this before the release is taken with
            a 201, and has no effect.
        holds: How many batches may be paused or cancelled at a time.
        log_delay: How long after a mail the log knows of it.
        api_key: The only key it accepts; made up by default.
        port: Where it listens; 0 for any free port.
    """

    def __init__(  # noqa: PLR0913 - all are optional, and read like a settings file
        self,
        *,
        faults: Sequence[Fault] = (),
        seed: int = 0,
        checks: bool = True,
        keep: str = "mails",
        now: Callable[[], dt.datetime] | RunningClock | None = None,
        cancel_lead: dt.timedelta = dt.timedelta(minutes=10),
        holds: int = 10,
        log_delay: dt.timedelta = dt.timedelta(0),
        api_key: str = "",
        port: int = 0,
    ) -> None:
        self.api_key = api_key or f"SG.{secrets.token_urlsafe(16)}.{secrets.token_urlsafe(32)}"
        self._clock = now or RunningClock()
        self.now = self._clock.now if isinstance(self._clock, RunningClock) else self._clock
        self.account = Account(self.now, keep=keep, cancel_lead=cancel_lead, holds=holds)
        self.api = Api(self.account, key=self.api_key, checks=checks, log_delay=log_delay)
        self.webhook = Webhook(self.now)
        self._application = Misbehaving(self.api, Script(faults, seed=seed))
        self._port = port
        self._server: Server | None = None

    def __enter__(self) -> Self:
        self._server = Server(Control(self, self._application), port=self._port)
        self._port = self._server.port
        self._application.closing = self._server.closing
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
            self._application.wait()

    @property
    def url(self) -> str:
        """Where it answers, without a slash at the end."""
        return f"http://127.0.0.1:{self._port}"

    def refusing(self) -> AbstractContextManager[None]:
        """Refuse every connection meanwhile, at the same address."""
        if self._server is None:
            raise RuntimeError("The stand-in is not serving yet.")
        return self._server.refusing()

    def misbehave(self, *faults: Fault, seed: int = 0) -> None:
        """Change the script from now on; without faults all goes well. Requests count anew."""
        self.follow(Script(faults, seed=seed))

    def follow(self, script: Script) -> None:
        """Follow a script from now on. Requests count anew."""
        self._application.follow(script)

    def move_clock(self, by: dt.timedelta) -> None:
        """Move its own clock on.

        Raises:
            TypeError: The clock is the test's.
        """
        if not isinstance(self._clock, RunningClock):
            raise TypeError("The stand-in has a clock of the test; move that one.")
        self._clock.move(by)

    def wait_for(self, condition: Callable[[], bool], *, seconds: float = 30.0) -> bool:
        """Wait until the condition holds after some request, and return whether it does."""
        return self._application.wait_for(condition, seconds=seconds)

    # What came

    @property
    def requests(self) -> list[Request]:
        """All requests to send mail as they stand now, those that were not accepted as well."""
        return self.account.requests()

    def accepted(self, address: str) -> int:
        """Return how many copies the address got or will get; what was cancelled is no copy."""
        return self.account.accepted(address)

    def copies(self) -> Counter[str]:
        """Return the same for every address, in lower case."""
        return self.account.copies()

    @property
    def mails(self) -> Iterator[Mail]:
        """The mails that went out or will, made one by one as they are asked for."""
        for request in self.account.live():
            yield from self.account.mails_of(request)

    # What happens later

    def suppress(self, name: str, address: str, *, at: dt.datetime | None = None) -> None:
        """Put an address on one of the provider's lists, such as "bounces"; see `LISTS`.

        Raises:
            ValueError: There is no such list.
        """
        self.api.suppressions.add(name, address, at or self.now())

    def events(
        self,
        kinds: Kinds = ("processed", "delivered"),
        *,
        seed: int | None = None,
        copies: int = 1,
        per_post: int = 1_000,
        fresh_ids: bool = False,
    ) -> list[EventPost]:
        """Return signed reports about all mail that went out.

        Args:
            kinds: What happened to each mail, or a function that says so for one; see `KINDS`.
            seed: Shuffles the events; without it they come by mail.
            copies: How often each event is reported.
            per_post: Events in a report at most.
            fresh_ids: Give every event an id of its own, also when it was reported before.
        """
        rows = [
            reports.make_event(mail, kind, at=at, fresh_id=fresh_ids)
            for mail, at in self._sent()
            for kind in (kinds(mail) if callable(kinds) else kinds)
        ]
        shuffled = reports.in_disorder(rows, copies=copies, seed=seed)
        bodies = reports.make_bodies(shuffled, per_post=per_post)
        return [self.webhook.sign(body) for body in bodies]

    def post_events(self, url: str, posts: Sequence[EventPost]) -> list[int]:
        """Post reports to a webhook; return the statuses of its answers."""
        return reports.post(url, posts)

    def _sent(self) -> Iterator[tuple[Mail, dt.datetime]]:
        for request in self.account.live():
            if request.state == "sent":
                at = max(filter(None, (request.release_at, request.accepted_at)))
                for mail in self.account.mails_of(request):
                    yield mail, at
