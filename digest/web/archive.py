"""The archive: the list of past editions with its search, their pages, and their feed."""

import datetime as dt
import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from email.utils import format_datetime, parsedate_to_datetime
from itertools import groupby
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from digest.app import App
from digest.errors import NotFound
from digest.model.archive import Found, PastEdition, PastPage
from digest.normalising.text import clean_text
from digest.periods import send_at
from digest.rendering.archive import day_words, week_words
from digest.services.archive import LONGEST_SEARCH, search_words
from digest.tokens import BadToken
from digest.web.feed import MEDIA_TYPE, Entry, Feed, atom
from digest.web.headers import policy
from digest.web.languages import Languages

ON_A_PAGE = 20  # editions
FOUND_ON_A_PAGE = 10  # with the stories that were found
IN_FEED = 20  # editions
KEPT_PAGES = 8  # making one takes some milliseconds
AGE = "public, max-age=300"
_NUMBER = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)


class ArchivePages:
    """Answers anybody, and with stars who has a reader's link."""

    def __init__(self, app: App, languages: Languages) -> None:
        self._app, self._pages = app, languages.own
        self._archive, self._voting = app.archive, app.voting
        self._renderer = app.renderer  # opened here, in one thread
        self._public = app.project.settings.newsletter.public_url.rstrip("/")
        self._kept: dict[object, tuple[str, str]] = {}
        self._feed: tuple[object, bytes, dt.datetime] | None = None

    def routes(self) -> Sequence[BaseRoute]:
        """Return where each page is."""
        return [
            Route("/archive", self.editions, methods=["GET"]),
            Route("/archive/feed.xml", self.feed, methods=["GET"]),
            Route("/archive/{label}", self.edition, methods=["GET"]),
            Route("/archive/{label}/{token}", self.edition_of_reader, methods=["GET"]),
        ]

    async def editions(self, request: Request) -> Response:
        """List the editions: all, those of a year, or those with the words that are looked for."""
        asked = request.query_params
        return await run_in_threadpool(
            self._list, asked.get("q", ""), asked.get("year", ""), asked.get("page", "")
        )

    async def feed(self, request: Request) -> Response:
        """Answer the feed, or 304 to who has it as it is."""
        body, changed = await run_in_threadpool(self._made_feed)
        tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers = {
            "Cache-Control": AGE,
            "ETag": tag,
            "Last-Modified": format_datetime(changed, usegmt=True),
        }
        if _is_known(request, tag, changed):
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type=f"{MEDIA_TYPE}; charset=utf-8")

    async def edition(self, request: Request) -> Response:
        """Show an edition that readers have, and no other."""
        page, rules = await run_in_threadpool(self._page, request.path_params["label"])
        headers = {"Cache-Control": AGE, "Content-Security-Policy": rules, "X-Robots-Tag": "all"}
        return HTMLResponse(page, headers=headers)

    async def edition_of_reader(self, request: Request) -> Response:
        """Show an edition so that the reader can rate its stories; opening it rates none."""
        where = request.path_params
        page = await run_in_threadpool(self._page_of_reader, where["label"], where["token"])
        return HTMLResponse(page, headers={"Content-Security-Policy": policy(page)})

    # The list

    def _list(self, text: str, year: str, page: str) -> Response:
        now = self._app.clock.now()
        past = self._archive.editions(now=now)
        search = clean_text(text[:LONGEST_SEARCH]) if search_words(text) else ""
        years = sorted({_year(one) for one in past}, reverse=True)
        year = year if year in years and not search else ""
        if search:
            found = self._archive.search(text, now=now)
        else:
            found = [Found(edition=one) for one in past if year in ("", _year(one))]
        size = FOUND_ON_A_PAGE if search else ON_A_PAGE
        pages = max(1, -(-len(found) // size))
        number = min(int(page), pages) if _NUMBER.fullmatch(page) else 1
        asked = {"q": search} if search else {"year": year} if year else {}
        answer = self._pages.page(
            "archive.html.j2",
            total=len(past),
            shown=len(found),
            groups=self._groups(found[(number - 1) * size : number * size]),
            years=years,
            year=year,
            search=search,
            longest=LONGEST_SEARCH,
            number=number,
            pages=pages,
            query=f"{urlencode(asked)}&" if asked else "",
            first="" if past else self._first(now),
        )
        answer.headers["Cache-Control"] = AGE
        if not search and number == 1:
            answer.headers["X-Robots-Tag"] = "all"
        return answer

    def _groups(self, found: Sequence[Found]) -> list[tuple[str, list[dict[str, object]]]]:
        """Return the editions by year, as the template shows them."""
        return [
            (year, [self._entry(one) for one in of_year])
            for year, of_year in groupby(found, key=lambda one: _year(one.edition))
        ]

    def _entry(self, found: Found) -> dict[str, object]:
        past = found.edition
        return {
            "label": past.label,
            "week": week_words(past, self._pages.words),
            "subject": clean_text(past.subject) or past.label,
            "stories": found.stories,
        }

    def _first(self, now: dt.datetime) -> str:
        """Return in words when the first edition comes, "" if it should have come already."""
        period = self._app.editions.period("", now=now)
        at = send_at(period, self._app.project.settings.schedule)
        return self._pages.words.date(at, self._pages.zone) if at > now else ""

    # An edition

    def _past_page(self, label: str) -> PastPage:
        """Return the edition.

        Raises:
            HTTPException: No reader has such an edition.
        """
        past_page = self._archive.past_page(label, self._app.clock.now())
        if past_page is None:
            raise HTTPException(404)
        return past_page

    def _page(self, label: str) -> tuple[str, str]:
        """Return the page of an edition, and its policy.

        The page is rendered anew: of a mail the bytes are frozen, of an edition its stories.
        """
        past_page = self._past_page(label)
        key = past_page.past, past_page.previous, past_page.next, len(past_page.corrections)
        found = self._kept.get(key)
        if found is None:
            page = self._renderer.render_web(past_page.edition, past_page=past_page)
            found = page, policy(page, images="'self' https:")
            if len(self._kept) >= KEPT_PAGES:
                self._kept.clear()
            self._kept[key] = found
        return found

    def _page_of_reader(self, label: str, token: str) -> str:
        """Return the page for one reader, with stars if they can still rate it.

        It shows no pictures: whoever serves them would learn when this reader looks.
        """
        past_page = self._past_page(label)
        can_rate = self._can_rate(past_page, token)
        stories = tuple(replace(story, image=None) for story in past_page.edition.stories)
        return self._renderer.render_web(
            replace(past_page.edition, stories=stories),
            past_page=past_page,
            is_indexed=False,
            rate_url=f"{self._public}/r/{token}" if can_rate else "",
        )

    def _can_rate(self, past_page: PastPage, token: str) -> bool:
        """Tell whether the reader whose token it is may rate the edition's stories now.

        Raises:
            HTTPException: It is nobody's token.
        """
        try:
            self._app.tokens.read_reader(token)
            if not past_page.edition.stories:
                return False
            first = past_page.edition.stories[0].article_id
            ballot = self._voting.ballot(token, first, now=self._app.clock.now())
        except BadToken:
            raise HTTPException(404) from None
        except NotFound:
            return False
        return ballot.closed is None and ballot.label == past_page.past.label

    # The feed

    def _made_feed(self) -> tuple[bytes, dt.datetime]:
        """Return the feed and when it changed last; made anew where anything in it did."""
        now = self._app.clock.now()
        state = self._archive.state(IN_FEED, now=now)
        kept = self._feed
        if kept is None or kept[0] != state:
            entries = [
                self._feed_entry(past_page) for past_page in self._archive.newest(IN_FEED, now=now)
            ]
            # A feed without entries changes when the week does.
            empty = self._app.editions.period("", now=now).start
            changed = max((entry.updated for entry in entries), default=empty)
            letter = self._app.project.settings.newsletter
            feed = Feed(
                address=f"{self._public}/archive",
                own_address=f"{self._public}/archive/feed.xml",
                title=clean_text(letter.name),
                language=letter.language,
                updated=changed,
                entries=entries,
            )
            kept = self._feed = state, atom(feed), changed.replace(microsecond=0)
        return kept[1], kept[2]

    def _feed_entry(self, past_page: PastPage) -> Entry:
        past, edition = past_page.past, past_page.edition
        address = f"{self._public}/archive/{past.label}"
        zone = ZoneInfo(past.period.timezone)
        stories = [
            {
                "article_id": story.article_id,
                "headline": clean_text(story.headline),
                "summary": clean_text(story.summary),
            }
            for story in edition.stories
        ]
        changes = [
            {"day": day_words(one.at, self._pages.words, zone), "words": clean_text(one.words)}
            for one in past_page.corrections
        ]
        content = self._pages.text(
            "archive_entry.html.j2",
            address=address,
            intro=clean_text(edition.intro),
            stories=stories,
            changes=changes,
        )
        return Entry(
            address=address,
            title=clean_text(edition.subject) or past.label,
            published=past.released_at,
            updated=max([past.released_at, *(one.at for one in past_page.corrections)]),
            summary=clean_text(edition.preheader),
            content=content,
        )


def _year(past: PastEdition) -> str:
    return past.label[:4]


def _is_known(request: Request, tag: str, changed: dt.datetime) -> bool:
    """Tell whether who asks has it already (RFC 9110, 13.1.2, 13.1.3 and 13.2.2)."""
    if (tags := request.headers.get("If-None-Match")) is not None:
        known = [one.strip().removeprefix("W/") for one in tags.split(",")]
        return tag in known or tags.strip() == "*"
    try:
        since = parsedate_to_datetime(request.headers.get("If-Modified-Since", ""))
        return changed <= since.astimezone(dt.UTC)
    except (ValueError, OverflowError):
        return False
