"""Every transport keeps the same promises, and so does the plug-in of the guide."""

import datetime as dt
import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from email.utils import formataddr
from inspect import signature
from pathlib import Path

import pytest

from digest.model.deliveries import Evidence, Handover, Outcome, Refused, Unavailable
from digest.settings import SendgridSettings
from digest.testing.clock import FrozenClock
from digest.testing.contracts.transport import NOW, Look, Outgoing, TransportContract, read_message
from digest.testing.sendgrid import Mail, SendgridStandIn
from digest.testing.transports import MemoryTransport
from digest.transports.outbox import OutboxTransport
from digest.transports.sendgrid import SendgridTransport
from tests.guides import Guide

ROOT = Path(__file__).parents[2]
OPENING = """python - <<'END'
from pathlib import Path
from digest.project import load
from digest.transports.plugins import TransportContext, open_transport

project = load(Path(), {})
print(open_transport(TransportContext(root=project.root, settings=project.settings)).name)
END
"""
REFUSING = "test_a_refused_batch_leaves_nothing_and_its_good_readers_can_be_tried_again"


class TestOutbox(TransportContract):
    @pytest.fixture
    def transport(self, tmp_path: Path) -> OutboxTransport:
        return OutboxTransport(tmp_path / "outbox")

    @pytest.fixture
    def failing(self, tmp_path: Path) -> OutboxTransport:
        (tmp_path / "file").write_text("no folder")
        return OutboxTransport(tmp_path / "file" / "outbox")

    @pytest.fixture
    def outgoing(self, tmp_path: Path) -> Look:
        return lambda _at: [
            read_message(path.read_bytes()) for path in sorted(tmp_path.rglob("*.eml"))
        ]


def outgoing_of(transport: MemoryTransport, clock: FrozenClock) -> Look:
    def outgoing(at: dt.datetime) -> list[Outgoing]:
        clock.move(at - clock.now())
        return [read_message(raw) for kept in transport.sent() for raw in kept.messages]

    return outgoing


class InMemory(TransportContract):
    """The subclasses say whether it holds mail."""

    can_hold = False

    @pytest.fixture
    def clock(self) -> FrozenClock:
        return FrozenClock(NOW)

    @pytest.fixture
    def transport(self, clock: FrozenClock) -> MemoryTransport:
        return MemoryTransport(clock, can_hold=self.can_hold)

    @pytest.fixture
    def failing(self, transport: MemoryTransport) -> MemoryTransport:
        transport.script(Unavailable(reason="it is closed for today"))
        return transport

    @pytest.fixture
    def outgoing(self, transport: MemoryTransport, clock: FrozenClock) -> Look:
        return outgoing_of(transport, clock)


class TestMemory(InMemory):
    pass


class TestMemoryThatHolds(InMemory):
    can_hold = True


class TestSendgrid(TransportContract):
    @pytest.fixture
    def clock(self) -> FrozenClock:
        return FrozenClock(NOW)

    @pytest.fixture
    def provider(self, clock: FrozenClock) -> Iterator[SendgridStandIn]:
        with SendgridStandIn(now=clock.now) as provider:
            yield provider

    @pytest.fixture
    def transport(self, provider: SendgridStandIn) -> Iterator[SendgridTransport]:
        with closing(
            SendgridTransport(SendgridSettings(host=provider.url), provider.api_key)
        ) as transport:
            yield transport

    @pytest.fixture
    def failing(
        self, provider: SendgridStandIn, transport: SendgridTransport
    ) -> Iterator[SendgridTransport]:
        with provider.refusing():
            yield transport

    @pytest.fixture
    def outgoing(self, provider: SendgridStandIn, clock: FrozenClock) -> Look:
        def outgoing(at: dt.datetime) -> list[Outgoing]:
            clock.move(at - clock.now())
            sent = [request for request in provider.requests if request.state == "sent"]
            return [
                as_outgoing(mail, json.loads(request.body)["from"])
                for request in sent
                for mail in provider.account.mails_of(request)
            ]

        return outgoing


