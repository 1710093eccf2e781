"""What the figures count, on every database that `digest` runs on."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa

from digest.model.deliveries import Accepted, Refused, Unknown
from digest.model.editions import Edition, EditionState, Story
from digest.model.figures import EditionFigures
from digest.model.sources import SourceState
from digest.model.votes import Vote
from digest.services.statistics import StatisticsService
from digest.storage.choices import SqlChoices
from digest.storage.database import Database
from digest.storage.delivery_tables import outcomes
from digest.storage.events import SqlEvents
from digest.storage.ledger import SqlLedger
from digest.storage.statistics import SqlFigures
from digest.storage.store import SqlStore
from digest.storage.subscribers import SqlSubscribers
from digest.storage.votes import SqlVotes
from digest.testing.contracts.events import Stores
from digest.testing.contracts.planning import (
    add_readers,
    approve,
    claimed,
    number_of,
    plan,
)
from digest.testing.contracts.store import placed
from digest.testing.factories import NOON, make_article, make_edition, make_story

SLUG = "app-news-weekly"
DEFERRED, DELIVERED, DROPPED, BOUNCED, COMPLAINED = range(5)
DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Desk:
    """A database, and what counts in it."""

    database: Database
    stores: Stores
    choices: SqlChoices
    votes: SqlVotes
    statistics: StatisticsService

    def send(self, week: int, *, size: int = 100, **changes: Any) -> Edition:
        """Plan an edition of so many weeks later for all readers, and hand all of it over."""
        edition = approve(self.stores, week=week, **changes)
        plan(self.stores, edition, size=size)
        assert self.stores.ledger.change_state(
            number_of(edition), [EditionState.PLANNED], "sending"
        )
        return edition

    def accept(self, edition: Edition) -> None:
        claim = claimed(self.stores, edition)
        assert self.stores.ledger.record(claim, Accepted(status=202), now=NOON)

    def report(self, edition: Edition, ranks: dict[int, int]) -> None:
        """Store what the provider reported of readers."""
        rows = [
            {"edition_id": edition.id, "subscriber_id": reader, "rank": rank, "at": NOON}
            for reader, rank in ranks.items()
        ]
        with self.database.writing() as connection:
            connection.execute(sa.insert(outcomes), rows)

    def vote(self, edition: Edition, reader: int, article: int, stars: int, net: str = "") -> None:
        vote = Vote(
            newsletter=SLUG,
            edition_id=number_of(edition),
            article_id=article,
            subscriber_id=reader,
            stars=stars,
            at=NOON,
            network=net or f"network-{reader}",
        )
        assert self.votes.vote(vote, at_most=20, since=NOON - DAY)

    def one(self, edition: Edition) -> EditionFigures:
        found = self.statistics.one(edition.period.label)
        assert found is not None
        return found


@pytest.fixture
def desk(database: Database) -> Desk:
    store, votes = SqlStore(database), SqlVotes(database)
    subscribers, events = SqlSubscribers(database), SqlEvents(database)
    stores = Stores(store, SqlLedger(database), subscribers, events)
    statistics = StatisticsService(SqlFigures(database), votes, SLUG)
    return Desk(database, stores, SqlChoices(database), votes, statistics)


def stories(desk: Desk, *numbers: int) -> tuple[Story, ...]:
    """Store articles of these numbers, unless they are, and return stories of them."""
    articles = [make_article(number) for number in range(1, max(numbers) + 1)]
    desk.stores.store.record_fetch(SourceState(name="Example"), placed(*articles), now=NOON)
    return tuple(
        make_story(place, article_id=number) for place, number in enumerate(numbers, start=1)
    )


def test_who_was_accepted_is_told_from_who_was_planned(desk: Desk) -> None:
    add_readers(desk.stores, 5)
    edition = desk.send(0, size=1)
    desk.accept(edition)
    desk.accept(edition)
    for outcome in (Refused(reason="one is bad"), Unknown(reason="no answer")):
        assert desk.stores.ledger.record(claimed(desk.stores, edition), outcome, now=NOON)
    found = desk.one(edition)
    assert (found.planned, found.accepted) == (5, 2)
    assert found.planned == desk.stores.ledger.report(edition).planned


def test_batch_that_was_split_is_counted_once(desk: Desk) -> None:
    add_readers(desk.stores, 4)
    edition = desk.send(0, size=4)
    refused = Refused(reason="one is bad", status=400)
    assert desk.stores.ledger.split(claimed(desk.stores, edition), refused, now=NOON)
    desk.accept(edition)
    found = desk.one(edition)
    assert (found.planned, found.accepted) == (4, 2)


def test_nothing_is_delivered_until_somebody_reports_it(desk: Desk) -> None:
    readers = add_readers(desk.stores, 5)
    edition = desk.send(0)
    desk.accept(edition)
    told = desk.one(edition)
    reported = (told.deferred, told.delivered, told.dropped, told.bounced, told.complained)
    assert reported == (None,) * 5
    ranks = (DELIVERED, DELIVERED, COMPLAINED, BOUNCED, DEFERRED)
    desk.report(edition, dict(zip(readers, ranks, strict=True)))
    told = desk.one(edition)
    reported = (told.deferred, told.delivered, told.dropped, told.bounced, told.complained)
    assert reported == (1, 3, 0, 1, 1)


def test_who_left_counts_for_the_edition_whose_link_they_took(desk: Desk) -> None:
    readers = add_readers(desk.stores, 6)
    first, second = desk.send(0), desk.send(1)
    for reader, edition_id in zip(
        readers, [first.id, first.id, first.id, second.id, 0, None], strict=True
    ):
        if edition_id is None:
            assert desk.stores.subscribers.set_left(reader, by="admin", now=NOON)
        else:
            assert desk.choices.leave(reader, edition_id, by="page", now=NOON)
    for reader in readers[:2]:
        assert desk.choices.say_why(reader, "too often")
    told = desk.one(first)
    assert (told.left, told.reasons) == (3, {"": 1, "too often": 2})
    assert (desk.one(second).left, desk.one(second).reasons) == (1, {"": 1})
    assert desk.choices.come_back(readers[3], since=NOON - HOUR)
    assert desk.one(second).left == 0


def test_week_counts_who_joined_and_left_in_it(desk: Desk) -> None:
    edition = desk.send(0)
    start, end = edition.period.start, edition.period.end
    moments = (start - HOUR, start, end - HOUR, end)
    readers = [
        add_readers(desk.stores, 1, first=number, joined_at=at)[0]
        for number, at in enumerate(moments, start=1)
    ]
    add_readers(desk.stores, 1, first=9, joined_at=start, newsletter="another")
    for reader, at in zip(readers, moments, strict=True):
        assert desk.choices.leave(reader, 0, by="page", now=at)
    assert desk.statistics.joined_and_left(desk.one(edition)) == (2, 2)


def test_votes_are_those_that_readers_stand_by(desk: Desk) -> None:
    readers = add_readers(desk.stores, 4)
    edition = desk.send(0, stories=stories(desk, 2, 1))
    for reader, stars in zip(readers, (5, 5, 4, 1), strict=True):
        desk.vote(edition, reader, 2, stars)
    desk.vote(edition, readers[3], 2, 3)  # changed
    desk.vote(edition, readers[0], 1, 2)
    [first, second] = desk.statistics.stories(edition)
    assert (first.position, first.article_id, first.headline) == (1, 2, "Headline number 1")
    assert first.stars == {1: 0, 2: 0, 3: 1, 4: 1, 5: 2}
    assert (first.votes, first.counted, first.mean) == (4, 4.0, 4.25)
    assert (second.votes, second.mean, second.stars[2]) == (1, 2.0, 1)
    assert desk.one(edition).votes == 5
    assert desk.choices.leave(readers[0], 0, by="page", now=NOON)
    assert desk.one(edition).votes == 3


def test_many_votes_of_one_network_are_all_told_and_count_as_fewer(desk: Desk) -> None:
    readers = add_readers(desk.stores, 10)
    edition = desk.send(0, stories=stories(desk, 1))
    for reader in readers:
        desk.vote(edition, reader, 1, 5, net="one")
    [story] = desk.statistics.stories(edition)
    assert (story.votes, story.counted, story.mean) == (10, 3.0, 5.0)


def test_story_without_votes_has_no_mean(desk: Desk) -> None:
    edition = desk.send(0, stories=stories(desk, 1))
    [story] = desk.statistics.stories(edition)
    assert (story.votes, story.counted, story.mean) == (0, 0.0, None)


def test_last_editions_come_first_and_those_that_were_never_planned_not_at_all(
    desk: Desk,
) -> None:
    for week in range(4):
        desk.send(week)
    approve(desk.stores, week=4)
    desk.stores.store.save_edition(make_edition(0, newsletter="another"))
    found = desk.statistics.last(3)
    assert [one.edition for one in found] == ["2026-W51", "2026-W50", "2026-W49"]
    assert desk.statistics.one("2026-W52") is None
    assert desk.statistics.one("no such") is None


def test_figures_of_many_editions_take_no_more_queries_than_of_one(desk: Desk) -> None:
    readers = add_readers(desk.stores, 3)
    for week in range(4):
        edition = desk.send(week, stories=stories(desk, 2 * week + 1, 2 * week + 2))
        desk.accept(edition)
        desk.report(edition, dict.fromkeys(readers, DELIVERED))
        desk.vote(edition, readers[0], 2 * week + 1, 4)
    asked: list[str] = []
    sa.event.listen(
        desk.database.engine,
        "before_cursor_execute",
        lambda _c, _cursor, statement, *_rest: asked.append(statement),
    )
    desk.statistics.last(1)
    few = [text for text in asked if text.startswith("SELECT")]
    asked.clear()
    found = desk.statistics.last(8)
    assert [(one.delivered, one.votes) for one in found] == [(3, 1)] * 4
    assert len([text for text in asked if text.startswith("SELECT")]) == len(few) == 6
