"""The editors' page of one edition: a link from a mail shows it, and its buttons act.

Whoever has the link is the editor: it holds a secret of its own, and there is no cookie that
another site could make a browser send along. Still every form carries what the editor saw, so that
nothing is decided about an edition that has changed meanwhile.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from digest import curation
from digest.app import App
from digest.errors import Conflict, DigestError, StoreError, UsageError
from digest.merging import compile_variant, reader_links
from digest.model.editions import Edition, EditionState
from digest.normalising.text import clean_text
from digest.services.editors import PLACE, EditorLinks
from digest.services.mails import PREVIEW_TOKEN, public_url
from digest.services.outlook import ACTIONABLE, outlook, sentence, standing
from digest.services.previews import SOMEBODY
from digest.settings import EditorSettings
from digest.tokens import BadToken
from digest.web.bodies import read_form
from digest.web.pages import Pages

LASTING = dt.timedelta(days=14)  # how long after its week an edition's links work
APPROVABLE = ACTIONABLE - {EditionState.APPROVED}
HOLDABLE = ACTIONABLE - {EditionState.HELD}
LONGEST_REASON = 300  # characters

# The mail has its styles in its elements. In the sandbox it is of no origin, runs nothing and
# sends no form; its pictures are what a reader's mail program loads.
MAIL_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "
    "style-src 'unsafe-inline'; img-src 'self' https:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
CHANGED = (
    "The edition has changed since you opened its page, so what you saw is not what would go out. "
    "Nothing was done. Open the edition again and look at it as it is now."
)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the editor saw when they pressed a button, and their words."""

    revision: int
    sha256: str
    reason: str


class _Changed(Exception):
    """The edition is not as the editor saw it."""


