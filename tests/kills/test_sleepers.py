"""A sender that sleeps through its lease, and two that send at once: still one copy each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kills.scenes import Kill, Played, Scene, broken, play
from tests.postgres import running_server

CLAIMED = "after end of INSERT INTO attempts"
POINTS = (CLAIMED, "before POST /v3/mail/send", "in a request", "after an answer")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_server() as url:
        yield url


def sleeping(hold: bool) -> list[Scene]:
    """Return sends whose first sender sleeps at its second batch, until its lease is over."""
    return [Scene(hold=hold, kills=(Kill(at=2, point=point, stops=True),)) for point in POINTS]


def taken_over(played: list[Played]) -> list[bool]:
    """Tell of each whether the second sender made a request for the batch of the first."""
    return [each.tries > each.scene.batches for each in played]


@pytest.mark.parametrize("hold", [True, False])
def test_on_sqlite_nobody_takes_over_while_the_first_sleeps(tmp_path: Path, hold: bool) -> None:
    played = play(tmp_path, *sleeping(hold))
    assert broken(played) == []
    assert [list(each.killed) for each in played] == [[point] for point in POINTS]
    assert not any(taken_over(played))


@pytest.mark.parametrize("hold", [True, False])
def test_on_postgres_another_takes_over_and_the_first_wakes_to_no_harm(
    tmp_path: Path, server: str, hold: bool
) -> None:
    """What the sleeper still sends has been cancelled, or was never sent by anybody else."""
    played = play(tmp_path, *sleeping(hold), postgres=server)
    assert broken(played) == []
    assert [list(each.killed) for each in played] == [[point] for point in POINTS]
    assert any(taken_over(played)) is hold
    assert {each.unknown for each in played} == {0}


def duels(seeds: range) -> list[Scene]:
    """Return sends by two at once, of whom one after the other is killed."""
    return [
        Scene(
            hold=seed % 3 > 0,
            batches=6,
            in_flight=2,
            senders=2,
            kills=tuple(
                Kill(at=1 + (seed + n) % 3, point=POINTS[(seed + n * n) % len(POINTS)])
                for n in range(5)
            ),
            seeds=(seed,),
        )
        for seed in seeds
    ]


def test_two_senders_that_are_killed_in_turn_reach_nobody_twice(
    tmp_path: Path, server: str
) -> None:
    played = play(tmp_path, *duels(range(3)), postgres=server)
    assert broken(played) == []
    assert sum(len(each.killed) for each in played) >= len(played)


@pytest.mark.long
def test_two_senders_that_are_killed_often_reach_nobody_twice(tmp_path: Path, server: str) -> None:
    played = play(tmp_path, *duels(range(3, 40)), postgres=server)
    assert broken(played) == []


@pytest.mark.long
@pytest.mark.parametrize("hold", [True, False])
def test_on_postgres_killed_at_many_points_it_goes_on(
    tmp_path: Path, server: str, hold: bool
) -> None:
    played = play(tmp_path, Scene(hold=hold, every=3), postgres=server)
    assert broken(played) == []
