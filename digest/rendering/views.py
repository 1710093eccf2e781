"""What templates see: frozen views of an edition, with every word and number made ready.

Here a stranger's text becomes harmless: it is cleaned, links are rebuilt, and whatever looks like a
token of `digest.merging` is broken up, so that nobody can type a link to unsubscribe.
"""

import datetime as dt
import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_interval, format_skeleton
from babel.numbers import format_decimal

from digest.merging import MARKS, TOKENS, shown_link, shown_text
from digest.model.articles import Image
from digest.model.editions import Edition, Story
from digest.normalising.text import clean_text
from digest.normalising.urls import domain
from digest.settings import NewsletterSettings

WORDS_PER_MINUTE = 230
WIDE_WORDS_PER_MINUTE = 250
"""Chinese and Japanese: 500 characters, which `normalising` counts as half a word each."""

FEWEST_MINUTES = 2
FEWEST_VOTES = 5
"""Fewer than this say nothing yet: readers see "new" instead of stars."""

IMAGE_WIDTH = 552
"""CSS pixels; the width of the mail's content."""

PREHEADER_FILL = 200
_FILLER = "\u2007\ufeff\u034f"
_LONGEST_ALT = 125
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_FILE_NAME = re.compile(r"\S+\.(jpe?g|png|gif|webp|avif|svg|bmp)|[\d_-]+|IMG\S*", re.IGNORECASE)
_RIGHT_TO_LEFT = re.compile("ar|arc|ckb|dv|fa|he|khw|ks|nqo|ps|sd|syr|ug|ur|yi")
_RIGHT_TO_LEFT_SCRIPT = re.compile("adlm|arab|hebr|nkoo|rohg|syrc|thaa")


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
class StoryView:
    """A story as a template shows it. Empty texts mean: do not show.

    `origin` is the outlet, or the host of the link. `published` is the day in the newsletter's
    zone. `minutes` is the reading time, 0 for less than two. `language` is "" where it is the
    mail's own; `direction` is "ltr" or "rtl", and `start` the side at which its lines begin.
    """

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


@dataclass(frozen=True, slots=True, kw_only=True)
class MailView:
    """All that the templates of an edition get, under the name `mail`.

    `start` and `end` are "left" and "right" in the writing direction: mail clients do not know the
    logical values (email-html research, 1.7). `tokens` holds what is filled in for each reader.
    """

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
    postal_address: tuple[str, ...]
    tokens: Mapping[str, str]
    marks: Mapping[str, str]