def as_outgoing(mail: Mail, sender: dict[str, str]) -> Outgoing:
    headers = {
        "From": formataddr((sender.get("name", ""), sender["email"])),
        "To": formataddr((mail.name, mail.to)),
        "Subject": mail.subject,
        **mail.headers,
    }
    return Outgoing(headers=tuple(headers.items()), html=mail.html, text=mail.text)


class Liar(MemoryTransport):
    """Keeps all promises but the one that a test names."""

    def __init__(self, clock: FrozenClock, lie: str) -> None:
        super().__init__(clock, can_hold=True)
        self.lie = lie

    def submit(self, handover: Handover, *, now: dt.datetime) -> Outcome:
        first = handover.readers[0]
        match self.lie:
            case "twice" if len(handover.readers) > 1:
                handover = replace(handover, readers=[first, *handover.readers])
            case "one missing":
                handover = replace(handover, readers=handover.readers[1:])
            case "one link":
                same = [reader._replace(token=first.token) for reader in handover.readers]
                handover = replace(handover, readers=same)
            case "asks nobody":
                handover = replace(handover, may_send=lambda: True)
            case "all tests" if handover.is_test:
                handover = replace(handover, is_test=False)
            case "no release":
                handover = replace(handover, release_at=None)
        outcome = super().submit(handover, now=now)
        if self.lie == "takes parts" and isinstance(outcome, Refused):
            super().submit(replace(handover, readers=[first], release_at=None), now=now)
        if self.lie == "names names" and isinstance(outcome, Refused):
            return Refused(reason=f"{first.address} is bad")
        return outcome

    def reserve(self) -> str:
        return "the same" if self.lie == "reservation" else super().reserve()

    def cancel(self, reservation: str) -> bool:
        return self.lie == "cancelled" or super().cancel(reservation)

    def find(self, handover: Handover, *, now: dt.datetime) -> Evidence:
        lies = {"found": Evidence.ACCEPTED, "not found": Evidence.NOT_ACCEPTED}
        return lies.get(self.lie) or super().find(handover, now=now)


@pytest.mark.parametrize(
    ("lie", "promise"),
    [
        ("twice", "test_accepted_means_the_mail_once_for_each_reader"),
        ("one missing", "test_accepted_means_the_mail_once_for_each_reader"),
        ("one link", "test_a_reader_gets_their_own_links_and_nothing_of_anybody_else"),
        ("takes parts", REFUSING),
        ("names names", REFUSING),
        ("asks nobody", "test_who_may_not_send_any_more_sends_nothing"),
        ("found", "test_evidence_of_one_batch_says_nothing_of_another"),
        ("not found", "test_evidence_is_never_against_what_was_accepted"),
        ("reservation", "test_each_reservation_is_new"),
        ("no release", "test_held_mail_goes_out_at_its_release"),
        ("cancelled", "test_what_is_cancelled_before_its_release_never_goes_out"),
        ("all tests", "test_a_test_mail_is_no_delivery"),
        ("twice", "test_batches_are_handed_over_side_by_side"),
    ],
)
def test_the_contract_finds_who_breaks_it(lie: str, promise: str) -> None:
    with pytest.raises(AssertionError):
        check(promise, lie)
    check(promise, "none")


def check(promise: str, lie: str) -> None:
    clock = FrozenClock(NOW)
    transport = Liar(clock, lie)
    outgoing = outgoing_of(transport, clock)
    given = {"transport": transport, "outgoing": outgoing, "address": "no address"}
    method = getattr(TransportContract(), promise)
    method(**{name: given[name] for name in signature(method).parameters})


def test_the_guide_leads_to_a_transport_that_keeps_the_promises(tmp_path: Path) -> None:
    guide = Guide(ROOT / "docs" / "adding-a-transport.md", tmp_path)
    assert guide.blocks == 5
    [built] = guide.said
    assert re.search(r"=+ \d+ passed in ", built), built
    assert guide.run(tmp_path / "project", OPENING) == "spool\n"
