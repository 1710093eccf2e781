"""The promises about votes, on every database that `digest` runs on."""

import datetime as dt
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.model.votes import Ballots, Vote
from digest.storage.choices import SqlChoices
from digest.storage.database import Database
from digest.storage.reader_tables import votes as table
from digest.storage.subscribers import SqlSubscribers
from digest.storage.votes import SqlVotes
from digest.testing.contracts.subscribers import WEEKLY, make_subscriber
from digest.testing.factories import NOON

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
MANY = 1_000


@pytest.fixture
def votes(database: Database) -> SqlVotes:
    return SqlVotes(database)


@pytest.fixture
def readers(database: Database) -> list[int]:
    """The numbers of four readers."""
    return add_readers(database, 4)


def add_readers(database: Database, number: int, newsletter: str = WEEKLY) -> list[int]:
    """Store so many readers; return their numbers, in no certain order."""
    store = SqlSubscribers(database)
    addresses = [f"{newsletter}-{n}@example.com" for n in range(number)]
    found = [make_subscriber(newsletter=newsletter, address=a, key=a) for a in addresses]
    store.add_subscribers(found, erased=store.all_erased())
    return [one.id or 0 for one in store.subscribers(newsletter)]


def press(votes: SqlVotes, reader: int, stars: int, article: int = 5, **changes: Any) -> bool:
    values: dict[str, Any] = {
        "newsletter": WEEKLY,
        "edition_id": 1,
        "article_id": article,
        "subscriber_id": reader,
        "stars": stars,
        "at": NOON,
        "network": "a",
    }
    return votes.vote(Vote(**(values | changes)), at_most=MANY, since=NOON - DAY)


def ballot(stars: int, number: int = 1, article: int = 5, network: str = "a") -> Ballots:
    return Ballots(article_id=article, network=network, stars=stars, votes=number)


def set_uncounted(database: Database, reader: int, is_uncounted: bool) -> None:
    found = SqlSubscribers(database).subscriber_by_id(reader)
    assert found is not None
    assert SqlChoices(database).choose(
        reader,
        topics=found.topics,
        frequency=found.frequency,
        language=found.language,
        is_uncounted=is_uncounted,
    )


def erase(database: Database, reader: int) -> None:
    store = SqlSubscribers(database)
    found = store.subscriber_by_id(reader)
    assert found is not None
    store.erase(found.key, hashed=f"hash {reader}", now=NOON)


def test_last_vote_of_a_reader_counts(votes: SqlVotes, readers: list[int]) -> None:
    for stars in (1, 5, 3):
        assert press(votes, readers[0], stars)
    press(votes, readers[1], 3)
    press(votes, readers[2], 3, network="b")
    press(votes, readers[3], 4, article=6)
    expected = [ballot(3, 2), ballot(3, network="b"), ballot(4, article=6)]
    assert votes.ballots(WEEKLY, [6, 5, 7, 5]) == expected
    assert votes.ballots(WEEKLY, [6]) == expected[-1:]
    assert votes.ballots(WEEKLY, []) == []
    assert votes.ballots("other", [5, 6]) == []
    assert votes.last(readers[0], [5, 6]) == {5: 3}
    assert votes.last(readers[3], range(2_000)) == {6: 4}
    assert votes.last(readers[3], []) == {}


def test_articles_are_counted_however_many_are_asked_for(
    votes: SqlVotes, readers: list[int]
) -> None:
    for article in (3, 900, 1_999):
        press(votes, readers[0], 5, article)
    found = votes.ballots(WEEKLY, range(2_000))
    assert [one.article_id for one in found] == [3, 900, 1_999]


def test_who_left_or_does_not_want_to_is_not_counted(
    database: Database, votes: SqlVotes, readers: list[int]
) -> None:
    for stars, reader in enumerate(readers, 1):
        press(votes, reader, stars)
    choices = SqlChoices(database)
    choices.leave(readers[0], 1, by="page", now=NOON)
    set_uncounted(database, readers[1], True)
    assert votes.ballots(WEEKLY, [5]) == [ballot(3), ballot(4)]
    choices.come_back(readers[0], since=NOON)
    set_uncounted(database, readers[1], False)
    assert votes.ballots(WEEKLY, [5]) == [ballot(n) for n in (1, 2, 3, 4)]


def test_articles_that_were_voted_on_since_are_named(votes: SqlVotes, readers: list[int]) -> None:
    for hours, article in enumerate((9, 5, 7, 5)):
        press(votes, readers[0], 4, article, at=NOON + hours * HOUR)
    press(votes, readers[0], 4, 8, newsletter="other", at=NOON + DAY)
    assert votes.since(WEEKLY, NOON) == [5, 7, 9]
    assert votes.since(WEEKLY, NOON + 2 * HOUR) == [5, 7]
    assert votes.since(WEEKLY, NOON + 4 * HOUR) == []


