"""Drafting with a real store: each week has its own articles, and nothing is sent twice."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.curation import FIXED
from digest.errors import Conflict, NothingToSend, UsageError
from digest.model.articles import Rating
from digest.model.editions import SENT_STATES, Edition, EditionState
from digest.model.sources import SourceState
from digest.ports import Placed, Store
from digest.services.candidates import GIVES_BACK, Candidates
from digest.services.drafting import OPEN
from digest.services.editions import EditionService
from digest.settings import (
    EditionSettings,
    NewsletterSettings,
    RankingSettings,
    Settings,
    SourceSettings,
)
from digest.storage.store import open_store
from digest.testing.factories import NOON
from tests.editing import (
    DAY,
    LABEL,
    SUNDAY,
    WEEK,
    add,
    add_week,
    freezing,
    ids,
    rated,
    sent,
    service,
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(f"sqlite:///{tmp_path}/digest.db")
    yield store
    store.close()


# Which edition


def test_the_due_edition_is_the_last_week_until_it_is_finished(store: Store) -> None:
    editions = service(store)
    monday = SUNDAY + dt.timedelta(hours=13)
    add_week(store, 3)
    assert editions.period("", now=NOON).label == LABEL
    assert editions.period("", now=monday).label == LABEL
    sent(store, editions.draft("", now=monday))
    assert editions.period("", now=monday).label == "2026-W49"
    assert editions.period(LABEL, now=monday).end == SUNDAY
    with pytest.raises(UsageError, match="is no edition"):
        editions.period("next", now=monday)


def test_a_zone_changed_after_an_edition_was_drafted_moves_no_article(store: Store) -> None:
    add_week(store, 2)
    drafted = service(store).draft("", now=NOON)
    late = SUNDAY + dt.timedelta(hours=3)  # still Sunday afternoon in New York
    add(store, rated(3, published_at=late), at=late)
    moved = Settings(newsletter=NewsletterSettings(timezone="America/New_York"))
    editions = EditionService(store, moved)
    assert ids(editions.draft(LABEL, now=late)) == [1, 2]
    following = editions.draft("2026-W49", now=late)
    assert following.period.start == drafted.period.end
    assert ids(following) == [3]


def test_composing_stores_nothing_and_a_draft_is_kept_as_it_is(store: Store) -> None:
    editions = service(store)
    add_week(store, 2)
    composed = editions.compose("", now=NOON)
    assert ids(composed) == [1, 2]
    assert composed.id is None
    assert editions.all() == []
    assert editions.stored("", now=NOON) is None
    drafted = editions.draft("", now=NOON)
    add(store, rated(0))
    assert editions.compose("", now=NOON) == drafted == editions.stored("", now=NOON)
    assert ids(editions.draft("", now=NOON)) == [3, 1, 2]


def test_the_same_articles_make_the_same_edition(store: Store) -> None:
    add_week(store, 8)
    editions = service(store)
    assert editions.compose("", now=NOON) == editions.compose("", now=NOON)


def test_two_editors_at_once_do_not_overwrite_each_other(store: Store) -> None:
    add_week(store, 3)
    editions = service(store)
    old = editions.draft("", now=NOON)
    new = editions.lead("", "2", now=NOON)
    with pytest.raises(Conflict):
        store.save_edition(replace(old, subject="Mine"))
    assert editions.compose("", now=NOON) == new


# What may be in it


def test_only_articles_of_the_week_are_in_and_its_end_is_the_next_ones_start(
    store: Store,
) -> None:
    tick = dt.timedelta(microseconds=1)
    start = SUNDAY - WEEK
    for number, at in enumerate((start - tick, start, SUNDAY - tick, SUNDAY), 1):
        add(store, rated(number, published_at=at), at=at)
    assert ids(service(store).compose(LABEL, now=SUNDAY)) == [2, 3]
    assert ids(service(store).compose("2026-W49", now=SUNDAY)) == [4]


def test_an_article_published_too_long_ago_is_no_candidate(store: Store) -> None:
    oldest = NOON - 8 * DAY
    add(
        store,
        rated(1, published_at=oldest),
        rated(2, published_at=oldest - dt.timedelta(microseconds=1)),
        rated(3, published_at=None),
    )
    assert ids(service(store).compose("", now=NOON)) == [1, 3]


def test_at_most_so_many_stories_of_one_outlet_are_chosen(store: Store) -> None:
    add(store, *(rated(n, outlet="Loud") for n in range(1, 5)), rated(9, outlet="Quiet"))
    editions = service(store, max_per_source=2, stories=3)
    assert ids(editions.compose("", now=NOON)) == [1, 2, 5]
    ranked = editions.ranked(editions.period("", now=NOON), now=NOON)
    assert [(item.stored.id, bool(item.held_back)) for item in ranked] == [
        *((1, False), (2, False), (3, True), (4, True), (5, False)),
    ]
    # A hidden story takes no place, and what an editor wants comes in above the cap.
    assert ids(editions.hide("", "1", now=NOON)) == [2, 3, 5]
    ranked = editions.ranked(editions.period("", now=NOON), now=NOON)
    assert [item.stored.id for item in ranked if item.held_back] == [4]
    assert ids(editions.pin("", "4", 3, now=NOON)) == [2, 3, 4]


def test_one_outlet_fills_an_edition_that_nothing_else_fills(store: Store) -> None:
    add(store, *(rated(n, outlet="Loud") for n in range(1, 9)), rated(9, outlet="Quiet"))
    assert ids(service(store, max_per_source=2).compose("", now=NOON)) == [1, 2, 3, 4, 9]


@pytest.mark.parametrize("state", sorted(SENT_STATES))
def test_a_story_that_readers_may_have_is_never_in_a_later_edition(
    store: Store, state: EditionState
) -> None:
    add_week(store, 2)
    add_week(store, 2, first=3, weeks=1)
    editions = service(store, thin_week="widen", minimum_stories=5, max_age_days=30)
    sent(store, editions.draft(LABEL, now=NOON), state)
    following = editions.draft("2026-W49", now=NOON + WEEK)
    assert ids(following) == [3, 4]
    for change in (editions.lead, editions.hide, editions.unhide, editions.unpin):
        with pytest.raises(UsageError, match="was in an earlier edition"):
            change("2026-W49", "1", now=NOON + WEEK)
    with pytest.raises(UsageError, match="was in an earlier edition"):
        editions.pin("2026-W49", "1", 2, now=NOON + WEEK)
    assert editions.draft("2026-W49", now=NOON + WEEK).stories == following.stories


def test_a_story_sent_while_it_waited_in_a_draft_leaves_the_draft(store: Store) -> None:
    add_week(store, 2)
    editions = service(store)
    waiting = editions.lead("2026-W49", "1", now=NOON)
    assert ids(waiting) == [1]
    sent(store, editions.draft(LABEL, now=NOON))
    assert ids(editions.draft("2026-W49", now=NOON)) == []


@pytest.mark.parametrize("state", sorted(GIVES_BACK))
def test_held_and_skipped_editions_give_their_articles_back(
    store: Store, state: EditionState
) -> None:
    add_week(store, 1, weeks=-1)
    add_week(store, 1, first=2)
    add_week(store, 1, first=3, weeks=1)
    editions = service(store, max_age_days=30)
    sent(store, editions.draft("2026-W47", now=NOON - WEEK), state)
    sent(store, editions.draft(LABEL, now=NOON), state)
    assert sorted(ids(editions.draft("2026-W49", now=NOON + WEEK))) == [1, 2, 3]
    fresh_only = service(store, max_age_days=8)
    assert ids(fresh_only.draft("2026-W49", now=NOON + WEEK)) == [2, 3]


@pytest.mark.parametrize("state", sorted(set(EditionState) - OPEN - FIXED))
def test_an_edition_that_is_planned_or_does_not_go_cannot_be_changed(
    store: Store, state: EditionState
) -> None:
    add_week(store, 3)
    editions = service(store)
    stored = sent(store, editions.draft(LABEL, now=NOON), state)
    for change in (editions.lead, editions.hide, editions.unhide, editions.unpin):
        with pytest.raises(UsageError, match=f"is {state}; it cannot be changed"):
            change(LABEL, "2", now=NOON)
    with pytest.raises(UsageError, match="cannot be changed"):
        editions.draft(LABEL, now=NOON)
    assert editions.compose(LABEL, now=NOON) == stored


@pytest.mark.parametrize("state", sorted(SENT_STATES))
def test_what_comes_after_a_mail_was_frozen_in_its_week_goes_into_the_next(
    store: Store, state: EditionState
) -> None:
    editions = service(store)
    late = [NOON + dt.timedelta(hours=1), SUNDAY - 2 * DAY, SUNDAY - dt.timedelta(microseconds=1)]
    add(store, rated(1, published_at=NOON), rated(2, published_at=NOON), at=NOON)
    approved = freezing(store, editions).freeze(LABEL, now=NOON)
    for number, at in enumerate(late, 3):
        add(store, rated(number, published_at=at), at=at)
    # As long as it is not sent it may be opened again, and have them itself.
    assert ids(editions.compose("2026-W49", now=SUNDAY)) == []
    sent(store, approved, state)
    assert ids(editions.compose("2026-W49", now=SUNDAY)) == [3, 4, 5]
    # Nor are they too old at the end of that week.
    assert ids(editions.draft("2026-W49", now=SUNDAY + WEEK)) == [3, 4, 5]
    period = editions.period(LABEL, now=NOON)
    assert [item.stored.id for item in editions.ranked(period, now=SUNDAY)] == [1, 2]


def test_what_came_too_late_for_a_mail_waits_while_the_next_one_is_held(store: Store) -> None:
    editions = service(store)
    add_week(store, 2)
    sent(store, freezing(store, editions).freeze(LABEL, now=NOON))
    add(store, rated(3, published_at=NOON + DAY), at=NOON + DAY)
    assert ids(editions.hold("2026-W49", reason="", now=SUNDAY)) == [3]
    assert ids(editions.draft("2026-W50", now=SUNDAY + DAY)) == [3]


def test_new_source_brings_nothing_old_into_the_week_after_a_mail(store: Store) -> None:
    editions = service(store)
    add_week(store, 2)
    sent(store, freezing(store, editions).freeze(LABEL, now=NOON))
    now = SUNDAY + 3 * DAY
    dated = [now - days * DAY for days in (2, 7, 9)]  # 9 days are too many
    placed = [
        Placed(article=rated(n, published_at=at), belongs_at=at) for n, at in enumerate(dated, 3)
    ]
    store.record_fetch(SourceState(name="New"), placed, now=now)
    assert ids(editions.draft("2026-W49", now=now)) == [3, 4]


WEEKS = ("2026-W46", "2026-W47", "2026-W48", "2026-W49")
HOURS = st.integers(0, 7 * 24)


@settings(max_examples=40)
@given(
    states=st.tuples(*[st.sampled_from(sorted(SENT_STATES | GIVES_BACK))] * 3),
    frozen=st.tuples(HOURS, HOURS, HOURS),
    seen=st.lists(st.tuples(st.integers(0, 4 * 7 * 24 - 1), st.integers(0, 400)), max_size=12),
)
def test_article_is_a_candidate_of_exactly_one_edition_that_goes_out(
    tmp_path_factory: pytest.TempPathFactory,
    states: tuple[EditionState, ...],
    frozen: tuple[int, ...],
    seen: list[tuple[int, int]],
) -> None:
    # Three editions went out or did not, each drafted some hours into its week; the fourth is open.
    # An article belongs to an hour and is first seen then, or later by a source's first fetch.
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('law')}/digest.db")
    rules = Settings(edition=EditionSettings(max_age_days=60))
    editions = EditionService(store, rules)
    periods = [editions.period(label, now=NOON) for label in WEEKS]
    hour = dt.timedelta(hours=1)
    for number, (belongs, delay) in enumerate(seen):
        at = periods[0].start + belongs * hour
        placed = [
            Placed(article=rated(number % 40, key=f"k{number}", published_at=at), belongs_at=at)
        ]
        store.record_fetch(SourceState(name="Example"), placed, now=at + delay * hour)
    for period, state, hours in zip(periods, states, frozen, strict=False):
        edition = Edition(newsletter=rules.newsletter.slug, period=period, state=state)
        store.save_edition(replace(edition, drafted_at=period.start + hours * hour))
    candidates = Candidates(store, rules, left_out=frozenset())
    own = []
    for period, state, hours in zip(periods, (*states, None), (*frozen, 0), strict=True):
        if state not in GIVES_BACK:
            found = candidates.own(period, now=period.end)
            last = max((stored.first_seen_at for stored in found), default=period.start)
            assert state is None or last <= period.start + hours * hour
            own += [stored.id for stored in found]
    store.close()
    assert sorted(own) == list(range(1, len(seen) + 1))


# Thin weeks


def test_a_thin_week_is_held_and_says_what_it_lacks(store: Store) -> None:
    add_week(store, 1)
    editions = service(store, minimum_stories=3)
    with pytest.raises(NothingToSend) as caught:
        editions.require_enough(editions.compose("", now=NOON))
    assert caught.value.message == (
        "Edition 2026-W48 has 1 story, and it needs 3: it is held until it has more. "
        "Nothing was changed."
    )
    assert 'thin_week = "widen"' in caught.value.hint
    add_week(store, 2, first=2)
    editions.require_enough(editions.compose("", now=NOON))


def test_a_thin_week_that_is_skipped_says_so_and_is_not_stored(store: Store) -> None:
    editions = service(store, thin_week="skip")
    with pytest.raises(NothingToSend, match="it does not go"):
        editions.require_enough(editions.compose("", now=NOON))
    assert editions.all() == []


def test_a_thin_week_is_widened_by_what_is_fresh_and_never_sent(store: Store) -> None:
    for number, days in ((1, 9), (2, 6), (3, 5), (4, 1)):
        at = NOON - days * DAY
        add(store, rated(number, published_at=at), at=at)
    editions = service(store, thin_week="widen", max_age_days=8)
    edition = editions.draft("", now=NOON)
    assert ids(edition) == [2, 3, 4]
    assert edition.notes == ("Thin week: 1 story of its own, 2 from before.",)
    editions.require_enough(edition)


def test_in_a_widened_week_its_own_articles_come_in_before_better_older_ones(
    store: Store,
) -> None:
    add_week(store, 9, weeks=-1)
    add(store, rated(30), rated(31))
    editions = service(store, thin_week="widen", minimum_stories=3, max_age_days=20)
    edition = editions.draft("", now=NOON)
    assert ids(edition) == [1, 2, 3, 10, 11]
    assert edition.notes == ("Thin week: 2 stories of its own, 3 from before.",)
    scores = [story.score for story in edition.stories]
    assert scores == sorted(scores, reverse=True)
    # Neither the cap of their outlet puts them back, nor does curating make the edition narrow.
    narrow = service(store, thin_week="widen", minimum_stories=3, max_age_days=20, max_per_source=1)
    assert ids(narrow.draft("", now=NOON)) == [1, 2, 3, 10, 11]
    assert ids(editions.hide("", "2", now=NOON)) == [1, 3, 4, 10, 11]


def test_a_week_that_stays_thin_when_widened_is_held(store: Store) -> None:
    add_week(store, 1)
    editions = service(store, thin_week="widen", minimum_stories=3)
    edition = editions.compose("", now=NOON)
    assert edition.notes == ()
    with pytest.raises(NothingToSend, match="even with earlier articles that is too few") as caught:
        editions.require_enough(edition)
    assert "widen" not in caught.value.hint


# What is usual


def test_what_is_usual_comes_from_the_stored_ratings_and_the_trust_of_the_settings(
    store: Store,
) -> None:
    good = [
        rated(n, outlet="Good", rating=Rating(mean=4.0, votes=50, origin="feed"))
        for n in range(1, 9)
    ]
    bad = [
        rated(n, outlet="Bad", rating=Rating(mean=2.0, votes=50, origin="feed"))
        for n in range(9, 17)
    ]
    add(store, *good, *bad, at=NOON - 2 * WEEK)
    add(store, rated(17, outlet="Bad", rating=None), rated(18, outlet="Good", rating=None))
    settings = Settings(ranking=RankingSettings(age_penalty_per_day=0))
    editions = EditionService(store, settings)
    period = editions.period("", now=NOON)
    assert [(r.stored.id, r.score) for r in editions.ranked(period, now=NOON)] == [
        (18, 3.7),
        (17, 2.3),
    ]
    source = SourceSettings(name="Example", url="https://news.example.com/feed", trust=0)
    distrusting = EditionService(store, Settings(ranking=settings.ranking, source=(source,)))
    assert [r.score for r in distrusting.ranked(period, now=NOON)] == [3.5, 3.5]


def test_ages_are_taken_when_the_week_ends_so_that_a_late_draft_is_the_same(store: Store) -> None:
    add_week(store, 4)
    editions = EditionService(store, Settings())
    period = editions.period(LABEL, now=NOON)
    assert editions.ranked(period, now=SUNDAY) == editions.ranked(period, now=SUNDAY + 5 * DAY)
    assert editions.ranked(period, now=NOON) != editions.ranked(period, now=SUNDAY)
