"""The SendGrid stand-in takes mail in, and can tell what each reader would get."""

import gzip
import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.testing.sendgrid import SendgridStandIn
from digest.testing.sendgrid.messages import envelope_of, read_envelope
from tests.sendgrid_calls import call, make_message, make_person, send


@pytest.fixture
def provider() -> Iterator[SendgridStandIn]:
    with SendgridStandIn() as running:
        yield running


def test_accepted_mail_is_the_one_that_each_reader_would_get(provider: SendgridStandIn) -> None:
    reply = send(provider)
    assert reply.status == 202
    assert reply.body == b""
    first, second = provider.mails
    assert first.to == "reader1@example.com"
    assert first.subject == "For Reader 1"
    assert first.text == "Hello Reader 1, https://news.example.com/u/token1"
    assert second.html == '<a href="https://news.example.com/u/token2">Reader 2</a>'
    assert second.headers == {"List-Unsubscribe": "<https://news.example.com/u/token2>"}
    assert second.custom_args == {"batch": "7", "try": "1", "rid": "2"}
    assert first.message_id == reply.headers["X-Message-Id"]
    assert len(first.message_id) == 22
    assert first.sg_message_id.startswith(f"{first.message_id}.")
    assert first.sg_message_id != second.sg_message_id


def test_value_of_a_tag_is_not_filled_again(provider: SendgridStandIn) -> None:
    person = make_person(substitutions={":fn:": ":tk:", ":tk:": "token"})
    assert send(provider, make_message(personalizations=[person])).status == 202
    [mail] = provider.mails
    assert mail.subject == "For :tk:"


def test_copies_are_counted_by_address_in_any_case(provider: SendgridStandIn) -> None:
    send(provider)
    send(provider, make_message(1))
    assert provider.copies() == {"reader1@example.com": 2, "reader2@example.com": 1}
    assert provider.accepted("Reader1@Example.com") == 2
    assert provider.accepted("reader@example.com") == 0


def test_request_is_on_record_with_its_batch_and_try(provider: SendgridStandIn) -> None:
    send(provider)
    send(provider, make_message(subject=""))
    good, bad = provider.requests
    assert good.custom_args == {"batch": "7", "try": "1"}
    assert (good.number, good.status, good.readers, good.state) == (1, 202, 2, "sent")
    assert json.loads(good.body) == make_message()
    assert (bad.number, bad.status, bad.state, bad.message_id) == (2, 400, "not accepted", "")


@pytest.mark.parametrize("keep", ["counts", "nothing"])
def test_little_is_kept_when_little_is_asked_for(keep: str) -> None:
    with SendgridStandIn(keep=keep) as provider:
        send(provider)
        [request] = provider.requests
        assert request.body == b""
        assert request.state == "sent"
        expected = {"reader1@example.com", "reader2@example.com"} if keep == "counts" else set()
        assert set(provider.copies()) == expected
        assert {mail.to for mail in provider.mails} == expected


def test_without_checks_what_the_api_refuses_is_taken() -> None:
    with SendgridStandIn(checks=False) as provider:
        assert send(provider, make_message(subject="")).status == 202
        assert send(provider, b"{").status == 400
        assert provider.accepted("reader1@example.com") == 1


def test_only_the_right_key_is_let_in(provider: SendgridStandIn) -> None:
    assert send(provider, Authorization="Bearer SG.other").status == 401
    assert send(provider, Authorization="").status == 401
    assert call(provider, "GET", "/v3/scopes", Authorization="Bearer é").status == 401
    assert len(provider.api_key) == 69
    assert not provider.copies()


def test_sandboxed_mail_is_checked_and_goes_nowhere(provider: SendgridStandIn) -> None:
    settings = {"sandbox_mode": {"enable": True}}
    assert send(provider, make_message(mail_settings=settings)).status == 200
    assert send(provider, make_message(mail_settings=settings, subject="")).status == 400
    assert not provider.copies()


def test_packed_body_is_read(provider: SendgridStandIn) -> None:
    packed = gzip.compress(json.dumps(make_message()).encode())
    assert send(provider, packed, **{"Content-Encoding": "gzip"}).status == 202
    assert send(provider, packed[:-9], **{"Content-Encoding": "gzip"}).status == 400
    assert provider.accepted("reader1@example.com") == 1


