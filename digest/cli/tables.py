"""What several commands show alike: an edition in one line, its stories, findings."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from zoneinfo import ZoneInfo

from digest.checking import Finding, Severity
from digest.cli.output import Output
from digest.model.articles import Rating
from digest.model.deliveries import Audience
from digest.model.editions import Edition, Period, Story
from digest.services.previews import audience_words, state_words


def edition_line(edition: Edition) -> str:
    """Return one line that says which edition it is and how it stands."""
    stories = count(len(edition.stories), "story", "stories")
    period = period_words(edition.period)
    return (
        f"Edition {edition.period.label} · {period} · {state_words(edition)}, "
        f"{stories} of {count(edition.candidates, 'candidate')}"
    )


def period_words(period: Period) -> str:
    """Return the week in its own zone, e.g. "Sun 22 – Sun 29 Nov 2026"."""
    zone = ZoneInfo(period.timezone)
    start, end = period.start.astimezone(zone), period.end.astimezone(zone)
    first = f"{start:%a} {start.day}"
    if (start.year, start.month) != (end.year, end.month):
        first += f" {start:%b}"
    if start.year != end.year:
        first += f" {start.year}"
    return f"{first} – {end:%a} {end.day} {end:%b} {end.year}"


def story_table(out: Output, edition: Edition) -> None:
    """Print the stories in their order; nothing for an edition without any."""
    if edition.stories:
        columns = ("#>", "", "Rating>", "Votes>", "Score>", "Story", "Source", "Article>")
        out.table(columns, [_row(story) for story in edition.stories])


def _row(story: Story) -> Sequence[str]:
    mark = "★" if story.lead else "pin" if story.pinned_at else ""
    mark = " ".join(filter(None, (mark, "update" if story.update_of else "")))
    origin = story.outlet or story.source
    number = str(story.article_id)
    score = f"{story.score:.2f}"
    rating = rating_cells(story.rating)
    return (str(story.position), mark, *rating, score, story.headline, origin, number)


def rating_cells(rating: Rating | None) -> tuple[str, str]:
    """Return the mean and the votes for two columns, or two dashes."""
    return (f"{rating.mean:.1f}", f"{rating.votes:,}") if rating else ("–", "–")


def audience_lines(audience: Audience) -> Iterator[str]:
    """Yield who would get an edition, and who would not and why."""
    goes_to, not_to = audience_words(audience)
    hint = "" if audience.candidates else " (digest subscribers import FILE.csv)"
    yield f"  Goes to    {goes_to}{hint}"
    if not_to:
        yield f"  Not to     {not_to}"


def finding_lines(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield a line a finding; of the informations one a rule, and how many more there are."""
    told = Counter[str]()
    for finding in findings:
        told[finding.rule] += finding.severity is Severity.INFO
        if told[finding.rule] > 1:
            continue
        where = f", line {finding.line}" if finding.line else ""
        where += f", story {finding.story!r}" if finding.story else ""
        yield f"  {finding.severity:<9} {finding.rule}{where}: {finding.message}"
    for rule, number in told.items():
        if number > 1:
            yield f"  {Severity.INFO:<9} {rule}: {number - 1} more; see them all in the viewer"


def count(number: int, noun: str, plural: str = "") -> str:
    """Return "1 story", "3 stories"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
