"""`digest source`: list, try, add, remove, pause and resume sources."""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from digest.app import App
from digest.cli.collect import SOME_FAILED
from digest.cli.options import Options, common_options
from digest.cli.output import Output, without_secrets
from digest.errors import UsageError
from digest.model.articles import Article
from digest.model.sources import SourceState
from digest.services.collection import JOB, SourceReport, remembered
from digest.settings import SourceSettings

SHOWN = 5
PAUSED = "An admin paused it."


@click.group(name="source", short_help="List, try and add sources.")
@common_options
def command() -> None:
    """List, try and add sources."""


@command.command("list")
@common_options
@click.pass_obj
def show_list(options: Options) -> None:
    """List the project's sources, and how each was doing at its last fetch."""
    out = options.output()
    with options.open_app() as app:
        sources = app.project.settings.source
        states = {s.name: remembered(app.store.source_state(s.name), s) for s in sources}
        out.document({"sources": [_document(s, states[s.name]) for s in sources]})
        if not sources:
            out.line("This project has no source yet. Add one: digest source add NAME URL")
            return
        out.table(
            ("Name", "Kind", "Address", "Last good fetch", "State"),
            [
                _row(s, states[s.name], taking_part=s in app.project.settings.taking_part)
                for s in sources
            ],
        )


def _row(source: SourceSettings, state: SourceState, *, taking_part: bool) -> Sequence[str]:
    status = _state(state) if taking_part else "steps aside for your own sources"
    return (source.name, source.kind, without_secrets(source.url), _when(state), status)


def _document(source: SourceSettings, state: SourceState) -> dict[str, Any]:
    last = state.last_success_at
    return {
        "name": source.name,
        "kind": source.kind,
        "url": without_secrets(source.url),
        "fetched_from": without_secrets(state.url),
        "last_success_at": last.isoformat() if last else None,
        "failures": state.failures,
        "last_error": state.last_error,
        "paused_because": state.paused_because,
    }


def _when(state: SourceState) -> str:
    return f"{state.last_success_at:%Y-%m-%d %H:%M} UTC" if state.last_success_at else "never"


def _state(state: SourceState) -> str:
    if state.paused_because:
        return f"paused: {state.paused_because}"
    if state.failures:
        times = "once" if state.failures == 1 else f"{state.failures} times"
        return f"failed {times}: {state.last_error}"
    if state.url != state.configured_url:
        return f"moved to {state.url}"
    return "ok" if state.last_success_at else "new"


@command.command("test")
@click.argument("name_or_url", metavar="NAME-OR-URL")
@click.option("--kind", help="What it is, where it is no source of the project (default: feed).")
@click.option("--allow-private", is_flag=True, help="It is on a private host that you run.")
@common_options
@click.pass_obj
def test(options: Options, name_or_url: str, kind: str | None, allow_private: bool) -> int:
    """Fetch one source and show what it brings; nothing is stored."""
    out = options.output()
    with options.open_app() as app:
        known = {source.name: source for source in app.project.settings.source}
        if name_or_url in known and (kind or allow_private):
            raise click.UsageError(
                "--kind and --allow-private are for an address; this source has its own settings."
            )
        is_address = ":" in name_or_url or (app.project.root / name_or_url).exists()
        if name_or_url not in known and not is_address:
            raise UsageError(
                f"There is no source named {name_or_url!r}, and it is no address either.",
                hint="See them: digest source list",
            )
        source = known.get(name_or_url) or SourceSettings(
            name=name_or_url[:200],
            kind=kind or "feed",
            url=name_or_url,
            allow_private=allow_private,
        )
        report, articles = app.try_source(source)
    out.document(
        {
            "name": source.name,
            "url": without_secrets(source.url),
            "error": report.error,
            "hint": report.hint,
            "refused": [{"what": what, "why": why} for what, why in report.refused],
            "articles": [_article(article) for article in articles],
        }
    )
    _show_trial(out, report, articles)
    return SOME_FAILED if report.failed else 0


def _article(article: Article) -> dict[str, Any]:
    at = article.published_at
    return {
        "title": article.title,
        "url": article.url,
        "published_at": at.isoformat() if at else None,
        "rating": article.rating.mean if article.rating else None,
        "votes": article.rating.votes if article.rating else 0,
        "topics": list(article.topics),
        "summary": article.summary,
    }