def test_of_a_hundred_votes_at_once_none_is_too_many(
    database: Database, votes: SqlVotes, readers: list[int]
) -> None:
    def vote(number: int) -> bool:
        one = Vote(
            newsletter=WEEKLY,
            edition_id=1,
            article_id=5,
            subscriber_id=readers[number % 2],
            stars=1 + number % 5,
            at=NOON,
        )
        return votes.vote(one, at_most=10, since=NOON)

    with ThreadPoolExecutor(20) as pool:
        taken = list(pool.map(vote, range(100)))
    assert [taken[reader::2].count(True) for reader in (0, 1)] == [10, 10]
    with database.reading() as connection:
        assert connection.execute(sa.select(sa.func.count(table.c.id))).scalar() == 20
    assert sum(one.votes for one in votes.ballots(WEEKLY, [5])) == 2


def test_after_a_while_a_reader_may_vote_again(votes: SqlVotes, readers: list[int]) -> None:
    one = Vote(
        newsletter=WEEKLY, edition_id=1, article_id=5, subscriber_id=readers[0], stars=1, at=NOON
    )
    assert votes.vote(one, at_most=1, since=NOON)
    assert not votes.vote(one, at_most=1, since=NOON)
    assert votes.vote(one, at_most=1, since=NOON + HOUR)
    assert press(votes, readers[0], 2, article=6)


def test_erased_readers_votes_count_on_without_an_owner(
    database: Database, votes: SqlVotes, readers: list[int]
) -> None:
    for article in (5, 6):
        for stars in (1, 2):
            press(votes, readers[0], stars, article)
    press(votes, readers[1], 2)
    before = votes.ballots(WEEKLY, [5, 6])
    erase(database, readers[0])
    assert votes.ballots(WEEKLY, [5, 6]) == before == [ballot(2, 2), ballot(2, article=6)]
    assert votes.last(readers[0], [5, 6]) == {}
    assert not press(votes, readers[0], 5)
    with database.reading() as connection:
        rows = connection.execute(sa.select(table.c.id, table.c.subscriber_id)).all()
    assert [row.subscriber_id == -row.id for row in sorted(rows)] == [True, True, False]


def test_votes_that_did_not_count_are_erased_with_their_reader(
    database: Database, votes: SqlVotes, readers: list[int]
) -> None:
    for reader in readers:
        press(votes, reader, 5)
    SqlChoices(database).leave(readers[0], 1, by="page", now=NOON)
    set_uncounted(database, readers[1], True)
    erase(database, readers[0])
    erase(database, readers[1])
    assert votes.ballots(WEEKLY, [5]) == [ballot(5, 2)]
    with database.reading() as connection:
        owners = connection.execute(sa.select(table.c.subscriber_id)).scalars().all()
    assert sorted(owners) == readers[2:]


def test_vote_while_its_reader_is_erased_keeps_no_owner(
    database: Database, votes: SqlVotes, readers: list[int]
) -> None:
    with ThreadPoolExecutor(8) as pool:
        pressed = [pool.submit(press, votes, reader, 4) for reader in readers * 3]
        erased = [pool.submit(erase, database, reader) for reader in readers]
        taken = dict.fromkeys(readers, False)
        for reader, future in zip(readers * 3, pressed, strict=True):
            taken[reader] |= future.result()
        for each in erased:
            each.result()
    with database.reading() as connection:
        owners = connection.execute(sa.select(table.c.subscriber_id)).scalars().all()
    assert [owner for owner in owners if owner > 0] == []
    assert len(owners) == list(taken.values()).count(True)


def test_counts_are_those_of_the_log_whatever_was_pressed(
    database: Database, votes: SqlVotes
) -> None:
    numbers = count()
    presses = st.tuples(
        st.integers(0, 3), st.integers(1, 3), st.integers(1, 5), st.sampled_from("ab")
    )

    @settings(max_examples=25, deadline=None)
    @given(st.lists(presses, max_size=25), st.sets(st.integers(0, 3)), st.sets(st.integers(0, 3)))
    def law(log: list[tuple[int, int, int, str]], uncounted: set[int], erased: set[int]) -> None:
        newsletter = f"newsletter-{next(numbers)}"
        readers = add_readers(database, 4, newsletter)
        stands: dict[tuple[int, int], tuple[int, int, str]] = {}
        for who, article, stars, network in log:
            press(votes, readers[who], stars, article, newsletter=newsletter, network=network)
            stands[who, article] = (article, stars, network)
        for who in uncounted:
            set_uncounted(database, readers[who], True)
        for who in erased:
            erase(database, readers[who])
        counted = Counter(what for (who, _), what in stands.items() if who not in uncounted)
        expected = [
            ballot(stars, number, article, network)
            for (article, stars, network), number in counted.items()
        ]
        expected.sort(key=lambda one: (one.article_id, one.network, one.stars))
        assert votes.ballots(newsletter, [1, 2, 3]) == expected

    law()
