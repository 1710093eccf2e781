"""The web app of one project."""

from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount

from digest.app import App
from digest.web.headers import Frontage
from digest.web.hooks import hook_routes
from digest.web.pages import Pages
from digest.web.public import PublicPages


def make_web(app: App) -> Starlette:
    """Return the web app, which answers below the path of the newsletter's `public_url`.

    Its addresses come from the settings alone, never from a request.

    Raises:
        ConfigError: The keys cannot be used, or the webhook's key is none.
        StoreError: The database cannot be opened.
    """
    letter = app.project.settings.newsletter
    pages = Pages(letter.name)
    routes: list[BaseRoute] = [*PublicPages(app, pages).routes(), *hook_routes(app)]
    if prefix := urlsplit(letter.public_url).path.rstrip("/"):
        routes = [Mount(prefix, routes=routes)]
    web = Starlette(
        routes=routes,
        middleware=[Middleware(Frontage, failed=pages.message)],
        exception_handlers={HTTPException: pages.refusal},
    )
    web.router.redirect_slashes = False  # it would build an address from the request
    return web
