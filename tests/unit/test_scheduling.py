"""What is due for an edition, by the rule alone: whatever the instant and the settings."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model.editions import Edition, EditionState
from digest.periods import send_at
from digest.scheduling import Step, due, grace, is_missed_whole
from digest.settings import ScheduleSettings
from digest.testing.factories import make_edition

HOUR, MINUTE = dt.timedelta(hours=1), dt.timedelta(minutes=1)
AHEAD = 20 * MINUTE
SEND = send_at(make_edition().period, ScheduleSettings())
SCHEDULES = st.builds(
    ScheduleSettings,
    unattended=st.sampled_from(["hold", "send"]),
    missed=st.sampled_from(["latest", "all", "none"]),
    catch_up_hours=st.integers(0, 144),
)
OFFSETS = st.integers(-300, 400).map(lambda hours: hours * HOUR)


def edition(state: EditionState = EditionState.DRAFT, **changes: Any) -> Edition:
    return make_edition(state=state, **changes)


@pytest.mark.parametrize(
    ("state", "unattended", "after", "step"),
    [
        ("draft", "hold", -HOUR, Step.WAIT),
        ("draft", "hold", dt.timedelta(), Step.HOLD),
        ("frozen", "hold", HOUR, Step.HOLD),
        ("draft", "send", -AHEAD - MINUTE, Step.WAIT),
        ("draft", "send", -AHEAD, Step.APPROVE),
        ("frozen", "send", HOUR, Step.APPROVE),
        ("draft", "send", 25 * HOUR, Step.HOLD),
        ("approved", "hold", -AHEAD - MINUTE, Step.WAIT),
        ("approved", "hold", -AHEAD, Step.SEND),
        ("approved", "hold", 24 * HOUR, Step.SEND),
        ("approved", "hold", 24 * HOUR + MINUTE, Step.HOLD),
        ("planned", "hold", 400 * HOUR, Step.SEND),
        ("sending", "hold", 400 * HOUR, Step.SEND),
        ("paused", "send", HOUR, Step.WAIT),
        ("held", "send", HOUR, Step.WAIT),
        ("skipped", "send", HOUR, Step.WAIT),
        ("cancelled", "send", HOUR, Step.WAIT),
        ("done", "send", HOUR, Step.WAIT),
        ("attention", "send", HOUR, Step.WAIT),
    ],
)
def test_step_that_is_due(state: str, unattended: Any, after: dt.timedelta, step: Step) -> None:
    schedule = ScheduleSettings(unattended=unattended)
    found = due(edition(EditionState(state)), schedule, now=SEND + after, ahead=AHEAD)
    assert found.step is step
    assert bool(found.reason) is (step in (Step.HOLD, Step.SKIP))


@given(schedule=SCHEDULES, after=OFFSETS, state=st.sampled_from(sorted(EditionState)))
def test_nothing_goes_unapproved_but_by_the_rule_nor_later_than_allowed(
    schedule: ScheduleSettings, after: dt.timedelta, state: EditionState
) -> None:
    found = due(edition(state), schedule, now=SEND + after, ahead=AHEAD).step
    if found is Step.APPROVE:
        assert schedule.unattended == "send"
        assert state in (EditionState.DRAFT, EditionState.FROZEN)
        assert -AHEAD <= after <= grace(schedule)
    if found is Step.SEND and state is EditionState.APPROVED:
        assert -AHEAD <= after <= grace(schedule)
    if found in (Step.HOLD, Step.SKIP):
        assert after >= dt.timedelta()
        assert (found is Step.SKIP) <= (schedule.missed == "none")


@given(schedule=SCHEDULES, approved=OFFSETS, after=OFFSETS)
def test_approval_is_worth_as_long_after_itself_as_the_send_time(
    schedule: ScheduleSettings, approved: dt.timedelta, after: dt.timedelta
) -> None:
    one = edition(EditionState.APPROVED, approved_at=SEND + approved)
    found = due(one, schedule, now=SEND + after, ahead=AHEAD).step
    is_in_time = after <= max(dt.timedelta(), approved) + grace(schedule)
    assert (found is Step.SEND) == (is_in_time and after >= -AHEAD)


@given(schedule=SCHEDULES, after=OFFSETS)
def test_what_was_left_to_people_once_is_not_held_again(
    schedule: ScheduleSettings, after: dt.timedelta
) -> None:
    for state in (EditionState.DRAFT, EditionState.FROZEN):
        one = edition(state, held_at=SEND)
        assert due(one, schedule, now=SEND + after, ahead=AHEAD).step is Step.WAIT


@pytest.mark.parametrize(
    ("missed", "is_newest", "late", "answer"),
    [
        ("latest", True, 30 * HOUR, False),
        ("latest", False, -HOUR, True),
        ("all", False, 300 * HOUR, False),
        ("none", True, HOUR, True),
        ("none", True, 10 * MINUTE, False),
        ("none", True, -HOUR, False),
    ],
)
def test_week_that_is_missed_whole(
    missed: Any, is_newest: bool, late: dt.timedelta, answer: bool
) -> None:
    schedule = ScheduleSettings(missed=missed)
    assert is_missed_whole(schedule, is_newest=is_newest, late=late) is answer
