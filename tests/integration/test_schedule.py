"""The schedule: one edition a week, in its time, by the rule, whatever stops and starts."""

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from digest.model.editions import EditionState
from digest.services.collection import JOB as COLLECTING
from digest.storage.database import open_database
from digest.testing.clock import FrozenClock
from tests.editing import add_readers
from tests.scheduled import HOUR, MINUTE, World

TUESDAY = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)  # in the week that ends on Sunday 29th
Make = Callable[..., World]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    databases = []

    def world(**given: Any) -> World:
        database = open_database(f"sqlite:///{tmp_path}/{len(databases)}.db")
        databases.append(database)
        add_readers(database, [()])
        return World(database, FrozenClock(TUESDAY), **given)

    yield world
    for database in databases:
        database.close()


def test_week_is_drafted_when_it_ends_and_goes_out_in_time_once_approved(make: Make) -> None:
    world = make()
    schedule = world.process()
    world.until("2026-11-29T16:59", schedule)
    assert world.states() == {}
    world.until("2026-11-29T17:00", schedule)
    assert world.states() == {"2026-W48": "draft"}
    assert ("drafted", "2026-W48") in world.told
    world.approve("")
    world.until("2026-11-30T05:50", schedule)
    world.until("2026-11-30T05:59", schedule, step=MINUTE)
    assert world.states() == {"2026-W48": "approved"}
    world.until("2026-11-30T06:00", schedule)
    assert world.states() == {"2026-W48": "done"}
    world.until("2026-12-03T00:00", schedule)
    assert set(world.copies().values()) == {1}
    assert world.told == [("drafted", "2026-W48"), ("sent", "2026-W48")]


def test_with_a_hold_it_is_handed_over_before_and_released_on_the_minute(make: Make) -> None:
    world = make(hold_minutes=20, rules={"unattended": "send"})
    schedule = world.process()
    world.until("2026-11-30T05:39", schedule, step=MINUTE * 30)
    assert world.states() == {"2026-W48": "draft"}
    world.until("2026-11-30T05:41", schedule, step=MINUTE)
    edition = world.editions()["2026-W48"]
    assert edition.state is EditionState.DONE
    assert edition.release_at == dt.datetime(2026, 11, 30, 6, tzinfo=dt.UTC)


def test_edition_that_nobody_approved_is_held_and_goes_when_somebody_does(make: Make) -> None:
    world = make()
    schedule = world.process()
    world.until("2026-11-30T06:00", schedule)
    held = world.editions()["2026-W48"]
    assert (held.state, held.reason) == (
        EditionState.HELD,
        "Nobody approved it before its send time.",
    )
    assert world.told == [
        ("drafted", "2026-W48"),
        ("waiting", "2026-W48"),
        ("held", "2026-W48"),
    ]
    world.until("2026-11-30T09:00", schedule)
    world.desk()[1].freeze("2026-W48", now=world.clock.now())
    world.until("2026-11-30T12:00", schedule)  # it is not held again while somebody looks at it
    assert world.states() == {"2026-W48": "frozen"}
    world.desk()[1].approve("2026-W48", by="Ana", now=world.clock.now())
    world.until("2026-11-30T12:01", schedule)
    assert world.states() == {"2026-W48": "done"}


def test_by_the_rule_it_goes_when_nobody_objected(make: Make) -> None:
    world = make(rules={"unattended": "send"})
    world.until("2026-11-30T06:00", world.process())
    edition = world.editions()["2026-W48"]
    assert edition.state is EditionState.DONE
    assert edition.approved_by == "the schedule, as nobody objected"


def test_held_and_skipped_editions_stay_where_they_are(make: Make) -> None:
    for move, state in (("hold", "held"), ("skip", "skipped")):
        world = make(rules={"unattended": "send"})
        schedule = world.process()
        world.until("2026-11-29T20:00", schedule)
        getattr(world.desk()[0], move)("", reason="A holiday.", now=world.clock.now())
        world.until("2026-12-05T00:00", schedule)
        assert world.states() == {"2026-W48": state}
        assert not world.copies()


