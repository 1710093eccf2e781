"""What every EventStore promises. Subclass it with a fixture `make_stores`."""

import datetime as dt
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.model.deliveries import Accepted, Claim, DeliveryEvent, Unknown
from digest.model.editions import Edition, EditionState, FrozenVariant, Variant
from digest.model.subscribers import Subscriber
from digest.ports import EventStore, Ledger, Store, SubscriberStore
from digest.testing.factories import NOON, make_edition, make_period

SECOND, DAY = dt.timedelta(seconds=1), dt.timedelta(days=1)
RELEASE = NOON + dt.timedelta(minutes=20)
VARIANT = Variant(subject="S", preheader="", html="<p>", text="t", tokens={}, sha256="0" * 64)


@dataclass(frozen=True, slots=True)
class Stores:
    """An empty database as the services see it."""

    store: Store
    ledger: Ledger
    subscribers: SubscriberStore
    events: EventStore


MakeStores = Callable[[], AbstractContextManager[Stores]]


@dataclass(frozen=True, slots=True)
class Sent:
    """An edition whose one batch was claimed, and its readers' numbers."""

    stores: Stores
    edition: Edition
    claim: Claim
    readers: Sequence[int]

    def event(self, kind: str, reader: int = 0, *, after: int = 0, **changes: Any) -> DeliveryEvent:
        """Return an event about the reader in that place, so many seconds after the release."""
        values: dict[str, Any] = {
            "key": f"{kind}-{self.edition.id}-{reader}-{after}",
            "kind": kind,
            "at": RELEASE + after * SECOND,
            "address": f"reader{reader}@example.com",
            "edition_id": self.edition.id,
            "batch_id": self.claim.batch_id,
            "attempt": self.claim.attempt,
            "mark": self.claim.mark,
            "subscriber_id": self.readers[reader],
        }
        return DeliveryEvent(**(values | changes))

    def fold(self, *events: DeliveryEvent) -> int:
        """Take a report and fold these events as its own."""
        store = self.stores.events
        store.take(repr(events).encode(), now=NOON)
        waiting = store.waiting(limit=1)
        number = waiting[0][0] if waiting else 0
        return store.fold(number, events, now=RELEASE + DAY, is_last=True)

    def batch(self) -> tuple[str, str]:
        """Return the batch's state and who settled it."""
        [batch] = self.stores.ledger.report(self.edition).batches
        return str(batch["state"]), str(batch["settled_by"])

    def seen(self) -> object:
        """Return all that events can change."""
        stores = self.stores
        assert self.edition.id is not None
        return (
            stores.ledger.event_counts(self.edition.id),
            self.batch(),
            sorted(map(repr, stores.subscribers.suppressions())),
            sorted(map(repr, stores.subscribers.subscribers(self.edition.newsletter))),
            [self.stores.subscribers.history(number) for number in self.readers],
        )


def send(stores: Stores, week: int = 0, *, release_at: dt.datetime | None = RELEASE) -> Sent:
    """Plan an edition for four readers and claim its batch."""
    readers = [
        Subscriber(
            newsletter="app-news-weekly",
            address=f"Reader{number}@example.com",
            key=f"reader{number}@example.com",
            joined_at=NOON - DAY,
            origin="test",
        )
        for number in range(4)
    ]
    stores.subscribers.add_subscribers(readers)
    start = make_period().start + 7 * week * DAY
    period = make_period(start=start, end=start + 7 * DAY, label=f"2026-W{48 + week}")
    draft = make_edition(0, period=period, state=EditionState.APPROVED, sha256="0" * 64)
    edition = stores.store.freeze(draft, [FrozenVariant(key="all", variant=VARIANT)])
    assert edition.id is not None
    stores.ledger.plan(edition, is_monthly=True, size=10, release_at=release_at)
    stores.ledger.change_state(edition.id, ["planned"], "sending")
    claim = stores.ledger.claim(
        edition.id,
        holder="test",
        reservation="r",
        release_at=release_at,
        now=NOON,
        lease=dt.timedelta(minutes=2),
    )
    assert claim is not None
    return Sent(stores, edition, claim, [number for number, _, _ in claim.readers])


KINDS = (
    "processed",
    "deferred",
    "delivered",
    "dropped",
    "bounced",
    "blocked",
    "complained",
    "unsubscribed",
)
STEPS = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(0, 3), st.integers(-2000, 2000)), max_size=12
)


