"""The viewer: one page that shows a preview, from disk, with no script and no request."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from digest.viewer.excerpts import Line, excerpt
from digest.viewer.simulations import simulate
from digest.viewer.sizes import weigh
from digest.viewer.views import panels

FILES = ("index.html", "mail.html", "mail.txt", "mail.eml", "report.json")
GENERATOR = "digest preview"
SIZE_LIMIT = 102_400  # bytes of HTML that Gmail shows
SIZE_WARNING = 75_000


POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)
"""No script may run, ours neither. A frame inherits this, and mails live by inline styles."""


class FindingRow(NamedTuple):
    """What a check found.

    `severity` is "error", "warning" or "info". `story` is the headline of the story in which it
    stands, or "". `line` is its line in the HTML, 0 where it has none.
    """

    rule: str
    severity: str
    message: str
    story: str = ""
    line: int = 0


class ShownFinding(NamedTuple):
    """A finding, the lines of HTML around it, and its story's position, 0 where it has none."""

    finding: FindingRow
    lines: tuple[Line, ...]
    position: int


class WeightRow(NamedTuple):
    """A part of the HTML and its bytes; `width` is its bar in percent of the longest one."""

    name: str
    position: int
    size: int
    width: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryRow:
    """A story and why it stands where it stands.

    `rating` is a text such as "4.6 of 5 from 120 votes". `reasons` are sentences with the stars
    that each adds or takes; they add up to `score`.
    """

    position: int
    headline: str
    source: str
    score: float
    lead: bool = False
    rating: str = ""
    reasons: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewPage:
    """All that the viewer shows.

    `starts_at` and `ends_at` are aware; `html` is the filled mail, whose lines the findings name.
    `goes_to` and `not_to` say in words who gets the edition, and who does not; "" is not shown.
    """

    newsletter: str
    edition: str
    starts_at: dt.datetime
    ends_at: dt.datetime
    timezone: str
    state: str
    subject: str
    preheader: str
    sender: str
    reader: str
    sha256: str
    html: str
    text: str
    stories: tuple[StoryRow, ...] = ()
    findings: tuple[FindingRow, ...] = ()
    notes: tuple[str, ...] = ()
    goes_to: str = ""
    not_to: str = ""
    is_sample: bool = False

    @property
    def html_bytes(self) -> int:
        """The size that clients clip by, in bytes of UTF-8."""
        return len(self.html.encode())

    @property
    def text_bytes(self) -> int:
        """The size of the text part in bytes of UTF-8."""
        return len(self.text.encode())


def viewer_page(page: PreviewPage, pictures: Mapping[str, str] | None = None) -> str:
    """Return the viewer as one self-contained HTML page; same preview, same page.

    The mail may be hostile: it is shown in frames that run nothing, load nothing and lead nowhere.

    Args:
        page: What to show.
        pictures: For the public URL of a picture at hand, the picture as a data: URL.
    """
    simulations = simulate(page.html, pictures or {})
    shown = panels(simulations)
    severities = [finding.severity for finding in page.findings]
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            page=page,
            generator=GENERATOR,
            files=FILES,
            policy=POLICY,
            panels=shown,
            views=[view for panel in shown for view in panel.views],
            web_pictures=simulations.web_pictures,
            starts=_wall_time(page.starts_at, page.timezone),
            ends=_wall_time(page.ends_at, page.timezone),
            errors=severities.count("error"),
            warnings=severities.count("warning"),
            findings=[_shown(finding, page) for finding in sorted(page.findings, key=_weight)],
            size=_size(page),
            weights=_weights(page),
            sender_name=page.sender.partition("<")[0].strip().strip('"') or page.sender,
        )
    )


def error_page(message: str, hint: str) -> str:
    """Return the page that stands in for the viewer while a preview cannot be made."""
    template = _environment().get_template("error.html.j2")
    return template.render(policy=POLICY, generator=GENERATOR, message=message, hint=hint)


def _shown(finding: FindingRow, page: PreviewPage) -> ShownFinding:
    words = f"{finding.message.partition(';')[0]} “{finding.story}”"
    return ShownFinding(
        finding,
        excerpt(page.html, finding.line, hints=words),
        next((s.position for s in page.stories if s.headline == finding.story), 0),
    )


def _weight(finding: FindingRow) -> int:
    order = ("error", "warning", "info")
    return order.index(finding.severity) if finding.severity in order else len(order)


def _size(page: PreviewPage) -> Mapping[str, Any]:
    share = page.html_bytes / SIZE_LIMIT
    level = "high" if share > 1 else "near" if page.html_bytes > SIZE_WARNING else "good"
    words = {
        "high": "Gmail cuts this mail off before its end.",
        "near": "Gmail still shows all of it, with little to spare.",
        "good": "Well below what Gmail cuts off.",
    }
    return {
        "limit": SIZE_LIMIT,
        "percent": round(100 * share),
        "width": f"{min(100 * share, 100):.1f}",
        "mark": f"{100 * SIZE_WARNING / SIZE_LIMIT:.1f}",
        "level": level,
        "words": words[level],
    }


def _weights(page: PreviewPage) -> Mapping[str, Any]:
    """Return what the frame and each story weigh, for a table with bars."""
    weights = weigh(page.html, [story.headline for story in page.stories])
    rows = [("The frame: head, top and footer", 0, weights.frame)]
    for story, size in zip(page.stories, weights.stories, strict=True):
        if size:
            rows.append((story.headline, story.position, size))
    largest = max(size for _name, _position, size in rows)
    found = [size for size in weights.stories if size]
    usual = sum(found) // len(found) if found else 0
    return {
        "rows": [
            WeightRow(name, position, size, f"{100 * size / max(largest, 1):.1f}")
            for name, position, size in rows
        ],
        "usual": usual,
        "room": max(0, SIZE_LIMIT - page.html_bytes) // usual if usual else 0,
    }


def _wall_time(moment: dt.datetime, timezone: str) -> str:
    local = moment.astimezone(ZoneInfo(timezone))
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M}"


def _signed(stars: float) -> str:
    return f"{'−' if stars < 0 else '+'}{abs(stars):.2f}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["signed"] = _signed
    return environment