@pytest.mark.parametrize(
    ("rule", "state"), [("hold", "held"), ("skip", "skipped"), ("widen", "done")]
)
def test_thin_week_is_never_silent(make: Make, rule: str, state: str) -> None:
    world = make(
        rules={"unattended": "send"},
        edition={"thin_week": rule, "minimum_stories": 3},
        sources=lambda now: int(now < dt.datetime(2026, 11, 22, 17, tzinfo=dt.UTC)),
    )
    world.clock.move(dt.timedelta(days=-4))
    schedule = world.process()
    world.until("2026-11-23T08:00", schedule)
    world.until("2026-11-30T06:00", schedule)
    # Of the first week everything is sent; nothing but what is older is left for the second.
    found = world.editions()["2026-W48"]
    if rule == "widen":
        assert str(found.state) in (state, "held")
    else:
        assert str(found.state) == state
        assert found.reason == "It has 0 stories, and it needs 3."
        assert (state, "2026-W48") in world.told


# The lead


@pytest.mark.parametrize(("rule", "state"), [("send", "done"), ("hold", "held")])
def test_lead_whose_page_is_gone_gives_way_to_the_next(make: Make, rule: str, state: str) -> None:
    world = make(rules={"unattended": rule})
    schedule = world.process()
    world.until("2026-11-29T18:00", schedule)
    world.approve("")
    before = world.editions()["2026-W48"].stories
    world.dead[before[0].url] = "The page is gone (410)."
    world.until("2026-11-30T06:00", schedule)
    edition = world.editions()["2026-W48"]
    assert str(edition.state) == state
    assert edition.stories[0].article_id == before[1].article_id
    assert before[0].article_id not in {story.article_id for story in edition.stories}
    assert ("lead_changed", "2026-W48") in world.told
    assert not edition.approved_by or edition.approved_by.startswith("the schedule")


def test_lead_that_is_gone_before_the_week_ends_is_not_in_the_draft(make: Make) -> None:
    world = make()
    schedule = world.process()
    world.until("2026-11-29T16:00", schedule)
    first = world.desk()[0].compose("", now=world.clock.now()).stories[0]
    world.dead[first.url] = "The page is gone (410)."
    world.until("2026-11-29T17:00", schedule)
    assert first.article_id in world.editions()["2026-W48"].hidden


# What was missed


@pytest.mark.parametrize(
    ("policy", "states"),
    [
        ("latest", ["skipped", "skipped", "held"]),
        ("all", ["held", "held", "held"]),
        ("none", ["skipped", "skipped", "skipped"]),
    ],
)
def test_missed_weeks_follow_the_policy_and_none_goes_by_itself(
    make: Make, policy: str, states: list[str]
) -> None:
    world = make(rules={"unattended": "send", "missed": policy})
    world.process().tick(threading.Event())  # it knew the first week
    world.clock.move(dt.timedelta(days=21))
    world.until("2026-12-15T13:00", world.process())
    found = world.editions()
    assert [str(edition.state) for edition in found.values()] == states
    assert all(edition.reason for edition in found.values())
    assert not world.copies()


@pytest.mark.parametrize(("late", "state"), [(23, "done"), (25, "held")])
def test_late_edition_goes_within_the_hours_allowed_and_is_held_later(
    make: Make, late: int, state: str
) -> None:
    world = make()
    world.until("2026-11-29T18:00", world.process())
    world.approve("")
    world.clock.move(12 * HOUR + late * HOUR)
    world.until("2026-12-02T00:00", world.process(), step=HOUR)
    assert world.states() == {"2026-W48": state}


