"""A served project whose readers have some editions."""

import datetime as dt
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from digest.app import App
from digest.model.editions import Edition, EditionState, FrozenVariant, Period
from digest.model.sources import SourceState
from digest.model.subscribers import Subscriber
from digest.ports import Placed
from digest.project import load
from digest.services.corrections import Told
from digest.testing.clock import FrozenClock
from digest.testing.contracts.events import VARIANT
from digest.testing.factories import NOON, make_article, make_edition, make_period, make_story
from digest.web.server import serving
from tests.website import Answer, ask

WEEK = dt.timedelta(days=7)
LAST = make_period()
SENT = LAST.end + dt.timedelta(hours=13)
"""When the newest edition goes out: on Monday at 07:00 in Berlin."""

NOW = SENT + dt.timedelta(days=2)


@dataclass(frozen=True)
class ArchiveSite:
    """A served project with its archive."""

    app: App
    address: str
    clock: FrozenClock

    def ask(self, path: str, method: str = "GET", **headers: str) -> Answer:
        return ask(self.address, method, path, b"", headers)

    def correct(self, words: str, label: str = "", **told: str) -> None:
        self.app.correcting.correct(
            label, Told(words=words, **told), by="Ana", now=self.clock.now()
        )

    def token(self, edition: Edition | None, reader: int = 1) -> str:
        return self.app.tokens.reader(edition.id or 0 if edition else 0, reader)


def period(weeks_ago: int) -> Period:
    """Return the week that ended so many weeks before the last one."""
    end = LAST.end - weeks_ago * WEEK
    year, week, _ = (end - dt.timedelta(hours=1)).isocalendar()
    return make_period(start=end - WEEK, end=end, label=f"{year}-W{week:02d}")


def put(app: App, weeks_ago: int = 0, count: int = 3, **changes: Any) -> Edition:
    """Store an edition with stories of its own articles, and hand it over to the one reader."""
    week = period(weeks_ago)
    release = week.end + (SENT - LAST.end)
    first = app.store.article_count() + 1
    articles = [make_article(number) for number in range(first, first + count)]
    state = SourceState(name="Example")
    placed = [Placed(article=article, belongs_at=NOON) for article in articles]
    app.store.record_fetch(state, placed, now=NOON)
    stories = tuple(
        make_story(number + 1, article_id=first + number, url=articles[number].url)
        for number in range(count)
    )
    values = {"stories": stories, "state": EditionState.APPROVED, "sha256": "0" * 64, **changes}
    draft = make_edition(0, period=week, **values)
    edition = app.store.freeze(draft, [FrozenVariant(key="all", variant=VARIANT)])
    assert edition.id is not None
    app.ledger.plan(edition, is_monthly=True, size=10, release_at=release)
    app.ledger.change_state(edition.id, ["planned"], "sending")
    app.ledger.claim(
        edition.id,
        holder="test",
        reservation="r",
        release_at=release,
        now=week.end,
        lease=dt.timedelta(minutes=2),
    )
    return replace(edition, release_at=release)


@contextmanager
def archive_site(root: Path, settings: str = "") -> Iterator[ArchiveSite]:
    """Serve a new project in the folder `root`, with one reader and no edition."""
    clock = FrozenClock(NOW)
    (root / "config").mkdir(parents=True)
    (root / "config" / "digest.toml").write_text(settings)
    with App(load(root, {}), clock) as app:
        assert app.tokens  # a send makes them before it plans
        app.subscribers.add_subscribers(
            [
                Subscriber(
                    newsletter="app-news-weekly",
                    address="reader@example.com",
                    key="reader@example.com",
                    joined_at=NOON - 1000 * WEEK,
                    origin="test",
                )
            ]
        )
        with serving(app, "127.0.0.1:0", threading.Event()) as address:
            yield ArchiveSite(app, address, clock)