def test_connection_is_kept_for_the_next_request(provider: SendgridStandIn) -> None:
    connection = http.client.HTTPConnection(urlsplit(provider.url).netloc, timeout=30)
    connection.connect()
    sock = connection.sock
    headers = {"Authorization": f"Bearer {provider.api_key}", "Content-Type": "application/json"}
    for _ in range(3):
        connection.request("POST", "/v3/mail/send", json.dumps(make_message()).encode(), headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 202
        assert connection.sock is sock
    connection.close()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v3/mail/send", 405),
        ("PUT", "/v3/mail/batch", 405),
        ("POST", "/v3/elsewhere", 404),
        ("POST", "/v3/mail/send", 400),
        ("GET", "/v3/suppression/nobody", 404),
        ("GET", "/v3/logs/nothing", 404),
        ("GET", "/_standin/nothing", 404),
    ],
)
def test_wrong_address_is_answered_like_any_error(
    provider: SendgridStandIn, method: str, path: str, status: int
) -> None:
    reply = call(provider, method, path)
    assert reply.status == status
    assert set(reply.json["errors"][0]) == {"message", "field", "help"}


def test_body_in_another_form_is_refused(provider: SendgridStandIn) -> None:
    assert send(provider, **{"Content-Type": "text/plain"}).status == 415
    assert send(provider, **{"Content-Type": "application/json; charset=latin-1"}).status == 415
    assert send(provider, **{"Content-Type": "application/json; charset=utf-8"}).status == 202
    assert send(provider, **{"Content-Length": "31457280"}).status == 413
    assert send(provider, **{"Content-Length": "many"}).status == 400


def test_lists_are_paged_and_bounded_in_time(provider: SendgridStandIn) -> None:
    for number in range(5):
        provider.suppress("bounces", f"reader{number}@example.com")
    provider.suppress("unsubscribes", "left@example.com")
    path = "/v3/suppression/bounces"
    first = call(provider, "GET", f"{path}?limit=3").json
    second = call(provider, "GET", f"{path}?limit=3&offset=3").json
    assert {row["email"] for row in first + second} == {f"reader{n}@example.com" for n in range(5)}
    assert set(first[0]) == {"created", "email", "reason", "status"}
    later = int(provider.now().timestamp()) + 100
    assert call(provider, "GET", f"{path}?start_time={later}").json == []
    assert call(provider, "GET", f"{path}?limit=501").status == 400
    assert call(provider, "GET", "/v3/suppression/unsubscribes").json[0]["email"] == (
        "left@example.com"
    )
    with pytest.raises(ValueError, match="bounces, blocks"):
        provider.suppress("friends", "reader@example.com")


def test_scopes_are_listed_with_the_headers_of_the_rate_limit(provider: SendgridStandIn) -> None:
    reply = call(provider, "GET", "/v3/scopes")
    assert "mail.send" in reply.json["scopes"]
    assert "X-RateLimit-Reset" in reply.headers
    assert "X-RateLimit-Reset" not in send(provider).headers


NAMES = st.text(max_size=12)
ADDRESSES = st.from_regex(r"[a-z\"\\äé]{1,9}@[a-z]{1,9}\.test", fullmatch=True)
RECIPIENTS = st.builds(
    lambda email, name: {"email": email} | ({"name": name} if name else {}), ADDRESSES, NAMES
)
PEOPLE = st.fixed_dictionaries(
    {"to": st.lists(RECIPIENTS, min_size=1, max_size=2)},
    optional={"custom_args": st.dictionaries(NAMES, NAMES), "cc": st.lists(RECIPIENTS, max_size=1)},
)
MESSAGES = st.builds(
    lambda people, before, after: {**before, "personalizations": people, **after},
    st.lists(PEOPLE, max_size=4),
    st.dictionaries(st.sampled_from(["subject", "to", "x"]), NAMES | st.lists(RECIPIENTS)),
    st.dictionaries(st.sampled_from(["batch_id", "send_at", "custom_args"]), NAMES),
)
FORMS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "separators": st.sampled_from([(",", ":"), (", ", ": "), (" ,", " :")]),
        "ensure_ascii": st.booleans(),
        "indent": st.sampled_from([None, 1]),
    }
)


@given(MESSAGES, FORMS)
def test_quick_look_finds_what_a_full_reading_finds(
    message: dict[str, Any], form: dict[str, Any]
) -> None:
    assert read_envelope(json.dumps(message, **form).encode()) == envelope_of(message)


@given(st.binary(max_size=80))
def test_quick_look_at_anything_else_says_that_it_is_no_request(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any words will do
        read_envelope(b"[" + body)
