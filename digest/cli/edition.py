"""`digest edition`: draft, curate, freeze and approve an edition."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from digest.app import App
from digest.cli import correcting
from digest.cli.options import Options, common_options, edition_option, not_blank
from digest.cli.output import Output
from digest.cli.showing import edition_document, local_time, show_edition
from digest.cli.tables import period_words
from digest.curation import FIXED
from digest.model.editions import Edition
from digest.services.previews import state_words

SHORT_HASH = 12

ARTICLE = click.argument("reference", metavar="ARTICLE")
UPDATE = click.option(
    "--update",
    "is_update",
    is_flag=True,
    help="Bring a story back that readers had, marked as an update.",
)


@click.group(name="edition", short_help="Draft, curate, freeze and approve an edition.")
@common_options
def command() -> None:
    """Draft, curate, freeze and approve an edition.

    ARTICLE is the number that `digest rank` shows, a URL, or words of the title. Every command
    takes --edition; without it, it is the edition that is due. A change to a frozen or approved
    edition makes it a draft again.
    """


@command.command("list")
@common_options
@click.pass_obj
def show_list(options: Options) -> None:
    """List the editions, newest first."""
    out = options.output()
    with options.open_app() as app:
        editions = app.editions.all()
        due = app.editions.period("", now=app.clock.now())
        out.document(
            {"due": due.label, "editions": [edition_document(edition) for edition in editions]}
        )
        if editions:
            out.table(
                ("Edition", "State", "Stories>", "Hash", "Period", "Subject"),
                [
                    (
                        edition.period.label,
                        state_words(edition),
                        str(len(edition.stories)),
                        edition.sha256[:SHORT_HASH] or "–",
                        period_words(edition.period),
                        edition.subject,
                    )
                    for edition in editions
                ],
            )
        if not any(edition.period.label == due.label for edition in editions):
            out.line(f"{due.label} is due and not drafted yet: digest edition draft")


@command.command("show")
@edition_option
@common_options
@click.pass_obj
def show(options: Options, label: str) -> None:
    """Show an edition; one that is not drafted yet as it would be drafted now."""
    out = options.output()
    with options.open_app() as app:
        if app.project.is_starter:
            app.collect()
        edition = app.editions.compose(label, now=app.clock.now())
        show_edition(app, out, edition)


@command.command("draft")
@edition_option
@common_options
@click.pass_obj
def draft(options: Options, label: str) -> None:
    """Draft an edition from the ranking; what editors decided and wrote stays."""
    out = options.output()
    with _curating(options, label) as app:
        edition = app.editions.draft(label, now=app.clock.now())
        show_edition(app, out, edition)
        if len(edition.stories) < app.project.settings.edition.minimum_stories:
            out.note("It has too few stories to go. Collect more: digest collect")


@command.command("lead")
@edition_option
@ARTICLE
@UPDATE
@common_options
@click.pass_obj
def lead(options: Options, label: str, reference: str, is_update: bool) -> None:
    """Make ARTICLE the lead story."""
    with _curating(options, label) as app:
        edition = app.editions.lead(label, reference, now=app.clock.now(), is_update=is_update)
        show_edition(app, options.output(), edition)
        _tell_if_from_elsewhere(app, options.output(), edition, reference)


@command.command("pin")
@edition_option
@ARTICLE
@click.argument("position", type=int)
@UPDATE
@common_options
@click.pass_obj
def pin(options: Options, label: str, reference: str, position: int, is_update: bool) -> None:
    """Fix ARTICLE at POSITION, whatever its score; a redraft keeps it there."""
    with _curating(options, label) as app:
        now = app.clock.now()
        edition = app.editions.pin(label, reference, position, now=now, is_update=is_update)
        show_edition(app, options.output(), edition)
        _tell_if_from_elsewhere(app, options.output(), edition, reference)


@command.command("unpin")
@edition_option
@ARTICLE
@common_options
@click.pass_obj
def unpin(options: Options, label: str, reference: str) -> None:
    """Let ARTICLE stand where its score puts it, also as lead."""
    with _curating(options, label) as app:
        edition = app.editions.unpin(label, reference, now=app.clock.now())
        show_edition(app, options.output(), edition)


@command.command("move")
@edition_option
@ARTICLE
@click.argument("position", type=int)
@common_options
@click.pass_obj
def move(options: Options, label: str, reference: str, position: int) -> None:
    """Move the story ARTICLE to POSITION and the others along; the order stays as it is shown."""
    with _curating(options, label) as app:
        edition = app.editions.move(label, reference, position, now=app.clock.now())
        show_edition(app, options.output(), edition)


@command.command("hide")
@edition_option
@ARTICLE
@common_options
@click.pass_obj
def hide(options: Options, label: str, reference: str) -> None:
    """Take ARTICLE out; the next candidate moves up."""
    with _curating(options, label) as app:
        edition = app.editions.hide(label, reference, now=app.clock.now())
        show_edition(app, options.output(), edition)


@command.command("unhide")
@edition_option
@ARTICLE
@common_options
@click.pass_obj
def unhide(options: Options, label: str, reference: str) -> None:
    """Let a hidden ARTICLE take part again."""
    with _curating(options, label) as app:
        edition = app.editions.unhide(label, reference, now=app.clock.now())
        show_edition(app, options.output(), edition)


@command.command("merge")
@edition_option
@ARTICLE
@click.argument("others", metavar="OTHER...", nargs=-1, required=True)
@common_options
@click.pass_obj
def merge(options: Options, label: str, reference: str, others: tuple[str, ...]) -> None:
    """Make one story of articles about one event: ARTICLE, and below it links to the others."""
    with _curating(options, label) as app:
        edition = app.editions.merge(label, reference, others, now=app.clock.now())
        show_edition(app, options.output(), edition)


@command.command("split")
@edition_option
@ARTICLE
@common_options
@click.pass_obj
def split(options: Options, label: str, reference: str) -> None:
    """Let all articles go that are merged into the story ARTICLE."""
    with _curating(options, label) as app:
        edition = app.editions.split(label, reference, now=app.clock.now())
        show_edition(app, options.output(), edition)


@command.command("edit")
@edition_option
@click.argument("reference", metavar="[ARTICLE]", default="")
@click.option("--headline", help="The story's headline.")
@click.option("--summary", help="The story's summary.")
@click.option("--subject", help="The mail's subject.")
@click.option("--preheader", help="What inboxes show after the subject.")
@click.option("--intro", help="The words before the first story.")
@common_options
@click.pass_obj
def edit(options: Options, /, label: str, reference: str, **words: str | None) -> None:
    """Write the words of a story (ARTICLE), or of the edition.

    An empty text ("") brings back what was there before anybody wrote.
    """
    of_story = {name: words.pop(name) for name in ("headline", "summary")}
    is_story = any(value is not None for value in of_story.values())
    is_edition = any(value is not None for value in words.values())
    if is_story and not reference:
        raise click.UsageError("Name the story: digest edition edit ARTICLE --headline TEXT")
    if reference and not is_story:
        raise click.UsageError("ARTICLE goes with --headline or --summary.")
    if not is_story and not is_edition:
        raise click.UsageError("Say what to write, for example --subject TEXT.")
    with _curating(options, label) as app:
        now = app.clock.now()
        if is_story:
            edition = app.editions.edit_story(label, reference, **of_story, now=now)
        if is_edition:
            edition = app.editions.edit(
                label,
                subject=words["subject"],
                preheader=words["preheader"],
                intro=words["intro"],
                now=now,
            )
        show_edition(app, options.output(), edition)


@command.command("freeze")
@edition_option
@common_options
@click.pass_obj
def freeze(options: Options, label: str) -> None:
    """Render an edition's mails for good: what is previewed from now on is what is sent.

    An edition that was never drafted is drafted first. A check that finds an error stops it (5).
    """
    out = options.output()
    with options.open_app(options.require_project()) as app:
        now = app.clock.now()
        edition = app.freezing.freeze(label, now=now)
        show_edition(app, out, edition)
    if now < edition.period.end:
        until = local_time(edition.period.end, edition.period)
        out.note(f"The week goes on until {until}; what comes later goes into the next edition.")
    out.note(f"Frozen. Look at it, then approve it: digest edition approve --by NAME{_of(label)}")


@command.command("approve")
@edition_option
@click.option(
    "--by", "name", metavar="NAME", required=True, callback=not_blank, help="Who approves it."
)
@common_options
@click.pass_obj
def approve(options: Options, label: str, name: str) -> None:
    """Approve a frozen edition, so that it may be sent; covers the hash that is shown."""
    with options.open_app(options.require_project()) as app:
        edition = app.freezing.approve(label, by=name, now=app.clock.now())
        show_edition(app, options.output(), edition)


@command.command("hold")
@edition_option
@click.option("--reason", default="", metavar="TEXT", help="Why, for the others.")
@common_options
@click.pass_obj
def hold(options: Options, label: str, reason: str) -> None:
    """Keep an edition from going until somebody freezes and approves it."""
    with _curating(options, label) as app:
        edition = app.editions.hold(label, reason=reason, now=app.clock.now())
        show_edition(app, options.output(), edition)


@command.command("skip")
@edition_option
@click.option(
    "--reason", required=True, callback=not_blank, metavar="TEXT", help="Why; it is kept."
)
@common_options
@click.pass_obj
def skip(options: Options, label: str, reason: str) -> None:
    """Let an edition not go at all. What is in it may be in the next one."""
    with _curating(options, label) as app:
        edition = app.editions.skip(label, reason=reason, now=app.clock.now())
        show_edition(app, options.output(), edition)


command.add_command(correcting.command)


@command.command("diff")
@edition_option
@common_options
@click.pass_obj
def diff(options: Options, label: str) -> None:
    """Show what editors made of an edition, and how it differs from the last that went out."""
    from digest import differences

    out = options.output()
    with options.open_app() as app:
        now = app.clock.now()
        edition = app.editions.compose(label, now=now)
        by_hand = differences.stories(app.editions.automatic(edition, now=now), edition)
        last = app.editions.last_sent(before=edition.period)
        to_last = differences.between(last, edition) if last else []
        out.document(
            {
                "edition": edition.period.label,
                "by_hand": by_hand,
                "last": last.period.label if last else None,
                "to_last": to_last,
            }
        )
        out.line(f"{edition.period.label}, beside what the ranking alone would choose now:")
        for line in by_hand or ["nothing differs"]:
            out.line(f"  {line}")
        if last:
            out.line(f"Beside {last.period.label}, which went out last:")
            for line in to_last:
                out.line(f"  {line}")


@command.command("reopen")
@edition_option
@common_options
@click.pass_obj
def reopen(options: Options, label: str) -> None:
    """Make an edition a draft again that is frozen, approved, held or skipped."""
    with options.open_app(options.require_project()) as app:
        edition = app.freezing.reopen(label, now=app.clock.now())
        show_edition(app, options.output(), edition)


def _of(label: str) -> str:
    """Return the option that names the same edition in the next command."""
    return f" --edition {label}" if label else ""


def _tell_if_from_elsewhere(app: App, out: Output, edition: Edition, reference: str) -> None:
    """Say so when an editor brings in what the ranking would not: too old, or of another week."""
    now = app.clock.now()
    article = app.editions.find(reference, edition.period, now=now)
    ranked = app.editions.ranked(edition.period, now=now)
    is_update = any(s.article_id == article.id and s.update_of for s in edition.stories)
    if not is_update and article.id not in {item.stored.id for item in ranked}:
        out.note(f"{article.article.title!r} is no candidate of this week; it is in all the same.")


@contextmanager
def _curating(options: Options, label: str) -> Iterator[App]:
    """Open the app for a change, which the starter could not keep; say if it undid a freezing."""
    with options.open_app(options.require_project()) as app:
        before = app.editions.stored(label, now=app.clock.now())
        yield app
        if before is not None and before.state in FIXED:
            words = f"was {before.state}; it is a draft again. Freeze and approve it anew."
            options.output().note(f"The edition {words}")
