"""A send that is killed anywhere, and started again, reaches every reader once."""

import random
from pathlib import Path

import msgspec
import pytest

from digest.testing.sendgrid import ACCEPTS
from tests.kills.scenes import Kill, Played, Scene, broken, play

# Where a batch is in doubt when it ends: the second time that a batch is handed over.
IN_DOUBT = ("before POST /v3/mail/send", "in a request", "after a request", "after an answer")
PLANNING = ("exclusions", "deliveries", "batches")


def kills_of(played: list[Played]) -> int:
    return sum(len(each.killed) for each in played)


@pytest.mark.parametrize("hold", [True, False])
def test_killed_at_any_point_it_goes_on_and_nobody_is_mailed_twice(
    tmp_path: Path, hold: bool
) -> None:
    played = play(tmp_path, Scene(hold=hold, every=16))
    assert broken(played) == []
    assert kills_of(played) >= 8


@pytest.mark.long
@pytest.mark.parametrize("hold", [True, False])
def test_killed_at_each_point_it_goes_on_and_nobody_is_mailed_twice(
    tmp_path: Path, hold: bool
) -> None:
    """Each statement, commit and request of a send, some 250 points with and without a hold."""
    played = play(tmp_path, Scene(hold=hold, every=1))
    assert broken(played) == []
    assert kills_of(played) > 100
    assert any(each.unknown for each in played) is not hold


def test_killed_while_planning_it_leaves_nothing(tmp_path: Path) -> None:
    kills = [Kill(at=1, point=f"after INSERT INTO {table}") for table in PLANNING]
    kills.append(Kill(at=1, point="before commit of SELECT coalesce(sum(batches.readers), ?)"))
    played = play(tmp_path, *(Scene(kills=(kill,)) for kill in kills))
    assert broken(played) == []
    assert [list(each.killed) for each in played] == [[kill.point] for kill in kills]


def twice(point: str, every: int) -> list[Scene]:
    """Return sends that are killed with a batch in doubt, and again at each nth point after."""
    first = Kill(at=2, point=point)
    return [Scene(hold=hold, kills=(first,), every=every) for hold in (True, False)]


def test_killed_again_while_it_settles_it_settles_later(tmp_path: Path) -> None:
    played = play(tmp_path, *(scene for point in IN_DOUBT[1:3] for scene in twice(point, 40)))
    assert broken(played) == []
    assert kills_of(played) > len(played)


@pytest.mark.long
@pytest.mark.parametrize("point", IN_DOUBT)
def test_killed_again_at_each_point_it_settles_later(tmp_path: Path, point: str) -> None:
    played = play(tmp_path, *twice(point, 2))
    assert broken(played) == []
    assert kills_of(played) > 100


def at_random(count: int) -> list[Scene]:
    """Return sends of many batches, three at a time, that are killed two or three times."""
    rng = random.Random(2026)
    return [
        Scene(
            hold=number % 3 > 0,
            batches=9,
            in_flight=3,
            kills=(
                Kill(at=rng.randint(30, 330)),
                *(Kill(share=rng.random()) for _ in range(number % 2)),
                Kill(at=rng.randint(1, 150)),
            ),
            seeds=(number,),
        )
        for number in range(count)
    ]


def test_killed_with_several_batches_in_flight_none_goes_twice(tmp_path: Path) -> None:
    played = play(tmp_path, *at_random(5))
    assert broken(played) == []
    assert kills_of(played) >= 3  # an instant may come after the end


@pytest.mark.long
def test_killed_at_many_random_instants_no_batch_goes_twice(tmp_path: Path) -> None:
    played = play(tmp_path, *at_random(100))
    assert broken(played) == []
    assert kills_of(played) > 150
    assert max(each.tries for each in played if each.scene.hold) > 9


@pytest.mark.long
def test_killed_while_the_provider_misbehaves_it_reaches_everybody_once(tmp_path: Path) -> None:
    kinds = [kind for kind in ACCEPTS if kind not in ("bad_reader", "too_large", "refuse")]
    scenes = [
        Scene(
            hold=hold,
            faults=({"kind": kind, "at": (2,), "seconds": 0.05},),
            kills=(Kill(at=2, point="after an answer"), Kill(at=1, point="after a request")),
            read=0.5,
        )
        for kind in kinds
        for hold in (True, False)
    ]
    played = play(tmp_path, *scenes)
    assert broken(played) == []
    assert kills_of(played) >= len(scenes)


# Each reader's own time


@pytest.mark.parametrize("hold", [True, False])
def test_killed_between_and_in_waves_each_reader_gets_it_once_and_not_before_their_time(
    tmp_path: Path, hold: bool
) -> None:
    played = play(tmp_path, Scene(hold=hold, waves=True, every=60))
    assert broken(played) == []
    assert kills_of(played) >= 4
    assert {each.waves for each in played} == {3}


@pytest.mark.long
@pytest.mark.parametrize("hold", [True, False])
def test_killed_at_each_point_of_waves_each_reader_gets_it_once_and_not_before_their_time(
    tmp_path: Path, hold: bool
) -> None:
    played = play(tmp_path, Scene(hold=hold, waves=True, every=1))
    assert broken(played) == []
    assert kills_of(played) > 150


@pytest.mark.long
@pytest.mark.parametrize("point", IN_DOUBT)
def test_killed_again_with_a_batch_of_a_wave_in_doubt_it_settles_in_time(
    tmp_path: Path, point: str
) -> None:
    scenes = [msgspec.structs.replace(scene, waves=True) for scene in twice(point, 5)]
    played = play(tmp_path, *scenes)
    assert broken(played) == []
    assert kills_of(played) > 50


@pytest.mark.long
def test_killed_at_random_instants_of_waves_each_reader_gets_it_once_and_not_before_their_time(
    tmp_path: Path,
) -> None:
    """Three waves of three batches, by senders that stay and by some that come for each wave."""
    scenes = [
        msgspec.structs.replace(scene, waves=True, stays=number % 4 == 0)
        for number, scene in enumerate(at_random(80))
    ]
    played = play(tmp_path, *scenes)
    assert broken(played) == []
    assert kills_of(played) > 100
