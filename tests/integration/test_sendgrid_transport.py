"""The transport against a provider that speaks the whole API, faults included."""

import datetime as dt
import logging
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from digest.errors import ConfigError, TransportError
from digest.merging import reader_links
from digest.model.deliveries import Accepted, Evidence, Refused, Unavailable, Unknown
from digest.model.subscribers import SuppressionReason
from digest.settings import SendgridSettings, Settings
from digest.testing.factories import make_addressee, make_handover, make_mail
from digest.testing.sendgrid import SendgridStandIn, sequence
from digest.transports.plugins import TransportContext
from digest.transports.sendgrid import SendgridTransport, make_transport
from digest.transports.sendgrid_connections import Limits

LIMITS = Limits(connect=20, read=20, total=40)  # patient, on a busy machine


@pytest.fixture
def provider() -> Iterator[SendgridStandIn]:
    with SendgridStandIn() as provider:
        yield provider


@pytest.fixture
def transport(provider: SendgridStandIn) -> Iterator[SendgridTransport]:
    transport = open_transport(provider.url, provider.api_key)
    yield transport
    transport.close()


def open_transport(url: str, api_key: str, **changes: Any) -> SendgridTransport:
    settings = SendgridSettings(host=url, **changes)
    return SendgridTransport(settings, api_key, limits=LIMITS)


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def held(transport: SendgridTransport, *, minutes: int = 30, **changes: Any) -> Any:
    """Return a hand-over that the provider is to keep for some minutes."""
    release_at = now() + dt.timedelta(minutes=minutes)
    return make_handover(reservation=transport.reserve(), release_at=release_at, **changes)


def test_every_reader_gets_one_mail_with_their_own_links(
    provider: SendgridStandIn, transport: SendgridTransport
) -> None:
    readers = [make_addressee(number) for number in range(1, 1_000)]
    readers.append(make_addressee(1_000, address="o'neil&co@example.com"))
    outcome = transport.submit(make_handover(readers=readers), now=now())
    assert isinstance(outcome, Accepted)
    assert outcome.reference
    mails = {mail.to: mail for mail in provider.mails}
    assert len(mails) == 1_000
    for reader in readers:
        mail, links = (
            mails[reader.address],
            reader_links("https://news.example.com", "2026-W48", reader.token),
        )
        assert mail.text.count(reader.address) == 1
        assert mail.text.count(reader.token) == mail.html.count(reader.token) == 3
        assert all(link in mail.text and link in mail.html for link in links.values())
        assert mail.headers["List-Unsubscribe"] == f"<{links['unsubscribe_url']}>"
    assert "o&#x27;neil&amp;co@example.com" in mails["o'neil&co@example.com"].html


@pytest.mark.parametrize(
    ("fault", "kind", "copies"),
    [
        ("ok", Accepted, 1),
        ("400", Refused, 0),
        ("413", Refused, 0),
        ("401", Unavailable, 0),
        ("no_credits", Unavailable, 0),
        ("403", Unavailable, 0),
        ("redirect", Unavailable, 0),
        ("429", Unavailable, 0),
        ("500", Unknown, 0),
        ("503", Unknown, 0),
        ("drop_before_read", Unknown, 0),
        ("drop_after_read", Unknown, 0),
        ("drop_after_accept", Unknown, 1),
        ("half_answer", Unknown, 1),
        ("garbage", Unknown, 1),
    ],
)
def test_an_outcome_never_claims_more_than_is_certain(fault: str, kind: type, copies: int) -> None:
    with SendgridStandIn(faults=sequence(fault)) as provider:
        transport = open_transport(provider.url, provider.api_key)
        outcome = transport.submit(make_handover(), now=now())
        assert isinstance(outcome, kind)
        assert set(provider.copies().values()) == ({copies} if copies else set())
        again = transport.submit(make_handover(), now=now())
        assert isinstance(again, Accepted)
        transport.close()


def test_mail_that_cannot_be_filled_in_stops_the_run_before_a_request(
    provider: SendgridStandIn, transport: SendgridTransport
) -> None:
    mail = make_mail(html="<p>xDIGESTsomethingx</p>")
    outcome = transport.submit(make_handover(mail=mail), now=now())
    assert isinstance(outcome, Unavailable)
    assert outcome.needs_person
    assert not provider.requests


def test_out_of_credits_stops_the_run_and_says_so() -> None:
    with SendgridStandIn(faults=sequence("no_credits")) as provider:
        transport = open_transport(provider.url, provider.api_key)
        outcome = transport.submit(make_handover(), now=now())
        transport.close()
    assert isinstance(outcome, Unavailable)
    assert outcome.needs_person
    assert "Maximum credits exceeded" in outcome.reason


