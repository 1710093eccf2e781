"""The settings: what they are, what they may be, and what they are when nobody says."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Text = Annotated[str, Meta(min_length=1, max_length=200)]
Stars = Annotated[float, Meta(ge=1, le=5)]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all sections: frozen, and nothing unknown in it."""


class NewsletterSettings(Section, frozen=True):
    """The newsletter: who sends what, in which language and zone."""

    name: Text = "App News Weekly"
    slug: Annotated[str, Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)] = (
        "app-news-weekly"
    )
    sender: Text = msgspec.field(default="App News Weekly <news@example.com>", name="from")
    language: Annotated[str, Meta(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] = "en"
    timezone: Text = "Europe/Berlin"
    public_url: Annotated[str, Meta(pattern=r"^https?://[^\s?#]+$", max_length=200)] = (
        "https://news.example.com"
    )
    postal_address: Text = "1 Example Street, 12345 Example"
    theme: Annotated[str, Meta(pattern=r"^[a-z0-9-]+$")] = "plain"
    intro: Annotated[str, Meta(max_length=600)] = ""


class ScheduleSettings(Section, frozen=True):
    """When the week ends and when the edition goes out, as wall times in the newsletter's zone."""

    collect: Annotated[str, Meta(pattern=r"^every [1-9][0-9]*[mh]$")] = "every 1h"
    period_ends: Annotated[
        str, Meta(pattern=r"^(mon|tue|wed|thu|fri|sat|sun) ([01]\d|2[0-3]):[0-5]\d$")
    ] = "sun 18:00"
    send: Annotated[
        str, Meta(pattern=r"^(mon|tue|wed|thu|fri|sat|sun) ([01]\d|2[0-3]):[0-5]\d$")
    ] = "mon 07:00"
    unattended: Literal["hold", "send"] = "hold"
    catch_up_hours: Annotated[int, Meta(ge=0, le=144)] = 24


class EditionSettings(Section, frozen=True):
    """How many stories an edition has and which may be in it."""

    stories: Annotated[int, Meta(ge=1, le=50)] = 10
    minimum_stories: Annotated[int, Meta(ge=1, le=50)] = 3
    thin_week: Literal["widen", "hold", "skip"] = "hold"
    max_per_source: Annotated[int, Meta(ge=1, le=50)] = 3
    max_age_days: Annotated[int, Meta(ge=1, le=60)] = 8


class RankingSettings(Section, frozen=True):
    """The weights of the score; see docs/ranking.md."""

    prior_votes: Annotated[float, Meta(ge=0, le=1000)] = 8
    prior_rating: Stars = 3.5
    age_penalty_per_day: Annotated[float, Meta(ge=0, le=1)] = 0.03
    source_votes_cap: Annotated[int, Meta(ge=1, le=1_000_000)] = 50


class SourceSettings(Section, frozen=True, kw_only=True):
    """One source of articles.

    `url` is an http(s) address, or for kind "feed" and "files" a path relative to the project.
    `allow_private` lets the fetcher connect to the exact private host and port of `url`.
    `newest = "today"` moves all dates of a file by whole days so that its newest article is from
    today; it keeps samples fresh.
    """

    name: Text
    kind: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]*$")] = "feed"
    url: Annotated[str, Meta(min_length=1, max_length=2000)]
    trust: Annotated[float, Meta(ge=0, le=1)] = 1.0
    topics: tuple[Text, ...] = ()
    timezone: str = ""
    language: str = ""
    allow_private: bool = False
    newest: Literal["", "today"] = ""


class DeliverySettings(Section, frozen=True):
    """How an edition is handed over."""

    transport: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_-]*$")] = "outbox"
    batch_size: Annotated[int, Meta(ge=1, le=1000)] = 1000
    readers_per_second: Annotated[float, Meta(ge=0)] = 0


class SendgridSettings(Section, frozen=True):
    """The account at the provider. The key comes from the environment only."""

    host: Annotated[str, Meta(pattern=r"^https?://[^\s/?#]+$")] = "https://api.sendgrid.com"
    hold_minutes: Annotated[int, Meta(ge=0, le=4000)] = 20
    webhook_public_key: str = ""


class DatabaseSettings(Section, frozen=True):
    """Where the store is: `sqlite:///PATH` (relative to the project) or a PostgreSQL address."""

    url: Annotated[str, Meta(pattern=r"^(sqlite:///|postgresql(\+psycopg)?://).+")] = (
        "sqlite:///var/digest.db"
    )


class QueueSettings(Section, frozen=True):
    """What runs the batches."""

    engine: Literal["inline", "procrastinate"] = "inline"


class WebSettings(Section, frozen=True):
    """Where `digest serve` listens."""

    bind: Annotated[str, Meta(pattern=r"^[^\s:]+:\d{1,5}$|^\[[0-9a-fA-F:]+\]:\d{1,5}$")] = (
        "127.0.0.1:8000"
    )


class Settings(Section, frozen=True):
    """All settings of one project."""

    newsletter: NewsletterSettings = NewsletterSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    edition: EditionSettings = EditionSettings()
    ranking: RankingSettings = RankingSettings()
    source: tuple[SourceSettings, ...] = ()
    delivery: DeliverySettings = DeliverySettings()
    sendgrid: SendgridSettings = SendgridSettings()
    database: DatabaseSettings = DatabaseSettings()
    queue: QueueSettings = QueueSettings()
    web: WebSettings = WebSettings()
