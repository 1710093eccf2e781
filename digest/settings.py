"""The settings: what they are, what they may be, and what they are when nobody says."""

from collections.abc import Mapping
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.utils import parseaddr
from ipaddress import ip_address
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta, inspect

Text = Annotated[str, Meta(min_length=1, max_length=200)]
Kind = Annotated[
    str,
    Meta(pattern=r"^[a-z][a-z0-9_-]*\Z", description="a word of a-z, 0-9, _ and -"),
]
Weekly = Annotated[
    str,
    Meta(
        pattern=r"^(mon|tue|wed|thu|fri|sat|sun) ([01][0-9]|2[0-3]):[0-5][0-9]\Z",
        description="a weekday and a time, like sun 18:00",
    ),
]
LOCAL = " local"
SendTime = Annotated[
    str,
    Meta(
        pattern=rf"^(mon|tue|wed|thu|fri|sat|sun) ([01][0-9]|2[0-3]):[0-5][0-9]({LOCAL})?\Z",
        description="a weekday and a time, like mon 07:00 or mon 07:00 local",
    ),
]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all sections: frozen, and nothing unknown in it."""


class NewsletterSettings(Section, frozen=True):
    """The newsletter: who sends what, in which language and zone."""

    name: Text = "App News Weekly"
    slug: Annotated[
        str,
        Meta(
            pattern=r"^[a-z0-9]+(-[a-z0-9]+)*\Z",
            max_length=60,
            description="at most 60 of a-z, 0-9 and single -",
        ),
    ] = "app-news-weekly"
    sender: Text = msgspec.field(default="App News Weekly <news@example.com>", name="from")
    language: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z",
            max_length=35,
            description="a language tag, like en or pt-BR",
        ),
    ] = "en"
    timezone: Text = "Europe/Berlin"
    public_url: Annotated[
        str,
        Meta(
            pattern=r"^https?://[^\s/?#@]+[^\s?#]*\Z",
            max_length=200,
            description="an https address without ? and #",
        ),
    ] = "https://news.example.com"
    postal_address: Text = "1 Example Street, 12345 Example"
    theme: Annotated[
        str, Meta(pattern=r"^[a-z0-9-]+\Z", max_length=60, description="a word of a-z, 0-9 and -")
    ] = "plain"
    intro: Annotated[str, Meta(max_length=600)] = ""


class ScheduleSettings(Section, frozen=True):
    """When the week ends and when the edition goes out, as wall times in the newsletter's zone."""

    collect: Annotated[
        str,
        Meta(
            pattern=r"^every [1-9][0-9]{0,3}[mh]\Z",
            description="every and a time in minutes or hours, like every 30m or every 4h",
        ),
    ] = "every 1h"
    period_ends: Weekly = "sun 18:00"
    send: SendTime = "mon 07:00"
    unattended: Literal["hold", "send"] = "hold"
    catch_up_hours: Annotated[int, Meta(ge=0, le=144)] = 24
    missed: Literal["latest", "all", "none"] = "latest"
    remind_hours: Annotated[int, Meta(ge=0, le=144)] = 3
    two_people: bool = False

    @property
    def send_wall(self) -> str:
        """The wall time of `send` alone, like "mon 07:00"."""
        return self.send.removesuffix(LOCAL)

    @property
    def is_local(self) -> bool:
        """Whether each reader gets the edition at that time of their own zone."""
        return self.send.endswith(LOCAL)


class EditionSettings(Section, frozen=True):
    """How many stories an edition has and which may be in it."""

    stories: Annotated[int, Meta(ge=1, le=50)] = 10
    minimum_stories: Annotated[int, Meta(ge=1, le=50)] = 3
    thin_week: Literal["hold", "widen", "skip"] = "hold"
    max_per_source: Annotated[int, Meta(ge=1, le=50)] = 3
    max_age_days: Annotated[int, Meta(ge=1, le=60)] = 8


class RankingSettings(Section, frozen=True):
    """The weights of the score; see docs/ranking.md."""

    prior_votes: Annotated[float, Meta(ge=0, le=1000)] = 8
    prior_rating: Annotated[float, Meta(ge=1, le=4.4)] = 3.5
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
    kind: Kind = "feed"
    url: Annotated[str, Meta(min_length=1, max_length=2000)]
    trust: Annotated[float, Meta(ge=0, le=1)] = 1.0
    topics: tuple[Text, ...] = ()
    timezone: str = ""
    language: str = ""
    allow_private: bool = False
    newest: Literal["", "today"] = ""


class EditorSettings(Section, frozen=True, kw_only=True):
    """Somebody who is told of editions by mail, and may act on them by the link in it."""

    name: Text
    address: Annotated[str, Meta(min_length=3, max_length=254)]


