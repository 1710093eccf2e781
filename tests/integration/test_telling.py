"""What happens to an edition reaches each editor once and in order, whatever fails meanwhile."""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.model.deliveries import Accepted, Outcome, Refused, Unavailable, Unknown
from digest.model.editions import Edition, EditionState
from digest.model.notices import Event, NoticeKind
from digest.services.telling import Telling
from digest.settings import Settings
from digest.storage.database import Database, open_database
from digest.storage.marks import SqlMarks
from digest.storage.store import SqlStore
from tests.desks import HOUR
from tests.editing import LABEL
from tests.newsroom import DOWN, JOS, MARIAS, MINUTE, MONDAY, SUNDAY, Newsroom, newsroom


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Newsroom]:
    with newsroom(tmp_path / "weekly") as opened:
        yield opened


def lines(logs: Sequence[Mapping[str, Any]], event: str) -> list[Mapping[str, Any]]:
    return [entry for entry in logs if entry["event"] == event]


def test_what_the_provider_did_not_take_comes_later_once_each_and_in_order(room: Newsroom) -> None:
    room.provider.answer = lambda _address: DOWN
    with structlog.testing.capture_logs() as logs:
        room.tick(MONDAY)
        room.app.editions.skip(LABEL, reason="A holiday.", now=room.clock.now())
        for minutes in range(1, 60, 4):
            room.tell(MONDAY + minutes * MINUTE)
    assert room.told() == ([], [])
    put_off = lines(logs, "notice_put_off")
    assert [entry["kind"] for entry in put_off] == ["held"]  # once, not at each try
    assert MARIAS not in str(logs)
    room.provider.answer = lambda _address: Accepted()
    for minutes in range(60, 90, 4):
        room.tell(MONDAY + minutes * MINUTE)
    assert room.told() == (["2026-W48 was held"],) * 2


def test_events_are_told_in_their_order(room: Newsroom) -> None:
    room.provider.answer = lambda _address: DOWN
    room.tick(MONDAY)
    room.app.freezing.freeze(LABEL, now=room.clock.now())
    room.app.freezing.approve(LABEL, by="Maria", now=room.clock.now())
    room.tick(MONDAY + 10 * MINUTE)
    room.provider.answer = lambda _address: Accepted()
    room.tick(MONDAY + 20 * MINUTE)
    room.tick(MONDAY + 30 * MINUTE)
    told = ["2026-W48 was held", "2026-W48 went out to 1 reader"]
    assert room.told() == (told, told)


def test_who_has_it_does_not_get_it_again_because_anothers_failed(room: Newsroom) -> None:
    jos: list[Outcome] = [DOWN, DOWN, Accepted()]
    room.provider.answer = lambda to: Accepted() if to == MARIAS else jos.pop(0)
    room.tick(MONDAY)
    for minutes in range(2, 60, 4):
        room.tell(MONDAY + minutes * MINUTE)
    assert room.told() == (["2026-W48 is held"],) * 2
    assert jos == []


def test_what_was_refused_for_good_is_not_tried_again(room: Newsroom) -> None:
    asked: Counter[str] = Counter()

    def answer(to: str) -> Outcome:
        asked[to] += 1
        return Refused(reason="no such mailbox") if to == JOS else Accepted()

    room.provider.answer = answer
    with structlog.testing.capture_logs() as logs:
        room.tick(MONDAY)
        for minutes in range(2, 60, 4):
            room.tell(MONDAY + minutes * MINUTE)
    assert asked == {MARIAS: 1, JOS: 1}
    [refused] = lines(logs, "notice_not_sent")
    assert (refused["kind"], refused["reason"]) == ("held", "no such mailbox")
    assert JOS not in str(logs)


def test_after_a_day_it_is_given_up_with_one_line(room: Newsroom) -> None:
    room.provider.answer = lambda _address: DOWN
    with structlog.testing.capture_logs() as logs:
        room.tick(MONDAY)
        for hours in range(1, 30, 4):
            room.tell(MONDAY + hours * HOUR)
    [given_up] = lines(logs, "notice_not_sent")
    assert (given_up["kind"], given_up["edition"]) == ("held", LABEL)
    room.provider.answer = lambda _address: Accepted()
    room.tell(MONDAY + 31 * HOUR)
    assert room.told() == ([], [])


def test_it_is_told_by_the_next_process_too(room: Newsroom) -> None:
    room.provider.answer = lambda to: DOWN if to == JOS else Accepted()
    room.tick(MONDAY)
    room.provider.answer = lambda _address: Accepted()
    for _ in range(3):
        room.tick(MONDAY + MINUTE, room.process())
    assert room.told() == (["2026-W48 is held"],) * 2


