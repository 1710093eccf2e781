"""`digest serve`: the readers' pages and the provider's hook."""

import click

from digest.cli.options import Options, common_options


@click.command(name="serve", short_help="Serve the readers' pages.")
@click.option(
    "--bind",
    metavar="HOST:PORT",
    help="Where to listen (default: bind in [web]); port 0 takes a free one.",
)
@common_options
@click.pass_obj
def command(options: Options, bind: str | None) -> int:
    """Serve the readers' pages, and take the provider's reports.

    Readers leave the list here, and read editions that went out. Put a proxy with https in front
    that passes on what comes to the newsletter's public_url. Ctrl-C ends it.
    """
    import re
    import signal
    import threading

    from digest.web.server import serving

    if bind is not None and not re.fullmatch(r"([^\s:]+|\[[0-9a-fA-F:]+\]):[0-9]{1,5}", bind):
        raise click.BadParameter("right is HOST:PORT, like 127.0.0.1:8000.", param_hint="--bind")
    out, over = options.output(), threading.Event()
    project = options.require_project()
    settings = project.settings
    with (
        options.open_app(project) as app,
        serving(app, bind or settings.web.bind, over) as address,
    ):
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: over.set())
        hook = bool(settings.sendgrid.webhook_public_key)
        public = settings.newsletter.public_url.rstrip("/")
        out.document({"address": address, "public_url": public, "hook": hook})
        out.line(f"Served at  {address} (Ctrl-C ends it)")
        out.line(f"Readers    {public}/u/…, /preferences/…, /archive/…")
        out.line(
            f"Reports    {public}/hooks/sendgrid"
            if hook
            else "Reports    none: sendgrid.webhook_public_key is not set"
        )
        over.wait()
        out.note("Ending: answering what is under way.")
    out.note("Nothing is served any more. Reports that came are kept.")
    return 0