class EventStoreContract:
    """The promises that `digest.ports.EventStore` makes."""

    @pytest.fixture
    def sent(self, make_stores: MakeStores) -> Any:
        with make_stores() as stores:
            yield send(stores)

    def test_report_is_taken_once_and_waits_as_it_came(self, sent: Sent) -> None:
        events = sent.stores.events
        first, second = b'[{"a": 1}]' * 1000, "[]ü".encode()
        assert events.take(first, now=NOON)
        assert events.take(second, now=NOON)
        assert not events.take(first, now=NOON + DAY)
        assert [body for _, body in events.waiting(limit=5)] == [first, second]
        assert [body for _, body in events.waiting(limit=1)] == [first]

    def test_report_waits_until_its_last_event_is_folded(self, sent: Sent) -> None:
        events = sent.stores.events
        events.take(b"[]", now=NOON)
        [(number, _)] = events.waiting(limit=5)
        assert events.fold(number, [sent.event("delivered")], now=NOON, is_last=False) == 1
        assert events.waiting(limit=5)
        assert events.fold(number, [sent.event("delivered", 1)], now=NOON, is_last=True) == 1
        assert not events.waiting(limit=5)

    def test_report_that_is_set_aside_waits_no_more_and_comes_in_no_more(self, sent: Sent) -> None:
        events = sent.stores.events
        events.take(b"oops", now=NOON)
        [(number, _)] = events.waiting(limit=5)
        events.mark_dead(number, "it is no JSON")
        assert not events.waiting(limit=5)
        assert not events.take(b"oops", now=NOON)

    def test_event_counts_once_however_often_it_comes(self, sent: Sent) -> None:
        event = sent.event("bounced")
        assert sent.fold(*[event] * 100) == 1
        seen = sent.seen()
        assert sent.fold(*[event] * 100) == 0
        assert sent.seen() == seen
        assert sent.fold(replace(event, key="another")) == 1
        assert sent.stores.ledger.event_counts(sent.edition.id or 0) == {"bounced": 1}

    def test_most_final_state_wins(self, sent: Sent) -> None:
        sent.fold(sent.event("delivered"), sent.event("complained", 1))
        sent.fold(sent.event("deferred", after=9), sent.event("delivered", 1, after=9))
        sent.fold(sent.event("processed", 2))
        counts = sent.stores.ledger.event_counts(sent.edition.id or 0)
        assert counts == {"delivered": 1, "complained": 1}

    @pytest.mark.parametrize(
        ("kind", "reason", "suppressed"),
        [
            ("bounced", "", "bounced"),
            ("complained", "", "complained"),
            ("unsubscribed", "", "unsubscribed"),
            ("dropped", "invalid", "invalid"),
            ("dropped", "bounced", "bounced"),
            ("dropped", "spam content", ""),
            ("blocked", "", ""),
            ("deferred", "", ""),
            ("delivered", "bounced", ""),
        ],
    )
    def test_who_cannot_or_will_not_be_mailed_is_suppressed(
        self, sent: Sent, kind: str, reason: str, suppressed: str
    ) -> None:
        sent.fold(sent.event(kind, reason=reason, after=5, address="READER0@EXAMPLE.COM"))
        found = sent.stores.subscribers.suppression("reader0@example.com")
        if not suppressed:
            assert found is None
            return
        assert found is not None
        assert (found.reason, found.origin) == (suppressed, "event")
        assert found.address == "Reader0@example.com"
        assert found.since_at == RELEASE + 5 * SECOND

    def test_late_bounce_without_numbers_suppresses_its_address_only(self, sent: Sent) -> None:
        nothing: dict[str, Any] = {
            "edition_id": None,
            "batch_id": None,
            "attempt": None,
            "subscriber_id": None,
        }
        sent.fold(sent.event("bounced", 2, **nothing))
        assert sent.stores.subscribers.suppression("reader2@example.com")
        assert sent.stores.ledger.event_counts(sent.edition.id or 0) == {}
        assert sent.batch() == ("claimed", "")

    def test_address_on_no_list_is_not_written_down(self, sent: Sent) -> None:
        for address in ("stranger@example.org", "", "no address", "x" * 300 + "@example.com"):
            sent.fold(sent.event("bounced", key=address, address=address))
        assert not list(sent.stores.subscribers.suppressions())

    def test_who_leaves_at_the_provider_has_left_the_newsletter(self, sent: Sent) -> None:
        sent.fold(sent.event("unsubscribed", after=7))
        reader = sent.stores.subscribers.subscriber_by_id(sent.readers[0])
        assert reader is not None
        assert (reader.state, reader.left_at) == ("left", RELEASE + 7 * SECOND)
        other = sent.stores.subscribers.subscriber_by_id(sent.readers[1])
        assert other is not None
        assert other.state == "active"

    def test_old_wish_to_leave_does_not_touch_who_joined_since(self, sent: Sent) -> None:
        sent.fold(sent.event("unsubscribed", at=NOON - 2 * DAY))
        reader = sent.stores.subscribers.subscriber_by_id(sent.readers[0])
        assert reader is not None
        assert reader.state == "active"

    def test_server_that_refuses_three_editions_is_not_tried_again(
        self, make_stores: MakeStores
    ) -> None:
        with make_stores() as stores:
            sent = [send(stores, week) for week in range(3)]
            for number, edition in enumerate(sent):
                edition.fold(edition.event("blocked", 1, after=number))
                edition.fold(edition.event("blocked", 1, after=number + 10))
                found = stores.subscribers.suppression("reader1@example.com")
                assert (found is not None) is (number == 2)
            assert found is not None
            assert (found.reason, found.since_at) == ("bounced", RELEASE + 2 * SECOND)

    @pytest.mark.parametrize("is_recorded", [False, True])
    def test_event_settles_a_try_that_nobody_has_an_answer_of(
        self, sent: Sent, is_recorded: bool
    ) -> None:
        if is_recorded:
            outcome = Unknown(reason="the connection broke")
            assert sent.stores.ledger.record(sent.claim, outcome, now=NOON)
        sent.fold(sent.event("delivered", 3))
        assert sent.batch() == ("accepted", "event")
        late = Accepted(reference="late")
        assert not sent.stores.ledger.record(sent.claim, late, now=NOON)
        assert sent.stores.ledger.report(sent.edition).is_balanced

    def test_edition_that_waits_for_attention_is_done_with_its_last_doubt(self, sent: Sent) -> None:
        ledger, edition_id = sent.stores.ledger, sent.edition.id or 0
        ledger.record(sent.claim, Unknown(reason="the connection broke"), now=NOON)
        ledger.finish(edition_id)
        assert ledger.state(edition_id) == "attention"
        sent.fold(sent.event("delivered", 3))
        assert ledger.state(edition_id) == "done"

    @pytest.mark.parametrize(
        "changes",
        [
            {"attempt": 2},
            {"attempt": None},
            {"batch_id": 99},
            {"edition_id": 99},
            {"at": RELEASE - 2 * SECOND},
        ],
        ids=str,
    )
    def test_event_of_something_else_or_before_the_release_settles_nothing(
        self, sent: Sent, changes: dict[str, Any]
    ) -> None:
        sent.fold(sent.event("processed", **changes))
        assert sent.batch() == ("claimed", "")

    def test_try_without_a_release_is_settled_by_any_event(self, make_stores: MakeStores) -> None:
        with make_stores() as stores:
            sent = send(stores, release_at=None)
            sent.fold(sent.event("processed", at=NOON))
            assert sent.batch() == ("accepted", "event")

    def test_recorded_answer_is_not_settled_again(self, sent: Sent) -> None:
        answer = Accepted(reference="r-1", status=202)
        sent.stores.ledger.record(sent.claim, answer, now=NOON)
        sent.fold(sent.event("delivered"))
        assert sent.batch() == ("accepted", "")

    def test_numbers_of_another_installation_change_nothing(self, sent: Sent) -> None:
        sent.fold(
            sent.event("delivered", mark="another"),
            sent.event("complained", 1, mark="", address="somebody@example.org"),
            sent.event("delivered", subscriber_id=10**17),
            sent.event("bounced", edition_id=10**17),
            sent.event("unsubscribed", address="somebody@example.org"),
        )
        assert sent.stores.ledger.event_counts(sent.edition.id or 0) == {}
        reader = sent.stores.subscribers.subscriber_by_id(sent.readers[0])
        assert reader is not None
        assert reader.state == "active"

    def test_order_and_repetition_change_nothing(self, make_stores: MakeStores) -> None:
        @settings(max_examples=8)
        @given(steps=STEPS, data=st.data())
        def law(steps: list[tuple[str, int, int]], data: st.DataObject) -> None:
            with make_stores() as stores:
                sent = send(stores)
                sent.fold(*(sent.event(kind, reader, after=at) for kind, reader, at in steps))
                seen = sent.seen()
            again = data.draw(st.permutations(steps + steps[::2]))
            with make_stores() as stores:
                sent = send(stores)
                for kind, reader, at in again:
                    sent.fold(sent.event(kind, reader, after=at))
                assert sent.seen() == seen

        law()

    def test_old_reports_and_events_go_and_what_they_said_stays(self, sent: Sent) -> None:
        events = sent.stores.events
        events.take(b"waiting", now=NOON)
        sent.fold(sent.event("bounced"))
        seen = sent.seen()
        events.tidy(now=RELEASE + 89 * DAY)
        assert sent.fold(sent.event("bounced")) == 0
        events.tidy(now=RELEASE + 91 * DAY)
        assert sent.fold(sent.event("bounced")) == 1
        assert sent.seen() == seen
