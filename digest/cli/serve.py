"""`digest serve`: the pages, the provider's hook, and the schedule, in one process."""

import click

from digest.cli.options import Options, common_options


@click.command(name="serve", short_help="Serve the pages, and let the editions come.")
@click.option(
    "--bind",
    metavar="HOST:PORT",
    help="Where to listen (default: bind in [web]); port 0 takes a free one.",
)
@click.option("--no-scheduler", is_flag=True, help="Do not let the editions come by themselves.")
@common_options
@click.pass_obj
def command(options: Options, bind: str | None, no_scheduler: bool) -> int:
    """Serve the pages, take the provider's reports, and let the editions come.

    It is for all newsletters of the project, or for one. Readers subscribe, choose and leave here,
    and read editions that went out; editors decide about the next one. Put a proxy with https in
    front that passes on what comes to the newsletter's public_url. The editions come as with
    `digest schedule run`. Ctrl-C ends it.
    """
    import re
    import threading
    from contextlib import ExitStack

    from digest.cli.newsletters import open_newsletters, require_real_time
    from digest.cli.signals import ending
    from digest.scheduler import scheduled, ticking
    from digest.web.server import serving

    if bind is not None and not re.fullmatch(r"([^\s:]+|\[[0-9a-fA-F:]+\]):[0-9]{1,5}", bind):
        raise click.BadParameter("right is HOST:PORT, like 127.0.0.1:8000.", param_hint="--bind")
    out, over = options.output(), threading.Event()
    with ExitStack() as stack:
        app, *others = open_newsletters(options, stack, is_waiting=True)
        settings = app.project.settings
        bind = bind or settings.web.bind
        address = stack.enter_context(serving(app, bind, over, others))
        stack.enter_context(ending(over))
        hook = bool(settings.sendgrid.webhook_public_key)
        letters = [each.project.settings.newsletter for each in (app, *others)]
        urls = {letter.slug: letter.public_url.rstrip("/") for letter in letters}
        public = urls[settings.newsletter.slug]
        out.document({"address": address, "public_url": public, "hook": hook, "newsletters": urls})
        out.line(f"Served at  {address} (Ctrl-C ends it)")
        for url in urls.values():
            out.line(f"Subscribe  {url}/")
            out.line(f"Readers    {url}/u/…, /preferences/…, /archive/…")
        out.line(
            f"Reports    {public}/hooks/sendgrid"
            if hook
            else "Reports    none: sendgrid.webhook_public_key is not set"
        )
        if settings.editor:
            out.line(f"Editors    {public}/desk/edition/…")
        out.line(f"Schedule   {'not here' if no_scheduler else 'runs: digest schedule show'}")
        if not no_scheduler:
            for each in (app, *others):
                require_real_time(options, each)
            stack.enter_context(ticking(scheduled([app, *others], over)))
        over.wait()
        out.note("Ending after what is under way.")
    out.note("Nothing is served any more. Reports that came are kept.")
    return 0
