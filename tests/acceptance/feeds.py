"""Small feeds for the acceptance tests, and settings that name them."""

from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

NOW = "2026-11-25T12:00:00+00:00"
"""A Wednesday; the edition that is due is 2026-W48."""


def rss(*titles: str, day: int = 24, host: str = "news.example.com", more: str = "") -> bytes:
    """Return an RSS feed with one rated article a title, all of one day in November 2026."""
    items = "".join(
        f"<item><title>{escape(title)}</title><link>https://{host}/{number}</link>"
        f"<pubDate>Tue, {day} Nov 2026 08:{number:02d}:00 +0000</pubDate>"
        f"<description>What {escape(title)} says, in one sentence of its own.</description>"
        f'<media:starRating average="4.{number % 10}" count="40" min="1" max="5"/>{more}</item>'
        for number, title in enumerate(titles, 1)
    )
    return (
        '<rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/"><channel>'
        f"<title>News</title><link>https://{host}/</link>{items}</channel></rss>"
    ).encode()


def use_sources(project: Path, urls: Mapping[str, str]) -> None:
    """Let the project have just these sources, by name."""
    path = project / "config" / "digest.toml"
    text = path.read_text()
    start = text.index("[[source]]\nname")
    end = text.index("[delivery]")
    sources = "".join(
        f'[[source]]\nname = "{name}"\nurl = "{url}"\n'
        + ("allow_private = true\n" if "127.0." in url else "")
        + "\n"
        for name, url in urls.items()
    )
    path.write_text(text[:start] + sources + text[end:])
