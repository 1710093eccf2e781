"""One who sends: everything that a real run does, in a forked process that may be killed."""

import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path

import msgspec

from digest.errors import Conflict, HeldElsewhere, UsageError
from digest.model.editions import Edition, EditionState
from digest.services.sending import RUNNING, SendingService
from digest.settings import DeliverySettings, ScheduleSettings, SendgridSettings, Settings
from digest.storage.database import open_database
from digest.storage.ledger import SqlLedger
from digest.storage.store import SqlStore
from digest.tokens import KeyRing, Tokens
from digest.transports.sendgrid import SendgridTransport
from digest.transports.sendgrid_connections import Limits
from tests.kills.points import Points
from tests.kills.provider import Provider, SteppedClock
from tests.kills.scenes import Kill, Scene

NEWSLETTER, LABEL, SIZE = "app-news-weekly", "2026-W48", 4
LOCAL = "mon 07:00 local"
HELD, FAILED = 9, 70  # another one is at it; it broke down
HANGS = 240  # seconds after which a sender is taken for dead


class Sender:
    """A process that plans the edition, unless it is planned, and hands over what is left.

    Args:
        scene: What is played.
        url: The database's.
        provider: To whom it hands over.
        clock: Shared with the provider.
        kill: Where it ends.
        told: The file for the points that it passed.
    """

    def __init__(
        self,
        scene: Scene,
        url: str,
        provider: Provider,
        clock: SteppedClock,
        kill: Kill,
        told: Path,
    ) -> None:
        self._scene, self._url = scene, url
        self._provider, self._clock = provider, clock
        self.kill = kill
        self._told = told
        self.pid = os.fork()
        if not self.pid:
            os._exit(self._main())

    def killed_at(self) -> str:
        """Return the name of the point at which it was killed or stopped."""
        return self._told.read_text() if self._told.exists() else ""

    def points(self) -> list[str]:
        """Return what it passed, if it came to its end."""
        whole = self._told.with_suffix(".json")
        return msgspec.json.decode(whole.read_bytes(), type=list[str]) if whole.exists() else []

    def _main(self) -> int:
        signal.alarm(HANGS)
        try:
            self._send()
        except (Conflict, HeldElsewhere, UsageError):  # somebody else plans, hands over, or is done
            return HELD
        except BaseException:  # noqa: BLE001 - a forked process must never return into its parent
            traceback.print_exc()
            sys.stderr.flush()
            return FAILED
        return 0

    def _send(self) -> None:
        told = os.open(self._told, os.O_CREAT | os.O_WRONLY)
        points = Points(self.kill, told)
        database = open_database(self._url)
        points.watch(database)
        store = SqlStore(database)
        service = SendingService(
            store,
            SqlLedger(database),
            self._transport(),
            Tokens(KeyRing({1: b"k" * 32}, b"a" * 32)),
            self._clock,
            Settings(
                schedule=ScheduleSettings(send=LOCAL if self._scene.waves else "mon 07:00"),
                delivery=DeliverySettings(
                    batch_size=SIZE, in_flight=self._scene.in_flight, settle_seconds=0
                ),
            ),
            frozen=lambda edition: store.variants(edition.id or 0),
        )
        edition = store.edition(NEWSLETTER, LABEL)
        assert edition is not None
        if edition.state is EditionState.APPROVED:
            release_at = service.release_at(edition, may_hold=self._scene.hold)
            service.plan(edition, release_at=release_at)
            edition = store.edition(NEWSLETTER, LABEL)
            assert edition is not None
        if edition.state in RUNNING:
            self._hand_over(service, edition)
        self._told.with_suffix(".json").write_bytes(msgspec.json.encode(points.names))

    def _hand_over(self, service: SendingService, edition: Edition) -> None:
        while True:
            stop = threading.Event()
            try:
                stopped = service.run(
                    edition,
                    stop=stop,
                    wait=self._clock.step,
                    progress=lambda _: None,
                    stays=self._scene.stays,
                )
            except HeldElsewhere:
                if self._scene.senders == 1:
                    raise
                time.sleep(0.02)  # until the other one is killed, or done
            else:
                if stopped is None or stopped.until_at is None:
                    return
                self._clock.step((stopped.until_at - self._clock.now()).total_seconds())

    def _transport(self) -> SendgridTransport:
        settings = SendgridSettings(host=self._provider.url)
        limits = Limits(connect=30, read=self._scene.read, total=2 * self._scene.read)
        return SendgridTransport(settings, self._provider.api_key, limits=limits)
