"""A schedule that stands still says so to the editors: once a reason, and nothing else goes out."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import structlog

from digest.afterwards import KEPT
from digest.model.deliveries import Accepted
from tests.desks import HOUR
from tests.newsroom import DOWN, JOS, MARIAS, MINUTE, MONDAY, SUNDAY, Newsroom, newsroom

STILL = "The schedule of App News Weekly stands still"


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Newsroom]:
    with newsroom(tmp_path / "weekly") as opened:
        yield opened


def words(room: Newsroom) -> str:
    """Return the text of the last mail on one line."""
    return " ".join(room.provider.sent()[-1].handover.mail.text.split())


def is_still(room: Newsroom) -> None:
    """Let its clock be put back, and let it look again and again, in new processes as well."""
    room.tell(MONDAY)
    for minutes in range(0, 90, 10):
        room.tick(SUNDAY + minutes * MINUTE, room.schedule, room.process())


def test_clock_that_was_put_back_is_told_once_and_says_what_to_do(room: Newsroom) -> None:
    is_still(room)
    assert room.told() == ([STILL], [STILL])
    for said in (
        "The clock says 2026-11-29 17:00 UTC, and the schedule was at work at 2026-11-30 06:00",
        f"This is {room.app.project.root} on ",
        "nothing goes out until somebody decides",
        "digest schedule accept",
    ):
        assert said in words(room)
    assert room.edition.state == "draft"


def test_what_happens_again_after_it_was_accepted_is_told_again(room: Newsroom) -> None:
    is_still(room)
    room.process().accept()
    room.tick(SUNDAY + 2 * HOUR)
    assert room.told() == ([STILL], [STILL])
    is_still(room)
    assert room.told() == ([STILL] * 2, [STILL] * 2)


def test_copy_of_the_machine_says_that_it_is_one(room: Newsroom) -> None:
    room.tell(SUNDAY)
    room.app.marks.put("home", SUNDAY, "another machine")
    for minutes in range(1, 30, 10):
        room.tick(SUNDAY + minutes * MINUTE, room.process())
    assert room.told() == ([STILL], [STILL])
    assert "this may be a copy. This is /" in words(room)


def test_restored_backup_is_told(room: Newsroom) -> None:
    room.tell(SUNDAY)
    (room.app.project.root / KEPT).write_text("0" * 64)
    for minutes in range(1, 30, 10):
        room.tick(SUNDAY + minutes * MINUTE, room.process())
    assert room.told() == ([STILL], [STILL])
    assert "it was restored from a backup" in words(room)


def test_machine_whose_clock_is_behind_does_not_tell_at_each_look(room: Newsroom) -> None:
    """Another one, whose clock is right, is at work on the same database."""
    behind = room.process()
    for minutes in range(0, 120, 10):
        room.tell(MONDAY + minutes * MINUTE)
        room.tell(MONDAY + minutes * MINUTE - 2 * HOUR, behind)
    assert room.told() == ([STILL], [STILL])


def test_what_the_provider_did_not_take_of_it_comes_later(room: Newsroom) -> None:
    room.provider.answer = lambda to: DOWN if to == JOS else Accepted()
    is_still(room)
    assert room.told() == ([STILL], [])
    room.provider.answer = lambda _address: Accepted()
    room.tell(SUNDAY + 2 * HOUR, room.process())
    assert room.told() == ([STILL], [STILL])


def test_what_else_is_to_be_told_waits_until_it_goes_on(room: Newsroom) -> None:
    room.provider.answer = lambda _address: DOWN
    room.tick(MONDAY)
    assert room.edition.state == "held"
    room.provider.answer = lambda _address: Accepted()
    room.tick(MONDAY - 2 * HOUR)
    assert room.told() == ([STILL], [STILL])
    room.process().accept()
    room.tick(MONDAY - HOUR)
    assert room.told() == ([STILL, "2026-W48 is held"],) * 2


def test_it_is_not_told_any_more_once_it_goes_on(room: Newsroom) -> None:
    room.provider.answer = lambda _address: DOWN
    is_still(room)
    room.process().accept()
    room.provider.answer = lambda _address: Accepted()
    room.tell(SUNDAY + 2 * HOUR)
    room.tell(SUNDAY + 3 * HOUR)
    assert room.told() == ([], [])


def test_log_says_it_once_a_process_and_names_nobody(room: Newsroom) -> None:
    with structlog.testing.capture_logs() as logs:
        room.tell(MONDAY)
        for minutes in range(0, 90, 10):
            room.tell(SUNDAY + minutes * MINUTE)
    assert [entry["event"] for entry in logs].count("schedule_stands_still") == 1
    assert MARIAS not in str(logs)


def test_log_says_it_once_however_many_threads_find_it_at_once(room: Newsroom) -> None:
    room.tell(MONDAY)
    room.clock.move(SUNDAY - room.clock.now())
    with structlog.testing.capture_logs() as logs, ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: room.schedule.objection(), range(8)))
    assert all("The clock says" in reason for reason in found)
    assert [entry["event"] for entry in logs].count("schedule_stands_still") == 1
