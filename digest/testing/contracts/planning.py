"""What every Ledger promises about a plan. Subclass it with a fixture `stores` of an empty one."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from digest.errors import Conflict, StoreError
from digest.model.deliveries import Accepted, Audience, Claim, Refused, Unknown, Waves
from digest.model.editions import WHOLE, Edition, EditionState, FrozenVariant, Variant
from digest.model.subscribers import Frequency, Subscriber, Suppression, SuppressionReason
from digest.testing.contracts.events import Stores
from digest.testing.factories import NOON, make_edition, make_period

SECOND, MINUTE, DAY = dt.timedelta(seconds=1), dt.timedelta(minutes=1), dt.timedelta(days=1)
HOUR = dt.timedelta(hours=1)
LEASE = dt.timedelta(seconds=90)
VARIANT = Variant(subject="S", preheader="", html="<p>", text="t", tokens={}, sha256="0" * 64)


def reader(number: int, **changes: Any) -> Subscriber:
    """Return a reader of the newsletter; different numbers make different readers."""
    values: dict[str, Any] = {
        "newsletter": "app-news-weekly",
        "address": f"Reader{number:04}@example.com",
        "key": f"reader{number:04}@example.com",
        "first_name": f"Name{number}",
        "joined_at": NOON - DAY,
        "origin": "test",
    }
    return Subscriber(**(values | changes))


def add_readers(stores: Stores, count: int, *, first: int = 1, **changes: Any) -> list[int]:
    """Store so many readers, numbered from `first`, one after the other; return their ids."""
    found = [reader(number, **changes) for number in range(first, first + count)]
    for one in found:
        stores.subscribers.add_subscribers([one])
    return [id_of(stores, one.key, one.newsletter) for one in found]


def id_of(stores: Stores, key: str, newsletter: str = "app-news-weekly") -> int:
    """Return the stored reader's number."""
    found = stores.subscribers.subscriber(newsletter, key)
    assert found is not None
    assert found.id is not None
    return found.id


def suppress(stores: Stores, number: int, reason: SuppressionReason) -> None:
    """Suppress the reader of this number."""
    one = reader(number)
    stores.subscribers.suppress(
        [Suppression(address=one.address, key=one.key, reason=reason, origin="test", since_at=NOON)]
    )


def approve(
    stores: Stores, *, week: int = 0, variants: Sequence[FrozenVariant] = (), **changes: Any
) -> Edition:
    """Store an approved edition of so many weeks later."""
    start = make_period().start + 7 * week * DAY
    period = make_period(start=start, end=start + 7 * DAY, label=f"2026-W{48 + week}")
    values = {"period": period, "state": EditionState.APPROVED, "sha256": "0" * 64} | changes
    whole = FrozenVariant(key=WHOLE, variant=VARIANT)
    return stores.store.freeze(make_edition(0, **values), [whole, *variants])


def plan(
    stores: Stores,
    edition: Edition,
    *,
    size: int = 4,
    is_monthly: bool = True,
    release_at: dt.datetime | None = None,
    waves: Waves | None = None,
) -> Audience:
    """Plan the edition."""
    return stores.ledger.plan(
        edition, is_monthly=is_monthly, size=size, release_at=release_at, waves=waves
    )


def start(
    stores: Stores, readers: int = 10, *, size: int = 4, release_at: dt.datetime | None = None
) -> Edition:
    """Plan an edition for new readers and bring it under way; return it as stored."""
    add_readers(stores, readers)
    edition = approve(stores)
    plan(stores, edition, size=size, release_at=release_at)
    assert stores.ledger.change_state(number_of(edition), [EditionState.PLANNED], "sending")
    stored = stores.store.edition(edition.newsletter, edition.period.label)
    assert stored is not None
    return stored


def number_of(edition: Edition) -> int:
    """Return the stored edition's id."""
    assert edition.id is not None
    return edition.id


def claim(stores: Stores, edition: Edition, **changes: Any) -> Claim | None:
    """Claim the next batch."""
    values: dict[str, Any] = {
        "holder": "one",
        "reservation": "r-1",
        "release_at": None,
        "now": NOON,
        "lease": LEASE,
    }
    return stores.ledger.claim(number_of(edition), **(values | changes))


def claimed(stores: Stores, edition: Edition, **changes: Any) -> Claim:
    """Claim the next batch, which must be there."""
    found = claim(stores, edition, **changes)
    assert found is not None
    return found


