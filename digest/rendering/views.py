"""What templates see: frozen views of an edition, with every word and number made ready.

Here a stranger's text becomes harmless: it is cleaned, links are rebuilt, and whatever looks like a
token of `digest.merging` is broken up, so that nobody can type a link to unsubscribe.
"""

import datetime as dt
import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal
from zoneinfo import ZoneInfo

from digest.merging import MARKS, TOKENS, shown_link, shown_text
from digest.model.articles import Image
from digest.model.editions import Edition, MergedArticle, Story
from digest.normalising.languages import direction_of
from digest.normalising.text import clean_text
from digest.normalising.urls import domain
from digest.rendering.locales import Words
from digest.rendering.themes import Theme
from digest.settings import NewsletterSettings

Mode = Literal["mail", "web"]
"""A mail to readers, or the same edition as a page of the archive, which knows no reader."""

WORDS_PER_MINUTE = 230
WIDE_WORDS_PER_MINUTE = 250
"""Chinese and Japanese: 500 characters, which `normalising` counts as half a word each."""

FEWEST_MINUTES = 2
FEWEST_VOTES = 5
"""Fewer than this say nothing yet: readers see "new" instead of stars."""

PREHEADER_FILL = 200
_FILLER = "\u2007\ufeff\u034f"
_LONGEST_ALT = 125
_LONGEST_SMALL_ALT = 40
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_FILE_NAME = re.compile(r"\S+\.(jpe?g|png|gif|webp|avif|svg|bmp)|[\d_-]+|IMG\S*", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageView:
    """A picture at the size at which the mail shows it, in CSS pixels.

    `alt` says what it shows, or is "" where the headline beside it says all there is to say.
    """

    url: str
    width: int
    height: int
    alt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingView:
    """Stars in three forms: signs, the number in the reader's notation, and a sentence.

    `is_new` is True below 5 votes: then `stars`, `number` and `votes` are empty.
    """

    stars: str
    number: str
    votes: str
    sentence: str
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AlsoView:
    """Another article about the same event: where it is from, its link ("" for none), its words.

    `language` is "" where it is the mail's own.
    """

    origin: str
    url: str
    headline: str
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryView:
    """A story as a template shows it. Empty texts mean: do not show.

    `origin` is the outlet, or the host of the link. `published` is the day in the newsletter's
    zone. `minutes` is the reading time, 0 for less than two. `language` is "" where it is the
    mail's own; `direction` is "ltr" or "rtl", and `start` the side at which its lines begin.
    `also` holds what is merged into it. `update_of` is the label of the edition in which readers
    had the story before. `article_id` stands in the links by which readers rate it.
    """

    article_id: int
    position: int
    headline: str
    summary: str
    url: str
    origin: str
    topic: str
    published: str
    minutes: int
    language: str
    direction: str
    start: str
    rating: RatingView | None
    image: ImageView | None
    also: tuple[AlsoView, ...]
    update_of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailView:
    """All that the templates of an edition get, under the name `mail`.

    `start` and `end` are "left" and "right" in the writing direction: mail clients do not know the
    logical values. `tokens` holds what is filled in for each reader.
    `mode` is "mail" or "web"; a page on the web has no marks, and of tokens none but the `rate_url`
    of the reader whose page it is.
    """

    mode: Mode
    newsletter: str
    language: str
    direction: str
    start: str
    end: str
    label: str
    week: str
    subject: str
    preheader: str
    preheader_filler: str
    intro: str
    lead: StoryView | None
    stories: tuple[StoryView, ...]
    site: str
    home_url: str
    canonical_url: str
    postal_address: tuple[str, ...]
    tokens: Mapping[str, str]
    marks: Mapping[str, str]


def mail_view(
    edition: Edition,
    newsletter: NewsletterSettings,
    words: Words,
    theme: Theme,
    *,
    mode: Mode = "mail",
    rate_url: str = "",
) -> MailView:
    """Return the view of `edition`; its wall times are those of its period's zone.

    Args:
        edition: Of any number of stories.
        newsletter: Its name, language and addresses.
        words: The words, dates and numbers of that language.
        theme: It decides which pictures are shown, and how wide they are.
        mode: Whom the templates speak to.
        rate_url: On the web, where one reader rates; "" on a page for everybody.
    """
    zone = ZoneInfo(edition.period.timezone)
    preheader = shown_text(edition.preheader)
    views = [
        _story_view(story, newsletter.language, words, theme, zone) for story in edition.stories
    ]
    home = newsletter.public_url.rstrip("/")
    return MailView(
        mode=mode,
        newsletter=shown_text(newsletter.name),
        language=newsletter.language,
        direction=words.direction,
        start=_start(words.direction),
        end="right" if words.direction == "ltr" else "left",
        label=edition.period.label,
        week=_week(edition, words, zone),
        subject=shown_text(edition.subject),
        preheader=preheader,
        preheader_filler=_FILLER * max(0, (PREHEADER_FILL - len(preheader)) // 2),
        intro=shown_text(edition.intro),
        lead=views[0] if views else None,
        stories=tuple(views[1:]),
        site=domain(newsletter.public_url),
        home_url=shown_link(newsletter.public_url),
        canonical_url=shown_link(f"{home}/archive/{edition.period.label}"),
        postal_address=tuple(shown_text(line) for line in newsletter.postal_address.splitlines()),
        tokens=TOKENS if mode == "mail" else {"rate_url": rate_url} if rate_url else {},
        marks=MARKS if mode == "mail" else {},
    )


def _story_view(
    story: Story, mail_language: str, words: Words, theme: Theme, zone: ZoneInfo
) -> StoryView:
    headline = shown_text(story.headline)
    language = _language(story)
    direction = direction_of(language) if language else _direction(headline)
    return StoryView(
        article_id=story.article_id,
        position=story.position,
        headline=headline,
        summary=shown_text(story.summary),
        url=shown_link(story.url),
        origin=_origin(story),
        topic=shown_text(story.topics[0]) if story.topics else "",
        published=words.day(story.published_at, zone) if story.published_at else "",
        minutes=_minutes(story.words, language),
        language=_foreign(language, mail_language),
        direction=direction,
        start=_start(direction),
        rating=_rating_view(story, words),
        image=_image_of(story, headline, theme),
        also=tuple(
            AlsoView(
                origin=_origin(other),
                url=shown_link(other.url),
                headline=shown_text(other.headline),
                language=_foreign(_language(other), mail_language),
            )
            for other in story.also
        ),
        update_of=shown_text(story.update_of),
    )


def _language(article: Story | MergedArticle) -> str:
    return article.language if _LANGUAGE.fullmatch(article.language) else ""


def _foreign(language: str, mail_language: str) -> str:
    return "" if _spoken(language) in ("", _spoken(mail_language)) else language


def _origin(article: Story | MergedArticle) -> str:
    return shown_text(article.outlet or domain(article.url) or article.source)


def _minutes(words: int, language: str) -> int:
    wide = language.split("-")[0].lower() in ("zh", "ja")
    minutes = math.ceil(words / (WIDE_WORDS_PER_MINUTE if wide else WORDS_PER_MINUTE))
    return minutes if minutes >= FEWEST_MINUTES else 0


def _rating_view(story: Story, words: Words) -> RatingView | None:
    if story.rating is None:
        return None
    if story.rating.votes < FEWEST_VOTES:
        sentence = words.ngettext(
            "New: fewer than %(votes)s vote so far",
            "New: fewer than %(votes)s votes so far",
            FEWEST_VOTES,
            votes=words.number(FEWEST_VOTES),
        )
        return RatingView(stars="", number="", votes="", sentence=sentence, is_new=True)
    full = min(5, max(1, math.floor(story.rating.mean + 0.5)))
    number = words.number(round(story.rating.mean, 1), "0.0")
    count = story.rating.votes
    votes = words.ngettext("%(votes)s vote", "%(votes)s votes", count, votes=words.number(count))
    return RatingView(
        stars="★" * full + "☆" * (5 - full),
        number=number,
        votes=votes,
        sentence=words.gettext("%(mean)s of 5 stars from %(votes)s", mean=number, votes=votes),
        is_new=False,
    )


def _image_of(story: Story, headline: str, theme: Theme) -> ImageView | None:
    """Return the story's picture at the size that the theme shows, or None where it shows none."""
    pictures = theme.layout.pictures
    if not story.image or pictures == "none":
        return None
    if story.lead:
        return _image_view(story.image, headline, theme.picture_width, tallest=1.5)
    if pictures == "lead":
        return None
    small = _image_view(story.image, headline, theme.shape.thumbnail, tallest=1.25)
    # More words than these do not fit into its box, and the headline beside it says the most.
    return small and replace(small, alt=small.alt if len(small.alt) <= _LONGEST_SMALL_ALT else "")


def _image_view(image: Image, headline: str, widest: int, *, tallest: float) -> ImageView | None:
    """Return the picture fitted to `widest`, or None where its size is not known."""
    url = shown_link(image.url)
    if not image.width or not image.height or not url.startswith("https://"):
        return None
    ratio = image.height / image.width
    if image.width < widest / 2 or not 0.2 <= ratio <= tallest:  # an icon, a strip
        return None
    width = min(widest, image.width)
    alt = _alt(shown_text(image.alt), headline)
    return ImageView(url=url, width=width, height=round(width * ratio), alt=alt)


def _alt(text: str, headline: str) -> str:
    """Return a picture's text; a file name or the headline once more helps nobody."""
    if _FILE_NAME.fullmatch(text) or text.casefold() == headline.casefold():
        return ""
    return clean_text(text, limit=_LONGEST_ALT)


def _week(edition: Edition, words: Words, zone: ZoneInfo) -> str:
    """Return the days of the period, the last one being the day of its last instant."""
    last = edition.period.end - dt.timedelta(microseconds=1)
    return words.days(edition.period.start.astimezone(zone).date(), last.astimezone(zone).date())


def _spoken(language: str) -> str:
    """Return language and script: a reader of one region reads the other's, so that is left out."""
    parts = language.lower().split("-")
    return "-".join([parts[0], *(part for part in parts[1:2] if len(part) == 4)])


def _start(direction: str) -> str:
    return "left" if direction == "ltr" else "right"


def _direction(text: str) -> str:
    """Return the direction of the first strong character (UAX 9, rule P2)."""
    for character in text:
        kind = unicodedata.bidirectional(character)
        if kind in ("R", "AL"):
            return "rtl"
        if kind == "L":
            return "ltr"
    return "ltr"
