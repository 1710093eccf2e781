"""The chain of the audit log shows every change but a cut at its end."""

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.auditing import broken_at, chained
from digest.model.audit import AuditEntry
from digest.testing.factories import NOON


def chain(length: int) -> list[AuditEntry]:
    found: list[AuditEntry] = []
    for number in range(length):
        entry = AuditEntry(
            newsletter="n",
            edition="2026-W48",
            at=NOON + dt.timedelta(microseconds=number),
            actor="Ana",
            action="changed",
            details=(f"change {number}",),
        )
        found.append(chained(entry, found[-1].hash if found else ""))
    return found


def test_whole_chain_holds() -> None:
    entries = chain(5)
    assert broken_at(entries) == (5, None, entries[-1].hash)
    assert broken_at([]) == (0, None, "")


CHANGES: list[dict[str, Any]] = [
    {"actor": "Bob"},
    {"action": "approved"},
    {"details": ()},
    {"at": NOON},
    {"edition": ""},
    {"newsletter": "m"},
    {"previous": ""},
    {"hash": "0" * 64},
]


@pytest.mark.parametrize("changes", CHANGES, ids=str)
@given(data=st.data())
def test_changed_entry_breaks_it_there(changes: dict[str, Any], data: st.DataObject) -> None:
    entries = chain(6)
    place = data.draw(st.integers(1, 5))
    entries[place] = replace(entries[place], **changes)
    assert broken_at(entries)[:2] == (place, entries[place])


@given(place=st.integers(0, 4))
def test_entry_that_is_taken_out_or_put_in_breaks_it(place: int) -> None:
    entries = chain(6)
    without = entries[:place] + entries[place + 1 :]
    assert broken_at(without)[:2] == (place, without[place])
    forged = chained(entries[place], entries[place - 1].hash if place else "")
    doubled = [*entries[:place], forged, *entries[place:]]
    assert broken_at(doubled)[0] == place + 1


def test_equal_instants_in_other_zones_have_one_hash() -> None:
    entry = chain(1)[0]
    berlin = dt.timezone(dt.timedelta(hours=1))
    assert chained(replace(entry, at=entry.at.astimezone(berlin)), "").hash == entry.hash
