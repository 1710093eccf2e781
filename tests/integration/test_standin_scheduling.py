"""The stand-in holds mail until its release, and throws away what was cancelled in time."""

import datetime as dt
from collections.abc import Iterator

import pytest

from digest.testing.clock import FrozenClock
from digest.testing.sendgrid import RunningClock, SendgridStandIn
from tests.sendgrid_calls import START, call, hold, make_message, new_batch, send

READER = "reader1@example.com"


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(START)


@pytest.fixture
def provider(clock: FrozenClock) -> Iterator[SendgridStandIn]:
    with SendgridStandIn(now=clock.now) as running:
        yield running


def schedule(provider: SendgridStandIn, minutes: int = 20, *, batch_id: str = "") -> str:
    """Hand mail over for a release so many minutes ahead; return its batch id."""
    batch = batch_id or new_batch(provider)
    release = int(provider.now().timestamp()) + 60 * minutes
    assert send(provider, make_message(batch_id=batch, send_at=release)).status == 202
    return batch


def move(clock: FrozenClock, minutes: int) -> None:
    clock.move(dt.timedelta(minutes=minutes))


def states(provider: SendgridStandIn) -> list[str]:
    return [request.state for request in provider.requests]


def test_scheduled_mail_is_sent_at_its_release(
    provider: SendgridStandIn, clock: FrozenClock
) -> None:
    schedule(provider)
    assert states(provider) == ["scheduled"]
    assert provider.accepted(READER) == 1
    move(clock, 20)
    assert states(provider) == ["sent"]
    assert provider.accepted(READER) == 1


def test_release_in_the_past_means_at_once(provider: SendgridStandIn) -> None:
    schedule(provider, -5)
    assert states(provider) == ["sent"]


def test_cancelled_mail_is_no_copy_and_is_thrown_away(
    provider: SendgridStandIn, clock: FrozenClock
) -> None:
    batch = schedule(provider)
    assert hold(provider, batch).status == 201
    assert provider.accepted(READER) == 0
    move(clock, 30)
    assert states(provider) == ["cancelled"]
    assert not list(provider.mails)
    assert not provider.copies()


def test_cancel_within_the_last_ten_minutes_is_taken_and_has_no_effect(
    provider: SendgridStandIn, clock: FrozenClock
) -> None:
    batch = schedule(provider)
    move(clock, 11)
    assert hold(provider, batch).status == 201
    assert provider.accepted(READER) == 1
    move(clock, 30)
    assert states(provider) == ["sent"]


def test_cancel_just_in_time_holds(provider: SendgridStandIn, clock: FrozenClock) -> None:
    batch = schedule(provider)
    move(clock, 10)
    hold(provider, batch)
    move(clock, 10)
    assert states(provider) == ["cancelled"]


@pytest.mark.parametrize("late", [5, 45])
def test_cancel_also_holds_for_mail_of_the_batch_that_comes_later(
    provider: SendgridStandIn, clock: FrozenClock, late: int
) -> None:
    batch = new_batch(provider)
    release = int(START.timestamp()) + 20 * 60
    hold(provider, batch)
    move(clock, late)
    assert send(provider, make_message(batch_id=batch, send_at=release)).status == 202
    assert provider.accepted(READER) == 0
    move(clock, 60)
    assert states(provider) == ["cancelled"]


def test_second_hold_of_a_batch_is_refused_and_changes_nothing(provider: SendgridStandIn) -> None:
    batch = schedule(provider)
    assert hold(provider, batch).status == 201
    assert hold(provider, batch).status == 400
    assert hold(provider, batch, "pause").status == 400
    shown = call(provider, "GET", f"/v3/user/scheduled_sends/{batch}").json
    assert shown == [{"batch_id": batch, "status": "cancel"}]
    assert call(provider, "GET", "/v3/user/scheduled_sends").json == shown