def batches(stores: Stores, edition: Edition) -> list[tuple[str, int]]:
    """Return each batch's state and readers; the account must balance."""
    report = stores.ledger.report(edition)
    assert report.is_balanced
    return [(str(line["state"]), int(str(line["readers"]))) for line in report.batches]


class PlanningContract:
    """The promises that `digest.ports.Ledger` makes about planning."""

    def test_everybody_on_the_list_is_planned_or_left_out_for_a_reason(
        self, stores: Stores
    ) -> None:
        ids = add_readers(stores, 10)
        add_readers(stores, 2, first=11, frequency=Frequency.MONTHLY)
        add_readers(stores, 3, newsletter="another")
        stores.subscribers.set_left(ids[0], by="reader", now=NOON)
        for number, reason in enumerate(SuppressionReason, 2):
            suppress(stores, number, reason)
        suppress(stores, 1, SuppressionReason.BOUNCED)
        suppress(stores, 11, SuppressionReason.MANUAL)
        edition = approve(stores)
        expected = Audience(
            planned=4,
            excluded={
                "bounced": 1,
                "complained": 1,
                "invalid": 1,
                "left": 1,
                "manual": 2,
                "not this week": 1,
                "unsubscribed": 1,
            },
        )
        assert stores.ledger.audience(edition, is_monthly=False) == expected
        assert plan(stores, edition, is_monthly=False) == expected
        assert expected.candidates == 12
        report = stores.ledger.report(edition)
        assert (report.planned, report.excluded) == (4, expected.excluded)
        assert (report.state, report.pending, report.is_balanced) == ("planned", 4, True)

    def test_monthly_readers_get_the_monthly_edition(self, stores: Stores) -> None:
        add_readers(stores, 2)
        add_readers(stores, 3, first=3, frequency=Frequency.MONTHLY)
        edition = approve(stores)
        assert stores.ledger.audience(edition, is_monthly=True).planned == 5
        assert plan(stores, edition, is_monthly=True) == Audience(planned=5, excluded={})

    @pytest.mark.parametrize(
        ("readers", "size", "expected"),
        [(10, 4, [4, 4, 2]), (8, 4, [4, 4]), (3, 1000, [3]), (3, 1, [1, 1, 1]), (0, 4, [])],
    )
    def test_batches_are_full_but_for_the_last(
        self, stores: Stores, readers: int, size: int, expected: list[int]
    ) -> None:
        add_readers(stores, readers)
        edition = approve(stores)
        plan(stores, edition, size=size)
        assert [number for _, number in batches(stores, edition)] == expected

    def test_each_reader_gets_the_variant_of_their_topics(self, stores: Stores) -> None:
        choices = ((), ("Apps",), ("Games",), ("Apps", "Games"), ("Maps",))
        wanted = {WHOLE: ((), ("Maps",)), "1,2": (("Apps",),), "1,3": (("Games",), choices[3])}
        for number in range(50):
            add_readers(stores, 1, first=number, topics=choices[number % 5])
        edition = approve(
            stores,
            variants=[
                FrozenVariant(key=key, variant=VARIANT, topics=wanted[key])
                for key in ("1,2", "1,3")
            ],
        )
        plan(stores, edition, size=7)
        stores.ledger.change_state(number_of(edition), ["planned"], "sending")
        found: dict[str, list[str]] = {}
        while part := claim(stores, edition):
            assert len(part.readers) <= 7
            found.setdefault(part.variant, []).extend(address for _, address, _ in part.readers)
        for key, some in wanted.items():
            numbers = [n for n in range(50) if choices[n % 5] in some]
            assert found[key] == [reader(number).address for number in numbers]

    def test_edition_is_planned_once(self, stores: Stores) -> None:
        add_readers(stores, 3)
        edition = approve(stores)
        release_at = NOON + DAY
        plan(stores, edition, release_at=release_at)
        stored = stores.store.edition(edition.newsletter, edition.period.label)
        assert stored is not None
        assert (stored.state, stored.release_at) == (EditionState.PLANNED, release_at)
        before = stores.ledger.report(edition)
        for again in (edition, stored):
            with pytest.raises(Conflict, match="planned nothing"):
                plan(stores, again)
        assert stores.ledger.report(edition) == before

    @pytest.mark.parametrize("state", [EditionState.DRAFT, EditionState.FROZEN])
    def test_what_is_not_approved_is_not_planned(self, stores: Stores, state: EditionState) -> None:
        add_readers(stores, 3)
        edition = approve(stores, state=state)
        with pytest.raises(Conflict):
            plan(stores, edition)
        assert stores.ledger.state(number_of(edition)) == state
        assert stores.ledger.report(edition).candidates == 0

    def test_edition_that_changed_since_is_not_planned(self, stores: Stores) -> None:
        add_readers(stores, 3)
        edition = approve(stores)
        stores.store.save_edition(replace(edition, intro="Another."))
        with pytest.raises(Conflict):
            plan(stores, edition)
        assert stores.ledger.report(edition).candidates == 0

    def test_nothing_is_kept_of_a_plan_that_fails(self, stores: Stores) -> None:
        add_readers(stores, 3)
        suppress(stores, 1, SuppressionReason.MANUAL)
        edition = approve(stores)
        with pytest.raises(StoreError, match="Nothing half-written is kept"):
            plan(stores, edition, size=0)  # no batch can have so few
        assert stores.ledger.state(number_of(edition)) == EditionState.APPROVED
        report = stores.ledger.report(edition)
        assert (report.candidates, list(report.batches)) == (0, [])
        assert plan(stores, edition).planned == 2

    def test_who_joins_after_the_plan_waits_for_the_next_edition(self, stores: Stores) -> None:
        edition = start(stores, 3)
        add_readers(stores, 2, first=4)
        assert len(claimed(stores, edition).readers) == 3
        assert claim(stores, edition) is None
        later = approve(stores, week=1)
        assert plan(stores, later).planned == 5
        assert stores.ledger.report(edition).candidates == 3

    # Waves

    def test_zones_are_those_of_readers_who_have_not_left(self, stores: Stores) -> None:
        assert stores.ledger.zones("app-news-weekly") == []
        for number, zone in enumerate(("", "Asia/Tokyo", "Asia/Tokyo", "UTC"), 1):
            add_readers(stores, 1, first=number, timezone=zone)
        add_readers(stores, 1, newsletter="another", timezone="Asia/Seoul")
        left = id_of(stores, reader(4).key)
        stores.subscribers.set_left(left, by="reader", now=NOON)
        assert sorted(stores.ledger.zones("app-news-weekly")) == ["", "Asia/Tokyo"]

    @pytest.mark.parametrize("is_held", [True, False])
    def test_each_wave_is_claimed_in_time_for_its_own_release(
        self, stores: Stores, is_held: bool
    ) -> None:
        hours = {"": 3, "Asia/Tokyo": 1, "Asia/Seoul": 1, "America/New_York": 9}
        for number in range(40):
            changes = {
                "timezone": list(hours)[number % 4],
                "topics": ((), ("Apps",))[number % 3 % 2],
            }
            add_readers(stores, 1, first=number, **changes)
        suppress(stores, 0, SuppressionReason.MANUAL)
        variants = [FrozenVariant(key="1,2", variant=VARIANT, topics=(("Apps",),))]
        edition = approve(stores, variants=variants)
        ahead = MINUTE * 20 if is_held else dt.timedelta()
        waves = Waves(release_at=lambda zone: NOON + hours[zone] * HOUR, ahead=ahead)
        audience = plan(stores, edition, size=3, release_at=NOON if is_held else None, waves=waves)
        assert audience == Audience(planned=39, excluded={"manual": 1})
        stores.ledger.change_state(number_of(edition), ["planned"], "sending")
        found: list[str] = []
        for hour in (1, 3, 9):
            at = NOON + hour * HOUR - ahead
            soonest = at + ahead if is_held else None
            assert claim(stores, edition, now=at - SECOND, release_at=soonest) is None
            assert stores.ledger.next_wait(number_of(edition)) == at
            while part := claim(stores, edition, now=at, release_at=soonest):
                numbers = [int(address[6:10]) for _, address, _ in part.readers]
                assert {hours[list(hours)[number % 4]] for number in numbers} == {hour}
                assert {number % 3 % 2 for number in numbers} == {int(part.variant == "1,2")}
                assert len(numbers) <= 3
                assert part.release_at == (NOON + hour * HOUR if is_held else None)
                assert stores.ledger.record(part, Accepted(), now=at)
                found += [address for _, address, _ in part.readers]
        assert sorted(found) == [reader(number).address for number in range(1, 40)]
        assert stores.ledger.next_wait(number_of(edition)) is None
        assert stores.ledger.report(edition).is_balanced

    def test_who_moves_after_the_plan_stays_in_the_wave_of_the_plan(self, stores: Stores) -> None:
        add_readers(stores, 2, timezone="Asia/Tokyo")
        edition = approve(stores)
        waves = Waves(release_at=lambda zone: NOON + (9 if zone == "UTC" else 1) * HOUR)
        plan(stores, edition, waves=waves)
        moved = reader(1, timezone="UTC")
        assert stores.subscribers.add_subscribers([moved]).updated == 1
        stores.ledger.change_state(number_of(edition), ["planned"], "sending")
        assert len(claimed(stores, edition, now=NOON + HOUR).readers) == 2

    def test_halves_of_a_wave_keep_its_release_and_a_late_wave_is_held_long_enough(
        self, stores: Stores
    ) -> None:
        add_readers(stores, 4)
        edition = approve(stores)
        release_at = NOON + HOUR
        waves = Waves(release_at=lambda _zone: release_at, ahead=HOUR)
        plan(stores, edition, release_at=NOON, waves=waves)
        stores.ledger.change_state(number_of(edition), ["planned"], "sending")
        whole = claimed(stores, edition, release_at=NOON + 20 * MINUTE)
        assert whole.release_at == release_at
        assert stores.ledger.split(whole, Refused(reason="one of them"), now=NOON)
        half = claimed(stores, edition, release_at=NOON + 20 * MINUTE)
        assert (len(half.readers), half.release_at) == (2, release_at)
        late = NOON + 2 * HOUR
        assert claimed(stores, edition, now=late, release_at=late + MINUTE).release_at == (
            late + MINUTE
        )

    def test_report_tells_of_each_wave_and_they_add_up_to_the_whole(self, stores: Stores) -> None:
        hours = {"Asia/Tokyo": 1, "": 3, "America/New_York": 9}
        for number in range(12):
            add_readers(stores, 1, first=number, timezone=list(hours)[number % 3])
        edition = approve(stores)
        waves = Waves(release_at=lambda zone: NOON + hours[zone] * HOUR, ahead=HOUR)
        plan(stores, edition, size=4, release_at=NOON, waves=waves)
        stores.ledger.change_state(number_of(edition), ["planned"], "sending")
        stores.subscribers.set_left(id_of(stores, reader(3).key), by="reader", now=NOON)
        first = claimed(stores, edition, release_at=NOON)
        assert stores.ledger.record(first, Accepted(), now=NOON)
        second = claimed(stores, edition, now=NOON + 2 * HOUR, release_at=NOON + 4 * HOUR)
        assert stores.ledger.split(second, Refused(reason="one of them"), now=NOON + 2 * HOUR)
        for outcome in (Refused(reason="bad"), Unknown(reason="cut off")):
            half = claimed(stores, edition, now=NOON + 2 * HOUR, release_at=NOON + 3 * HOUR)
            assert stores.ledger.record(half, outcome, now=NOON + 2 * HOUR)
        report = stores.ledger.report(edition)
        assert [(w.release_at, w.last_at) for w in report.waves] == [
            (NOON + HOUR, NOON + HOUR),
            (NOON + 3 * HOUR, None),
            (NOON + 9 * HOUR, None),
        ]
        told = [(w.planned, w.accepted, w.withdrawn, w.refused, w.unknown) for w in report.waves]
        assert told == [(4, 3, 1, 0, 0), (4, 0, 0, 2, 2), (4, 0, 0, 0, 0)]
        assert [w.pending for w in report.waves] == [0, 0, 4]
        assert sum(w.planned for w in report.waves) == report.planned
        assert sum(w.accepted for w in report.waves) == report.accepted
        assert report.is_balanced

    def test_subjects_are_those_of_the_newest_editions_that_went_out_to_some(
        self, stores: Stores
    ) -> None:
        def send(week: int, state: str, *subjects: str) -> None:
            mails = [replace(VARIANT, subject=subject) for subject in subjects]
            variants = [
                FrozenVariant(key=str(number), variant=mail) for number, mail in enumerate(mails)
            ]
            edition = approve(stores, week=week, variants=variants)
            stores.store.save_edition(replace(edition, state=EditionState(state)))

        send(0, "done", "Old")
        send(1, "attention", "One", "Two")
        send(2, "sending", "Three")
        send(3, "approved", "Not yet")
        send(4, "cancelled", "Never")
        found = stores.store.subjects("app-news-weekly", editions=2, except_label="2026-W52")
        assert found == {VARIANT.subject, "One", "Two", "Three"}
        found = stores.store.subjects("app-news-weekly", editions=9, except_label="2026-W50")
        assert found == {VARIANT.subject, "Old", "One", "Two"}
        assert stores.store.subjects("another", editions=9, except_label="") == set()
