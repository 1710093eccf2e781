"""The stand-in refuses what the API documents as refused, and says where."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.testing.sendgrid import SendgridStandIn
from digest.testing.sendgrid.messages import mails, read_envelope
from digest.testing.sendgrid.rules import findings
from digest.testing.sendgrid.server import Ask
from tests.sendgrid_calls import make_message, make_person, send

NOW = 1_800_000_000


def people(*changes: dict[str, Any]) -> dict[str, Any]:
    persons = [make_person(number, **change) for number, change in enumerate(changes, start=1)]
    return make_message(personalizations=persons)


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in make_message().items() if name not in names}


def content(*parts: tuple[str, str]) -> dict[str, Any]:
    return make_message(content=[{"type": kind, "value": value} for kind, value in parts])


WRONG = {
    "no personalizations": without("personalizations"),
    "empty personalizations": make_message(0),
    "too many personalizations": make_message(1_001),
    "too many recipients": people({"to": [{"email": f"r{n}@example.com"} for n in range(1_001)]}),
    "no recipient": people({"to": []}),
    "recipient without an address": people({"to": [{"name": "Reader"}]}),
    "recipient that is a text": people({"to": ["reader@example.com"]}),
    "broken address": people({"to": [{"email": "reader at example.com"}]}),
    "two addresses in one": people({"to": [{"email": "a@example.com,b@example.com"}]}),
    "long address": people({"to": [{"email": "r" * 320 + "@example.com"}]}),
    "domain outside ASCII": people({"to": [{"email": "reader@exämple.com"}]}),
    "name with a line break": people({"to": [{"email": "r@example.com", "name": "R\nX: 1"}]}),
    "address twice in one": people(
        {"to": [{"email": "r@example.com"}], "cc": [{"email": "R@example.com"}]}
    ),
    "address twice in the request": people({}, {"to": [{"email": "READER1@example.com"}]}),
    "no sender": without("from"),
    "sender outside ASCII": make_message(**{"from": {"email": "nëws@example.com"}}),
    "both reply-to": make_message(reply_to={"email": "a@example.com"}, reply_to_list=[]),
    "no subject": without("subject"),
    "empty subject": make_message(subject=""),
    "subject of two lines": make_message(subject="One\r\nBcc: a@example.com"),
    "long subject": make_message(subject="x" * 999),
    "no content": without("content"),
    "empty content": make_message(content=[]),
    "empty part": content(("text/plain", "")),
    "html before text": content(("text/html", "<p>"), ("text/plain", "x")),
    "calendar first": content(("text/calendar", "x"), ("text/plain", "x")),
    "type with parameters": content(("text/plain; charset=utf-8", "x")),
    "type of two lines": content(("text/plain\r\nX: 1", "x")),
    "header that is a number": people({"headers": {"X-Id": 1}}),
    "reserved header": people({"headers": {"Subject": "x"}}),
    "reserved header for all": make_message(headers={"reply-to": "x@example.com"}),
    "header with a space": people({"headers": {"X Id": "1"}}),
    "header outside ASCII": people({"headers": {"X-Ä": "1"}}),
    "header twice": people({"headers": {"X-Id": "1", "x-id": "2"}}),
    "header of two lines": people({"headers": {"X-Id": "1\r\nBcc: a@example.com"}}),
    "argument that is a number": people({"custom_args": {"rid": 1}}),
    "argument for all that is a number": make_message(custom_args={"batch": 1}),
    "arguments for all as a text": make_message(custom_args="batch"),
    "empty arguments": people({"custom_args": {}}),
    "large arguments": people({"custom_args": {"rid": "x" * 10_000}}),
    "large arguments together": make_message(1, custom_args={"batch": "x" * 9_996}),
    "argument named like a field": people({"custom_args": {"attempt": "1"}}),
    "argument for all named like a field": make_message(custom_args={"email": "1"}),
    "substitution that is a number": people({"substitutions": {":fn:": 1}}),
    "large substitutions": people({"substitutions": {":fn:": "x" * 10_000}}),
    "tag with a space": people({"substitutions": {": fn:": "x"}}),
    "too many substitutions": make_message(
        personalizations=[
            make_person(n, substitutions={f":{tag}:": "x" for tag in range(11)})
            for n in range(1_000)
        ]
    ),
    "substitutions in a dynamic template": make_message(template_id="d-1"),
    "dynamic data without its template": people({"dynamic_template_data": {"name": "R"}}),
    "retired sections": make_message(sections={"a": "b"}),
    "unknown field of a reader": people({"unsubscribe": "x"}),
    "far release": make_message(send_at=NOW + 72 * 3600 + 1),
    "far release of a reader": people({"send_at": NOW + 72 * 3600 + 1}),
    "release as a text": make_message(send_at="now"),
    "release with a fraction": make_message(send_at=NOW + 0.5),
    "eleven categories": make_message(categories=[str(n) for n in range(11)]),
    "category twice": make_message(categories=["a", "a"]),
    "category outside ASCII": make_message(categories=["ä"]),
    "long category": make_message(categories=["x" * 256]),
    "group as a text": make_message(asm={"group_id": "1"}),
    "too many groups": make_message(asm={"group_id": 1, "groups_to_display": [1] * 26}),
    "short pool": make_message(ip_pool_name="x"),
    "unknown tracking": make_message(tracking_settings={"click": {"enable": False}}),
    "tracking as a text": make_message(tracking_settings={"click_tracking": {"enable": "no"}}),
    "two bypasses": make_message(
        mail_settings={
            "bypass_list_management": {"enable": True},
            "bypass_spam_management": {"enable": True},
        }
    ),
    "not an object": [],
    "people as an object": make_message(personalizations={}),
}

RIGHT = {
    "the usual one": make_message(),
    "a thousand readers": make_message(1_000),
    "a subject for each": {
        **without("subject"),
        "personalizations": [make_person(1, subject="A"), make_person(2, subject="B")],
    },
    "text only": content(("text/plain", "x")),
    "three parts": content(("text/plain", "x"), ("text/html", "x"), ("text/calendar", "x")),
    "tracking off": make_message(
        tracking_settings={
            "click_tracking": {"enable": False, "enable_text": False},
            "open_tracking": {"enable": False},
            "subscription_tracking": {"enable": False},
        }
    ),
    "release in 72 hours": make_message(send_at=NOW + 72 * 3600),
    "release in the past": make_message(send_at=1),
    "arguments at the limit": make_message(
        1, custom_args={"batch": "x" * (10_000 - len("batchrid1"))}
    ),
}


@pytest.mark.parametrize("message", WRONG.values(), ids=WRONG)
def test_wrong_request_is_refused(message: Any) -> None:
    assert findings(message, now=NOW)


@pytest.mark.parametrize("message", RIGHT.values(), ids=RIGHT)
def test_right_request_passes(message: Any) -> None:
    assert not findings(message, now=NOW)


def test_error_names_the_field_as_the_api_does() -> None:
    with SendgridStandIn() as provider:
        reply = send(provider, people({}, {"to": [{"email": "nobody"}]}))
        assert reply.status == 400
        [error] = reply.json["errors"]
        assert error["field"] == "personalizations.1.to.0.email"
        # For a value of the wrong kind the API says no more than this.
        reply = send(provider, people({"custom_args": {"rid": 1}}))
        assert reply.json["errors"] == [{"message": "Bad Request", "field": None, "help": None}]
        assert not provider.copies()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of everything that is inside a document."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for name, each in inside:
        found.append((*path, name))
        if isinstance(each, dict | list):
            found += places(each, (*path, name))
    return found


FULL = make_message(
    send_at=1,
    batch_id="x",
    asm={"group_id": 1, "groups_to_display": [1]},
    template_id="x",
    ip_pool_name="pool",
    mail_settings={"sandbox_mode": {"enable": False}, "bypass_list_management": {"enable": True}},
    tracking_settings={"click_tracking": {"enable": False}},
    headers={"X-A": "1"},
    reply_to={"email": "a@example.com"},
)


def spoilt(place: tuple[Any, ...], nonsense: Any) -> dict[str, Any]:
    message = copy.deepcopy(FULL)
    holder: Any = message
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = nonsense
    return message


@given(st.sampled_from(places(FULL)), JSON)
def test_request_with_nonsense_anywhere_is_judged_and_not_stumbled_over(
    place: tuple[Any, ...], nonsense: Any
) -> None:
    message = spoilt(place, nonsense)
    found = findings(message, now=NOW)
    for words, field in found:
        assert words
        assert field is None or isinstance(field, str)
    if not found:
        body = json.dumps(message).encode()
        assert len([*mails(body, "id")]) == len(read_envelope(body).addresses) == 2


@pytest.mark.parametrize("checks", [True, False])
@given(place=st.sampled_from(places(FULL)), nonsense=JSON | st.just(1 << 80))
def test_nonsense_is_answered_and_never_breaks_the_stand_in(
    checks: bool, place: tuple[Any, ...], nonsense: Any
) -> None:
    message = spoilt(place, nonsense)
    provider = SendgridStandIn(checks=checks)  # asked directly, without a connection
    headers = {"authorization": f"Bearer {provider.api_key}", "content-type": "application/json"}
    ask = Ask("POST", "/v3/mail/send", "", headers, json.dumps(message).encode())
    assert provider.api.serve(ask).status in (200, 202, 400)
    assert len(provider.requests) == 1
