"""Deliveries: who gets an edition, in which batch, and what became of each try.

A delivery is one edition to one subscriber. Deliveries never change; the state is that of their
batch, and each try to hand a batch over is an attempt, a row of an append-only ledger.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class BatchState(StrEnum):
    """Where a batch stands.

    planned → claimed → accepted | refused | unknown; back to planned only when it is certain that
    nothing was accepted. unknown → accepted by evidence, → abandoned by a person, → planned by the
    fence or a person. split: its readers went on in two smaller batches.
    """

    PLANNED = "planned"
    CLAIMED = "claimed"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    ABANDONED = "abandoned"
    CANCELLED = "cancelled"
    SPLIT = "split"


class AttemptOutcome(StrEnum):
    """What became of one try."""

    OPEN = "open"  # claimed, and no answer recorded yet
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"  # certainly not accepted; the batch is tried again
    UNSENT = "unsent"  # the lease ended before the request, which was therefore never made
    UNKNOWN = "unknown"
    FENCED = "fenced"  # cancelled at the provider before its release, so it can never go out
    ABANDONED = "abandoned"
    RESENT = "resent"  # a person decided to hand it over again, though some may get it twice


class ExclusionReason(StrEnum):
    """Why a reader of the newsletter is not among an edition's deliveries."""

    LEFT = "left"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    INVALID = "invalid"
    MANUAL = "manual"
    ERASED = "erased"  # only between planning and hand-over
    NOT_THIS_WEEK = "not this week"  # a monthly reader
    PAUSED = "paused"  # by the reader, for some weeks


class DeliveryState(StrEnum):
    """What the provider's events say of a delivery, from the least to the most final."""

    DEFERRED = "deferred"
    DELIVERED = "delivered"
    DROPPED = "dropped"
    BOUNCED = "bounced"
    COMPLAINED = "complained"


# Handing over