def test_approval_after_the_hours_allowed_counts_from_then(make: Make) -> None:
    world = make()
    schedule = world.process()
    world.until("2026-12-02T00:00", schedule)
    assert world.states() == {"2026-W48": "held"}
    world.approve("2026-W48")
    world.until("2026-12-02T01:00", schedule)
    assert world.states() == {"2026-W48": "done"}


def test_what_is_under_way_is_gone_on_with_and_what_is_paused_is_not(make: Make) -> None:
    world = make(rules={"unattended": "send"})
    schedule = world.process()
    stop = threading.Event()
    world.until("2026-11-30T05:00", schedule)
    world.clock.move(HOUR)
    stop.set()
    schedule.send(stop)
    assert world.states() == {"2026-W48": "draft"}
    world.approve("")
    edition = world.editions()["2026-W48"]
    schedule._parts.sending.plan(edition, release_at=None)  # a process that ends right then
    assert world.states() == {"2026-W48": "planned"}
    number = edition.id or 0
    schedule._parts.ledger.change_state(number, ["planned"], "paused")
    world.until("2026-11-30T07:00", world.process())
    assert world.states() == {"2026-W48": "paused"}
    schedule._parts.ledger.change_state(number, ["paused"], "sending")
    world.until("2026-11-30T08:00", world.process())
    assert world.states() == {"2026-W48": "done"}
    assert set(world.copies().values()) == {1}


# What must not be trusted


def test_clock_that_went_back_holds_everything_until_it_is_accepted(make: Make) -> None:
    world = make(rules={"unattended": "send"})
    schedule = world.process()
    world.until("2026-11-30T05:00", schedule)
    world.clock.move(dt.timedelta(days=300))
    schedule.prepare()
    world.clock.move(dt.timedelta(days=-300))
    before = world.states()
    world.until("2026-11-30T07:00", schedule)
    assert world.states() == before
    assert "The clock says 2026-11-30 07:00" in schedule.objection()
    schedule.accept()
    assert schedule.objection() == ""


def test_clock_that_is_set_back_a_little_is_no_reason_to_stop(make: Make) -> None:
    world = make()
    schedule = world.process()
    schedule.prepare()
    world.clock.move(-3 * MINUTE)
    assert schedule.objection() == ""


def test_copy_of_the_machine_sends_nothing(make: Make) -> None:
    world = make()
    world.until("2026-11-29T18:00", world.process())
    world.approve("")
    copy = world.process(home="elsewhere")
    world.until("2026-11-30T07:00", copy)
    assert world.states() == {"2026-W48": "approved"}
    assert "another machine" in copy.objection()
    world.until("2026-11-30T08:00", world.process())
    assert world.states() == {"2026-W48": "done"}


def test_restored_backup_does_not_send_again_what_went_out_since(
    make: Make, tmp_path: Path
) -> None:
    world = make()
    world.until("2026-11-29T18:00", world.process())
    world.approve("")
    world.database.close()
    backup = (tmp_path / "0.db").read_bytes()
    world.until("2026-11-30T07:00", world.process())
    assert world.states() == {"2026-W48": "done"}
    world.database.close()
    for path in tmp_path.glob("0.db-*"):
        path.unlink()
    (tmp_path / "0.db").write_bytes(backup)
    assert world.states() == {"2026-W48": "approved"}
    restored = world.process()
    world.until("2026-11-30T09:00", restored)
    assert "restored from a backup" in restored.objection()
    assert world.states() == {"2026-W48": "approved"}
    assert set(world.copies().values()) == {1}


# What people and other processes do meanwhile


def test_decision_that_comes_while_the_lead_is_asked_for_is_not_overridden(make: Make) -> None:
    world = make(rules={"unattended": "send"})
    schedule = world.process()
    world.until("2026-11-29T18:00", schedule)
    editions, _ = world.desk()

    class Slow(dict[str, str]):
        def get(self, _url: str, _default: object = "") -> str:  # type: ignore[override]
            if world.states()["2026-W48"] == "draft":
                editions.hold("2026-W48", reason="Stop.", now=world.clock.now())
            return ""

    world.clock.move(12 * HOUR)
    world.dead = Slow()
    schedule.send(threading.Event())
    assert world.editions()["2026-W48"].reason == "Stop."
    world.until("2026-12-01T00:00", schedule)
    assert world.states() == {"2026-W48": "held"}
    assert not world.copies()