class DeliverySettings(Section, frozen=True):
    """How an edition is handed over."""

    transport: Kind = "outbox"
    batch_size: Annotated[int, Meta(ge=1, le=1000)] = 1000
    in_flight: Annotated[int, Meta(ge=1, le=16)] = 2
    readers_per_second: Annotated[float, Meta(ge=0, le=1_000_000)] = 0
    settle_seconds: Annotated[int, Meta(ge=0, le=3600)] = 60
    warm_up_from: Annotated[
        str,
        Meta(pattern=r"^(\d{4}-\d{2}-\d{2})?\Z", description='a date, like 2026-11-20, or ""'),
    ] = ""


class SendgridSettings(Section, frozen=True):
    """The account at the provider. The key comes from the environment only."""

    host: Annotated[
        str,
        Meta(
            pattern=r"^https?://[^\s/?#@]+\Z",
            description="an https address of a host, without a path",
        ),
    ] = "https://api.sendgrid.com"
    hold_minutes: Annotated[int, Meta(ge=0, le=4000)] = 20
    webhook_public_key: str = ""


class LettersSettings(Section, frozen=True):
    """How many letters people may ask for by the newsletter's pages."""

    per_network_per_hour: Annotated[int, Meta(ge=1, le=1000)] = 5
    per_hour: Annotated[int, Meta(ge=1, le=100_000)] = 300


class DatabaseSettings(Section, frozen=True):
    """Where the store is: `sqlite:///PATH` (relative to the project) or a PostgreSQL address."""

    url: Annotated[
        str,
        Meta(
            pattern=r"^(sqlite:///|postgresql(\+psycopg)?://)[^\n]+\Z",
            description="sqlite:///PATH or postgresql://USER@HOST/NAME",
        ),
    ] = "sqlite:///var/digest.db"


class KeysSettings(Section, frozen=True):
    """Where the secret keys of readers' links are."""

    file: Text = "var/keys.toml"


class QueueSettings(Section, frozen=True):
    """What runs the batches."""

    engine: Literal["inline", "procrastinate"] = "inline"


class WebSettings(Section, frozen=True):
    """Where `digest serve` listens.

    `behind_proxy` says that whoever asks is named by the last address of X-Forwarded-For, which the
    proxy in front adds; without one anybody could write what they like there.
    """

    bind: Annotated[
        str,
        Meta(
            pattern=r"^([^\s:]+|\[[0-9a-fA-F:]+\]):[0-9]{1,5}\Z",
            description="HOST:PORT, like 127.0.0.1:8000",
        ),
    ] = "127.0.0.1:8000"
    behind_proxy: bool = False


class Reasons(dict[str, str]):
    """For each rule of the checks that is ignored, why; the way in which the file says it."""


class ChecksSettings(Section, frozen=True):
    """What `digest check` leaves out; see docs/checks.md."""

    ignore: Annotated[
        Mapping[str, Text],
        Meta(
            description='rules, each with the reason in quotes, like { contrast = "it is a logo" }'
        ),
    ] = Reasons()  # msgspec would hide an empty dict of its own behind a factory


class Settings(Section, frozen=True):
    """All settings of one project."""

    newsletter: NewsletterSettings = NewsletterSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    edition: EditionSettings = EditionSettings()
    checks: ChecksSettings = ChecksSettings()
    ranking: RankingSettings = RankingSettings()
    source: tuple[SourceSettings, ...] = ()
    editor: tuple[EditorSettings, ...] = ()
    delivery: DeliverySettings = DeliverySettings()
    sendgrid: SendgridSettings = SendgridSettings()
    letters: LettersSettings = LettersSettings()
    database: DatabaseSettings = DatabaseSettings()
    keys: KeysSettings = KeysSettings()
    queue: QueueSettings = QueueSettings()
    web: WebSettings = WebSettings()

    @property
    def taking_part(self) -> tuple[SourceSettings, ...]:
        """The newsletter's sources: the sample steps aside for its own."""
        return tuple(source for source in self.source if not source.newest) or self.source


def allowed(kind: Any) -> str:
    """Return in words what a setting of the type `kind` may be, e.g. "one of hold, send"."""
    info = inspect.type_info(kind)
    if isinstance(info, inspect.Metadata):
        described = (info.extra_json_schema or {}).get("description")
        return str(described) if described else allowed(info.type)
    match info:
        case inspect.LiteralType(values=values):
            return "one of " + ", ".join(str(value) or '""' for value in values)
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType() | inspect.FloatType():
            noun = "a whole number" if isinstance(info, inspect.IntType) else "a number"
            return f"{noun} from {info.ge:,} to {info.le:,}"
        case inspect.StrType(max_length=None):
            return "text"
        case inspect.StrType():
            return f"text of {info.min_length or 0} to {info.max_length:,} characters"
        case _:
            return "a list of texts"


def is_zone(name: str) -> bool:
    """Tell whether there is a time zone of this name."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def is_sender(sender: str) -> bool:
    """Tell whether mail can come from `sender`, a name and an address in one line."""
    _, address = parseaddr(sender)
    try:
        parsed = Address(addr_spec=address)
    except (HeaderParseError, ValueError, IndexError):
        return False
    return bool(parsed.username) and "." in parsed.domain and sender.isprintable()


def is_loopback(url: str) -> bool:
    """Tell whether the web address leads to this machine."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
