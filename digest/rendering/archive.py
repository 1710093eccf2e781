"""What the page of a past edition shows beside the edition: its neighbours, what was corrected."""

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from digest.merging import shown_link, shown_text
from digest.model.archive import PastEdition, PastPage
from digest.model.corrections import Correction
from digest.periods import TICK
from digest.rendering.locales import Words
from digest.settings import NewsletterSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkView:
    """A link to another edition: its address and its week in words."""

    url: str
    week: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeView:
    """A correction: on which day, what was wrong, and of which story (None: of the edition)."""

    day: str
    words: str
    article_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageView:
    """All that web.html.j2 gets beside the mail, under the name `page`.

    `archive_url` and `feed_url` lead to all past editions. A page that stands for itself, such as
    a preview, has no neighbours and no changes.
    """

    archive_url: str
    feed_url: str
    previous: LinkView | None = None
    next: LinkView | None = None
    changes: tuple[ChangeView, ...] = ()


def page_view(past_page: PastPage | None, newsletter: NewsletterSettings, words: Words) -> PageView:
    """Return the view of what stands around an edition; None for one that stands for itself."""
    archive = shown_link(f"{newsletter.public_url.rstrip('/')}/archive")
    if past_page is None:
        return PageView(archive_url=archive, feed_url=f"{archive}/feed.xml")
    zone = ZoneInfo(past_page.past.period.timezone)
    return PageView(
        archive_url=archive,
        feed_url=f"{archive}/feed.xml",
        previous=_link(past_page.previous, archive, words),
        next=_link(past_page.next, archive, words),
        changes=tuple(_change(correction, words, zone) for correction in past_page.corrections),
    )


def week_words(past: PastEdition, words: Words) -> str:
    """Return the days of the edition's week, in its own zone."""
    zone, period = ZoneInfo(past.period.timezone), past.period
    first, last = period.start.astimezone(zone), (period.end - TICK).astimezone(zone)
    return words.days(first.date(), last.date())


def day_words(at: dt.datetime, words: Words, zone: ZoneInfo) -> str:
    """Return the day of an aware instant in `zone`, with its year."""
    day = at.astimezone(zone).date()
    return words.days(day, day)


def _link(past: PastEdition | None, archive: str, words: Words) -> LinkView | None:
    if past is None:
        return None
    return LinkView(url=f"{archive}/{past.label}", week=week_words(past, words))


def _change(correction: Correction, words: Words, zone: ZoneInfo) -> ChangeView:
    return ChangeView(
        day=day_words(correction.at, words, zone),
        words=shown_text(correction.words),
        article_id=correction.article_id,
    )
