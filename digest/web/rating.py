"""Rating: the page behind the stars of a mail. A link shows the stars, a press of the button saves.

Scanners open all five links of a story, some with a browser: none of that is a vote.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from digest.app import App
from digest.errors import NotFound, TooMany
from digest.services.voting import LEAST, MOST, Ballot, Closed
from digest.tokens import FORM_UNTIL, BadToken
from digest.web.bodies import read_form
from digest.web.clients import client_address
from digest.web.languages import Languages

QUICKEST = dt.timedelta(seconds=1)
"""How long a person takes from the star to the button at least; they have one thing to press."""

FEWEST_VOTES = 5  # below that an average says nothing yet
LONGEST_NUMBER = 18  # digits of an article


class RatingPages:
    """Answers readers who come by the stars of a mail, or of an edition in the archive."""

    def __init__(self, app: App, languages: Languages) -> None:
        self._app = app
        self._languages = languages
        self._tokens = app.tokens
        self._voting = app.voting
        self._network_of = app.letters.network_of

    def routes(self) -> Sequence[BaseRoute]:
        """Return where the page is: with the stars of a link, or without any."""
        both = ["GET", "POST"]
        return [
            Route("/r/{token}/{article}", self.rating, methods=both),
            Route("/r/{token}/{article}/{stars}", self.rating, methods=both),
        ]

    async def rating(self, request: Request) -> Response:
        """Show the story with the link's stars chosen and one button; on a POST save a vote."""
        given = request.path_params
        article_id = _number(given["article"])
        chosen = _stars(given["stars"]) if "stars" in given else 0
        if request.method != "POST":
            return await run_in_threadpool(self._show, given["token"], article_id, chosen)
        form = await read_form(request)
        client = client_address(request, self._app.project.settings.web)
        return await run_in_threadpool(self._vote, given["token"], article_id, form, client)

    def _show(self, token: str, article_id: int, chosen: int) -> Response:
        now = self._app.clock.now()
        return self._answer(
            lambda: self._voting.ballot(token, article_id, now=now),
            lambda ballot: self._page(ballot, chosen or ballot.stars),
        )

    def _vote(self, token: str, article_id: int, form: Mapping[str, str], client: str) -> Response:
        now = self._app.clock.now()
        stars = _chosen(form)
        if not self._was_shown(form, now):
            return self._answer(
                lambda: self._voting.ballot(token, article_id, now=now),
                lambda ballot: self._page(ballot, stars, was_early=True),
            )
        network = self._network_of(client, now)
        return self._answer(
            lambda: self._voting.vote(token, article_id, stars, network=network, now=now),
            lambda ballot: self._page(ballot, ballot.stars, is_saved=True),
        )

    def _answer(self, ask: Callable[[], Ballot], show: Callable[[Ballot], Response]) -> Response:
        try:
            ballot = ask()
        except BadToken:
            return self._languages.own.page("dead_link.html.j2", HTTPStatus.NOT_FOUND)
        except NotFound:
            raise HTTPException(HTTPStatus.NOT_FOUND) from None
        except TooMany as error:
            return self._languages.own.too_many(error.until, now=self._app.clock.now())
        return show(ballot)

    def _page(
        self, ballot: Ballot, chosen: int, *, is_saved: bool = False, was_early: bool = False
    ) -> Response:
        pages = self._languages.pages(ballot.language)
        if ballot.closed is not None:
            gone = ballot.closed is Closed.ENDED
            status = HTTPStatus.GONE if gone else HTTPStatus.FORBIDDEN
            return pages.page("rate_closed.html.j2", status, ballot=ballot)
        tally, words = ballot.tally, pages.words
        is_told = tally is not None and tally.votes >= FEWEST_VOTES
        return pages.page(
            "rate.html.j2",
            HTTPStatus.BAD_REQUEST if was_early else HTTPStatus.OK,
            ballot=ballot,
            chosen=chosen,
            scale=range(LEAST, MOST + 1),
            form=self._tokens.form(now=self._app.clock.now()),
            is_saved=is_saved,
            was_early=was_early,
            mean=words.number(round(tally.mean, 1), "0.0") if tally and is_told else "",
            votes=tally.votes if tally and is_told else 0,
            votes_shown=words.number(tally.votes) if tally else "",
            until=words.date(ballot.ends_at, pages.zone),
        )

    def _was_shown(self, form: Mapping[str, str], now: dt.datetime) -> bool:
        """Tell whether somebody has looked at the form, and not too long ago."""
        try:
            age = self._tokens.form_age(form.get("form", ""), now=now)
        except BadToken:
            return False
        return QUICKEST <= age <= FORM_UNTIL


def _number(text: str) -> int:
    """Return the article that a path names, or raise HTTPException: 404."""
    if text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER:
        return int(text)
    raise HTTPException(HTTPStatus.NOT_FOUND)


def _stars(text: str) -> int:
    """Return the stars that a path names, or raise HTTPException: 404."""
    if len(text) == 1 and LEAST <= (stars := _number(text)) <= MOST:
        return stars
    raise HTTPException(HTTPStatus.NOT_FOUND)


def _chosen(form: Mapping[str, str]) -> int:
    """Return the stars that a form names, or raise HTTPException: 400."""
    try:
        return _stars(form.get("stars", ""))
    except HTTPException:
        raise HTTPException(HTTPStatus.BAD_REQUEST) from None