def test_unknown_hand_over_that_is_cancelled_in_time_never_goes_out() -> None:
    with SendgridStandIn(faults=sequence("drop_after_accept")) as provider:
        transport = open_transport(provider.url, provider.api_key)
        lost = held(transport)
        assert isinstance(transport.submit(lost, now=now()), Unknown)
        assert transport.cancel(lost.reservation)
        assert transport.cancel(lost.reservation)  # asking twice is harmless
        again = held(transport, attempt=2)
        assert again.reservation != lost.reservation
        assert isinstance(transport.submit(again, now=now()), Accepted)
        assert set(provider.copies().values()) == {1}
        transport.close()


def test_cancel_is_no_success_unless_it_is_certain() -> None:
    with SendgridStandIn(holds=1) as provider:
        transport = open_transport(provider.url, provider.api_key)
        first, second = held(transport), held(transport)
        assert not transport.cancel("")
        assert transport.cancel(first.reservation)
        assert not transport.cancel(second.reservation)  # too many are held already
        for kind in ("drop_before_read", "503", "429"):
            provider.misbehave(*sequence(kind, endpoint="scheduled_sends"))
            assert not transport.cancel(first.reservation)
        transport.close()
    assert not transport.cancel(first.reservation)


def test_evidence_is_found_for_the_try_that_was_accepted_only() -> None:
    with SendgridStandIn(faults=sequence("ok", "drop_after_accept", "503")) as provider:
        transport = open_transport(provider.url, provider.api_key)
        readers = (make_addressee(1, address="o'neil@example.com"), make_addressee(2))
        tries = [
            make_handover(readers=readers, attempt=number, edition_id=3) for number in (1, 2, 3)
        ]
        outcomes = [transport.submit(each, now=now()) for each in tries]
        assert [type(outcome) for outcome in outcomes] == [Accepted, Unknown, Unknown]
        found = [transport.find(each, now=now()) for each in tries]
        assert found == [Evidence.ACCEPTED, Evidence.ACCEPTED, Evidence.NONE]
        other = make_handover(readers=readers, attempt=1, edition_id=4)
        assert transport.find(other, now=now()) is Evidence.NONE
        transport.close()


def test_what_was_cancelled_is_no_evidence_that_readers_have_it(
    provider: SendgridStandIn, transport: SendgridTransport
) -> None:
    handover = held(transport)
    assert isinstance(transport.submit(handover, now=now()), Accepted)
    assert handover.release_at is not None
    released_at = handover.release_at + dt.timedelta(seconds=1)
    assert transport.find(handover, now=now()) is Evidence.NONE  # it may still be cancelled
    assert transport.find(handover, now=released_at) is Evidence.ACCEPTED
    assert transport.cancel(handover.reservation)
    assert transport.find(handover, now=released_at) is Evidence.NONE


def test_log_of_another_installation_is_no_evidence(transport: SendgridTransport) -> None:
    transport.submit(make_handover(mark="theirs"), now=now())
    assert transport.find(make_handover(mark="ours"), now=now()) is Evidence.NONE
    assert transport.find(make_handover(mark="theirs"), now=now()) is Evidence.ACCEPTED


def test_no_word_on_a_cancelled_batch_is_no_evidence_either(
    provider: SendgridStandIn, transport: SendgridTransport
) -> None:
    handover = held(transport)
    transport.submit(handover, now=now())
    assert handover.release_at is not None
    released_at = handover.release_at + dt.timedelta(seconds=1)
    provider.misbehave(*sequence("500", endpoint="scheduled_sends"))
    assert transport.find(handover, now=released_at) is Evidence.NONE
    assert transport.find(handover, now=released_at) is Evidence.ACCEPTED


@pytest.mark.parametrize("kind", ["403", "404", "500", "drop_before_read", "garbage", "redirect"])
def test_log_that_does_not_answer_proves_nothing(
    provider: SendgridStandIn, transport: SendgridTransport, kind: str
) -> None:
    transport.submit(make_handover(), now=now())
    provider.misbehave(*sequence(kind, endpoint="logs"))
    assert transport.find(make_handover(count=1), now=now()) is Evidence.NONE
    assert transport.find(make_handover(count=1), now=now()) is Evidence.ACCEPTED


def test_whom_the_provider_no_longer_mails_is_told_page_by_page(
    provider: SendgridStandIn, transport: SendgridTransport
) -> None:
    long_ago, lately = now() - dt.timedelta(days=90), now() - dt.timedelta(hours=1)
    for number in range(1_001):
        provider.suppress("bounces", f"bounced{number}@example.com", at=lately)
    provider.suppress("spam_reports", "Complained@EXAMPLE.com", at=lately)
    provider.suppress("invalid_emails", "not an address", at=lately)
    provider.suppress("unsubscribes", "left@example.com", at=long_ago)
    found = list(transport.suppressed(None))
    assert Counter(each.reason for each in found) == {
        SuppressionReason.BOUNCED: 1_001,
        SuppressionReason.COMPLAINED: 1,
        SuppressionReason.UNSUBSCRIBED: 1,
    }
    assert len({each.key for each in found}) == len(found)
    complained = next(each for each in found if each.reason is SuppressionReason.COMPLAINED)
    assert complained.key == "complained@example.com"
    assert complained.origin == "sendgrid"
    assert abs(complained.since_at - lately) < dt.timedelta(seconds=2)
    assert len(list(transport.suppressed(now() - dt.timedelta(days=1)))) == 1_002


