"""Letters have limits that nobody gets around, and that never stop an edition."""

import datetime as dt
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import structlog

from digest.errors import TooMany
from digest.model.letters import LetterKind
from digest.services.letters import BRAKED
from digest.testing.factories import NOON
from tests.editing import LABEL, add_week
from tests.letters import SLUG, Letterbox, letterbox

HOUR, SECOND = dt.timedelta(hours=1), dt.timedelta(seconds=1)
FEW = "[letters]\nper_hour = 20\n"


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Letterbox]:
    with letterbox(tmp_path / "weekly", FEW) as opened:
        yield opened


def test_network_that_asked_often_is_told_until_when(box: Letterbox) -> None:
    for number in range(5):
        box.ask(f"reader{number}@example.com", network="one")
    for kind in LetterKind:
        with pytest.raises(TooMany) as refused:
            box.ask("another@example.com", kind, network="one")
        assert refused.value.until == NOON + HOUR
    box.ask("another@example.com", network="two")
    assert len(box.letters()) == 6
    box.clock.move(HOUR + SECOND)
    box.ask("another@example.com", network="one")


def test_many_at_once_from_one_network_do_not_pass_its_limit(box: Letterbox) -> None:
    def ask(number: int) -> bool:
        try:
            box.ask(f"reader{number}@example.com", network="one")
        except TooMany:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(ask, range(100))) == 5
    assert len(box.letters()) == 5


def test_network_is_the_street_and_not_the_house_and_nobody_can_tell_which(
    box: Letterbox,
) -> None:
    def of(client: str, now: dt.datetime = NOON) -> str:
        return box.service.network_of(client, now)

    assert of("192.0.2.1") == of("192.0.2.254") == of("::ffff:192.0.2.7")
    assert of("192.0.2.1") != of("192.0.3.1")
    assert of("2001:db8:1:2::3") == of("2001:db8:1:ffff::1") == of("2001:db8:1::%eth0")
    assert of("2001:db8:1::1") != of("2001:db8:2::1")
    assert of("192.0.2.1") != of("192.0.2.1", NOON + 12 * HOUR)  # another day
    assert of("") == of("testclient") == of("1.2.3.4.5") == of("192.0.2.1, 10.0.0.1")


def test_flood_is_dropped_told_once_and_editions_go_out_meanwhile(box: Letterbox) -> None:
    with structlog.testing.capture_logs() as logs:
        for number in range(50):
            box.clock.move(SECOND)
            box.ask(f"reader{number}@example.com")
            box.send()
    assert [state for state, _ in box.states()] == ["sent"] * 20 + ["dropped"] * 30
    assert box.states()[-1] == ("dropped", BRAKED)
    alarms = [entry for entry in logs if entry["event"] == "letters_braked"]
    assert [(alarm["log_level"], alarm["allowed"]) for alarm in alarms] == [("error", 20)]
    rows = [entry for entry in box.app.audit.entries() if entry.action == "letters braked"]
    assert [(row.newsletter, row.actor) for row in rows] == [(SLUG, "letters")]
    send_edition(box)
    assert {edition for edition, _ in box.transport.copies()} == {LABEL}
    box.clock.move(HOUR + SECOND)
    box.ask("later@example.com")
    assert len(box.send()) == 1


def send_edition(box: Letterbox) -> None:
    """Send an approved edition to one reader while letters are braked."""
    box.join("reader@example.org")
    add_week(box.app.store, 4)
    box.app.freezing.freeze(LABEL, now=box.clock.now())
    approved = box.app.freezing.approve(LABEL, by="Ana", now=box.clock.now())
    box.app.sending.plan(approved, release_at=None)
    planned = box.app.store.edition(SLUG, LABEL)
    assert planned is not None
    stop = threading.Event()
    box.app.sending.run(planned, stop=stop, wait=lambda _s: None, progress=lambda _n: None)


@pytest.mark.long
def test_five_thousand_strangers_in_ten_minutes_get_three_hundred_letters(tmp_path: Path) -> None:
    with letterbox(tmp_path / "weekly") as box:
        with structlog.testing.capture_logs() as logs:
            for number in range(5_000):
                box.clock.move(SECOND / 8)
                box.ask(f"reader{number}@example.com")
                if number % 8 == 0:  # a look every second
                    box.send()
        assert len(box.transport.sent()) == 300
        assert [entry["event"] for entry in logs].count("letters_braked") == 1
        send_edition(box)
        assert len(box.transport.copies()) == 1