def test_ten_batches_are_held_at_a_time_and_a_place_is_free_after_the_release(
    provider: SendgridStandIn, clock: FrozenClock
) -> None:
    batches = [schedule(provider, 20 if n == 0 else 60) for n in range(12)]
    assert [hold(provider, batch).status for batch in batches] == [201] * 10 + [400] * 2
    move(clock, 20)
    assert hold(provider, batches[10]).status == 201
    assert hold(provider, batches[11]).status == 400
    assert call(provider, "DELETE", f"/v3/user/scheduled_sends/{batches[1]}").status == 204
    assert hold(provider, batches[11]).status == 201


def test_hold_without_mail_takes_its_place_until_none_can_come(
    provider: SendgridStandIn, clock: FrozenClock
) -> None:
    for _ in range(10):
        hold(provider, new_batch(provider))
    move(clock, 71 * 60)
    assert hold(provider, new_batch(provider)).status == 400
    move(clock, 60)
    assert hold(provider, new_batch(provider)).status == 201


def test_taking_a_cancel_away_before_the_release_revives_the_mail(
    provider: SendgridStandIn, clock: FrozenClock
) -> None:
    revived, gone = schedule(provider), schedule(provider)
    hold(provider, revived)
    hold(provider, gone)
    assert call(provider, "DELETE", f"/v3/user/scheduled_sends/{revived}").status == 204
    move(clock, 20)
    assert call(provider, "DELETE", f"/v3/user/scheduled_sends/{gone}").status == 204
    assert call(provider, "DELETE", f"/v3/user/scheduled_sends/{gone}").status == 404
    assert states(provider) == ["sent", "cancelled"]


def test_paused_mail_waits_and_expires_after_three_days(
    provider: SendgridStandIn, clock: FrozenClock
) -> None:
    waiting, forgotten = schedule(provider), schedule(provider)
    hold(provider, waiting, "pause")
    hold(provider, forgotten, "pause")
    move(clock, 60)
    assert states(provider) == ["scheduled", "scheduled"]
    call(provider, "DELETE", f"/v3/user/scheduled_sends/{waiting}")
    assert states(provider) == ["sent", "scheduled"]
    move(clock, 72 * 60)
    assert states(provider) == ["sent", "cancelled"]


def test_pause_can_become_a_cancel(provider: SendgridStandIn, clock: FrozenClock) -> None:
    batch = schedule(provider)
    hold(provider, batch, "pause")
    path = f"/v3/user/scheduled_sends/{batch}"
    assert call(provider, "PATCH", path, {"status": "stop"}).status == 400
    assert call(provider, "PATCH", path, {"status": "cancel"}).status == 204
    move(clock, 20)
    assert states(provider) == ["cancelled"]
    unknown = call(provider, "PATCH", "/v3/user/scheduled_sends/x", {"status": "cancel"})
    assert unknown.status == 404


def test_paused_mail_can_be_cancelled_after_its_release(
    provider: SendgridStandIn, clock: FrozenClock
) -> None:
    batch = schedule(provider)
    hold(provider, batch, "pause")
    move(clock, 60)
    call(provider, "PATCH", f"/v3/user/scheduled_sends/{batch}", {"status": "cancel"})
    assert states(provider) == ["cancelled"]


def test_batch_id_is_known_for_ten_days(provider: SendgridStandIn, clock: FrozenClock) -> None:
    batch = new_batch(provider)
    assert call(provider, "GET", f"/v3/mail/batch/{batch}").json == {"batch_id": batch}
    assert call(provider, "GET", "/v3/mail/batch/unknown").status == 400
    assert send(provider, make_message(batch_id="unknown")).status == 400
    assert hold(provider, "unknown").status == 400
    move(clock, 10 * 24 * 60)
    assert call(provider, "GET", f"/v3/mail/batch/{batch}").status == 400


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"batch_id":5,"status":"cancel"}', b"{}"])
def test_hold_that_cannot_be_read_is_refused(provider: SendgridStandIn, body: bytes) -> None:
    assert call(provider, "POST", "/v3/user/scheduled_sends", body).status == 400


