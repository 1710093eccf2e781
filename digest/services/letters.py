"""Letters: mails to one person who asked by a page. Asked for at once, sent a little later.

A page only writes down who asks, whoever that is; what they get, or that they get nothing, is
decided when it is sent. So nobody learns from a page, or from how long it takes, who is on the
list, and a flood of requests sends no mail that was not counted before.
"""

import datetime as dt
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import islice

import structlog

from digest.errors import DigestError, HeldElsewhere, LinkEnded, UsageError
from digest.merging import ACCOUNT_URL, CONFIRM_URL, READER
from digest.model.deliveries import (
    Accepted,
    Addressee,
    Handover,
    Mail,
    Outcome,
    Unavailable,
    Unsent,
)
from digest.model.editions import SENT_STATES, EditionState
from digest.model.letterforms import EditionLink, LetterForm, Occasion
from digest.model.letters import Letter, LetterKind, LetterState
from digest.model.subscribers import Subscriber, SubscriberState
from digest.normalising.addresses import address_key, parse_address
from digest.ports import Letters, Marks, SubscriberStore, Transport
from digest.services.archive import ArchiveService
from digest.services.editions import EditionService
from digest.services.letterforms import LetterForms
from digest.services.limits import Limits, Note, hashed_network
from digest.services.mails import PREVIEW_TOKEN, public_url
from digest.settings import Settings
from digest.tokens import BadToken, KeyRing, Tokens

CONFIRM_LASTS = dt.timedelta(hours=48)
KEPT = dt.timedelta(days=31)
"""How long letters are kept: a little longer than they are counted."""

STALE = dt.timedelta(minutes=10)
"""A claim that is so old was left by a process that ended; nobody knows whether its letter went."""

PAUSE = dt.timedelta(seconds=30)  # after the provider did not take one
PATIENCE = dt.timedelta(hours=1)  # so long a letter waits for a provider that takes nothing
PAST_EDITIONS = 3
LOOK_AHEAD = 8  # editions; of those to come nearly always the first one is the next

GONE = SENT_STATES | {EditionState.SKIPPED, EditionState.CANCELLED, EditionState.HELD}
"""Editions that whoever signs up now does not get, or perhaps not."""

BRAKED = "too many letters were asked for within an hour"
SUPPRESSED = "the address is suppressed"
OFTEN = "the address had a letter a short time ago"
NOBODY = "the address is on no list"
LEFT = "the reader has left"
LOST = "the process ended while it was handed over, so nobody knows whether it went"

log = structlog.get_logger(__name__)


class _Dropped(Exception):
    """Nothing is sent; its text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What the service works with.

    `hold` lets one process at a time do something, by name; see `Store.hold`. `transport` opens
    what hands over.
    """

    letters: Letters
    subscribers: SubscriberStore
    archive: ArchiveService
    marks: Marks
    editions: EditionService
    forms: LetterForms
    tokens: Tokens
    keys: KeyRing
    transport: Callable[[], Transport]
    hold: Callable[[str], AbstractContextManager[bool]]
    note: Note


