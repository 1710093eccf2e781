"""What readers do themselves: asking for letters, choosing, voting. And what is put right for them.

See `digest.ports.Store` for the promises of every method: one transaction, aware UTC, any thread.
"""

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from digest.model.archive import PastEdition, PastStory
from digest.model.corrections import Correction
from digest.model.letters import Letter, LetterKind
from digest.model.subscribers import Frequency, Subscriber
from digest.model.votes import Ballots, Vote


class Letters(Protocol):
    """The letters that people asked for, until some weeks after they were sent."""

    def ask(self, letter: Letter) -> int:
        """Keep a letter in the state that it has; return its id.

        It takes the same time and does the same whoever the address belongs to.
        """

    def letter(self, letter_id: int) -> Letter | None:
        """Return one letter, or None."""

    def waiting(self, newsletter: str) -> bool:
        """Tell whether a letter of the newsletter waits to be sent."""

    def claim(self, newsletter: str, *, now: dt.datetime) -> Letter | None:
        """Claim the oldest waiting letter of the newsletter, so that nobody else sends it.

        `settled_at` is when it was claimed, until it is settled.
        """

    def settle(self, letter_id: int, state: str, *, reason: str, now: dt.datetime) -> None:
        """Record what became of a claimed letter: sent, failed or dropped.

        Or that it certainly was not taken, and waits again.
        """

    def give_up(
        self, newsletter: str, *, before: dt.datetime, reason: str, now: dt.datetime
    ) -> int:
        """Record as failed what was claimed before then and never settled; return how many."""

    def sent_to(
        self, newsletter: str, key: str, *, kinds: Collection[LetterKind], since: dt.datetime
    ) -> int:
        """Return how many letters of these kinds were sent to the address since then."""

    def asked_from(self, newsletter: str, network: str, *, since: dt.datetime) -> int:
        """Return how many letters were asked for from a network since then."""

    def asked(self, newsletter: str, *, since: dt.datetime, at_most: int | None = None) -> int:
        """Return how many letters were asked for by pages since then, from anywhere.

        No more than `at_most` are counted, so that a flood of them costs no time.
        """

    def confirm(
        self, letter_id: int, reader: Subscriber, *, hashed: str, now: dt.datetime
    ) -> int | None:
        """Use the letter to make its person a reader; return their id, or None if it was used.

        In one transaction: the letter is used, the reader is active from `now` on with the consent
        in `reader.origin` (new, or come back after they left or were erased; then the keyed hash is
        forgotten), and a welcome waits to be sent. Somebody active already stays as they are.
        """

    def disown(self, letter_id: int, *, now: dt.datetime) -> bool:
        """Use the letter to say that its person did not ask; return whether it was unused.

        In one transaction their address is suppressed too, by the reason "manual".
        """

    def tidy(self, *, before: dt.datetime) -> int:
        """Delete letters that were asked for before then; return how many."""


class Choosing(Protocol):
    """What a reader decides about their own mail."""

    def choose(
        self,
        subscriber_id: int,
        *,
        topics: tuple[str, ...],
        frequency: Frequency,
        language: str,
        is_uncounted: bool,
    ) -> bool:
        """Store what an active reader chose; return whether there is such a reader."""

    def pause(self, subscriber_id: int, until: dt.datetime | None) -> bool:
        """Leave an active reader out of what is planned before `until`, None for no longer."""

    def leave(self, subscriber_id: int, edition_id: int, *, by: str, now: dt.datetime) -> bool:
        """Record that the reader has left, by a link of that edition; return whether it is new."""

    def say_why(self, subscriber_id: int, why: str) -> bool:
        """Keep why somebody who has left did so."""

    def come_back(self, subscriber_id: int, *, since: dt.datetime) -> bool:
        """Undo what somebody did who left since then by a page or with one click."""


class Votes(Protocol):
    """The log of votes: rows are only added, so that every rating can be made anew from it."""

    def vote(self, vote: Vote, *, at_most: int, since: dt.datetime) -> bool:
        """Add a vote, unless that reader voted `at_most` times about it since then.

        The reader is locked meanwhile, so that of many at one time none is too many.
        """

    def last(self, subscriber_id: int, article_ids: Collection[int]) -> Mapping[int, int]:
        """Return the stars that the reader stands by, for those of the articles they voted on."""

    def ballots(self, newsletter: str, article_ids: Collection[int]) -> Sequence[Ballots]:
        """Return the counts of what readers stand by, for each of the articles, in a fixed order.

        Who asked not to be counted, and who left, is not among them.
        """

    def since(self, newsletter: str, since: dt.datetime) -> Sequence[int]:
        """Return the articles that were voted on since then, ascending."""


class Corrections(Protocol):
    """What was put right in editions that went out; rows are only added."""

    def correct(self, correction: Correction) -> Correction:
        """Add a correction; it and its row of the audit log are kept together."""

    def corrections(self, edition_id: int) -> list[Correction]:
        """Return the edition's corrections, oldest first."""


class Archive(Protocol):
    """The editions that readers have, as lists and searches need them."""

    def past_editions(self, newsletter: str, *, now: dt.datetime) -> list[PastEdition]:
        """Return the editions that readers may have at `now`, newest first."""

    def past_edition(
        self, newsletter: str, edition_id: int, *, now: dt.datetime
    ) -> PastEdition | None:
        """Return that edition, or None if readers may not have it at `now`."""

    def past_stories(self, newsletter: str) -> list[PastStory]:
        """Return the words of the stories of all stored editions, each edition's in their order."""

    def all_corrections(self, newsletter: str) -> list[Correction]:
        """Return the corrections of all the newsletter's editions, oldest first."""
