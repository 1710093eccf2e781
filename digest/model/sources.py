"""What is remembered of a source between two fetches, and what one fetch brings."""

import datetime as dt
from dataclasses import dataclass

from digest.model.articles import RawEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """The memory of one source; all instants are aware UTC.

    `url` is where the next fetch goes: the configured address until a permanent redirect has been
    proved; `configured_url` is the address in the settings at that time, so that a changed setting
    starts afresh. `moved_to`, `moved_seen` and `moved_since` count the proof. `etag` and
    `last_modified` are kept byte for byte. `baseline_at` is the first successful fetch.
    """

    name: str
    url: str = ""
    configured_url: str = ""
    etag: str = ""
    last_modified: str = ""
    body_sha256: str = ""
    baseline_at: dt.datetime | None = None
    last_fetch_at: dt.datetime | None = None
    last_success_at: dt.datetime | None = None
    not_before_at: dt.datetime | None = None
    failures: int = 0
    last_error: str = ""
    paused_because: str = ""
    moved_to: str = ""
    moved_seen: int = 0
    moved_since: dt.datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """The result of one fetch. `state` holds the new validators, to be stored with the entries.

    `unchanged` is True when the source answered that nothing is new (a 304, or the same bytes).
    `refused` names entries that cannot be articles: (what, why).
    """

    state: SourceState
    entries: tuple[RawEntry, ...] = ()
    unchanged: bool = False
    refused: tuple[tuple[str, str], ...] = ()
    title: str = ""
    language: str = ""
