"""Voting: which stories a reader may rate, their stars, and what all readers make of a story."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from digest.errors import NotFound, TooMany
from digest.model.archive import PastEdition
from digest.model.editions import Edition, MergedArticle, Story
from digest.model.subscribers import Subscriber, SubscriberState
from digest.model.votes import Tally, Vote
from digest.normalising.text import clean_text
from digest.ports import Archive, Store, SubscriberStore, Votes
from digest.tallying import tallies
from digest.tokens import BadToken, Tokens

RATED_FOR = dt.timedelta(days=30)  # after an edition went out
CHANGES_A_DAY = 10  # of one reader about one story, days in UTC
LEAST, MOST = 1, 5
ANY_EDITION = 0
"""What stands for the edition in links that came with none, such as those of a letter."""

MANY = 500  # votes of a story
SHOWN_FOR = dt.timedelta(seconds=30)
"""How old the average of so many may be on a page: making it reads them all."""


class Closed(StrEnum):
    """Why a story cannot be rated by somebody who has a link to it."""

    ENDED = "ended"  # its edition is too long ago
    LEFT = "left"  # they are not on the list any more
    LATE = "late"  # they joined after the edition had gone out


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """A story as the reader of a link may rate it, or why they may not (`closed`).

    `stars` is what they stand by, 0 before they voted. `tally` is what all readers make of it, None
    before anybody voted. `language` is the reader's, "" for the newsletter's own. `is_uncounted`
    says that they wish not to be counted. It can be rated until `ends_at`, aware UTC.
    """

    label: str
    article_id: int
    headline: str
    ends_at: dt.datetime
    closed: Closed | None = None
    stars: int = 0
    tally: Tally | None = None
    language: str = ""
    is_uncounted: bool = False


@dataclass(frozen=True, slots=True)
class _Case:
    """What a link is about: an edition that readers have, a story of it, and whose link it is."""

    edition_id: int
    subscriber_id: int
    ballot: Ballot


class VotingService:
    """Takes readers' stars. Safe to use from many threads.

    Args:
        store: Where editions are.
        archive: Knows which of them readers have.
        subscribers: The readers.
        votes: The log that votes are added to.
        tokens: Reads the readers' links.
        newsletter: Its slug; no other one's stories can be rated.
    """

    def __init__(
        self,
        store: Store,
        archive: Archive,
        subscribers: SubscriberStore,
        votes: Votes,
        tokens: Tokens,
        newsletter: str,
    ) -> None:
        self._store, self._archive = store, archive
        self._subscribers, self._votes = subscribers, votes
        self._tokens, self._newsletter = tokens, newsletter
        self._tallies: dict[int, tuple[dt.datetime, Tally]] = {}

    def ballot(self, token: str, article_id: int, *, now: dt.datetime) -> Ballot:
        """Return the story with the reader's stars and everybody's; changes nothing.

        Raises:
            BadToken: It is no reader's link.
            NotFound: Its edition has no such story, or readers do not have that edition.
        """
        case = self._case(token, article_id, now=now)
        if case.ballot.closed is not None:
            return case.ballot
        stars = self._votes.last(case.subscriber_id, [article_id]).get(article_id, 0)
        return self._told(case.ballot, stars, now=now)

    def vote(
        self, token: str, article_id: int, stars: int, *, network: str, now: dt.datetime
    ) -> Ballot:
        """Add a vote to the log, unless the ballot that comes back is closed.

        Args:
            token: Of the reader's link.
            article_id: The story's, or that of an article merged into one.
            stars: 1 to 5. Their last vote is the one that counts.
            network: What stands for where it came from; see `Vote`.
            now: Aware UTC.

        Raises:
            BadToken: It is no reader's link.
            NotFound: As `ballot`.
            TooMany: They voted CHANGES_A_DAY times about it today; nothing was changed.
            ValueError: There is no such number of stars.
        """
        if not LEAST <= stars <= MOST:
            raise ValueError("stars are from 1 to 5")
        case = self._case(token, article_id, now=now)
        if case.ballot.closed is not None:
            return case.ballot
        today = now.astimezone(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        vote = Vote(
            newsletter=self._newsletter,
            edition_id=case.edition_id,
            article_id=article_id,
            subscriber_id=case.subscriber_id,
            stars=stars,
            at=now,
            network=network,
        )
        if not self._votes.vote(vote, at_most=CHANGES_A_DAY, since=today):
            raise TooMany(
                "This story was rated too often today; nothing was changed.",
                hint="Wait until tomorrow.",
                until=today + dt.timedelta(days=1),
            )
        return self._told(case.ballot, stars, now=now)

    def _told(self, ballot: Ballot, stars: int, *, now: dt.datetime) -> Ballot:
        """Return the ballot with the reader's stars and what all readers make of the story."""
        return replace(ballot, stars=stars, tally=self._tally(ballot.article_id, now=now))

    def _tally(self, article_id: int, *, now: dt.datetime) -> Tally | None:
        """Return what readers make of the story, or made of it a moment ago."""
        at, tally = self._tallies.get(article_id, (None, None))
        if at is None or not at <= now < at + SHOWN_FOR:
            found = self._votes.ballots(self._newsletter, [article_id])
            tally = tallies(found).get(article_id)
            if tally is not None and tally.votes >= MANY:  # such stories are few
                self._tallies[article_id] = now, tally
        return tally

    def _case(self, token: str, article_id: int, *, now: dt.datetime) -> _Case:
        edition_id, subscriber_id = self._tokens.read_reader(token)
        reader = self._subscribers.subscriber_by_id(subscriber_id)
        if reader is not None and reader.newsletter != self._newsletter:
            raise BadToken
        for past in self._editions(edition_id, now=now):
            edition = self._store.edition(self._newsletter, past.label)
            if edition is not None and (headline := _headline(edition, article_id)):
                break
        else:
            raise NotFound("There is no such story in an edition of this link; nothing was done.")
        closed = _closed(reader, past.released_at, has_mail=edition_id != ANY_EDITION)
        ends_at = past.released_at + RATED_FOR
        ballot = Ballot(
            label=past.label,
            article_id=article_id,
            headline=headline,
            ends_at=ends_at,
            closed=Closed.ENDED if now >= ends_at else closed,
            language=reader.language if reader else "",
            is_uncounted=reader is not None and reader.is_uncounted,
        )
        return _Case(past.id, subscriber_id, ballot)

    def _editions(self, edition_id: int, *, now: dt.datetime) -> Sequence[PastEdition]:
        """Return the edition of a link; for one that came with none all that can be rated."""
        if edition_id == ANY_EDITION:
            found = self._archive.past_editions(self._newsletter, now=now)
            return [past for past in found if past.released_at + RATED_FOR > now]
        one = self._archive.past_edition(self._newsletter, edition_id, now=now)
        return [one] if one else []


def _closed(reader: Subscriber | None, sent_at: dt.datetime, *, has_mail: bool) -> Closed | None:
    """Return why a reader may not rate; who has the mail was on the list when it went out."""
    if reader is None or reader.state is SubscriberState.LEFT:
        return Closed.LEFT
    is_late = not has_mail and reader.joined_at >= sent_at
    return Closed.LATE if is_late else None


def _headline(edition: Edition, article_id: int) -> str:
    """Return the headline of the edition's story, or of what is merged into one; "" for no such."""
    for story in edition.stories:
        articles: list[Story | MergedArticle] = [story, *story.also]
        for article in articles:
            if article.article_id == article_id:
                return clean_text(article.headline) or edition.period.label
    return ""
