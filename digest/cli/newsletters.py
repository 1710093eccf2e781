"""Commands that work for all newsletters of a project at once."""

import os
from contextlib import ExitStack

from digest.app import App
from digest.cli.options import Options
from digest.errors import UsageError
from digest.project import load


def open_newsletters(options: Options, stack: ExitStack, *, is_waiting: bool = False) -> list[App]:
    """Return an app for each newsletter of the project, or for that of --newsletter.

    They are closed with `stack`.

    Raises:
        UsageError: There is no project.
    """
    project = options.require_project(is_shared=True)
    slugs = [] if options.newsletter else [each.newsletter.slug for each in project.others]
    projects = [project, *(load(project.root, os.environ, slug) for slug in slugs)]
    return [stack.enter_context(options.open_app(each, is_waiting=is_waiting)) for each in projects]


def require_real_time(options: Options, app: App) -> None:
    """Raise if --now would make a provider mail readers at a time that is not now.

    Raises:
        UsageError: See above; nothing was sent.
    """
    if options.now and app.transport.can_hold:
        raise UsageError(
            f"--now does not go with sending through {app.transport.name}: it keeps mail until "
            "a real time. Nothing was sent.",
            hint="Try it out with the outbox: DIGEST_DELIVERY__TRANSPORT=outbox",
        )