def test_no_hours_to_catch_up_still_lets_an_edition_go_in_its_time(make: Make) -> None:
    world = make(rules={"catch_up_hours": 0, "unattended": "send"})
    world.until("2026-11-30T05:59", world.process())
    world.clock.move(MINUTE + dt.timedelta(seconds=7))
    world.process().tick(threading.Event())
    assert world.states() == {"2026-W48": "done"}


def test_article_of_a_held_edition_that_went_late_does_not_go_again(make: Make) -> None:
    world = make(edition={"stories": 50}, sources=lambda now: int(now.hour % 12 == 0))
    schedule = world.process()
    world.until("2026-12-06T18:00", schedule)  # nobody approved the first, so the second has all
    assert list(world.states().values()) == ["held", "draft"]
    world.approve("2026-W49")
    editions, freezer = world.desk()
    editions.draft("2026-W48", now=world.clock.now())
    freezer.freeze("2026-W48", now=world.clock.now())
    freezer.approve("2026-W48", by="Ana", now=world.clock.now())
    world.until("2026-12-07T06:00", schedule)
    assert world.states() == {"2026-W48": "done", "2026-W49": "held"}
    assert "Readers had" in world.editions()["2026-W49"].reason
    assert set(world.mentioned().values()) == {1}


def test_clock_that_was_ahead_leaves_nothing_behind_once_it_is_accepted(make: Make) -> None:
    world = make(rules={"unattended": "send"})
    schedule = world.process()
    world.until("2026-11-25T12:00", schedule)
    world.clock.move(dt.timedelta(days=3))
    schedule.collect()
    world.clock.move(dt.timedelta(days=-3))
    known = world.articles
    schedule.accept()
    world.until("2026-11-30T06:00", schedule)
    assert world.articles > known + 5
    assert world.states() == {"2026-W48": "done"}


def test_collection_that_others_were_in_the_way_of_comes_at_the_next_look(make: Make) -> None:
    world = make()
    schedule = world.process()
    with world.store.hold(COLLECTING):
        assert not schedule.collect()
    assert schedule.collect()
    assert not schedule.collect()


def test_edition_that_people_took_back_is_theirs(make: Make) -> None:
    world = make(rules={"missed": "none"})
    world.process().tick(threading.Event())
    world.clock.move(dt.timedelta(days=7))
    schedule = world.process()
    world.until("2026-12-02T00:00", schedule)
    assert world.states()["2026-W48"] == "skipped"
    world.desk()[1].reopen("2026-W48", now=world.clock.now())
    world.until("2026-12-03T00:00", schedule)
    assert world.states()["2026-W48"] == "draft"


def test_what_happens_again_is_told_again(make: Make) -> None:
    world = make()
    schedule = world.process()
    world.until("2026-11-30T06:00", schedule)
    world.approve("2026-W48")
    lead = world.editions()["2026-W48"].stories[0]
    world.dead[lead.url] = "The page is gone (410)."
    world.until("2026-11-30T07:00", schedule)
    assert world.states() == {"2026-W48": "held"}
    assert world.told.count(("held", "2026-W48")) == 2


def test_send_that_a_person_began_before_the_week_ended_is_gone_on_with(make: Make) -> None:
    world = make()
    schedule = world.process()
    world.until("2026-11-27T12:00", schedule)
    world.approve("")
    schedule._parts.sending.plan(world.editions()["2026-W48"], release_at=None)
    world.until("2026-11-27T13:00", schedule)
    assert world.states() == {"2026-W48": "done"}
