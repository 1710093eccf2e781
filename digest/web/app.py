"""The web app of a project: the pages of its newsletters."""

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import BaseRoute, Mount, Route, Router

from digest.app import App
from digest.errors import ConfigError
from digest.web.account import AccountPages
from digest.web.archive import ArchivePages
from digest.web.desk import DeskPages
from digest.web.headers import PLACES, Frontage
from digest.web.hooks import hook_routes
from digest.web.languages import Languages
from digest.web.leaving import LeavingPages
from digest.web.pages import Pages
from digest.web.preferences import PreferencesPages
from digest.web.public import PublicPages
from digest.web.rating import RatingPages
from digest.web.signup import SignUpPages


def make_web(*apps: App) -> Starlette:
    """Return the web app, which answers for each newsletter below the path of its `public_url`.

    Its addresses come from the settings alone, never from a request.

    Args:
        apps: One for each newsletter that is served.

    Raises:
        ConfigError: The keys cannot be used, the webhook's key is none, or newsletters are in
            each other's way.
        StoreError: The database cannot be opened.
    """
    names = " · ".join(app.project.settings.newsletter.name for app in apps)
    pages = Pages(names, Languages(apps[0].project).own.words)
    by_path = _by_path(apps)
    # The longest first: "/" has room for the paths of others, whose links must lead to them.
    longest_first = sorted(by_path, key=len, reverse=True)
    web = Starlette(
        routes=[route for path in longest_first for route in _routes(path, by_path[path])],
        middleware=[Middleware(Frontage, failed=pages.message)],
        exception_handlers={HTTPException: pages.refusal},
    )
    web.router.redirect_slashes = False  # it would build an address from the request
    return web


def _by_path(apps: Sequence[App]) -> Mapping[str, App]:
    found: dict[str, App] = {}
    for app in apps:
        letter = app.project.settings.newsletter
        path = urlsplit(letter.public_url).path.rstrip("/")
        if len(apps) > 1 and path.rpartition("/")[2] in PLACES:
            raise ConfigError(
                f"The public_url of {letter.slug} ends in {path}, where others have pages.",
                hint="Choose another path.",
            )
        other = found.setdefault(path, app)
        if other is not app:
            raise ConfigError(
                f"The newsletters {other.project.settings.newsletter.slug} and {letter.slug} have "
                f"the same path {path or '/'} in their public_url, so one server cannot tell them "
                "apart.",
                hint=f"Serve each by itself: digest serve --newsletter {letter.slug} --bind …",
            )
    return found


def _routes(path: str, app: App) -> Iterator[BaseRoute]:
    """Yield the newsletter's pages at and below `path`, with its own name on each refusal."""
    languages = Languages(app.project)
    sign_up = SignUpPages(app, languages)
    leaving = LeavingPages(app, languages)
    routes = [
        *sign_up.routes(),
        *leaving.routes(),
        *PreferencesPages(app, languages, leaving).routes(),
        *AccountPages(app, languages).routes(),
        *RatingPages(app, languages).routes(),
        *ArchivePages(app, languages).routes(),
        *PublicPages(app).routes(),
        *DeskPages(app, languages.desk()).routes(),
        *hook_routes(app),
    ]
    refusing = Middleware(ExceptionMiddleware, handlers={HTTPException: languages.own.refusal})
    if path:  # its address in the settings may well end without a slash
        yield Route(path, sign_up.sign_up, methods=["GET", "POST"], middleware=[refusing])
    yield Mount(path, Router(routes, redirect_slashes=False), middleware=[refusing])