def _show_trial(out: Output, report: SourceReport, articles: list[Article]) -> None:
    if report.failed:
        out.line(f"It cannot be used: {report.error}")
        if report.hint:
            out.line(f"  {report.hint}")
        return
    dated = [article.published_at for article in articles if article.published_at]
    rated = sum(article.rating is not None for article in articles)
    out.line(
        f"{len(articles)} article{'' if len(articles) == 1 else 's'}: {len(dated)} with a date, "
        f"{rated} with stars, {len(report.refused)} left out."
    )
    for article in articles[:SHOWN]:
        at = f"{article.published_at:%Y-%m-%d}" if article.published_at else "no date"
        out.line(f"  {at:<10}  {article.title}")
    for what, why in report.refused[:SHOWN]:
        out.line(f"  left out    {what}: {why}")
    if articles and not dated:
        out.line(
            "None has a date that can be believed: what is there now is only remembered, "
            "and what appears later counts from the day on which it is first seen."
        )


@command.command("add")
@click.argument("name")
@click.argument("url")
@click.option("--kind", default="feed", help="feed, files, or a plug-in's kind.")
@click.option("--trust", type=click.FloatRange(0, 1), default=1.0, help="Weight of its own stars.")
@click.option("--topic", "topics", multiple=True, help="Added to each of its articles.")
@click.option("--timezone", default="", help="Of dates that name no zone.")
@click.option("--language", default="", help="Where it states none.")
@click.option("--allow-private", is_flag=True, help="It is on a private host that you run.")
@click.option("--untried", is_flag=True, help="Add it although it cannot be fetched now.")
@common_options
@click.pass_obj
def add(options: Options, /, name: str, url: str, untried: bool, **rest: Any) -> int:
    """Try a source, and add it to the settings' file when it works."""
    from digest.starter import add_source

    out = options.output()
    project = options.require_project()
    source = SourceSettings(name=name, url=url, **rest)
    add_source(project, source, os.environ, really=False)
    with options.open_app(project) as app:
        report, articles = app.try_source(source)
        if not (options.json or options.quiet):
            _show_trial(out, report, articles)
        is_added = untried or not report.failed
        if is_added:
            with app.store.hold("settings"):
                add_source(project, source, os.environ)
    out.document({"added": is_added, "name": name, "error": report.error, "hint": report.hint})
    if is_added:
        out.line(f"Added {name} to {project.source_file}. Next: digest collect")
        return 0
    out.line("It was not added; --untried adds it all the same.")
    return SOME_FAILED


@command.command("remove")
@click.argument("name")
@common_options
@click.pass_obj
def remove(options: Options, name: str) -> None:
    """Take a source out of the settings' file; the articles that it brought stay."""
    from digest.starter import remove_source

    out = options.output()
    project = options.require_project()
    with options.open_app(project) as app, app.store.hold("settings"):
        remove_source(project, name, os.environ)
    out.document({"removed": name})
    out.line(f"Took {name} out of {project.source_file}.")


@command.command("pause")
@click.argument("name")
@common_options
@click.pass_obj
def pause(options: Options, name: str) -> None:
    """Leave a source alone until it is resumed."""
    _set_paused(options, name, PAUSED)


@command.command("resume")
@click.argument("name")
@common_options
@click.pass_obj
def resume(options: Options, name: str) -> None:
    """Fetch a paused source again."""
    _set_paused(options, name, "")


def _set_paused(options: Options, name: str, because: str) -> None:
    out = options.output()
    with options.open_app(options.require_project()) as app, app.store.hold(JOB):
        state = _state_of(app, name)
        app.store.save_source_state(
            replace(
                state,
                paused_because=because,
                failures=state.failures if because else 0,
                not_before_at=state.not_before_at if because else None,
            )
        )
    word = "paused" if because else "resumed"
    out.document({"name": name, "paused": bool(because)})
    out.line(f"{name} is {word}.")


def _state_of(app: App, name: str) -> SourceState:
    for source in app.project.settings.source:
        if source.name == name:
            return remembered(app.store.source_state(name), source)
    raise UsageError(f"There is no source named {name!r}.", hint="See them: digest source list")
