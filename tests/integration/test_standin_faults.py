"""The stand-in misbehaves as its script says, and still knows what it has accepted."""

import contextlib
import http.client
import json
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from digest.testing.sendgrid import Fault, Script, SendgridStandIn, read_script, sequence
from tests.sendgrid_calls import call, hold, make_message, new_batch, send

READER = "reader1@example.com"
CUT = (ConnectionError, http.client.HTTPException)


def raw_answer(provider: SendgridStandIn) -> bytes:
    """Send mail over a bare connection, and return all that comes back until it is closed."""
    parts = urlsplit(provider.url)
    body = json.dumps(make_message()).encode()
    head = (
        f"POST /v3/mail/send HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Authorization: Bearer {provider.api_key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((parts.hostname, parts.port), timeout=30) as connection:
        connection.sendall(head.encode() + body)
        data = b""
        while piece := connection.recv(1 << 16):
            data += piece
        return data


@pytest.mark.parametrize(
    ("kind", "copies"),
    [
        ("drop_before_read", 0),
        ("drop_after_read", 0),
        ("drop_after_accept", 1),
        ("half_answer", 1),
        ("garbage", 1),
    ],
)
def test_spoilt_answer_says_nothing_of_what_was_accepted(kind: str, copies: int) -> None:
    with SendgridStandIn(faults=sequence(kind)) as provider:
        # A status line that is cut passes for an answer here, without its id.
        with contextlib.suppress(*CUT):
            assert "X-Message-Id" not in send(provider).headers
        assert provider.accepted(READER) == copies
        [request] = provider.requests
        assert request.fault == kind
        assert send(provider).status == 202
        assert provider.accepted(READER) == copies + 1


def test_half_answer_and_garbage_are_what_they_are_called() -> None:
    with SendgridStandIn(
        faults=sequence("half_answer", "garbage", "drop_after_accept")
    ) as provider:
        assert raw_answer(provider) == b"HTTP/1.1 202 Acce"
        assert b"HTTP/" not in raw_answer(provider)
        assert raw_answer(provider) == b""


@pytest.mark.parametrize(
    ("fault", "status", "message"),
    [
        (Fault(kind="too_many"), 429, "too many requests"),
        (Fault(kind="server_error"), 503, "The service is not available."),
        (Fault(kind="server_error", status=504, message="gateway"), 504, "gateway"),
        (Fault(kind="no_credits"), 401, "Maximum credits exceeded"),
        (Fault(kind="refuse", status=403, message="forbidden"), 403, "forbidden"),
        (Fault(kind="bad_reader", address="Reader2@example.com"), 400, "Does not contain"),
        (Fault(kind="too_large", size=100), 413, "The request is too large."),
    ],
)
def test_refusal_has_the_documented_form_and_accepts_nothing(
    fault: Fault, status: int, message: str
) -> None:
    with SendgridStandIn(faults=[fault]) as provider:
        reply = send(provider)
        assert reply.status == status
        assert reply.json["errors"][0]["message"].startswith(message)
        assert not provider.copies()
        [request] = provider.requests
        assert (request.status, request.custom_args["batch"]) == (status, "7")


def test_server_error_may_have_accepted() -> None:
    with SendgridStandIn(faults=[Fault(kind="server_error", accepts=True)]) as provider:
        assert send(provider).status == 503
        assert provider.accepted(READER) == 1


def test_too_many_requests_say_how_long_to_wait() -> None:
    with SendgridStandIn(faults=[Fault(kind="too_many", retry_after=7, reset=60)]) as provider:
        now = int(provider.now().timestamp())
        reply = send(provider)
        assert reply.headers["Retry-After"] == "7"
        assert int(reply.headers["X-RateLimit-Reset"]) >= now + 60


def test_redirect_leads_away_without_accepting() -> None:
    with SendgridStandIn(faults=sequence("redirect")) as provider:
        reply = send(provider)
        assert (reply.status, reply.headers["Location"]) == (302, "/v3/elsewhere")
        assert not provider.copies()


def test_bad_reader_and_size_hit_only_the_requests_that_have_them() -> None:
    faults = [
        Fault(kind="bad_reader", address="reader3@example.com"),
        Fault(kind="too_large", size=2_000),
    ]
    with SendgridStandIn(faults=faults) as provider:
        assert send(provider, make_message(2)).status == 202
        assert send(provider, make_message(3)).status == 400
        assert send(provider, make_message(2, subject="x" * 2_000)).status == 413


@pytest.mark.parametrize("accepts", [True, False])
def test_hanging_ends_with_the_client_or_the_stand_in(accepts: bool) -> None:
    with SendgridStandIn(faults=[Fault(kind="hang", accepts=accepts)]) as provider:
        connection = http.client.HTTPConnection(urlsplit(provider.url).netloc, timeout=0.1)
        headers = {
            "Authorization": f"Bearer {provider.api_key}",
            "Content-Type": "application/json",
        }
        connection.request("POST", "/v3/mail/send", json.dumps(make_message()).encode(), headers)
        with pytest.raises(TimeoutError):
            connection.getresponse()
        assert provider.wait_for(lambda: len(provider.requests) == 1)
        assert provider.accepted(READER) == int(accepts)
    # The stand-in is gone, and the connection with it.
    connection.sock.settimeout(30)
    assert connection.sock.recv(1) == b""
    connection.close()


def test_slow_answer_comes_after_the_mail_was_accepted() -> None:
    with SendgridStandIn(faults=[Fault(kind="slow", seconds=0.05)]) as provider:
        assert send(provider).status == 202
        assert provider.accepted(READER) == 1


def test_late_mail_is_accepted_after_the_client_was_left_alone() -> None:
    with SendgridStandIn(faults=[Fault(kind="late_accept", seconds=0.05, at=(1,))]) as provider:
        with pytest.raises(CUT):
            send(provider)
        assert provider.wait_for(lambda: provider.accepted(READER) == 1)


def test_late_mail_of_a_cancelled_batch_is_no_copy() -> None:
    with SendgridStandIn(faults=[Fault(kind="late_accept", seconds=600)]) as provider:
        batch = new_batch(provider)
        release = int(provider.now().timestamp()) + 1_200
        with pytest.raises(CUT):
            send(provider, make_message(batch_id=batch, send_at=release))
        assert hold(provider, batch).status == 201
    # Closing the stand-in lets what is late arrive at once.
    [request] = provider.requests
    assert (request.status, request.state) == (202, "cancelled")
    assert not provider.copies()


def test_refused_connections_come_back_at_the_same_address() -> None:
    with SendgridStandIn() as provider:
        url = provider.url
        with provider.refusing(), pytest.raises(ConnectionRefusedError):
            send(provider)
        assert provider.url == url
        assert send(provider).status == 202
        assert provider.accepted(READER) == 1


def test_faults_can_be_aimed_at_other_endpoints() -> None:
    faults = [
        *sequence("503", endpoint="batch"),
        Fault(kind="drop_after_accept", endpoint="scheduled_sends", times=1),
        *sequence("429", endpoint="logs"),
    ]
    with SendgridStandIn(faults=faults) as provider:
        assert call(provider, "POST", "/v3/mail/batch").status == 503
        batch = new_batch(provider)
        with pytest.raises(CUT):
            hold(provider, batch)
        assert hold(provider, batch).status == 400  # the first one took effect
        assert call(provider, "POST", "/v3/logs", {}).status == 429
        assert send(provider).status == 202


def numbers(script: Script, kind: str, *, count: int = 60) -> list[int]:
    picked = {number: script.pick("mail", number, b"{}") for number in range(1, count + 1)}
    return [number for number, fault in picked.items() if fault is not None and fault.kind == kind]


def test_script_hits_the_requests_that_it_names() -> None:
    assert numbers(Script([Fault(kind="slow", every=20)]), "slow") == [20, 40, 60]
    assert numbers(Script([Fault(kind="slow", at=(2, 5))]), "slow") == [2, 5]
    assert numbers(Script([Fault(kind="slow", times=2)]), "slow") == [1, 2]
    assert numbers(Script([Fault(kind="slow", when=lambda body: body != b"{}")]), "slow") == []
    assert numbers(Script(sequence("ok", "hang", "ok", "hang")), "hang") == [2, 4]


def test_chance_hits_the_same_requests_for_the_same_seed() -> None:
    fault = Fault(kind="slow", chance=0.3)
    first = numbers(Script([fault], seed=1), "slow", count=1_000)
    assert first == numbers(Script([fault], seed=1), "slow", count=1_000)
    assert first != numbers(Script([fault], seed=2), "slow", count=1_000)
    assert 200 < len(first) < 400


def test_script_can_be_changed_on_the_way() -> None:
    with SendgridStandIn(faults=[Fault(kind="no_credits")]) as provider:
        assert send(provider).status == 401
        provider.misbehave()
        assert send(provider).status == 202
        provider.misbehave(*sequence("503"))
        assert send(provider).status == 503


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "Expecting"),
        ("[]", "A script is an object"),
        ('{"fault": []}', "A script is an object"),
        ('{"faults": [{"kind": "explode"}]}', "There is no fault 'explode'"),
        ('{"faults": [{"kind": "slow", "endpoint": "mars"}]}', "'mars' is none of"),
        ('{"faults": [{"kind": "slow", "colour": 1}]}', "has no 'colour'"),
        ('{"faults": [{"kind": "slow", "at": 5}]}', "5 cannot be the 'at'"),
        ('{"seed": "x"}', "its seed is a whole number"),
        ('{"faults": [{"kind": "redirect", "accepts": true}]}', "cannot choose"),
        ('{"faults": [{"kind": "bad_reader"}]}', "needs the address"),
        ('{"faults": [5]}', "an object with a kind"),
        ('{"faults": [{"every": 5}]}', "an object with a kind"),
    ],
)
def test_script_that_cannot_be_followed_is_refused_with_the_reason(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_script(text)


def test_count_holds_under_many_threads_and_faults() -> None:
    faults = [
        Fault(kind="drop_after_accept", chance=0.1),
        Fault(kind="drop_after_read", chance=0.1),
        Fault(kind="server_error", chance=0.1, accepts=True),
        Fault(kind="too_many", chance=0.1),
    ]

    def answers(provider: SendgridStandIn) -> list[int]:
        found = []
        for _ in range(20):
            try:
                found.append(send(provider).status)
            except CUT:
                found.append(0)
        return found

    with SendgridStandIn(faults=faults, seed=3) as provider, ThreadPoolExecutor(5) as pool:
        statuses = Counter(
            status
            for future in [pool.submit(answers, provider) for _ in range(5)]
            for status in future.result()
        )
    kinds = Counter(request.fault for request in provider.requests)
    assert sorted(request.number for request in provider.requests) == [*range(1, 101)]
    assert statuses[202] == kinds[""]
    assert statuses[0] == kinds["drop_after_accept"] + kinds["drop_after_read"]
    copies = kinds[""] + kinds["drop_after_accept"] + kinds["server_error"]
    assert provider.copies() == {READER: copies, "reader2@example.com": copies}
    assert min(kinds[fault.kind] for fault in faults) > 0
