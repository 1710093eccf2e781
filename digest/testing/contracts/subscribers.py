"""What every store of subscribers promises."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from digest.errors import Conflict
from digest.model.subscribers import (
    Frequency,
    Subscriber,
    SubscriberState,
    Suppression,
    SuppressionReason,
)
from digest.ports import Added, SubscriberStore
from digest.testing.factories import NOON

LATER = NOON + dt.timedelta(days=1)
WEEKLY = "app-news-weekly"


def make_subscriber(number: int = 1, **changes: Any) -> Subscriber:
    """Return a reader who is not stored yet; different numbers make different readers."""
    values: dict[str, Any] = {
        "newsletter": WEEKLY,
        "address": f"Reader{number}@example.com",
        "key": f"reader{number}@example.com",
        "joined_at": NOON,
        "origin": "import readers.csv",
        "first_name": f"Name{number}",
        "topics": ("Games", "Privacy"),
        "language": "en",
        "timezone": "Asia/Tokyo",
    }
    return Subscriber(**(values | changes))


def make_suppression(number: int = 1, **changes: Any) -> Suppression:
    """Return a suppression of the reader with that number."""
    values: dict[str, Any] = {
        "address": f"Reader{number}@example.com",
        "key": f"reader{number}@example.com",
        "reason": SuppressionReason.BOUNCED,
        "origin": "event",
        "since_at": NOON,
    }
    return Suppression(**(values | changes))


class SubscriberStoreContract:
    """Subclass it with a fixture `store` that yields an empty store."""

    def number(self, store: SubscriberStore, number: int = 1) -> int:
        """Return the id of the reader with that number."""
        found = store.subscriber(WEEKLY, f"reader{number}@example.com")
        assert found is not None
        assert found.id is not None
        return found.id

    def everybody(self, store: SubscriberStore) -> list[Subscriber]:
        """Return all readers, without their ids, by address."""
        found = [replace(one, id=None) for one in store.subscribers(WEEKLY)]
        return sorted(found, key=lambda one: one.address)

    def test_reader_comes_back_exactly_as_they_were_added(self, store: SubscriberStore) -> None:
        plain = make_subscriber(1, first_name="", topics=(), language="")
        rich = make_subscriber(
            2, first_name="Zoë 日本", topics=("Ärzte; “x”", "ü"), frequency=Frequency.MONTHLY
        )
        assert store.add_subscribers([plain, rich]) == Added(new=2)
        assert self.everybody(store) == [plain, rich]
        number = self.number(store)
        assert store.subscriber_by_id(number) == store.subscriber(WEEKLY, plain.key)
        assert store.subscriber("other", plain.key) is None
        assert store.subscriber_by_id(number + 100) is None

    def test_adding_twice_adds_nothing(self, store: SubscriberStore) -> None:
        readers = [make_subscriber(number) for number in range(1, 4)]
        store.add_subscribers(readers)
        before = list(store.subscribers(WEEKLY))
        again = [replace(one, origin="another", joined_at=LATER) for one in readers]
        assert store.add_subscribers(again) == Added(seen=3)
        assert list(store.subscribers(WEEKLY)) == before

    def test_known_reader_takes_over_what_differs_and_keeps_the_rest(
        self, store: SubscriberStore
    ) -> None:
        store.add_subscribers([make_subscriber(1), make_subscriber(2)])
        changed = make_subscriber(
            1,
            address="READER1@example.com",
            first_name="Ada",
            topics=(),
            frequency=Frequency.MONTHLY,
            language="de",
            timezone="",
            origin="another",
            joined_at=LATER,
        )
        assert store.add_subscribers([changed, make_subscriber(2)]) == Added(updated=1, seen=1)
        kept = {"address": "Reader1@example.com", "origin": "import readers.csv"}
        expected = replace(changed, joined_at=NOON, **kept)  # type: ignore[arg-type]
        assert self.everybody(store) == [expected, make_subscriber(2)]

    def test_column_that_a_list_lacks_changes_nothing(self, store: SubscriberStore) -> None:
        store.add_subscribers([make_subscriber(1)])
        poor = make_subscriber(1, first_name="Ada", topics=(), language="")
        assert store.add_subscribers([poor], changing=["first_name"]) == Added(updated=1)
        assert self.everybody(store) == [make_subscriber(1, first_name="Ada")]
        assert store.add_subscribers([poor], changing=[]) == Added(seen=1)

    def test_first_of_two_lines_about_one_reader_counts(self, store: SubscriberStore) -> None:
        lines = [make_subscriber(1, first_name=name) for name in ("First", "Second", "Third")]
        assert store.add_subscribers(lines) == Added(new=1, repeated=2)
        assert self.everybody(store) == lines[:1]
        assert store.add_subscribers(reversed(lines)) == Added(updated=1, repeated=2)
        assert self.everybody(store) == lines[2:]

    def test_who_left_or_is_suppressed_is_kept_out(self, store: SubscriberStore) -> None:
        store.add_subscribers([make_subscriber(1), make_subscriber(2)])
        assert store.set_left(self.number(store, 1), by="page", now=LATER)
        assert not store.set_left(self.number(store, 1), by="admin", now=NOON)
        store.suppress([make_suppression(2), make_suppression(3)])
        before = self.everybody(store)
        readers = [make_subscriber(number, first_name="New") for number in range(1, 5)]
        assert store.add_subscribers(readers) == Added(left=1, suppressed=2, new=1)
        assert self.everybody(store)[:2] == before
        assert before[0].state is SubscriberState.LEFT
        assert (before[0].left_at, before[0].left_by) == (LATER, "page")
        assert store.subscriber(WEEKLY, "reader3@example.com") is None
        mailed = [one.key for one in store.subscribers(WEEKLY, is_mailed=True)]
        assert mailed == ["reader4@example.com"]
        assert store.subscriber_counts(WEEKLY) == {"active": 2, "left": 1}

    def test_lists_of_two_newsletters_are_apart(self, store: SubscriberStore) -> None:
        store.add_subscribers([make_subscriber(1)])
        store.set_left(self.number(store), by="page", now=LATER)
        other = make_subscriber(1, newsletter="other")
        assert store.add_subscribers([other, make_subscriber(1)]) == Added(new=1, left=1)
        assert [one.newsletter for one in store.subscribers("other")] == ["other"]

    def test_a_trial_counts_the_same_and_changes_nothing(self, store: SubscriberStore) -> None:
        store.add_subscribers([make_subscriber(number) for number in (1, 2, 3)])
        store.set_left(self.number(store, 3), by="page", now=LATER)
        store.suppress([make_suppression(4)])
        before = list(store.subscribers(WEEKLY))
        changed = [make_subscriber(number, language="fr") for number in (2, 3, 4, 5, 5)]
        readers = [make_subscriber(1), *changed]
        expected = Added(new=1, updated=1, seen=1, left=1, suppressed=1, repeated=1)
        for _ in range(2):
            assert store.add_subscribers(readers, is_trial=True) == expected
            assert list(store.subscribers(WEEKLY)) == before
        assert store.add_subscribers(readers) == expected

    def test_list_that_breaks_off_leaves_nothing(self, store: SubscriberStore) -> None:
        def readers() -> Iterator[Subscriber]:
            yield from (make_subscriber(number) for number in range(1, 5_001))
            raise KeyboardInterrupt

        store.add_subscribers([make_subscriber(1, first_name="Ada")])
        before = list(store.subscribers(WEEKLY))
        with pytest.raises(KeyboardInterrupt):
            store.add_subscribers(readers())
        assert list(store.subscribers(WEEKLY)) == before
        assert store.add_subscribers([make_subscriber(2)]) == Added(new=1)

    def test_large_list_goes_in_whole_and_comes_out_by_number(self, store: SubscriberStore) -> None:
        count = 5_001
        readers = [make_subscriber(number) for number in range(1, count + 1)]
        assert store.add_subscribers(iter(readers)) == Added(new=count)
        numbers = [one.id or 0 for one in store.subscribers(WEEKLY)]
        assert numbers == sorted(set(numbers))
        assert len(numbers) == count
        changed = (replace(one, first_name="Ada") for one in readers[::2])
        assert store.add_subscribers(changed) == Added(updated=len(readers[::2]))
        names = [one.first_name for one in store.subscribers(WEEKLY)]
        assert names.count("Ada") == len(readers[::2])

    def test_readers_are_found_by_address_and_name(self, store: SubscriberStore) -> None:
        store.add_subscribers([make_subscriber(1, first_name="Ada_1"), make_subscriber(2)])
        store.add_subscribers([make_subscriber(3, first_name="ada%")])

        def found(text: str, limit: int = 9) -> list[str]:
            return [one.key[6] for one in store.find_subscribers(WEEKLY, text, limit=limit)]

        assert found("") == ["3", *sorted(found("")[1:], reverse=True)]
        assert found("READER2") == ["2"]
        assert found("ADA") == ["3", "1"]
        assert found("a_") == ["1"]
        assert found("%") == ["3"]
        assert found("reader", limit=1) == ["3"]
        assert store.find_subscribers("other", "", limit=9) == []

    def test_topics_are_counted_among_active_readers(self, store: SubscriberStore) -> None:
        games, everything = ("Games",), ()
        for number, topics in enumerate([games, games, everything, games, ("Left",)], 1):
            store.add_subscribers([make_subscriber(number, topics=topics)])
        for number in (4, 5):
            store.set_left(self.number(store, number), by="page", now=LATER)
        assert store.topic_choices(WEEKLY) == [(games, 2), (everything, 1)]
        assert store.topic_choices("other") == []

    def test_erased_reader_is_gone_but_for_a_hash(self, store: SubscriberStore) -> None:
        reader = make_subscriber(1)
        store.add_subscribers([reader, replace(reader, newsletter="other"), make_subscriber(2)])
        store.suppress([make_suppression(1), make_suppression(2)])
        assert store.erase(reader.key, hashed="abc", now=LATER) == 2
        assert store.subscriber(WEEKLY, reader.key) is None
        assert store.suppression(reader.key) is None
        assert [one.key for one in store.subscribers(WEEKLY)] == ["reader2@example.com"]
        assert [one.key for one in store.suppressions()] == ["reader2@example.com"]
        assert store.erase(reader.key, hashed="abc", now=LATER) == 0
        assert store.all_erased() == {"abc"}
        many = [f"hash {number}" for number in range(1_000)]
        assert store.are_erased([*many, "abc"]) == {"abc"}
        assert store.are_erased([]) == frozenset()

    def test_list_that_was_read_before_an_address_was_erased_is_not_added(
        self, store: SubscriberStore
    ) -> None:
        erased = store.all_erased()
        store.add_subscribers([make_subscriber(1)])
        store.erase(make_subscriber(1).key, hashed="abc", now=LATER)
        with pytest.raises(Conflict):
            store.add_subscribers([make_subscriber(1), make_subscriber(2)], erased=erased)
        assert list(store.subscribers(WEEKLY)) == []
        assert store.add_subscribers([make_subscriber(2)], erased=store.all_erased()).new == 1

    def test_first_reason_of_a_suppression_stays(self, store: SubscriberStore) -> None:
        first = make_suppression(1)
        again = make_suppression(1, reason=SuppressionReason.MANUAL, since_at=LATER)
        assert store.suppress([first, again]) == 1
        assert store.suppress([again]) == 0
        assert store.suppression(first.key) == first
        assert list(store.suppressions()) == [first]
        assert store.unsuppress(first.key)
        assert not store.unsuppress(first.key)
        assert store.suppression(first.key) is None

    def test_suppressions_are_told_newest_first(self, store: SubscriberStore) -> None:
        many = [
            make_suppression(number, since_at=NOON + dt.timedelta(hours=number // 3))
            for number in range(2_500)
        ]
        assert store.suppress(iter(many)) == len(many)
        newest_first = sorted(many, key=lambda one: (-one.since_at.timestamp(), one.key))
        assert list(store.suppressions()) == newest_first

    def test_last_sync_is_remembered(self, store: SubscriberStore) -> None:
        assert store.last_sync() is None
        store.record_sync(NOON)
        store.record_sync(LATER)
        assert store.last_sync() == LATER

    def test_reader_without_editions_has_no_history(self, store: SubscriberStore) -> None:
        store.add_subscribers([make_subscriber(1)])
        assert store.history(self.number(store)) == []
        assert store.reports(self.number(store)) == []