def test_many_schedulers_tell_once(room: Newsroom) -> None:
    """Of those that look while one is at it, none tells the same."""
    others = [room.process() for _ in range(3)]
    started, told = threading.Event(), threading.Event()

    def answer(_address: str) -> Outcome:
        started.set()
        told.wait(30)
        return Accepted()

    room.provider.answer = answer
    room.clock.move(MONDAY - room.clock.now())
    room.schedule.prepare()
    first = threading.Thread(target=room.schedule.tell, args=(threading.Event(),))
    first.start()
    assert started.wait(30)
    threads = [threading.Thread(target=other.tell, args=(threading.Event(),)) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told.set()
    first.join()
    room.tick(MONDAY, *others)
    assert room.told() == (["2026-W48 is held"],) * 2


def test_what_calls_for_nobody_any_more_is_dropped(room: Newsroom) -> None:
    room.provider.answer = lambda _address: DOWN
    room.tick(MONDAY - HOUR)  # nobody approved it yet
    room.app.freezing.freeze(LABEL, now=room.clock.now())
    room.app.freezing.approve(LABEL, by="Maria", now=room.clock.now())
    room.provider.answer = lambda _address: Accepted()
    with structlog.testing.capture_logs() as logs:
        room.tick(MONDAY)
        room.tick(MONDAY + 10 * MINUTE)
    assert room.told() == (["2026-W48 went out to 1 reader"],) * 2
    assert [entry["kind"] for entry in lines(logs, "notice_dropped")] == ["waiting"]


def test_draft_that_comes_late_still_says_when_it_goes(tmp_path: Path) -> None:
    with newsroom(tmp_path / "weekly") as room:
        room.app.store.save_edition(replace(room.edition, drafted_at=SUNDAY - HOUR))
        room.provider.answer = lambda _address: DOWN
        room.tick(SUNDAY + HOUR)
        room.provider.answer = lambda _address: Accepted()
        room.tick(SUNDAY + 3 * HOUR)
        assert room.told() == (["2026-W48 waits for you: goes Mon 30 Nov 07:00 Europe/Berlin"],) * 2
        kept = room.provider.sent()[0].handover.mail.text
        assert "This mail comes late: what it tells happened Sun 29 Nov 19:00" in kept


def test_one_of_whom_nobody_knows_is_told_once_more_and_no_more(room: Newsroom) -> None:
    asked: Counter[str] = Counter()

    def answer(to: str) -> Outcome:
        asked[to] += 1
        return Unknown(reason="no answer")

    room.provider.answer = answer
    room.tick(MONDAY)
    for minutes in range(2, 120, 10):
        room.tell(MONDAY + minutes * MINUTE, room.process())
    assert asked == {MARIAS: 2, JOS: 2}


def test_process_that_ends_in_the_middle_leaves_a_trace(room: Newsroom) -> None:
    def ended(_address: str) -> Outcome:
        raise KeyboardInterrupt

    for _ in range(2):
        room.provider.answer = ended
        with pytest.raises(KeyboardInterrupt):
            room.tick(MONDAY, room.process())
    room.provider.answer = lambda _address: Accepted()
    room.tick(MONDAY, room.process())
    # Of the first editor's two mails nobody knows; a third is none too few.
    assert room.told() == ([], ["2026-W48 is held"])


def test_mail_that_cannot_be_made_waits_until_it_can(tmp_path: Path) -> None:
    with newsroom(tmp_path / "weekly") as room:
        room.clock.move(MONDAY - room.clock.now())
        room.schedule.prepare()
        templates = room.app.project.root / "templates"
        templates.mkdir()
        (templates / "notice.txt.j2").write_text("{{ nothing }}")
        with structlog.testing.capture_logs() as logs:
            room.process().tell(threading.Event())
        [put_off] = lines(logs, "notice_put_off")
        assert "notice.txt.j2" in str(put_off["reason"])
        (templates / "notice.txt.j2").unlink()
        room.process().tell(threading.Event())
        assert room.told() == (["2026-W48 is held"],) * 2


def test_failing_notices_keep_no_edition_from_its_readers(room: Newsroom) -> None:
    room.app.freezing.freeze(LABEL, now=room.clock.now())
    room.app.freezing.approve(LABEL, by="Maria", now=room.clock.now())

    def broken(_address: str) -> Outcome:
        raise RuntimeError("secret@example.com")

    room.provider.answer = broken
    with structlog.testing.capture_logs() as logs:
        room.tick(MONDAY)
        room.tick(MONDAY + 10 * MINUTE)
    assert room.edition.state is EditionState.DONE
    assert lines(logs, "telling_failed")
    assert "secret" not in str(logs)


def test_no_more_is_told_once_it_is_asked_to_end(room: Newsroom) -> None:
    stop = threading.Event()

    def answer(_address: str) -> Outcome:
        stop.set()
        return Accepted()

    room.clock.move(MONDAY - room.clock.now())
    room.schedule.prepare()
    room.provider.answer = answer
    room.schedule.tell(stop)
    assert sum(len(told) for told in room.told()) == 1
    room.tick(MONDAY)
    assert room.told() == (["2026-W48 is held"],) * 2


def test_what_another_version_put_down_is_let_go_and_stops_nothing(room: Newsroom) -> None:
    for number, value in enumerate(("{", "[]", '{"event": 7}', '{"kind": "held"}')):
        room.app.marks.put(f"app-news-weekly/{LABEL}/odd/{number}", SUNDAY, value)
    with structlog.testing.capture_logs() as logs:
        room.tick(MONDAY)
        room.tick(MONDAY + 10 * MINUTE)
    assert len(lines(logs, "notice_not_sent")) == 4
    assert room.told() == (["2026-W48 is held"],) * 2


# The law


@settings(max_examples=40, deadline=None)
@given(
    looks=st.lists(
        st.tuples(
            st.booleans(),  # something happens before it
            st.booleans(),  # another process looks
            st.sampled_from((Accepted(), DOWN, Refused(reason="no"), Unknown(reason="?"), None)),
            st.sampled_from((Accepted(), DOWN, Refused(reason="no"), Unknown(reason="?"), None)),
        ),
        max_size=12,
    )
)
def test_each_editor_has_all_that_can_be_told_in_order_whatever_fails(
    looks: list[tuple[bool, bool, Outcome | None, Outcome | None]],
) -> None:
    """A process that dies is None; only where nobody knows may a mail come twice."""
    with TemporaryDirectory() as folder, closing(open_database(f"sqlite:///{folder}/a.db")) as base:
        editors = Editors()
        now, happened = MONDAY, 0
        process = editors.process(base)
        for is_event, is_new, one, other in [
            *looks,
            *([(False, True, Accepted(), Accepted())] * 2),
        ]:
            now += 10 * MINUTE
            if is_event:
                happened += 1
                event = Event(kind=NoticeKind.STANDS_STILL, at=now, reason=str(happened))
                process.add(str(happened), event)
            process = editors.process(base) if is_new else process
            editors.answers = {1: one, 2: other}
            with suppress(KeyboardInterrupt):
                process.hand_over(now=now, stop=threading.Event(), is_standing=True)
        everything = [str(number) for number in range(1, happened + 1)]
        for number in (1, 2):
            asked, sure = editors.asked[number], editors.has[number]
            assert sure == sorted(set(sure), key=int)
            lost = editors.refused[number] | editors.doubtful[number]
            assert set(sure) | lost == set(everything)
            assert asked == sorted(asked, key=int)
            assert all(asked.count(what) <= 2 for what in editors.doubtful[number])


class Editors:
    """Two editors, who answer as they are told to, and remember."""

    def __init__(self) -> None:
        self.answers: dict[int, Outcome | None] = {}
        self.asked: dict[int, list[str]] = {1: [], 2: []}
        self.has: dict[int, list[str]] = {1: [], 2: []}
        self.refused: dict[int, set[str]] = {1: set(), 2: set()}
        self.doubtful: dict[int, set[str]] = {1: set(), 2: set()}

    def process(self, database: Database) -> Telling:
        """Return what a process that starts now has."""
        return Telling(
            SqlMarks(database),
            SqlStore(database),
            Settings(),
            editors=lambda: (1, 2),
            tell=self._tell,
        )

    def _tell(self, event: Event, _edition: Edition | None, number: int) -> Outcome:
        answer = self.answers[number]
        if answer is None or isinstance(answer, Unknown):
            self.doubtful[number].add(event.reason)
        if answer is None:
            self.asked[number].append(event.reason)
            raise KeyboardInterrupt
        if not isinstance(answer, Unavailable):
            self.asked[number].append(event.reason)
        if isinstance(answer, Accepted):
            self.has[number].append(event.reason)
        if isinstance(answer, Refused):
            self.refused[number].add(event.reason)
        return answer
