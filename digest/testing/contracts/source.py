"""What every source promises."""

import copy
import datetime as dt
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from typing import get_type_hints

import pytest

from digest.errors import SourceError
from digest.model.articles import RawEntry
from digest.model.sources import Fetched, SourceState
from digest.ports import Source

NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(hours=1)
YEARS_LATER = NOW + dt.timedelta(days=3650)

_MARKUP = re.compile(r"<[a-z/!?][^>]*>|&(?:[a-z]+|#\d+);", re.IGNORECASE)
_TEXTS = ("title", "summary", "text", "author", "outlet")


class SourceContract:
    """Subclass it with the fixtures `source` and `broken`.

    `source` yields a source with at least one article, and nothing new while the test runs; give
    its articles some markup, if it can hold any. `broken` yields one that cannot be used: nothing
    is there, or not what it should be.
    """

    def first(self, source: Source, now: dt.datetime = NOW) -> Fetched:
        """Fetch as if it were the first time."""
        return source.fetch(SourceState(name=source.name), now=now)

    def test_the_first_fetch_needs_only_the_name_and_brings_entries(self, source: Source) -> None:
        fetched = self.first(source)
        assert fetched.state.name == source.name
        assert fetched.entries
        assert not fetched.unchanged

    def test_entries_are_plain_text(self, source: Source) -> None:
        for entry in self.first(source).entries:
            assert isinstance(entry, RawEntry)
            texts = [getattr(entry, name) for name in _TEXTS] + list(entry.topics)
            for text in texts:
                assert isinstance(text, str)
                assert not _MARKUP.search(text), text
            assert isinstance(entry.topics, tuple)
            for link in (entry.url, entry.id, entry.published, entry.language):
                assert isinstance(link, str)
            at = entry.published_guess
            assert at is None or at.utcoffset() == dt.timedelta(0)

    def test_what_is_refused_is_named_with_the_reason(self, source: Source) -> None:
        fetched = self.first(source)
        assert isinstance(fetched.refused, tuple)
        for what, why in fetched.refused:
            assert what
            assert why

    def test_the_state_can_be_stored(self, source: Source) -> None:
        state = self.first(source).state
        hints = get_type_hints(SourceState)
        for field in fields(SourceState):
            value = getattr(state, field.name)
            assert isinstance(value, hints[field.name]), field.name
            if isinstance(value, dt.datetime):
                assert value.utcoffset() == dt.timedelta(0), field.name

    def test_a_good_fetch_ends_a_run_of_failures(self, source: Source) -> None:
        failed = SourceState(
            name=source.name, failures=3, last_error="No answer.", not_before_at=NOW
        )
        state = source.fetch(failed, now=LATER).state
        assert state.last_fetch_at == state.last_success_at == LATER
        assert (state.failures, state.last_error, state.not_before_at) == (0, "", None)

    def test_what_others_remember_is_left_alone(self, source: Source) -> None:
        mine = SourceState(name=source.name, baseline_at=NOW, configured_url="as in the settings")
        state = source.fetch(mine, now=LATER).state
        assert (state.baseline_at, state.configured_url) == (NOW, "as in the settings")

    def test_a_second_fetch_is_unchanged_or_brings_the_same(self, source: Source) -> None:
        first = self.first(source)
        second = source.fetch(first.state, now=LATER)
        assert second.state.name == source.name
        if second.unchanged:
            assert second.entries == ()
        else:
            assert second.entries == first.entries
        assert second.state.last_success_at == LATER

    def test_the_state_it_is_given_stays_as_it_was(self, source: Source) -> None:
        for state in (SourceState(name=source.name), self.first(source).state):
            before = copy.deepcopy(state)
            source.fetch(state, now=LATER)
            assert state == before

    def test_all_memory_is_in_the_state(self, source: Source) -> None:
        first = self.first(source)
        source.fetch(first.state, now=LATER)
        assert self.first(source) == first

    def test_it_reads_no_clock(self, source: Source) -> None:
        assert self.first(source).entries == self.first(source, YEARS_LATER).entries
        for now in (NOW, YEARS_LATER):
            state = self.first(source, now).state
            values = [getattr(state, field.name) for field in fields(SourceState)]
            assert {value for value in values if isinstance(value, dt.datetime)} == {now}

    def test_it_works_in_any_thread(self, source: Source) -> None:
        with ThreadPoolExecutor(1) as pool:
            fetched = pool.submit(self.first, source).result()
        assert fetched == self.first(source)

    def test_what_cannot_be_used_says_so_in_a_sentence(self, broken: Source) -> None:
        state = SourceState(name=broken.name, etag='"1"', failures=1)
        before = copy.deepcopy(state)
        for _ in range(2):
            with pytest.raises(SourceError) as caught:
                broken.fetch(state, now=NOW)
            assert caught.value.message.endswith(".")
            assert "\n" not in caught.value.message
            not_before = caught.value.not_before_at
            assert not_before is None or not_before.utcoffset() == dt.timedelta(0)
        assert state == before
