"""What an answer says of a batch, whatever the provider or somebody in between puts into it."""

import datetime as dt
import json
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model.deliveries import Accepted, Refused, Unavailable
from digest.testing.factories import NOON
from digest.transports.sendgrid_answers import Answer, error_of, hidden, outcome_of, retry_at

HOUR = dt.timedelta(hours=1)
UNIX = int(NOON.timestamp())


def later(seconds: int) -> dt.datetime:
    return NOON + dt.timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "30"}, later(30)),
        ({"retry-after": " 30 "}, later(30)),
        ({"retry-after": "0"}, None),
        ({"retry-after": "99999999999"}, NOON + HOUR),
        ({"retry-after": "9" * 5_000}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "３"}, None),  # noqa: RUF001  # a digit, but none of HTTP's
        ({"retry-after": format_datetime(later(90), usegmt=True)}, later(90)),
        ({"retry-after": format_datetime(later(90_000), usegmt=True)}, NOON + HOUR),
        ({"retry-after": format_datetime(later(-90), usegmt=True)}, None),
        ({"x-ratelimit-reset": str(UNIX + 45)}, later(45)),
        ({"x-ratelimit-reset": str(UNIX - 45)}, None),
        ({"x-ratelimit-reset": "99999999999"}, NOON + HOUR),
        ({"retry-after": "10", "x-ratelimit-reset": str(UNIX + 45)}, later(10)),
        ({"retry-after": "soon", "x-ratelimit-reset": str(UNIX + 45)}, later(45)),
    ],
)
def test_waiting_is_as_long_as_asked_for_but_an_hour_at_most(
    headers: dict[str, str], expected: dt.datetime | None
) -> None:
    assert retry_at(Answer(status=429, headers=headers), now=NOON) == expected
    outcome = outcome_of(Answer(status=429, headers=headers), now=NOON)
    assert isinstance(outcome, Unavailable)
    assert outcome.retry_at == expected


def test_error_counts_the_waiting_from_the_date_of_the_answer() -> None:
    headers = {"date": format_datetime(NOON, usegmt=True), "retry-after": "30"}
    error = error_of(Answer(status=429, headers=headers), "answer")
    assert error.retry_at == later(30)
    assert error_of(Answer(status=429, headers={"retry-after": "30"}), "answer").retry_at is None


@given(
    st.integers(100, 599),
    st.dictionaries(
        st.sampled_from(["retry-after", "x-ratelimit-reset", "x-message-id", "date"]), st.text()
    ),
    st.binary() | st.sampled_from([b"[" * 100_000, b'{"errors":{}}', b'{"errors":[[]]}', b"7"]),
)
def test_only_202_is_accepted_and_nothing_in_an_answer_breaks_this(
    status: int, headers: dict[str, str], body: bytes
) -> None:
    answer = Answer(status=status, headers=headers, body=body)
    outcome = outcome_of(answer, now=NOON)
    assert isinstance(outcome, Accepted) is (status == 202)
    assert isinstance(outcome, Refused) is (status in (400, 413))
    assert not error_of(answer, "answer").message.startswith("202")


@given(st.text(st.sampled_from("ab@.,;:<>\"' \n%40/"), max_size=30))
def test_nothing_with_an_at_sign_is_repeated(text: str) -> None:
    assert "@" not in hidden(f"The address {text} is wrong")


def test_what_is_said_stays_short_and_on_one_line() -> None:
    messages = ",".join(f'{{"message":"No {number}\\n{"x" * 500}"}}' for number in range(50))
    outcome = outcome_of(Answer(status=400, body=f'{{"errors":[{messages}]}}'.encode()), now=NOON)
    assert isinstance(outcome, Refused)
    assert len(outcome.reason) < 250
    assert outcome.reason.splitlines() == [outcome.reason]
    assert outcome.reason.startswith("No 0")


@pytest.mark.parametrize(
    ("fields", "is_splittable"),
    [
        (["personalizations.3.to.0.email"], True),
        (["personalizations"], True),
        ([None], True),
        ([], True),
        (["from.email"], False),
        (["subject", "content.0.value"], False),
        (["from.email", "personalizations.0.headers"], True),
    ],
)
def test_a_fault_in_what_all_readers_share_refuses_no_reader(
    fields: list[str | None], is_splittable: bool
) -> None:
    errors = [{"message": "No", "field": name} for name in fields]
    outcome = outcome_of(Answer(status=400, body=json.dumps({"errors": errors}).encode()), now=NOON)
    assert isinstance(outcome, Refused) is is_splittable
    assert isinstance(outcome, Unavailable) is not is_splittable


def test_a_fault_without_a_list_of_errors_is_looked_for_among_the_readers() -> None:
    assert isinstance(outcome_of(Answer(status=400, body=b'{"errors":7}'), now=NOON), Refused)
