"""What the archive reads of past editions, on every database that `digest` runs on."""

import datetime as dt
from dataclasses import replace

from digest.clocks import FixedClock
from digest.model.corrections import Correction
from digest.model.deliveries import Refused
from digest.model.sources import SourceState
from digest.ports import Placed
from digest.storage.archive import SqlArchive
from digest.storage.audit import Audit
from digest.storage.corrections import SqlCorrections
from digest.storage.database import Database
from digest.storage.events import SqlEvents
from digest.storage.ledger import SqlLedger
from digest.storage.store import SqlStore
from digest.storage.subscribers import SqlSubscribers
from digest.testing.contracts.events import RELEASE, Sent, Stores, send
from digest.testing.factories import NOON, make_article, make_edition, make_period, make_story

NEWSLETTER = "app-news-weekly"
SECOND = dt.timedelta(seconds=1)


def sent(database: Database, week: int = 0, release_at: dt.datetime | None = RELEASE) -> Sent:
    stores = Stores(
        SqlStore(database), SqlLedger(database), SqlSubscribers(database), SqlEvents(database)
    )
    return send(stores, week, release_at=release_at)


def labels(database: Database, now: dt.datetime) -> list[str]:
    return [past.label for past in SqlArchive(database).past_editions(NEWSLETTER, now=now)]


def test_edition_is_past_from_its_release_on_unless_it_reached_nobody(database: Database) -> None:
    first = sent(database)
    sent(database, 1, release_at=None)
    draft = make_edition(0, period=make_period(label="2026-W52", end=NOON + 99 * SECOND))
    SqlStore(database).save_edition(draft)
    assert labels(database, RELEASE - SECOND) == ["2026-W49"]  # sent at once
    assert labels(database, RELEASE) == ["2026-W49", "2026-W48"]
    first.stores.ledger.record(first.claim, Refused(reason="no"), now=RELEASE)
    assert labels(database, RELEASE) == ["2026-W49"]
    assert SqlArchive(database).past_editions("other", now=RELEASE) == []


def test_past_edition_says_what_is_stored_of_it(database: Database) -> None:
    edition = sent(database).edition
    [past] = SqlArchive(database).past_editions(NEWSLETTER, now=RELEASE)
    assert past.period == edition.period
    assert past.subject == edition.subject == "Headline number 1, and two more"
    assert (past.id, past.released_at) == (edition.id, RELEASE)
    stored = SqlStore(database).edition(NEWSLETTER, "2026-W48")
    assert stored is not None
    assert past.revision == stored.revision
    archive, number = SqlArchive(database), edition.id or 0
    assert archive.past_edition(NEWSLETTER, number, now=RELEASE) == past
    assert archive.past_edition(NEWSLETTER, number, now=RELEASE - SECOND) is None
    assert archive.past_edition(NEWSLETTER, number + 1, now=RELEASE) is None
    assert archive.past_edition("other", number, now=RELEASE) is None


def test_corrections_of_all_editions_come_in_their_order(database: Database) -> None:
    editions = [sent(database, week).edition.id or 0 for week in (0, 1)]
    store = SqlCorrections(database, Audit(database, FixedClock(RELEASE), "ana"))
    made = [
        store.correct(Correction(edition_id=number, words=f"ü {at}", by="Ana", at=RELEASE))
        for at, number in enumerate([editions[1], editions[0], editions[1]])
    ]
    archive = SqlArchive(database)
    assert archive.all_corrections(NEWSLETTER) == made
    assert archive.all_corrections("other") == []
    assert replace(made[0], id=None).words == "ü 0"


def test_words_of_stories_come_in_their_order(database: Database) -> None:
    store = SqlStore(database)
    placed = [Placed(article=make_article(number), belongs_at=NOON) for number in (1, 2)]
    store.record_fetch(SourceState(name="Example"), placed, now=NOON)
    stories = (make_story(1, article_id=2, headline="Ü"), make_story(2, article_id=1))
    edition = store.save_edition(make_edition(0, stories=stories))
    found = SqlArchive(database).past_stories(NEWSLETTER)
    assert [(one.edition_id, one.article_id) for one in found] == [(edition.id, 2), (edition.id, 1)]
    assert [one.headline for one in found] == ["Ü", "Headline number 2"]
    assert found[1].summary == "What story 2 says in one sentence."
    assert SqlArchive(database).past_stories("other") == []