@pytest.mark.parametrize(
    ("kind", "needs_person"),
    [
        ("401", True),
        ("403", True),
        ("redirect", True),
        ("429", False),
        ("503", False),
        ("drop_before_read", False),
        ("garbage", False),
        ("half_answer", False),
    ],
)
def test_error_says_whether_somebody_must_mend_something(kind: str, needs_person: bool) -> None:
    faults = [
        fault
        for endpoint in ("batch", "suppression", "scopes")
        for fault in sequence(kind, endpoint=endpoint)
    ]
    with SendgridStandIn(faults=faults) as provider:
        transport = open_transport(provider.url, provider.api_key)
        for ask in (
            transport.reserve,
            lambda: list(transport.suppressed(None)),
            transport.missing_scopes,
        ):
            with pytest.raises(TransportError) as caught:
                ask()
            assert caught.value.needs_person is needs_person
            assert caught.value.hint
        transport.close()


def test_key_without_a_permission_is_told_which(
    provider: SendgridStandIn, transport: SendgridTransport
) -> None:
    missing = transport.missing_scopes()
    assert set(missing) <= {
        "mail.send",
        "mail.batch.create",
        "suppression.read",
        "user.scheduled_sends.create",
        "user.scheduled_sends.read",
    }
    at_once = open_transport(provider.url, provider.api_key, hold_minutes=0)
    assert set(at_once.missing_scopes()) <= set(missing)
    at_once.close()


def test_threads_share_a_transport(provider: SendgridStandIn, transport: SendgridTransport) -> None:
    mails = [make_mail(subject=f"No. {number}") for number in range(3)]

    def hand_over(number: int) -> object:
        readers = [make_addressee(number * 10 + each) for each in range(10)]
        handover = make_handover(batch=number, readers=readers, mail=mails[number % 3])
        return transport.submit(handover, now=now())

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(hand_over, range(1, 101)))
    assert {type(outcome) for outcome in outcomes} == {Accepted}
    assert len({outcome.reference for outcome in outcomes}) == 100  # type: ignore[attr-defined]
    assert len(provider.copies()) == 1_000
    assert set(provider.copies().values()) == {1}


# The key


def test_nothing_shows_the_key_or_an_address(caplog: pytest.LogCaptureFixture) -> None:
    key = "SG.canary.of-the-key"
    with caplog.at_level(logging.DEBUG), SendgridStandIn() as provider:
        transport = open_transport(provider.url, key)
        outcome = transport.submit(make_handover(), now=now())
        with pytest.raises(TransportError) as caught:
            transport.reserve()
        transport.close()
    assert isinstance(outcome, Unavailable)
    shown = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    for text in (caplog.text, repr(transport), repr(outcome), shown):
        assert "canary" not in text
        assert "reader1@" not in text


@pytest.mark.parametrize("key", ["", "SG.a b", "SG.a\r\nX: y", "SG.ä", "SG.\x00"])
def test_key_that_can_be_none_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_transport(make_context(key))
    assert not key or key not in caught.value.message + caught.value.hint


def make_context(key: str, **settings: Any) -> TransportContext:
    return TransportContext(
        root=Path(),
        settings=Settings(sendgrid=SendgridSettings(**settings)),
        secrets={"sendgrid.api_key": key} if key else {},
    )


def test_key_from_elsewhere_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENDGRID_API_KEY", "SG.somebody.else")
    with pytest.raises(ConfigError):
        make_transport(make_context(""))


def test_key_never_goes_unencrypted_to_another_machine() -> None:
    for host in ("http://api.example.com", "http://10.0.0.1:80"):
        with pytest.raises(ConfigError, match="https"):
            make_transport(make_context("SG.a.b", host=host))
    for host in ("https://api.eu.sendgrid.com", "http://127.0.0.1:9", "http://localhost:9"):
        make_transport(make_context("SG.a.b", host=host)).close()


@pytest.mark.parametrize("host", ["https://a:99999", "https://[::1", "https://a:b:c"])
def test_host_that_is_none_is_refused_in_words(host: str) -> None:
    with pytest.raises(ConfigError, match="host"):
        make_transport(make_context("SG.a.b", host=host))