class DeskPages:
    """Answers editors who come by the link of a notice."""

    def __init__(self, app: App, pages: Pages) -> None:
        self._app = app
        self._pages = pages
        settings = app.project.settings
        self._schedule, self._letter = settings.schedule, settings.newsletter
        self._links = EditorLinks(settings, app.tokens, app.keys)

    def routes(self) -> Sequence[BaseRoute]:
        """Return where each page is."""
        return [
            Route(f"/{PLACE}/{{token}}", self.edition, methods=["GET", "POST"]),
            Route(f"/{PLACE}/{{token}}/mail", self.mail, methods=["GET"]),
        ]

    async def edition(self, request: Request) -> Response:
        """Show the edition and what can be decided; decide on a POST."""
        token = request.path_params["token"]
        if request.method == "POST":
            form = await read_form(request)
            return await run_in_threadpool(self._act, token, form)
        return await run_in_threadpool(self._show, token)

    async def mail(self, request: Request) -> Response:
        """Show the mail as a reader would see it, with links that lead to no reader."""
        return await run_in_threadpool(self._mail, request.path_params["token"])

    # Showing

    def _show(self, token: str) -> Response:
        edition, editor = self._found(token)
        return self._shown(edition, editor, token)

    def _shown(self, edition: Edition, editor: EditorSettings, token: str) -> Response:
        state, fault = edition.state, ""
        sha256 = edition.sha256
        if state in ACTIONABLE and not sha256:
            try:
                sha256 = self._hash(edition)
            except DigestError as error:
                fault = _told(error)
        return self._pages.page(
            "edition.html.j2",
            token=token,
            editor=clean_text(editor.name),
            edition=edition,
            subject=clean_text(edition.subject),
            stories=[(story, clean_text(story.headline)) for story in edition.stories],
            standing=standing(edition),
            outlook=self._outlook(edition),
            sha256=sha256,
            fault=fault,
            can_approve=state in APPROVABLE and bool(sha256),
            can_hold=state in HOLDABLE,
            can_skip=state in ACTIONABLE,
            longest=LONGEST_REASON,
        )

    def _outlook(self, edition: Edition) -> str:
        try:
            ahead = self._app.sending.ahead(edition)
        except DigestError:  # the key of the provider may be elsewhere
            ahead = dt.timedelta()
        return outlook(edition, self._schedule, now=self._app.clock.now(), ahead=ahead)

    def _hash(self, edition: Edition) -> str:
        """Return the hash of the mail: the frozen one's, or that of the draft as it would be."""
        return self._app.freezing.mail_for(edition, ())[1].variant.sha256

    def _mail(self, token: str) -> Response:
        edition, _ = self._found(token)
        try:
            variant = self._app.freezing.mail_for(edition, ())[1].variant
        except DigestError as error:
            return self._pages.message(409, "There is no mail to see", _told(error))
        links = reader_links(public_url(self._letter), edition.period.label, PREVIEW_TOKEN)
        html, _ = compile_variant(variant).fill({"address": SOMEBODY, **links})
        return HTMLResponse(html, headers={"Content-Security-Policy": MAIL_POLICY})

    def _found(self, token: str) -> tuple[Edition, EditorSettings]:
        """Return the edition and the editor that a token is for.

        Raises:
            HTTPException: 404, it is for none; 410, its time is over.
        """
        try:
            edition_id, editor = self._links.read(token)
        except BadToken:
            raise HTTPException(404) from None
        standing = (e for e in self._app.editions.standings() if e.id == edition_id)
        label = next((edition.period.label for edition in standing), "")
        found = self._app.store.edition(self._letter.slug, label)
        if found is None:
            raise HTTPException(404)
        if self._app.clock.now() > found.period.end + LASTING:
            raise HTTPException(410)
        return found, editor

    # Acting

    def _act(self, token: str, form: Mapping[str, str]) -> Response:
        edition, editor = self._found(token)
        acts: Mapping[str, Callable[[App, Edition, _Seen], Edition]] = {
            "approve": self._approve,
            "hold": self._hold,
            "skip": self._skip,
        }
        act, seen = acts.get(form.get("act", "")), _seen(form)
        if act is None or seen is None:
            raise HTTPException(400)
        try:
            if edition.revision != seen.revision:
                raise _Changed
            done = act(self._app.acting_as(editor.name), edition, seen)
        except _Changed:
            return self._said(token, 409, "This edition has changed", CHANGED)
        except DigestError as error:
            if isinstance(error, StoreError) and not isinstance(error, Conflict):
                raise
            status = 400 if isinstance(error, UsageError) else 409
            return self._said(token, status, "Nothing was changed", _told(error))
        words = f"{standing(done)} {self._outlook(done)}"
        return self._said(token, 200, f"{done.period.label} is {done.state}", words)

    def _said(self, token: str, status: int, title: str, words: str) -> Response:
        return self._pages.page("decided.html.j2", status, token=token, title=title, words=words)

    def _approve(self, app: App, edition: Edition, seen: _Seen) -> Edition:
        """Approve the very mail that the editor saw, or raise."""
        if edition.state not in APPROVABLE or seen.sha256 != self._hash(edition):
            raise _Changed
        label, now = edition.period.label, app.clock.now()
        if edition.state is EditionState.FROZEN:
            return _approved(app, label, seen)
        frozen = app.freezing.freeze(label, now=now)
        try:
            if frozen.sha256 != seen.sha256:
                raise _Changed
            return _approved(app, label, seen)
        except BaseException:
            _put_back(app, edition, frozen)
            raise

    def _hold(self, app: App, edition: Edition, seen: _Seen) -> Edition:
        reason = seen.reason or f"{app.actor} held it."
        return app.editions.hold(edition.period.label, reason=reason, now=app.clock.now())

    def _skip(self, app: App, edition: Edition, seen: _Seen) -> Edition:
        return app.editions.skip(edition.period.label, reason=seen.reason, now=app.clock.now())


def _approved(app: App, label: str, seen: _Seen) -> Edition:
    return app.freezing.approve(label, by=app.actor, now=app.clock.now(), sha256=seen.sha256)


def _put_back(app: App, edition: Edition, frozen: Edition) -> None:
    """Let the edition be what it was before it was frozen: a draft, or held for its reason.

    What somebody else made of it meanwhile stands.
    """
    is_seen = frozen.revision == edition.revision + 1  # nobody changed it before it was frozen
    before = edition if is_seen else curation.reopened(frozen)
    with suppress(Conflict):
        app.store.save_edition(replace(before, revision=frozen.revision))


def _told(error: DigestError) -> str:
    return f"{sentence(error.message)} {sentence(error.hint)}".strip()


def _seen(form: Mapping[str, str]) -> _Seen | None:
    """Return what the form carries, None if it is not one of ours."""
    revision, sha256 = form.get("revision", ""), form.get("sha256")
    if not (revision.isascii() and revision.isdecimal() and len(revision) < 10) or sha256 is None:
        return None
    return _Seen(int(revision), sha256, clean_text(form.get("reason", ""), limit=LONGEST_REASON))
