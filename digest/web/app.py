"""The web app of a project: the pages of its newsletters."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.routing import BaseRoute, Mount, Router

from digest.app import App
from digest.errors import ConfigError
from digest.web.desk import DeskPages
from digest.web.headers import PLACES, Frontage
from digest.web.hooks import hook_routes
from digest.web.pages import Pages
from digest.web.public import PublicPages


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
    pages = Pages(" · ".join(app.project.settings.newsletter.name for app in apps))
    by_path = _by_path(apps)
    # The longest first: "/" has room for the paths of others, whose links must lead to them.
    mounts = [_mount(path, by_path[path]) for path in sorted(by_path, key=len, reverse=True)]
    web = Starlette(
        routes=mounts,
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


def _mount(path: str, app: App) -> BaseRoute:
    """Return the newsletter's pages below `path`, with its own name on each refusal."""
    pages = Pages(app.project.settings.newsletter.name)
    routes = [
        *PublicPages(app, pages).routes(),
        *DeskPages(app, pages).routes(),
        *hook_routes(app),
    ]
    refusing = Middleware(ExceptionMiddleware, handlers={HTTPException: pages.refusal})
    return Mount(path, Router(routes, redirect_slashes=False), middleware=[refusing])
