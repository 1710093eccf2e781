"""What templates see: frozen views of an edition, with every word and number made ready."""

import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_interval
from babel.numbers import format_decimal

from digest.merging import TOKENS
from digest.model.articles import Image
from digest.model.editions import Edition, Story
from digest.normalising.urls import domain, web_link
from digest.settings import NewsletterSettings

WORDS_PER_MINUTE = 230
FEWEST_WORDS = 120
"""A feed with shorter texts gives excerpts, and an excerpt's reading time would be a lie."""

IMAGE_WIDTH = 552
"""CSS pixels; the width of the mail's content."""

PREHEADER_FILL = 200
_FILLER = "\u2007\ufeff\u034f"
_RIGHT_TO_LEFT = frozenset(
    ["ar", "arc", "ckb", "dv", "fa", "he", "khw", "ks", "ku-arab", "nqo", "ps", "sd", "syr", "ug", "ur", "yi"]  # CLDR's rtl scripts
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageView:
    """A picture at the size at which the mail shows it, in CSS pixels."""

    url: str
    width: int
    height: int
    alt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingView:
    """Stars in three forms: signs, the number in the reader's notation, and a sentence."""

    stars: str
    number: str
    votes: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryView:
    """A story as a template shows it. Empty texts mean: do not show.

    `language` is "" where it is the mail's own; `direction` is "ltr" or "rtl".
    """

    position: int
    headline: str
    summary: str
    url: str
    origin: str
    topic: str
    minutes: int
    language: str
    direction: str
    rating: RatingView | None
    image: ImageView | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MailView:
    """All that the templates of an edition get, under the name `mail`.

    `start` and `end` are "left" and "right" in the writing direction: mail clients do not know the
    logical values (email-html research, 1.7).
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


def mail_view(edition: Edition, newsletter: NewsletterSettings) -> MailView:
    """Return the view of `edition`; its wall times are those of its period's zone."""
    locale = _locale(newsletter.language)
    direction = _direction_of(newsletter.language)
    views = [_story_view(story, newsletter.language, locale) for story in edition.stories]
    is_left = direction == "ltr"
    return MailView(
        newsletter=newsletter.name,
        language=newsletter.language,
        direction=direction,
        start="left" if is_left else "right",
        end="right" if is_left else "left",
        label=edition.period.label,
        week=_week(edition, locale),
        subject=edition.subject,
        preheader=edition.preheader,
        preheader_filler=_FILLER * max(0, (PREHEADER_FILL - len(edition.preheader)) // 2),
        intro=edition.intro,
        lead=views[0] if views else None,
        stories=tuple(views[1:]),
        site=domain(newsletter.public_url),
        home_url=web_link(newsletter.public_url),
        postal_address=tuple(line.strip() for line in newsletter.postal_address.split("\n")),
        tokens=TOKENS,
    )


def _story_view(story: Story, mail_language: str, locale: Locale) -> StoryView:
    same = story.language.split("-")[0] in ("", mail_language.split("-")[0])
    direction = _direction_of(story.language) if story.language else _direction(story.headline)
    minutes = math.ceil(story.words / WORDS_PER_MINUTE) if story.words >= FEWEST_WORDS else 0
    return StoryView(
        position=story.position,
        headline=story.headline,
        summary=story.summary,
        url=web_link(story.url),
        origin=story.outlet or domain(story.url) or story.source,
        topic=story.topics[0] if story.topics else "",
        minutes=minutes,
        language="" if same else story.language,
        direction=direction,
        rating=_rating_view(story, locale),
        image=_image_view(story.image) if story.image and story.lead else None,
    )


def _rating_view(story: Story, locale: Locale) -> RatingView | None:
    if story.rating is None:
        return None
    full = min(5, max(1, math.floor(story.rating.mean + 0.5)))
    number = format_decimal(round(story.rating.mean, 1), format="0.0", locale=locale)
    count = format_decimal(story.rating.votes, locale=locale)
    votes = f"{count} vote" if story.rating.votes == 1 else f"{count} votes"
    return RatingView(
        stars="★" * full + "☆" * (5 - full),
        number=number,
        votes=votes,
        sentence=f"{number} of 5 stars from {votes}",
    )


def _image_view(image: Image) -> ImageView | None:
    """Return the picture fitted to the mail's width, or None where its size is not known."""
    url = web_link(image.url)
    if not image.width or not image.height or not url.startswith("https://"):
        return None
    ratio = image.height / image.width
    if image.width < IMAGE_WIDTH / 2 or not 0.2 <= ratio <= 1.5:  # an icon, a strip
        return None
    width = min(IMAGE_WIDTH, image.width)
    return ImageView(url=url, width=width, height=round(width * ratio), alt=image.alt)


def _week(edition: Edition, locale: Locale) -> str:
    zone = ZoneInfo(edition.period.timezone)
    start: datetime = edition.period.start.astimezone(zone)
    end: datetime = edition.period.end.astimezone(zone)
    if start.year != end.year:
        return f"{format_date(start, 'long', locale)} – {format_date(end, 'long', locale)}"
    return str(format_interval(start.date(), end.date(), "yMMMMd", locale=locale))


def _locale(language: str) -> Locale:
    try:
        return Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        return Locale("en")


def _direction_of(language: str) -> str:
    parts = language.lower().split("-")
    scripts = re.fullmatch("arab|hebr|thaa|nkoo|syrc|rohg|adlm", parts[1]) if parts[1:] else None
    return "rtl" if parts[0] in _RIGHT_TO_LEFT or scripts else "ltr"


def _direction(text: str) -> str:
    """Return the direction of the first strong character (UAX 9, rule P2)."""
    for character in text:
        kind = unicodedata.bidirectional(character)
        if kind in ("R", "AL"):
            return "rtl"
        if kind == "L":
            return "ltr"
    return "ltr"
