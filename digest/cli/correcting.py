"""`digest edition correct`: put right what readers have."""

import click

from digest.cli.options import Options, common_options, not_blank
from digest.cli.showing import correction_document, correction_line


@click.command("correct")
@click.argument("words", metavar="TEXT")
@click.option(
    "--edition",
    "label",
    callback=not_blank,
    metavar="LABEL",
    help="Which edition, e.g. 2026-W48 (default: the last that went out).",
)
@click.option(
    "--story",
    "reference",
    callback=not_blank,
    metavar="ARTICLE",
    help="Which story; without it, it is about the whole edition.",
)
@click.option(
    "--headline", callback=not_blank, metavar="TEXT", help="The story's headline from now on."
)
@click.option(
    "--summary", callback=not_blank, metavar="TEXT", help="The story's summary from now on."
)
@click.option(
    "--by",
    "name",
    callback=not_blank,
    metavar="NAME",
    help="Who corrects it (default: who runs this).",
)
@common_options
@click.pass_obj
def command(options: Options, /, words: str, label: str, name: str, **of_story: str) -> None:
    """Say on an edition's page what was wrong in it.

    Write TEXT for readers: "The app costs 4 euros, not 40." Page and feed show it, with the new
    headline and summary if you give any. Mails that went out stay as they are; an edition that has
    not gone out is changed with digest edition edit.
    """
    from digest.services.corrections import Told

    out = options.output()
    with options.open_app(options.require_project()) as app:
        told = Told(words=words, **of_story)
        by, now = name or app.actor, app.clock.now()
        past, saved = app.correcting.correct(label, told, by=by, now=now)
        public = app.project.settings.newsletter.public_url.rstrip("/")
    out.document({"edition": past.label, **correction_document(saved)})
    out.line(f"Corrected {past.label}: {correction_line(saved, past.period)}")
    out.note(f"Readers see it at {public}/archive/{past.label}")