def test_own_clock_can_be_moved() -> None:
    with SendgridStandIn(now=RunningClock(START, speed=0)) as provider:
        schedule(provider)
        provider.move_clock(dt.timedelta(minutes=20))
        assert provider.now() == START + dt.timedelta(minutes=20)
        assert states(provider) == ["sent"]


def test_clock_may_run_faster_than_the_machine() -> None:
    with SendgridStandIn(now=RunningClock(START, speed=1_000_000)) as provider:
        schedule(provider)
        assert provider.wait_for(lambda: states(provider) == ["sent"])


# The log


def query(provider: SendgridStandIn, text: str, **more: int) -> list[str]:
    reply = call(provider, "POST", "/v3/logs", {"query": text, **more})
    assert reply.status == 200, reply.json
    return [row["to_email"] for row in reply.json["messages"]]


def test_log_finds_a_reader_of_a_time_and_shows_the_arguments(
    provider: SendgridStandIn, clock: FrozenClock
) -> None:
    send(provider)
    move(clock, 60)
    send(provider)
    since = '"2027-03-26T06:00:00Z"'
    reply = call(
        provider,
        "POST",
        "/v3/logs",
        {"query": f'to_email = "{READER}" AND sg_message_id_created_at > TIMESTAMP {since}'},
    )
    [row] = reply.json["messages"]
    assert row["status"] == "delivered"
    shown = call(provider, "GET", f"/v3/logs/{row['sg_message_id']}").json
    assert shown["to_email"] == READER
    assert shown["custom_args"] == {"batch": "7", "try": "1", "rid": "1"}
    assert row["sg_message_id"].startswith(provider.requests[1].message_id)


def test_log_understands_the_documented_conditions(provider: SendgridStandIn) -> None:
    send(provider)
    assert len(query(provider, "")) == 2
    assert len(query(provider, "", limit=1)) == 1
    assert query(provider, 'subject = "For Reader 2"') == ["reader2@example.com"]
    assert len(query(provider, "status IN ('delivered', 'processed')")) == 2
    assert not query(provider, "status IN ('bounced')")
    assert len(query(provider, "categories IN ('digest') AND status IN ('delivered')")) == 2
    assert len(query(provider, 'to_email="READER1@example.com"')) == 1
    for wrong in (
        "to_email",
        'to_email > "a"',
        'age = "5"',
        'to_email = "a" OR to_email = "b"',
        'to_email = "a" AND',
        'sg_message_id_created_at > "2027-01-01T00:00:00Z"',
        'sg_message_id_created_at > TIMESTAMP "2027-01-01T00:00:00"',
        'sg_message_id_created_at > TIMESTAMP "soon"',
        "status IN 'delivered'",
    ):
        assert call(provider, "POST", "/v3/logs", {"query": wrong}).status == 400, wrong
    assert call(provider, "POST", "/v3/logs", {"limit": 0}).status == 400


def test_log_says_what_was_thrown_away(provider: SendgridStandIn) -> None:
    hold(provider, schedule(provider))
    schedule(provider)
    rows = call(provider, "POST", "/v3/logs", {"query": f'to_email = "{READER}"'}).json["messages"]
    assert [row["status"] for row in rows] == ["dropped", "processed"]
    shown = call(provider, "GET", f"/v3/logs/{rows[0]['sg_message_id']}").json
    assert [event["event"] for event in shown["events"]] == ["cancel_drop"]


@pytest.mark.parametrize("keep", ["mails", "counts"])
def test_log_learns_of_mail_after_its_delay(clock: FrozenClock, keep: str) -> None:
    delay = dt.timedelta(minutes=3)
    with SendgridStandIn(now=clock.now, log_delay=delay, keep=keep) as provider:
        send(provider)
        assert not query(provider, f'to_email = "{READER}"')
        move(clock, 3)
        assert query(provider, f'to_email = "{READER}"') == [READER]