class LetterService:
    """Takes and sends the letters of one newsletter. Safe to use from several threads."""

    def __init__(self, parts: Parts, settings: Settings) -> None:
        self._parts = parts
        self._letters = parts.letters
        self._slug = settings.newsletter.slug
        self._limits = Limits(
            parts.letters, self._slug, settings.letters, marks=parts.marks, note=parts.note
        )
        self._public = public_url(settings.newsletter)
        self._asking = threading.Lock()
        self._not_before: dt.datetime | None = None

    # Asking

    def network_of(self, client: str, now: dt.datetime) -> str:
        """Return what stands for the network that a request of `client` came from, for a day."""
        return hashed_network(client, self._parts.keys, now=now)

    def ask(self, kind: LetterKind, address: str, *, network: str, now: dt.datetime) -> None:
        """Write down that somebody asked for a letter to `address`; it takes as long for anybody.

        Raises:
            UsageError: It is no address; nothing was written down.
            TooMany: The network asked too often; nothing was written down.
        """
        try:
            plain = parse_address(address)
        except ValueError as error:
            raise UsageError(
                f"This cannot be used: {error}. Nothing was sent.",
                hint="Right is for example reader@example.com",
            ) from None
        letter = Letter(
            newsletter=self._slug,
            kind=kind,
            address=plain,
            key=address_key(plain),
            asked_at=now,
            network=network,
        )
        with self._asking:  # or many at once would all find that one more is allowed
            self._limits.check_network(network, now=now)
            if self._limits.is_braked(now=now):
                letter = replace(letter, state=LetterState.DROPPED, reason=BRAKED, settled_at=now)
            self._letters.ask(letter)

    # Confirming

    def pending(self, token: str, *, now: dt.datetime) -> Letter:
        """Return the letter whose link may be used now.

        Raises:
            BadToken: There is no such link.
            LinkEnded: It was used, has run out, or its letter is deleted.
        """
        letter_id = self._parts.tokens.read_confirm(token)
        letter = self._letters.letter(letter_id)
        if letter is None:
            raise _ended("is not known any more")
        if letter.newsletter != self._slug:
            raise BadToken
        if letter.used_at is not None:
            raise _ended("was used", at=letter.used_at, is_used=True)
        # One that was claimed and never settled may have gone: whoever has the link got it.
        ended_at = (letter.settled_at or letter.asked_at) + CONFIRM_LASTS
        if now >= ended_at:
            raise _ended("has run out", at=ended_at)
        if self._parts.subscribers.suppression(letter.key) is not None:
            raise _ended("is of no use: no mail goes to its address any more")
        return letter

    def confirm(self, token: str, *, now: dt.datetime) -> Subscriber:
        """Make the letter's person a reader; a welcome is sent to them a little later.

        Raises:
            BadToken: As `pending`.
            LinkEnded: As `pending`.
        """
        letter = self.pending(token, now=now)
        reader = Subscriber(
            newsletter=self._slug,
            address=self._sent_to(letter),
            key=letter.key,
            joined_at=now,
            origin=f"page, asked {_stamp(letter.asked_at)}, confirmed {_stamp(now)}",
        )
        hashed = self._parts.keys.hash_address(letter.key)
        reader_id = self._letters.confirm(_id(letter), reader, hashed=hashed, now=now)
        found = reader_id and self._parts.subscribers.subscriber_by_id(reader_id)
        if not found:  # somebody used it, or was erased, since it was looked at
            raise _ended("was used", at=now, is_used=True)
        return found

    def _sent_to(self, letter: Letter) -> str:
        """Return the address that a letter to confirm went to: that is who confirms."""
        is_return = letter.kind is LetterKind.LINKS
        known = self._parts.subscribers.subscriber(self._slug, letter.key) if is_return else None
        return known.address if known else letter.address

    def disown(self, token: str, *, now: dt.datetime) -> bool:
        """Take it that the letter's person did not ask: their address is never mailed again.

        Returns:
            Whether the link was unused until now.

        Raises:
            BadToken: As `pending`.
            LinkEnded: As `pending`.
        """
        return self._letters.disown(_id(self.pending(token, now=now)), now=now)

    # Sending

    def next_at(self, now: dt.datetime) -> dt.datetime | None:
        """Return when the next edition goes out that a new reader gets, if nobody stops it.

        An edition that went out before its time is behind them; None is none among the next few.
        """
        coming = islice(self._parts.editions.timetable(now=now), LOOK_AHEAD)
        return next(
            (
                slot.send_at
                for slot, edition in coming
                if slot.send_at > now and edition.state not in GONE
            ),
            None,
        )

    def send_waiting(self, *, now: dt.datetime, stop: threading.Event | None = None) -> int:
        """Hand over the letters that wait, each at most once; return how many were taken.

        Nothing is done while another process does so, or a short time after the provider took
        nothing. What fails is logged, and stands with the letter.

        Raises:
            StoreError: The database failed; what is not claimed goes on waiting.
        """
        self._limits.watch(now=now)
        if self._not_before is not None and now < self._not_before:
            return 0
        if not self._letters.waiting(self._slug):
            return 0
        self._not_before, sent = None, 0
        try:
            with self._parts.hold(f"letters {self._slug}"):
                self._letters.give_up(self._slug, before=now - STALE, reason=LOST, now=now)
                while self._not_before is None and not (stop and stop.is_set()):
                    letter = self._letters.claim(self._slug, now=now)
                    if letter is None:
                        break
                    sent += self._send(letter, now=now)
        except HeldElsewhere:
            return sent
        return sent

    def tidy(self, *, now: dt.datetime) -> int:
        """Delete letters of 31 days ago, of all newsletters; return how many."""
        return self._letters.tidy(before=now - KEPT)

    def _send(self, letter: Letter, *, now: dt.datetime) -> bool:
        """Decide about a claimed letter, hand it over, and record what became of it."""
        try:
            form, reader = self._decided(letter, now=now)
            mail = self._parts.forms.mail(
                self._occasion(form, now=now), self._links(letter, reader, now=now)
            )
            outcome = self._hand_over(letter, reader, mail, now=now)
        except _Dropped as dropped:
            self._settle(letter, LetterState.DROPPED, str(dropped), now=now)
            return False
        except DigestError as error:  # of the templates, the checks or the settings
            self._settle(letter, LetterState.FAILED, error.message, now=now)
            return False
        if isinstance(outcome, Accepted):
            self._settle(letter, LetterState.SENT, "", now=now)
            return True
        reason = getattr(outcome, "reason", "it gave no answer")
        is_passing = isinstance(outcome, Unavailable | Unsent)
        if is_passing:  # certainly not taken, so it may be tried again
            retry_at = getattr(outcome, "retry_at", None) or now
            self._not_before = max(retry_at, now + PAUSE)
        if is_passing and now - letter.asked_at < PATIENCE:
            self._settle(letter, LetterState.WAITING, reason, now=now)
        else:
            self._settle(letter, LetterState.FAILED, reason, now=now)
        return False

    def _hand_over(
        self, letter: Letter, reader: Subscriber | None, mail: Mail, *, now: dt.datetime
    ) -> Outcome:
        # To the address that is stored: what was typed may be spelt like another mailbox.
        address = letter.address if reader is None else reader.address
        person = Addressee(0, address, "", self._reader_token(reader) or PREVIEW_TOKEN)
        handover = Handover(mail=mail, batch=0, attempt=1, readers=[person], is_test=True)
        return self._parts.transport().submit(handover, now=now)

    def _settle(self, letter: Letter, state: LetterState, reason: str, *, now: dt.datetime) -> None:
        self._letters.settle(_id(letter), state, reason=reason, now=now)
        if state in (LetterState.FAILED, LetterState.WAITING):
            log.error("letter_not_sent", letter=letter.id, state=str(state), reason=reason)
        else:
            log.info("letter_settled", letter=letter.id, state=str(state), reason=reason)

    # What is in a letter

    def _decided(self, letter: Letter, *, now: dt.datetime) -> tuple[LetterForm, Subscriber | None]:
        """Return the form that the letter's person gets, and who they are on the list.

        Raises:
            _Dropped: They get nothing.
        """
        parts = self._parts
        if parts.subscribers.suppression(letter.key) is not None:
            raise _Dropped(SUPPRESSED)
        reader = parts.subscribers.subscriber(self._slug, letter.key)
        is_active = reader is not None and reader.state is SubscriberState.ACTIVE
        if letter.kind is LetterKind.WELCOME:
            if not is_active:
                raise _Dropped(LEFT)
            return LetterForm.WELCOME, reader
        if self._limits.had_enough(letter.kind, letter.key, now=now):
            raise _Dropped(OFTEN)
        if is_active:
            return LetterForm.LINKS, reader
        if letter.kind is LetterKind.SIGN_UP:
            return LetterForm.CONFIRM, None
        if reader is None or letter.kind is LetterKind.ACCOUNT:
            raise _Dropped(NOBODY)
        return LetterForm.RETURN, reader

    def _links(
        self, letter: Letter, reader: Subscriber | None, *, now: dt.datetime
    ) -> dict[str, str]:
        tokens = self._parts.tokens
        links = {CONFIRM_URL: f"{self._public}/confirm/{tokens.confirm(_id(letter))}"}
        if reader is not None and reader.id is not None:
            links[ACCOUNT_URL] = f"{self._public}/account/{tokens.account(reader.id, now=now)}"
            links[READER] = self._reader_token(reader)
        return links

    def _reader_token(self, reader: Subscriber | None) -> str:
        if reader is None or reader.id is None:
            return ""
        return self._parts.tokens.reader(0, reader.id)

    def _occasion(self, form: LetterForm, *, now: dt.datetime) -> Occasion:
        if form is LetterForm.LINKS:
            return Occasion(form=form, past=self._past(PAST_EDITIONS, now=now))
        if form is LetterForm.WELCOME:
            return Occasion(form=form, next_at=self.next_at(now), past=self._past(1, now=now))
        return Occasion(form=form)

    def _past(self, most: int, *, now: dt.datetime) -> tuple[EditionLink, ...]:
        """Return the last editions that readers have, newest first."""
        return tuple(
            EditionLink(label=past.label, subject=past.subject)
            for past in self._parts.archive.editions(now=now)[:most]
        )


def _ended(what: str, *, at: dt.datetime | None = None, is_used: bool = False) -> LinkEnded:
    return LinkEnded(
        f"This link {what}; nothing was changed.", hint="Ask for a new one.", at=at, is_used=is_used
    )


def _stamp(at: dt.datetime) -> str:
    return f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"


def _id(letter: Letter) -> int:
    assert letter.id is not None  # noqa: S101  # it comes from the store
    return letter.id
