"""The promises about corrections, on every database that `digest` runs on."""

from dataclasses import replace

import pytest

from digest.errors import StoreError
from digest.model.corrections import Correction
from digest.storage.audit import Audit
from digest.storage.corrections import SqlCorrections
from digest.storage.database import Database
from digest.storage.store import SqlStore
from digest.testing.clock import FrozenClock
from digest.testing.factories import NOON, make_edition


@pytest.fixture
def audit(database: Database) -> Audit:
    return Audit(database, FrozenClock(NOON), "Ana")


def test_correction_is_kept_with_its_entry_in_the_audit_log(
    database: Database, audit: Audit
) -> None:
    edition = SqlStore(database).save_edition(make_edition(0))
    assert edition.id is not None
    corrections = SqlCorrections(database, audit)
    assert corrections.corrections(edition.id) == []
    whole = Correction(edition_id=edition.id, words="The date was wrong.", by="Ana", at=NOON)
    story = replace(whole, words="It is 5.", article_id=3, headline="Five", summary="Not six.")
    stored = [corrections.correct(one) for one in (whole, story)]
    assert [replace(one, id=None) for one in stored] == [whole, story]
    assert corrections.corrections(edition.id) == stored
    assert corrections.corrections(edition.id + 1) == []
    told = [(entry.actor, entry.edition, entry.action, entry.details) for entry in audit.entries()]
    assert told == [
        ("Ana", "2026-W48", "corrected", ("The date was wrong.", "by Ana")),
        (
            "Ana",
            "2026-W48",
            "corrected",
            ("It is 5.", "article 3", "headline: Five", "summary: Not six.", "by Ana"),
        ),
    ]


def test_correction_of_no_edition_leaves_nothing(database: Database, audit: Audit) -> None:
    corrections = SqlCorrections(database, audit)
    with pytest.raises(StoreError):
        corrections.correct(Correction(edition_id=1, words="Wrong.", by="Ana", at=NOON))
    assert corrections.corrections(1) == []
    assert list(audit.entries()) == []
