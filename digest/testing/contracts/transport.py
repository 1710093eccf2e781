"""What every transport promises."""

import datetime as dt
import email
import email.policy
import html
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any

import pytest

from digest.merging import TOKENS
from digest.model.deliveries import Accepted, Evidence, Handover, Refused, Unavailable, Unsent
from digest.model.subscribers import Suppression
from digest.ports import Transport
from digest.testing.factories import NOON as NOW
from digest.testing.factories import make_addressee, make_handover, make_mail

RELEASE = NOW + dt.timedelta(hours=1)
LATER = NOW + dt.timedelta(hours=2)

ATTACKS = [
    "x\r\nBcc: victim@example.com",
    "x\nBcc: victim@example.com",
    "x\rBcc: victim@example.com",
    "=?utf-8?q?x=0D=0ABcc=3A_victim=40example.com?=",
    "=?utf-8?b?eA0KQmNjOiB2aWN0aW1AZXhhbXBsZS5jb20=?=",
    "x\u2028Bcc: victim@example.com",
    "x\u0085Bcc: victim@example.com",
    "x\x0b\x0c\x00Bcc: victim@example.com",
    "x\r\n\r\n<script>alert(1)</script>",
]
BAD_ADDRESSES = [
    "",
    "no address",
    "one@example.com, two@example.com",
    "one@example.com\r\nBcc: victim@example.com",
    "=?utf-8?q?one?=@example.com",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A mail as its reader gets it: each header's name and value, decoded, and the bodies."""

    headers: tuple[tuple[str, str], ...]
    html: str
    text: str

    def header(self, name: str) -> str:
        """Return the value of a header, "" where it is missing."""
        return next((v for n, v in self.headers if n.lower() == name.lower()), "")

    def names(self) -> list[str]:
        """Return the headers' names in lower case, sorted."""
        return sorted(name.lower() for name, _ in self.headers)

    def everything(self) -> str:
        """Return all that a reader could see."""
        values = (f"{name}: {value}" for name, value in self.headers)
        return "\n".join((*values, html.unescape(self.html), self.text))


Look = Callable[[dt.datetime], Sequence[Outgoing]]
"""Returns the mails that have gone out by an instant."""


def read_message(raw: bytes) -> Outgoing:
    """Return a message of RFC 5322 as its reader gets it.

    Raises:
        AssertionError: A strict reader finds a fault in it.
    """
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    parts = list(message.iter_parts())
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    assert not [fault for part in (message, *parts) for fault in part.defects]
    text, shown = (part.get_content().replace("\r\n", "\n") for part in parts)
    headers = tuple((name, str(value)) for name, value in message.items())
    return Outgoing(headers=headers, html=shown, text=text)


class TransportContract:
    """Subclass it with the fixtures `transport`, `failing` and `outgoing`.

    `transport` yields one that takes what it is given; `failing` one that can take nothing now.
    `outgoing` is a function: it is given an instant, not earlier than before, moves the provider's
    time there, and returns all mails that either of them has sent by then, test mails among them.
    The tests begin at NOW.
    """

    def handover(self, transport: Transport, count: int = 3, **changes: Any) -> Handover:
        """Return a hand-over as the sender would make it: reserved, and held if that is offered."""
        held = {"release_at": RELEASE} if transport.can_hold else {}
        return make_handover(count, **({"reservation": transport.reserve()} | held | changes))

    def accept(self, transport: Transport, handover: Handover) -> None:
        """Hand over, which has to succeed."""
        outcome = transport.submit(handover, now=NOW)
        assert isinstance(outcome, Accepted), outcome

    def test_accepted_means_the_mail_once_for_each_reader(
        self, transport: Transport, outgoing: Look
    ) -> None:
        handover = self.handover(transport, 100)
        self.accept(transport, handover)
        mails = outgoing(LATER)
        assert sorted(addresses(mails)) == sorted(r.address for r in handover.readers)
        for mail in mails:
            assert mail.header("Subject") == handover.mail.subject
            assert mail.header("From") == handover.mail.sender

    def test_a_reader_gets_their_own_links_and_nothing_of_anybody_else(
        self, transport: Transport, outgoing: Look
    ) -> None:
        handover = self.handover(transport, 100)
        self.accept(transport, handover)
        mails = {mail.header("To"): mail for mail in outgoing(LATER)}
        for reader in handover.readers:
            mail = next(m for to, m in mails.items() if reader.address in to)
            leave = f"{handover.mail.public_url}/u/{reader.token}"
            for body in (mail.html, mail.text):
                assert leave in body
                assert f"{handover.mail.public_url}/preferences/{reader.token}" in body
                assert f"{handover.mail.public_url}/archive/{handover.mail.edition}" in body
                assert reader.address in body
                assert not [token for token in TOKENS.values() if token in body]
            assert f"<{leave}>" in mail.header("List-Unsubscribe")
            assert mail.header("List-Unsubscribe-Post") == "List-Unsubscribe=One-Click"
            assert not {"cc", "bcc"} & set(mail.names())
            words = set(re.split(r"[\s<>\"/]+", mail.everything()))
            assert not words & secrets_of(handover, but=reader.subscriber_id)

    def test_an_address_is_shown_as_it_is(self, transport: Transport, outgoing: Look) -> None:
        """HTML needs some of the letters escaped that an address may have; text does not."""
        address = "o'neil&sons+{news}%1$s`_~@example.com"
        reader = make_addressee(1, address=address)
        self.accept(transport, self.handover(transport, readers=(reader, make_addressee(2))))
        [mail] = [mail for mail in outgoing(LATER) if address in mail.header("To")]
        assert address in mail.text
        assert html.escape(address) in mail.html or html.escape(address, quote=False) in mail.html

    def test_the_mail_arrives_letter_by_letter(self, transport: Transport, outgoing: Look) -> None:
        mail = make_mail()
        words = "Grüße — 日本 🏳️‍🌈 שלום =20 {{name}} %recipient% -name- <%x%> $1\n.\nFrom here\n"
        mail = replace(
            mail,
            subject="Grüße — 日本",
            html=mail.html.replace("<p>The week", f"<p>{html.escape(words)}The week"),
            text=words + mail.text,
        )
        self.accept(transport, self.handover(transport, 1, mail=mail))
        [got] = outgoing(LATER)
        assert got.header("Subject") == mail.subject
        assert html.escape(words) in got.html
        assert got.text.startswith(words)

    def test_a_full_batch_is_taken(self, transport: Transport, outgoing: Look) -> None:
        self.accept(transport, self.handover(transport, 1000))
        assert len(set(addresses(outgoing(LATER)))) == 1000

    @pytest.mark.parametrize("address", BAD_ADDRESSES)
    def test_a_refused_batch_leaves_nothing_and_its_good_readers_can_be_tried_again(
        self,
        transport: Transport,
        outgoing: Look,
        address: str,
    ) -> None:
        good = make_addressee(1), make_addressee(3)
        readers = good[0], make_addressee(2, address=address), good[1]
        outcome = transport.submit(self.handover(transport, readers=readers), now=NOW)
        assert isinstance(outcome, Refused), outcome
        assert outcome.can_split
        assert_can_be_shown(outcome.reason)
        assert not outgoing(NOW)
        self.accept(transport, self.handover(transport, readers=good, batch=2))
        assert len(addresses(outgoing(LATER))) == len(good)

    def test_a_transport_that_cannot_take_a_batch_says_so_and_leaves_nothing(
        self, failing: Transport, outgoing: Look
    ) -> None:
        outcome = failing.submit(make_handover(), now=NOW)
        assert isinstance(outcome, Unavailable), outcome
        assert_can_be_shown(outcome.reason)
        at = outcome.retry_at
        assert at is None or at.utcoffset() == dt.timedelta(0)
        assert not outgoing(LATER)

    def test_who_may_not_send_any_more_sends_nothing(
        self, transport: Transport, outgoing: Look
    ) -> None:
        asked: list[bool] = []

        def may_send() -> bool:
            asked.append(True)
            return False

        handover = self.handover(transport, may_send=may_send)
        assert transport.submit(handover, now=NOW) == Unsent()
        assert asked
        assert not outgoing(LATER)

    def test_evidence_is_never_against_what_was_accepted(self, transport: Transport) -> None:
        handover = self.handover(transport)
        assert transport.find(handover, now=NOW) is not Evidence.ACCEPTED
        self.accept(transport, handover)
        some = replace(handover, readers=handover.readers[1:2])
        for asked in (handover, some):
            for at in (NOW, LATER):
                assert transport.find(asked, now=at) is not Evidence.NOT_ACCEPTED

    def test_evidence_of_one_batch_says_nothing_of_another(self, transport: Transport) -> None:
        self.accept(transport, self.handover(transport))
        other = self.handover(transport, readers=(make_addressee(9),), batch=2)
        assert transport.find(other, now=LATER) is not Evidence.ACCEPTED

    def test_each_reservation_is_new(self, transport: Transport) -> None:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: transport.reserve(), range(20)))
        if transport.can_hold or any(found):
            assert all(found)
            assert len(set(found)) == 20

    def test_held_mail_goes_out_at_its_release(self, transport: Transport, outgoing: Look) -> None:
        handover = self.handover(transport)
        self.accept(transport, handover)
        assert bool(outgoing(NOW)) is not transport.can_hold
        assert len(outgoing(LATER)) == 3

    def test_what_is_cancelled_before_its_release_never_goes_out(
        self, transport: Transport, outgoing: Look
    ) -> None:
        first = self.handover(transport)
        second = self.handover(transport, readers=(make_addressee(9),), batch=2)
        self.accept(transport, first)
        self.accept(transport, second)
        cancelled = [transport.cancel(first.reservation) for _ in range(2)]
        assert cancelled == [transport.can_hold] * 2
        left = [] if transport.can_hold else [reader.address for reader in first.readers]
        assert sorted(addresses(outgoing(LATER))) == sorted([*left, "reader9@example.com"])

    def test_what_is_handed_over_after_its_cancelling_does_not_go_out(
        self, transport: Transport, outgoing: Look
    ) -> None:
        """A sender that slept may wake up when others have given its batch to somebody else."""
        handover = self.handover(transport)
        if transport.cancel(handover.reservation):
            transport.submit(handover, now=NOW)
            assert not outgoing(LATER)

    def test_a_test_mail_is_no_delivery(self, transport: Transport, outgoing: Look) -> None:
        test = make_handover(1, is_test=True)
        for _ in range(2):
            self.accept(transport, test)
        assert len(outgoing(NOW)) == 2
        handover = self.handover(transport)
        assert transport.find(handover, now=NOW) is not Evidence.ACCEPTED
        self.accept(transport, handover)
        assert len(outgoing(LATER)) == 5

    def test_a_notice_to_an_editor_is_on_no_list_and_no_delivery(
        self, transport: Transport, outgoing: Look
    ) -> None:
        words = "2026-W48 waits for you"
        mail = make_mail(is_notice=True, html=f"<!DOCTYPE html>\n<p>{words}</p>\n", text=words)
        editor = make_addressee(0, address="o'neil&sons@example.com", token="")
        self.accept(transport, make_handover(mail=mail, readers=(editor,), is_test=True))
        [notice] = outgoing(NOW)
        assert addresses([notice]) == [editor.address]
        assert not [name for name in notice.names() if name.startswith("list-")]
        assert notice.header("Auto-Submitted") == "auto-generated"
        assert words in notice.html
        assert notice.text.strip() == words
        assert transport.find(self.handover(transport), now=NOW) is not Evidence.ACCEPTED

    @pytest.mark.parametrize("form", ["{} <news@example.com>", '"{}" <news@example.com>'])
    @pytest.mark.parametrize("attack", ATTACKS)
    def test_no_text_becomes_a_header(
        self,
        transport: Transport,
        outgoing: Look,
        attack: str,
        form: str,
    ) -> None:
        self.accept(transport, self.handover(transport, 1))
        name = attack.replace("<", "(").replace(">", ")")
        mail = make_mail(subject=attack, sender=form.format(name))
        reader = make_addressee(2, first_name=attack)
        self.accept(transport, self.handover(transport, mail=mail, readers=(reader,), batch=2))
        usual, attacked = outgoing(LATER)
        assert attacked.names() == usual.names()
        assert attacked.header("From").endswith("<news@example.com>")
        assert addresses([attacked]) == ["reader2@example.com"]
        for _, value in attacked.headers:
            assert len(value.splitlines()) <= 1
            assert "\0" not in value

    def test_batches_are_handed_over_side_by_side(
        self, transport: Transport, outgoing: Look
    ) -> None:
        mails = [make_mail(), make_mail(subject="Some stories only")]
        handovers = [
            self.handover(
                transport,
                readers=[make_addressee(10 * number + i) for i in range(10)],
                batch=number,
                mail=mails[number % 2],
            )
            for number in range(16)
        ]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda handover: self.accept(transport, handover), handovers))
        found = outgoing(LATER)
        assert len(set(addresses(found))) == len(found) == 160

    def test_who_is_suppressed_is_told_in_full(self, transport: Transport) -> None:
        for since in (None, NOW):
            for found in transport.suppressed(since):
                assert isinstance(found, Suppression)
                assert found.since_at.utcoffset() == dt.timedelta(0)


def addresses(mails: Sequence[Outgoing]) -> list[str]:
    """Return whom the mails are for, one address a mail, without names."""
    found = [parseaddr(mail.header("To"))[1] for mail in mails]
    assert all(found)
    return found


def secrets_of(handover: Handover, *, but: int) -> set[str]:
    """Return the addresses and tokens of all readers but one."""
    others = [reader for reader in handover.readers if reader.subscriber_id != but]
    return {value for reader in others for value in (reader.address, reader.token)}


def assert_can_be_shown(reason: str) -> None:
    """Check that a reason can stand in a sentence, and repeats neither an address nor a token."""
    assert reason
    assert not reason.endswith(".")
    assert len(reason.splitlines()) == 1
    assert "@" not in reason
    assert "token-of-" not in reason
