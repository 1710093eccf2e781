"""Articles kept as text files: the form of a saved page, and Markdown with front matter.

Runs in the parser's child process. The form of a saved page is one kept as text: title; date and
category on one line; the title again; paragraphs; "Rate this article:" with or without stars;
"Related articles". Every part but the title may be missing.
"""

import datetime as dt
import re
from typing import Any

from digest.errors import SourceMalformed
from digest.model.articles import Image, RawEntry, RawRating
from digest.sources.entries import in_utc, stated_instant, stated_rating
from digest.sources.markup import decode, pixels, plain_text, single_line, web_url
from digest.sources.parsing import Job, Parsed

_HEADER_LINES = 5
_MAX_TOPICS = 20
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_DATE_LINE = re.compile(r"(([A-Z][a-z]{2,8})\.? (\d{1,2}), (\d{4}))(?:\s+(\S.*))?")
_MARKER = re.compile(r"^[ \t]*(rate this article:?|related articles:?)", re.IGNORECASE | re.M)
_STARS = re.compile(
    r"[\s★☆]*(\d+(?:[.,]\d+)?)\s*★?\s*(?:(?:/|out of|of)\s*(\d+))?\s*"
    r"\(\s*(\d[\d,.\u00a0 ]*)\s*(?:votes?|ratings?)?\s*\)",
    re.IGNORECASE,
)


def parse_text(job: Job) -> Parsed:
    """Read a file in the form of a saved page.

    Raises:
        SourceMalformed: It is empty, or no text at all.
    """
    text = _decoded(job)
    marker = _MARKER.search(text)
    head = text[: marker.start()] if marker else text
    blocks = [block.strip() for block in re.split(r"\n\s*\n", head) if block.strip()]
    if not blocks:
        raise SourceMalformed("It is empty.", hint="Its first line should be the title.")
    title, *body = blocks[0].split("\n", 1)
    lines = [*body, *blocks[1:]]
    published, guess, category = "", None, ""
    for index, line in enumerate(lines[: _HEADER_LINES - 1]):
        if found := _DATE_LINE.fullmatch(single_line(line)):
            published, category = found[1], found[5] or ""
            guess = _noon(found, job.timezone)
            del lines[index]
            break
    if lines and single_line(lines[0]).casefold() == single_line(title).casefold():
        del lines[0]
    entry = RawEntry(
        title=single_line(title),
        text="\n\n".join(single_line(line) for line in lines),
        published=published,
        published_guess=guess,
        language=job.language,
        topics=(category,) if category else (),
        rating=_rating_after(text, marker),
    )
    return Parsed(entries=(entry,), language=job.language)


def _decoded(job: Job) -> str:
    if b"\0" in job.body[:4096] and job.body[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        raise SourceMalformed("It is not a text file.", hint="Save it as UTF-8.")
    return decode(job.body, job.content_type)


def _rating_after(text: str, marker: re.Match[str] | None) -> RawRating | None:
    """Read "4.6 (120 votes)" or "4.6/5 (120)" that stands after "Rate this article:"."""
    if marker is None or not marker[1].lower().startswith("rate"):
        return None
    stars = _STARS.match(text, marker.end())
    if stars is None:
        return None
    count = re.sub(r"\D", "", stars[3])
    return stated_rating(stars[1], count, best=stars[2] or "", origin="file")


def _noon(found: re.Match[str], timezone: str) -> dt.datetime | None:
    month = _MONTHS.get(found[2][:3].lower())
    if month is None:
        return None
    try:
        day = dt.date(int(found[4]), month, int(found[3]))
    except ValueError:
        return None
    return in_utc(dt.datetime.combine(day, dt.time(12), tzinfo=None), timezone)


def parse_markdown(job: Job) -> Parsed:
    """Read Markdown with YAML front matter.

    Known keys: title, date, url, rating, votes, best, image (an address, or url, width, height and
    alt), category, categories, tags, topics, author, outlet, summary, description, language.
    Without `title` the first heading is it. A day without a time is noon in the source's zone.

    Raises:
        SourceMalformed: The front matter is no YAML, or there is neither a title nor text.
    """
    import frontmatter
    import yaml
    from frontmatter.default_handlers import YAMLHandler
    from markdown_it import MarkdownIt

    try:
        meta, markdown = frontmatter.parse(_decoded(job), handler=YAMLHandler())
    except (yaml.YAMLError, ValueError, TypeError, OverflowError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 2})" if mark else ""
        raise SourceMalformed(
            f"Its front matter cannot be read{where}.", hint="Correct the lines between the ---."
        ) from None
    heading = re.search(r"^#[ \t]+(\S.*)$", markdown, re.M)
    title = _word(meta, "title")
    if not title and heading:
        title = plain_text(MarkdownIt("commonmark").renderInline(heading[1]))
        markdown = markdown[: heading.start()] + markdown[heading.end() :]
    text = plain_text(MarkdownIt("commonmark").render(markdown))
    if not title and not text:
        raise SourceMalformed("It is empty.", hint="Give it a title.")
    published, guess = _stated_date(meta.get("date"), job.timezone)
    entry = RawEntry(
        title=single_line(title),
        url=web_url(meta.get("url") or meta.get("link")),
        summary=_word(meta, "summary") or _word(meta, "description"),
        text=text,
        author=_word(meta, "author"),
        outlet=_word(meta, "outlet"),
        published=published,
        published_guess=guess,
        language=_word(meta, "language") or _word(meta, "lang") or job.language,
        topics=_topics(meta),
        image=_image(meta.get("image")),
        rating=_own_rating(meta),
    )
    return Parsed(entries=(entry,), language=entry.language)


def _stated_date(value: Any, timezone: str) -> tuple[str, dt.datetime | None]:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        noon = dt.datetime.combine(value, dt.time(12), tzinfo=None)
        return value.isoformat(), in_utc(noon, timezone)
    if isinstance(value, str):
        return single_line(value), stated_instant(value, timezone)
    if isinstance(value, dt.datetime):
        return value.isoformat(), in_utc(value, timezone)
    return "", None


def _own_rating(meta: dict[str, Any]) -> RawRating | None:
    return stated_rating(
        _word(meta, "rating"), _word(meta, "votes"), best=_word(meta, "best"), origin="file"
    )


def _topics(meta: dict[str, Any]) -> tuple[str, ...]:
    names: list[str] = []
    for key in ("category", "categories", "topics", "tags"):
        value = meta.get(key)
        listed = value if isinstance(value, list) else [value]
        names += [single_line(str(name)) for name in listed[:_MAX_TOPICS] if _is_word(name)]
    return tuple(dict.fromkeys(name for name in names if name))[:_MAX_TOPICS]


def _image(value: Any) -> Image | None:
    node = value if isinstance(value, dict) else {"url": value}
    url = web_url(node.get("url"))
    if not url:
        return None
    width, height = pixels(node.get("width")), pixels(node.get("height"))
    return Image(url=url, width=width, height=height, alt=_word(node, "alt"))


def _word(meta: dict[str, Any], name: str) -> str:
    """Return a plain value as one line; YAML's lists and maps, maybe huge, count for none."""
    value = meta.get(name)
    return single_line(str(value)) if _is_word(value) else ""


def _is_word(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)
