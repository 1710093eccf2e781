"""What one request may meet on the wire, and what is certain of its batch afterwards."""

import datetime as dt
import socket
import threading
from typing import Any

import pytest

from digest.model.deliveries import Outcome, Refused, Unavailable, Unknown
from digest.settings import SendgridSettings
from digest.testing.factories import NOON, make_addressee, make_handover, make_mail
from digest.transports.sendgrid import SendgridTransport
from digest.transports.sendgrid_connections import Limits
from tests.rawserver import answering, read_request, reply, reset, serving

KEY = "SG.canary.key"
PATIENT = Limits(connect=20, read=20, total=40)  # for what ends by itself, on a busy machine


def submit(url: str, *, limits: Limits = PATIENT, size: int = 0, **changes: Any) -> Outcome:
    transport = SendgridTransport(SendgridSettings(host=url), KEY, limits=limits)
    handover = make_handover(mail=make_mail(html=f"<p>{'x' * size}</p>"), **changes)
    try:
        return transport.submit(handover, now=NOON)
    finally:
        transport.close()


def outcome_of(answer: bytes) -> Outcome:
    with serving(answering(answer)) as url:
        return submit(url)


# Certainly not accepted


def test_refused_connection_is_certainly_no_hand_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    outcome = submit(f"http://127.0.0.1:{port}")
    assert isinstance(outcome, Unavailable)
    assert not outcome.needs_person
    assert len(outcome.body_sha256) == 64


def test_name_that_nobody_knows_is_certainly_no_hand_over() -> None:
    assert isinstance(submit("https://api.invalid"), Unavailable)


@pytest.mark.parametrize("status", ["400 Bad Request", "413 Payload Too Large"])
def test_refusal_of_the_batch_may_be_met_by_a_smaller_one(status: str) -> None:
    outcome = outcome_of(reply(status))
    assert isinstance(outcome, Refused)
    assert outcome.can_split
    assert outcome.status == int(status[:3])


@pytest.mark.parametrize("status", [401, 403, 404, 405, 406, 415, 301, 302, 307, 308])
def test_refusal_of_everything_is_for_a_person(status: int) -> None:
    outcome = outcome_of(reply(f"{status} No", Location="/v3/elsewhere"))
    assert isinstance(outcome, Unavailable)
    assert outcome.needs_person


def test_too_many_requests_are_tried_again_when_the_provider_says() -> None:
    outcome = outcome_of(reply("429 Too Many Requests", Retry_After="7"))
    assert isinstance(outcome, Unavailable)
    assert not outcome.needs_person
    assert outcome.retry_at == NOON + dt.timedelta(seconds=7)


def test_refusal_while_the_body_is_still_on_its_way_is_seen() -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(reply("413 Payload Too Large"))
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)  # and closes with most of it unread, which resets the connection

    with serving(serve) as url:
        outcome = submit(url, size=20_000_000)
    assert isinstance(outcome, Refused)
    assert outcome.status == 413


def test_refusal_by_a_host_that_reads_no_further_is_seen() -> None:
    over = threading.Event()

    def serve(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(reply("413 Payload Too Large"))
        over.wait(20)

    with serving(serve) as url:
        outcome = submit(url, size=20_000_000, limits=Limits(connect=20, read=3, total=40))
        over.set()
    assert isinstance(outcome, Refused)


def test_yes_to_half_a_request_is_no_yes() -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(reply("202 Accepted"))
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)

    with serving(serve) as url:
        assert isinstance(submit(url, size=20_000_000), Unknown)


# Nobody can tell


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 202 Acce",
        b"HTTP/1.1 202 Accepted\r\nX-Message-Id: m",
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 9\r\n\r\nhalf",
        b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal",
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 9\r\n\r\nhalf",
        b"HTTP/1.1 401 Unau",
        b"HTTP/1.1 4",
        b"\x15\x03\x01\x00\x02\x02\x16 this is not HTTP\r\n\r\n",
        b"HTTP/1.1 202 Accepted\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 " + b"2" * 100_000,
    ],
)
def test_what_is_no_whole_answer_leaves_the_batch_unknown(answer: bytes) -> None:
    outcome = outcome_of(answer)
    assert isinstance(outcome, Unknown)
    assert outcome.status is None
    assert len(outcome.body_sha256) == 64


@pytest.mark.parametrize(
    "status", [200, 201, 204, 206, 402, 408, 409, 451, 500, 502, 503, 504, 599]
)
def test_answer_that_is_no_definite_one_leaves_the_batch_unknown(status: int) -> None:
    outcome = outcome_of(reply(f"{status} Well"))
    assert isinstance(outcome, Unknown)
    assert outcome.status == status


@pytest.mark.parametrize("wanted", [1, 100_000])
def test_reset_leaves_the_batch_unknown_however_much_was_read(wanted: int) -> None:
    def serve(connection: socket.socket) -> None:
        taken = 0
        while taken < wanted:
            taken += len(connection.recv(wanted - taken))
        reset(connection)

    with serving(serve) as url:
        assert isinstance(submit(url, size=500_000), Unknown)


def test_close_after_the_whole_request_leaves_the_batch_unknown() -> None:
    with serving(lambda connection: reset(connection) if read_request(connection) else None) as url:
        assert isinstance(submit(url), Unknown)


def test_silence_leaves_the_batch_unknown() -> None:
    over = threading.Event()

    def serve(connection: socket.socket) -> None:
        read_request(connection)
        over.wait(20)

    with serving(serve) as url:
        outcome = submit(url, limits=Limits(connect=20, read=0.5, total=40))
        over.set()
    assert isinstance(outcome, Unknown)
    assert outcome.reason == "the answer took too long"


@pytest.mark.parametrize(
    "drops",
    [b"HTTP/1.1 202 Accepted", b"HTTP/1.1 202 Accepted\r\nContent-Length: 100000\r\n\r\n"],
    ids=["in the status", "in the body"],
)
def test_answer_that_drips_ends_at_the_deadline(drops: bytes) -> None:
    over = threading.Event()

    def serve(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(drops)
        while not over.wait(0.02):
            connection.sendall(b" ")

    with serving(serve) as url:
        outcome = submit(url, limits=Limits(connect=20, read=20, total=2.5))
        over.set()
    assert isinstance(outcome, Unknown)
    assert outcome.reason == "the answer took too long"


def test_endless_answer_is_not_read_to_its_end() -> None:
    def serve(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 500 Well\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with serving(serve) as url:
        assert isinstance(submit(url), Unknown)


def test_what_the_provider_says_is_shown_without_addresses_links_and_keys() -> None:
    said = (
        b'{"errors":[{"message":"The address reader1@example.com is wrong,\\r\\nsee '
        b'https://news.example.com/u/token-of-1 or SG.canary.key.",'
        b'"field":"personalizations.0.to"},'
        b'{"message":"Maximum credits exceeded","field":null},{"message":7},8]}'
    )
    outcome = outcome_of(reply("401 Unauthorized", said))
    assert isinstance(outcome, Unavailable)
    assert "Maximum credits exceeded" in outcome.reason
    assert "personalizations.0.to" in outcome.reason
    for hidden in ("reader1", "token-of-1", "canary", "\n"):
        assert hidden not in outcome.reason


def test_address_that_cannot_stand_in_a_mail_costs_its_reader_only() -> None:
    bad = make_addressee(2, address="a@example.com\r\nBcc: b@example.com")
    outcome = submit("http://127.0.0.1:1", readers=(make_addressee(1), bad))
    assert isinstance(outcome, Refused)
    assert outcome.can_split