class Addressee(NamedTuple):
    """One reader of a batch as the transport needs them; `token` makes their links."""

    subscriber_id: int
    address: str
    first_name: str
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """The part of a hand-over that is the same for all its readers.

    `html` and `text` hold the tokens of `digest.merging`; a transport fills them, or lets the
    provider do so. `public_url` is where the links of a reader start, without a slash at its end.
    `is_notice` marks a mail to the newsletter's own editors, or to one person who asked for it: it
    has no list headers, because it is on no list that they could leave, and is handed over as a
    test.
    """

    newsletter: str
    edition: str
    sender: str
    subject: str
    html: str
    text: str
    public_url: str
    list_id: str
    is_notice: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """One try to hand one batch over.

    `reservation` is the provider's own id for this try, "" where it has none. `release_at` is the
    aware UTC instant at which the provider sends, None for at once. `attempt` counts from 1.
    `mark` is random: with it reports and logs of another installation that uses the same account
    and the same numbers are told apart. `is_test` marks a mail that is no delivery: nothing about
    it is counted. `may_send` is asked right before the request: a process that slept must not send
    what others may have taken over.
    """

    mail: Mail
    batch: int
    attempt: int
    readers: Sequence[Addressee]
    reservation: str = ""
    release_at: dt.datetime | None = None
    edition_id: int = 0
    mark: str = ""
    is_test: bool = False
    may_send: Callable[[], bool] = lambda: True


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The provider took the whole batch. `reference` is its id for the request, or "".

    In this and the other outcomes `status` is that of the answer, and `body_sha256` the hash of
    what was sent, "" where there is no one body.
    """

    reference: str = ""
    status: int | None = None
    body_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The provider certainly took nothing, and never will take this batch as it is.

    `can_split` says that a smaller batch may fare better: one bad reader, or too large a body.
    """

    reason: str
    status: int | None = None
    body_sha256: str = ""
    can_split: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Unavailable:
    """The provider certainly took nothing, and may do so later.

    `retry_at` is the aware UTC instant that it asked to wait for, or None. `needs_person` stops the
    run: a key, a permission, credits or a setting is wrong, and trying again changes nothing.
    """

    reason: str
    status: int | None = None
    body_sha256: str = ""
    retry_at: dt.datetime | None = None
    needs_person: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Nobody can tell whether the provider took the batch; only evidence or a fence may settle."""

    reason: str
    status: int | None = None
    body_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsent:
    """The request was never made, because `Handover.may_send` said no."""


Outcome = Accepted | Refused | Unavailable | Unknown | Unsent


class Evidence(StrEnum):
    """What can be found out later about a try whose outcome is unknown."""

    ACCEPTED = "accepted"
    NOT_ACCEPTED = "not accepted"  # certain, not merely "nothing found"
    NONE = "none"


# The ledger


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Up to 1,000 deliveries of one variant: the unit of hand-over and of retry."""

    id: int
    edition_id: int
    variant: str
    readers: int
    state: BatchState
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One row of the ledger. `withdrawn` counts by reason who left between plan and hand-over."""

    batch_id: int
    number: int
    outcome: AttemptOutcome
    readers: int
    withdrawn: Mapping[str, int] = field(default_factory=dict)
    reservation: str = ""
    release_at: dt.datetime | None = None
    started_at: dt.datetime
    finished_at: dt.datetime | None = None
    status: int | None = None
    reference: str = ""
    reason: str = ""
    body_sha256: str = ""
    settled_by: str = ""
    mark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A batch that this process may hand over until `lease_until_at`, and to whom.

    `readers` are (subscriber id, address, first name) of those who are still to be mailed, read in
    the claim's own transaction; an empty batch is already recorded as accepted.
    """

    batch_id: int
    attempt: int
    variant: str
    lease_until_at: dt.datetime
    readers: Sequence[tuple[int, str, str]]
    reservation: str = ""
    release_at: dt.datetime | None = None
    mark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waves:
    """How an edition goes out to each reader in their own time.

    `release_at` returns for a reader's zone, "" for the newsletter's own, the aware UTC instant at
    which they get it; readers with the same instant are one wave. `ahead` is how long before that
    a batch is handed over.
    """

    release_at: Callable[[str], dt.datetime]
    ahead: dt.timedelta = dt.timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Who gets an edition, as counts: candidates = planned + the sum of `excluded`."""

    planned: int
    excluded: Mapping[str, int]

    @property
    def candidates(self) -> int:
        """Everybody on the newsletter's list."""
        return self.planned + sum(self.excluded.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveReport:
    """What became of a wave, in readers; the sums over all waves are those of the whole report.

    `release_at` is when its readers were to get it. `last_at` is when the last of those who were
    accepted so far do: at the release by the provider, or when it was handed over without a hold;
    None while there are none. Both are aware UTC.
    """

    release_at: dt.datetime
    last_at: dt.datetime | None
    planned: int
    accepted: int
    withdrawn: int
    refused: int
    unknown: int
    abandoned: int
    cancelled: int
    pending: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReport:
    """The proof of a send, in readers; `is_balanced` says that everybody is accounted for.

    candidates = planned + excluded, and planned = accepted + withdrawn + refused + unknown +
    abandoned + cancelled + pending. `events` counts deliveries by what the provider reported.
    `release_at` is the first release by the provider, aware UTC, None without a hold. `waves` is
    empty for an edition that everybody gets at one time.
    """

    edition: str
    state: str
    sha256: str
    candidates: int
    excluded: Mapping[str, int]
    planned: int
    accepted: int
    withdrawn: Mapping[str, int]
    refused: Mapping[str, int]
    unknown: int
    abandoned: int
    cancelled: int
    pending: int
    batches: Sequence[Mapping[str, object]]
    events: Mapping[str, int]
    release_at: dt.datetime | None = None
    waves: Sequence[WaveReport] = ()

    @property
    def is_balanced(self) -> bool:
        """Whether nobody is missing and nobody is counted twice."""
        settled = self.accepted + sum(self.withdrawn.values()) + sum(self.refused.values())
        rest = self.unknown + self.abandoned + self.cancelled + self.pending
        return (
            self.candidates == self.planned + sum(self.excluded.values())
            and self.planned == settled + rest
        )


# Events


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryEvent:
    """A provider's report about one reader, normalised.

    `key` is equal for two reports of one event. `edition_id`, `batch_id`, `attempt` and
    `subscriber_id` are None where the provider does not say (a late bounce knows the address
    only). `address` is for suppressing alone and is never stored with the event. `kind` is one of
    processed, deferred, delivered, dropped, bounced, blocked, complained, unsubscribed. `reason`
    holds no address; that of a dropped mail is a SuppressionReason where the provider dropped it
    because it no longer mails the address.
    """

    key: str
    kind: str
    at: dt.datetime
    address: str
    edition_id: int | None = None
    batch_id: int | None = None
    attempt: int | None = None
    subscriber_id: int | None = None
    mark: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one report of the provider says.

    `others` counts events that are of no use here. `fault` says why the report cannot be read at
    all, "" if it can.
    """

    events: Sequence[DeliveryEvent] = ()
    others: int = 0
    fault: str = ""
