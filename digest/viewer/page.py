"""The viewer: one page that shows a preview, from disk, with no script and no request."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from digest.viewer.simulations import Simulations, simulate

FILES = ("index.html", "mail.html", "mail.txt", "mail.eml", "report.json")
GENERATOR = "digest preview"
SIZE_LIMIT = 102_400  # bytes of HTML that Gmail shows (email-html research, 1.2)
SIZE_WARNING = 75_000


class FindingRow(NamedTuple):
    """What a check found. `severity` is "error", "warning" or "info"; `story` may be ""."""

    rule: str
    severity: str
    message: str
    story: str = ""


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
    """All that the viewer shows. `starts_at` and `ends_at` are aware; `html` is the filled mail."""

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
    is_sample: bool = False

    @property
    def html_bytes(self) -> int:
        """The size that clients clip by, in bytes of UTF-8."""
        return len(self.html.encode())

    @property
    def text_bytes(self) -> int:
        """The size of the text part in bytes of UTF-8."""
        return len(self.text.encode())


class View(NamedTuple):
    """One way to look at the mail; `document` is "" for the text part."""

    id: str
    name: str
    size: str
    document: str
    caption: str


def viewer_page(page: PreviewPage, pictures: Mapping[str, str] | None = None) -> str:
    """Return the viewer as one self-contained HTML page; same preview, same page.

    The mail may be hostile: it is shown in frames that run nothing, load nothing and lead nowhere.

    Args:
        page: What to show.
        pictures: For the public URL of a picture at hand, the picture as a data: URL.
    """
    simulations = simulate(page.html, pictures or {})
    severities = [finding.severity for finding in page.findings]
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            page=page,
            generator=GENERATOR,
            files=FILES,
            views=_views(simulations),
            web_pictures=simulations.web_pictures,
            starts=_wall_time(page.starts_at, page.timezone),
            ends=_wall_time(page.ends_at, page.timezone),
            errors=severities.count("error"),
            warnings=severities.count("warning"),
            findings=sorted(page.findings, key=_weight),
            size=_size(page),
            sender_name=page.sender.partition("<")[0].strip().strip('"') or page.sender,
        )
    )


def _views(simulations: Simulations) -> list[View]:
    own_dark = (
        "The mail's own dark colours, as in Apple Mail, Outlook for Mac and phones, and Samsung."
        if simulations.has_dark_rules
        else "This mail has no dark colours of its own: such clients show it light."
    )
    return [
        View("desktop", "Desktop", "wide", simulations.light, "A browser at desktop width."),
        View("phone", "Phone", "phone", simulations.light, "375 pixels wide, a common phone."),
        View("dark", "Dark", "wide", simulations.dark, own_dark),
        View(
            "inverted",
            "Inverted",
            "wide",
            simulations.inverted,
            "An approximation of clients that turn every colour round, such as Gmail on iOS.",
        ),
        View(
            "images",
            "Images off",
            "wide",
            simulations.images_off,
            "As in classic Outlook and Thunderbird until the reader asks for pictures.",
        ),
        View(
            "stripped",
            "Styles stripped",
            "wide",
            simulations.stripped,
            "Only inline styles are left, as in Gmail's apps with accounts of other providers.",
        ),
        View("text", "Text", "text", "", "The plain text part, as terminals and watches show it."),
    ]


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
