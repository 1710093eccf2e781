"""Freezing with a real store and a real renderer: what was approved is what is sent."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from digest.errors import ChecksFailed, Conflict, NotApproved, NothingToSend, UsageError
from digest.model.editions import SENT_STATES, WHOLE, EditionState
from digest.project import starter_root
from digest.services.drafting import OPEN
from digest.services.editions import EditionService
from digest.services.freezing import REOPENABLE, Choices
from digest.storage import delivery_tables
from digest.storage.database import Database, open_database
from digest.storage.store import SqlStore
from digest.testing.factories import NOON
from tests.editing import (
    DAY,
    LABEL,
    add,
    add_topics,
    add_week,
    approved,
    freezing,
    ids,
    rated,
    sent,
    service,
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(f"sqlite:///{tmp_path}/digest.db")
    yield database
    database.close()


@pytest.fixture
def store(database: Database) -> SqlStore:
    return SqlStore(database)


@pytest.fixture
def editions(store: SqlStore) -> EditionService:
    return service(store, minimum_stories=3, stories=12)


# Freezing


def test_frozen_mail_is_the_one_that_was_previewed_and_keeps_one_hash(
    store: SqlStore, editions: EditionService
) -> None:
    add_week(store, 4)
    service = freezing(store, editions)
    _, shown = service.mail_for(editions.compose("", now=NOON), ())
    frozen = service.freeze("", now=NOON)
    assert (frozen.state, frozen.frozen_at) == (EditionState.FROZEN, NOON)
    assert frozen.sha256 == shown.variant.sha256
    assert store.edition(frozen.newsletter, LABEL) == frozen
    approved = service.approve("", by="Ana", now=NOON + DAY)
    assert (approved.sha256, approved.approved_by) == (frozen.sha256, "Ana")
    assert approved.approved_at == NOON + DAY
    assert service.mail_for(approved, ())[1].variant == shown.variant
    assert [v.variant for v in service.require_approved(approved)] == [shown.variant]


def test_frozen_mail_stays_when_a_template_changes(
    store: SqlStore, editions: EditionService, tmp_path: Path
) -> None:
    add_week(store, 4)
    frozen = freezing(store, editions).freeze("", now=NOON)
    text = (starter_root() / "templates" / "edition.txt.j2").read_text()
    (tmp_path / "edition.txt.j2").write_text(f"Changed.\n{text}")
    changed = freezing(store, editions, templates=[tmp_path])
    assert changed.mail_for(frozen, ())[1].variant.sha256 == frozen.sha256
    changed.reopen("", now=NOON)
    assert changed.freeze("", now=NOON).sha256 != frozen.sha256


def test_thin_edition_is_not_frozen(store: SqlStore, editions: EditionService) -> None:
    add_week(store, 2)
    with pytest.raises(NothingToSend, match="has 2 stories, and it needs 3"):
        freezing(store, editions).freeze("", now=NOON)
    assert editions.all() == []


def test_edition_with_an_error_is_not_frozen_and_the_error_is_named(
    store: SqlStore, editions: EditionService, tmp_path: Path
) -> None:
    add_topics(store)
    page = (starter_root() / "templates" / "edition.html.j2").read_text()
    link = '<a href="javascript:x">x</a>{% endblock %}'
    (tmp_path / "edition.html.j2").write_text(page.replace("{% endblock %}", link))
    drafted = editions.draft("", now=NOON)
    service = freezing(store, editions, lambda: [(("Games",), 5)], templates=[tmp_path])
    with pytest.raises(ChecksFailed, match="2026-W48") as caught:
        service.freeze("", now=NOON)
    assert caught.value.message.count("script-url") == 1  # though it is in two variants
    assert caught.value.message.endswith("Nothing was frozen.")
    assert editions.stored("", now=NOON) == drafted
    assert drafted.id is not None
    assert store.variants(drafted.id) == []


def test_story_that_readers_had_meanwhile_is_not_frozen_again(
    store: SqlStore, editions: EditionService
) -> None:
    add_week(store, 4)
    waiting = editions.lead("2026-W49", "1", now=NOON)
    waiting = editions.pin("2026-W49", "2", 2, now=NOON)
    waiting = editions.pin("2026-W49", "3", 3, now=NOON)
    sent(store, editions.draft(LABEL, now=NOON))
    assert ids(waiting) == [1, 2, 3]
    with pytest.raises(UsageError, match="in an earlier edition") as caught:
        freezing(store, editions).freeze("2026-W49", now=NOON)
    assert "digest edition draft" in caught.value.hint


@pytest.mark.parametrize("state", sorted(set(EditionState) - OPEN))
def test_what_is_past_drafting_is_not_frozen(
    store: SqlStore, editions: EditionService, state: EditionState
) -> None:
    add_week(store, 4)
    stored = sent(store, editions.draft(LABEL, now=NOON), state)
    with pytest.raises(UsageError, match=str(state)):
        freezing(store, editions).freeze(LABEL, now=NOON)
    assert editions.stored(LABEL, now=NOON) == stored


def test_edition_that_somebody_changes_while_it_is_frozen_is_left_to_them(
    store: SqlStore, editions: EditionService
) -> None:
    add_week(store, 4)
    editions.draft("", now=NOON)

    def meddle() -> Choices:
        editions.edit("", subject="Mine", preheader=None, intro=None, now=NOON)
        return ()

    with pytest.raises(Conflict):
        freezing(store, editions, meddle).freeze("", now=NOON)
    stored = editions.stored("", now=NOON)
    assert stored is not None
    assert (stored.state, stored.subject) == (EditionState.DRAFT, "Mine")


# Approving


@pytest.mark.parametrize("state", sorted(set(EditionState) - {"frozen"}))
def test_only_a_frozen_edition_is_approved(
    store: SqlStore, editions: EditionService, state: EditionState
) -> None:
    add_week(store, 4)
    sent(store, editions.draft(LABEL, now=NOON), state)
    with pytest.raises(UsageError) as caught:
        freezing(store, editions).approve(LABEL, by="Ana", now=NOON)
    assert ("Freeze it first" in caught.value.hint) is (state in OPEN)


@pytest.mark.parametrize("name", ["", "  ", "\u200b\x1b"])
def test_nobody_approves_nothing(store: SqlStore, editions: EditionService, name: str) -> None:
    add_week(store, 4)
    service = freezing(store, editions)
    frozen = service.freeze("", now=NOON)
    with pytest.raises(UsageError, match="needs a name"):
        service.approve("", by=name, now=NOON)
    assert editions.stored("", now=NOON) == frozen


def test_name_of_the_approver_is_clean_text(store: SqlStore, editions: EditionService) -> None:
    add_week(store, 4)
    service = freezing(store, editions)
    service.freeze("", now=NOON)
    assert service.approve("", by=" Ana\x1b[31m\n María ", now=NOON).approved_by == "Ana[31m María"


CHANGES: dict[str, Any] = {
    "draft": lambda e: e.draft("", now=NOON),
    "lead": lambda e: e.lead("", "3", now=NOON),
    "pin": lambda e: e.pin("", "3", 2, now=NOON),
    "unpin": lambda e: e.unpin("", "3", now=NOON),
    "move": lambda e: e.move("", "3", 2, now=NOON),
    "hide": lambda e: e.hide("", "3", now=NOON),
    "unhide": lambda e: e.unhide("", "3", now=NOON),
    "headline": lambda e: e.edit_story("", "3", headline="New", summary=None, now=NOON),
    "subject": lambda e: e.edit("", subject="New", preheader=None, intro=None, now=NOON),
}


@pytest.mark.parametrize("name", CHANGES)
def test_edit_after_approval_takes_the_approval_and_the_frozen_mail_away(
    store: SqlStore, editions: EditionService, name: str
) -> None:
    add_week(store, 5)
    before = approved(store, editions)
    after = CHANGES[name](editions)
    assert after == editions.stored("", now=NOON)
    assert (after.state, after.sha256, after.approved_by) == (EditionState.DRAFT, "", "")
    assert (after.frozen_at, after.approved_at) == (None, None)
    assert store.variants(after.id) == []
    service = freezing(store, editions)
    for edition in (before, after):  # also for who still holds the old one
        with pytest.raises(NotApproved, match="Nothing was sent"):
            service.require_approved(edition)


def test_change_that_fails_leaves_the_approval(store: SqlStore, editions: EditionService) -> None:
    add_week(store, 5)
    before = approved(store, editions)
    with pytest.raises(UsageError):
        editions.move("", "3", 99, now=NOON)
    with pytest.raises(UsageError):
        editions.hide("", "no such article", now=NOON)
    assert editions.stored("", now=NOON) == before


@pytest.mark.parametrize("state", sorted(set(EditionState)))
def test_only_editions_that_are_fixed_or_aside_are_reopened(
    store: SqlStore, editions: EditionService, state: EditionState
) -> None:
    add_week(store, 4)
    stored = sent(store, editions.draft(LABEL, now=NOON), state)
    service = freezing(store, editions)
    if state in REOPENABLE:
        assert service.reopen(LABEL, now=NOON).state is EditionState.DRAFT
        return
    with pytest.raises(UsageError, match="is reopened, and 2026-W48 is"):
        service.reopen(LABEL, now=NOON)
    assert editions.stored(LABEL, now=NOON) == stored


@pytest.mark.parametrize("state", sorted(set(EditionState) - SENT_STATES - {"approved"}))
def test_unapproved_edition_is_not_sent(
    store: SqlStore, editions: EditionService, state: EditionState
) -> None:
    add_week(store, 4)
    edition = replace(approved(store, editions), state=state)
    with pytest.raises(NotApproved) as caught:
        freezing(store, editions).require_approved(edition)
    assert "digest edition approve --by NAME --edition 2026-W48" in caught.value.hint


@pytest.mark.parametrize("key", [WHOLE, "1,2,3"])
@pytest.mark.parametrize("column", ["subject", "preheader", "html", "text", "sha256"])
def test_mail_that_was_changed_in_the_database_is_not_sent(
    database: Database, store: SqlStore, editions: EditionService, key: str, column: str
) -> None:
    for number, topic in enumerate(("Apps", "Games", "Games", "Privacy"), 1):
        add(store, rated(number, topics=(topic,)))
    edition = approved(store, editions, lambda: [(("Games",), 1)])
    service = freezing(store, editions)
    assert [v.key for v in service.require_approved(edition)] == [WHOLE, "1,2,3"]
    table = delivery_tables.variants
    with database.writing() as connection:
        connection.execute(
            sa.update(table).where(table.c.key == key).values({column: table.c[column] + " "})
        )
    with pytest.raises(NotApproved, match="its hash differs"):
        service.require_approved(edition)
    with pytest.raises(NotApproved, match="its hash differs"):
        service.mail_for(edition, ())


def test_mail_of_another_edition_in_its_place_is_not_sent(
    database: Database, store: SqlStore, editions: EditionService
) -> None:
    add_week(store, 4)
    add_week(store, 4, first=5, weeks=1)
    service = freezing(store, editions)
    other = service.freeze("2026-W49", now=NOON)
    edition = approved(store, editions)
    table = delivery_tables.variants
    with database.writing() as connection:
        connection.execute(sa.delete(table).where(table.c.edition_id == edition.id))
        connection.execute(
            sa.update(table).where(table.c.edition_id == other.id).values(edition_id=edition.id)
        )
    with pytest.raises(NotApproved, match="its hash differs"):
        service.require_approved(edition)


@pytest.mark.parametrize(
    "columns", [("topics",), ("subject", "preheader", "html", "text", "sha256")]
)
def test_mail_that_takes_the_place_of_a_narrow_one_is_not_sent(
    database: Database, store: SqlStore, editions: EditionService, columns: tuple[str, ...]
) -> None:
    for number, topic in enumerate(("Apps", "Games", "Games", "Privacy"), 1):
        add(store, rated(number, topics=(topic,)))
    edition = approved(store, editions, lambda: [(("Games",), 1)])
    table = delivery_tables.variants
    whole = sa.select(*(table.c[name] for name in columns)).where(table.c.key == WHOLE)
    with database.writing() as connection:
        values = connection.execute(whole).one()._asdict()
        connection.execute(sa.update(table).where(table.c.key != WHOLE).values(values))
    with pytest.raises(NotApproved, match="its hash differs"):
        freezing(store, editions).require_approved(edition)