def mail_view(edition: Edition, newsletter: NewsletterSettings) -> MailView:
    """Return the view of `edition`; its wall times are those of its period's zone."""
    locale = _locale(newsletter.language)
    zone = ZoneInfo(edition.period.timezone)
    direction = _direction_of(newsletter.language)
    preheader = shown_text(edition.preheader)
    views = [_story_view(s, newsletter.language, locale, zone) for s in edition.stories]
    return MailView(
        newsletter=shown_text(newsletter.name),
        language=newsletter.language,
        direction=direction,
        start=_start(direction),
        end="right" if direction == "ltr" else "left",
        label=edition.period.label,
        week=_week(edition, locale, zone),
        subject=shown_text(edition.subject),
        preheader=preheader,
        preheader_filler=_FILLER * max(0, (PREHEADER_FILL - len(preheader)) // 2),
        intro=shown_text(edition.intro),
        lead=views[0] if views else None,
        stories=tuple(views[1:]),
        site=domain(newsletter.public_url),
        home_url=shown_link(newsletter.public_url),
        postal_address=tuple(shown_text(line) for line in newsletter.postal_address.splitlines()),
        tokens=TOKENS,
        marks=MARKS,
    )


def _story_view(story: Story, mail_language: str, locale: Locale, zone: ZoneInfo) -> StoryView:
    headline = shown_text(story.headline)
    language = story.language if _LANGUAGE.fullmatch(story.language) else ""
    direction = _direction_of(language) if language else _direction(headline)
    day = story.published_at.astimezone(zone) if story.published_at else None
    return StoryView(
        position=story.position,
        headline=headline,
        summary=shown_text(story.summary),
        url=shown_link(story.url),
        origin=shown_text(story.outlet or domain(story.url) or story.source),
        topic=shown_text(story.topics[0]) if story.topics else "",
        published=format_skeleton("MMMd", day, zone, locale=locale) if day else "",
        minutes=_minutes(story.words, language),
        language="" if _spoken(language) in ("", _spoken(mail_language)) else language,
        direction=direction,
        start=_start(direction),
        rating=_rating_view(story, locale),
        image=_image_view(story.image, headline) if story.image and story.lead else None,
    )


def _minutes(words: int, language: str) -> int:
    wide = language.split("-")[0].lower() in ("zh", "ja")
    minutes = math.ceil(words / (WIDE_WORDS_PER_MINUTE if wide else WORDS_PER_MINUTE))
    return minutes if minutes >= FEWEST_MINUTES else 0


def _rating_view(story: Story, locale: Locale) -> RatingView | None:
    if story.rating is None:
        return None
    if story.rating.votes < FEWEST_VOTES:
        sentence = f"New: fewer than {FEWEST_VOTES} votes so far"
        return RatingView(stars="", number="", votes="", sentence=sentence, is_new=True)
    full = min(5, max(1, math.floor(story.rating.mean + 0.5)))
    number = format_decimal(round(story.rating.mean, 1), format="0.0", locale=locale)
    votes = f"{format_decimal(story.rating.votes, locale=locale)} votes"
    return RatingView(
        stars="★" * full + "☆" * (5 - full),
        number=number,
        votes=votes,
        sentence=f"{number} of 5 stars from {votes}",
        is_new=False,
    )


def _image_view(image: Image, headline: str) -> ImageView | None:
    """Return the picture fitted to the mail's width, or None where its size is not known."""
    url = shown_link(image.url)
    if not image.width or not image.height or not url.startswith("https://"):
        return None
    ratio = image.height / image.width
    if image.width < IMAGE_WIDTH / 2 or not 0.2 <= ratio <= 1.5:  # an icon, a strip
        return None
    width = min(IMAGE_WIDTH, image.width)
    return ImageView(
        url=url, width=width, height=round(width * ratio), alt=_alt(shown_text(image.alt), headline)
    )


def _alt(text: str, headline: str) -> str:
    """Return a picture's text; a file name or the headline once more helps nobody."""
    if _FILE_NAME.fullmatch(text) or text.casefold() == headline.casefold():
        return ""
    return clean_text(text, limit=_LONGEST_ALT)


def _week(edition: Edition, locale: Locale, zone: ZoneInfo) -> str:
    """Return the days of the period, the last one being the day of its last instant."""
    start = edition.period.start.astimezone(zone)
    end = (edition.period.end - dt.timedelta(microseconds=1)).astimezone(zone)
    if start.year != end.year:
        return f"{format_date(start, 'long', locale)} – {format_date(end, 'long', locale)}"
    return str(format_interval(start.date(), end.date(), "yMMMMd", locale=locale))


def _locale(language: str) -> Locale:
    try:
        return Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale("en")


def _spoken(language: str) -> str:
    """Return language and script: a reader of one region reads the other's, so that is left out."""
    parts = language.lower().split("-")
    return "-".join([parts[0], *(part for part in parts[1:2] if len(part) == 4)])


def _start(direction: str) -> str:
    return "left" if direction == "ltr" else "right"


def _direction_of(language: str) -> str:
    parts = language.lower().split("-")
    if len(parts) > 1 and len(parts[1]) == 4:
        return "rtl" if _RIGHT_TO_LEFT_SCRIPT.fullmatch(parts[1]) else "ltr"
    return "rtl" if _RIGHT_TO_LEFT.fullmatch(parts[0]) else "ltr"


def _direction(text: str) -> str:
    """Return the direction of the first strong character (UAX 9, rule P2)."""
    for character in text:
        kind = unicodedata.bidirectional(character)
        if kind in ("R", "AL"):
            return "rtl"
        if kind == "L":
            return "ltr"
    return "ltr"
