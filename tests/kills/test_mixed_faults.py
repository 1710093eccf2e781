"""Whatever the provider does, nobody is lost, nobody gets two copies, and the report balances."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from digest.testing.sendgrid import ACCEPTS
from tests.kills.scenes import Kill, Played, Scene, broken, play

READERS = 64
UNREAD = 0.5  # seconds; what hangs ends so
BAD = {"kind": "bad_reader", "address": "reader-7@example.com"}
MIXED: tuple[Mapping[str, Any], ...] = (
    BAD,
    {"kind": "too_large", "at": (3,)},
    {"kind": "too_many", "chance": 0.08, "retry_after": 7},
    {"kind": "too_many", "chance": 0.04, "reset": 30},
    {"kind": "server_error", "chance": 0.04},
    {"kind": "server_error", "chance": 0.04, "accepts": True},
    {"kind": "drop_before_read", "chance": 0.04},
    {"kind": "drop_after_read", "chance": 0.04},
    {"kind": "drop_after_accept", "chance": 0.06},
    {"kind": "half_answer", "chance": 0.04},
    {"kind": "half_answer", "chance": 0.04, "accepts": False},
    {"kind": "garbage", "chance": 0.04},
    {"kind": "hang", "chance": 0.03},
    {"kind": "redirect", "chance": 0.03},
    {"kind": "no_credits", "chance": 0.03},
    {"kind": "late_accept", "chance": 0.04, "seconds": 0.05},
    {"kind": "slow", "chance": 0.04, "seconds": 0.05},
    {"kind": "server_error", "chance": 0.05, "endpoint": "batch"},
    {"kind": "drop_after_accept", "chance": 0.1, "endpoint": "scheduled_sends"},
    {"kind": "server_error", "chance": 0.1, "endpoint": "scheduled_sends"},
    {"kind": "server_error", "chance": 0.2, "endpoint": "logs"},
)
# What the provider's log shows to have been taken; of what it does not show nothing is known.
TAKEN = {kind for kind, accepts in ACCEPTS.items() if accepts} - {"late_accept"}
ANSWERED = {"too_many", "redirect", "no_credits", "refuse", "bad_reader", "too_large"}


def mixed(hold: bool, seeds: range, *kills: Kill, holds: int = 1_000) -> Scene:
    return Scene(
        hold=hold,
        batches=READERS // 4,
        in_flight=3,
        faults=MIXED,
        kills=kills,
        read=UNREAD,
        holds=holds,
        seeds=tuple(seeds),
    )


def one(kind: str, hold: bool) -> Scene:
    """Return a send of which the provider treats the second batch so."""
    fault = BAD if kind == "bad_reader" else {"kind": kind, "at": (2,), "seconds": 0.05}
    return Scene(hold=hold, faults=(fault,), read=UNREAD)


@pytest.mark.parametrize("hold", [True, False])
def test_after_any_one_fault_every_reader_is_accounted_for(tmp_path: Path, hold: bool) -> None:
    played = play(tmp_path, *(one(kind, hold) for kind in ACCEPTS))
    assert broken(played) == []
    for kind, each in zip(ACCEPTS, played, strict=True):
        assert each.unknown in unknown_after(kind, hold), kind
        assert each.refused == (kind == "bad_reader"), kind


def unknown_after(kind: str, hold: bool) -> set[int]:
    """Return of how many readers a fault of that kind may leave the outcome unknown."""
    if hold or kind in TAKEN | ANSWERED:
        return {0}
    if kind == "late_accept":  # The log shows it or not, as a busy machine looks later or sooner.
        return {0, 4}
    return {4}


def test_bad_address_costs_one_delivery_and_nobody_else_theirs(tmp_path: Path) -> None:
    [played] = play(tmp_path, one("bad_reader", hold=True))
    assert broken([played]) == []
    assert (played.accepted, played.refused, played.copies) == (11, 1, 11)


def test_with_a_hold_all_faults_together_still_reach_everybody_once(tmp_path: Path) -> None:
    played = play(tmp_path, mixed(True, range(2)))
    assert broken(played) == []
    assert {(each.accepted, each.copies) for each in played} == {(READERS - 1, READERS - 1)}
    assert all(each.tries > READERS // 4 for each in played)


def test_without_a_hold_all_faults_together_leave_only_what_is_listed(tmp_path: Path) -> None:
    played = play(tmp_path, mixed(False, range(2)))
    assert broken(played) == []
    assert all(each.accepted <= each.copies <= each.accepted + each.unknown for each in played)


def test_faults_and_kills_together_reach_nobody_twice(tmp_path: Path) -> None:
    played = play(tmp_path, *with_kills(range(1)))
    assert broken(played) == []
    assert_killed(played)


@pytest.mark.long
def test_faults_of_many_seeds_reach_nobody_twice(tmp_path: Path) -> None:
    played = play(tmp_path, mixed(True, range(30)), mixed(False, range(30)))
    assert broken(played) == []


@pytest.mark.long
def test_faults_of_many_seeds_and_kills_reach_nobody_twice(tmp_path: Path) -> None:
    played = play(tmp_path, *with_kills(range(30)))
    assert broken(played) == []
    assert_killed(played)


@pytest.mark.long
def test_where_the_provider_cancels_no_more_the_rest_is_listed_as_unknown(tmp_path: Path) -> None:
    played = play(tmp_path, mixed(True, range(10), holds=2))
    assert broken(played) == []
    assert any(each.unknown for each in played)


def with_kills(seeds: range) -> list[Scene]:
    return [
        mixed(
            hold,
            range(seed, seed + 1),
            Kill(at=90 + 7 * seed),
            Kill(at=2 + seed % 4, point="after a request"),
            Kill(at=60 + 11 * seed),
        )
        for seed in seeds
        for hold in (True, False)
    ]


def assert_killed(played: list[Played]) -> None:
    assert sum(len(each.killed) for each in played) >= len(played)
