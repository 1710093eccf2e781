"""Article pages: one entry a page.

Runs in the parser's child process. What a page states for machines is trusted first (JSON-LD or
microdata of its main article), then its meta elements, then what trafilatura finds in the text. A
rating is only read from the main article's own node: on most pages that state one it rates a
program, a place or the site.
"""

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urldefrag

import lxml.html
from extruct.jsonld import JsonLdExtractor
from extruct.w3cmicrodata import MicrodataExtractor
from trafilatura import bare_extraction

from digest.errors import SourceMalformed
from digest.model.articles import Image, RawEntry, RawRating
from digest.sources.entries import best_image, stated_instant, stated_rating
from digest.sources.markup import decode, pixels, plain_text, single_line, web_url, whole
from digest.sources.parsing import Job, Parsed

ARTICLE_TYPES = frozenset(
    {
        "Article", "NewsArticle", "AnalysisNewsArticle", "BackgroundNewsArticle",
        "OpinionNewsArticle", "ReportageNewsArticle", "ReviewNewsArticle", "BlogPosting",
        "LiveBlogPosting", "TechArticle", "Report",
    }
)  # fmt: skip
"""The schema.org types that are a text; a forum's posting, a series and a product are not."""

_MAX_TOPICS = 20
_MAX_NODES = 5000
_MAX_PICTURES = 20

Node = dict[str, Any]


def parse_page(job: Job) -> Parsed:
    """Read an article page.

    Raises:
        SourceMalformed: It has neither a title nor text.
    """
    text = decode(job.body, job.content_type)
    tree = _tree(text)
    metas = _metas(tree)
    base = web_url(_first(tree, "//base/@href"), job.url) or web_url(job.url)
    url = (
        web_url(_first(tree, "//link[@rel='canonical']/@href"), base)
        or web_url(metas.get("og:url"), base)
        or web_url(job.url)
    )
    article = _main_article(tree, url)
    read = bare_extraction(
        tree, url=url or None, favor_precision=True, include_comments=False, with_metadata=True
    )
    found: Any = read or _Nothing()
    body = found.text or ""
    title = _chosen(_word(article, "headline"), metas.get("og:title"), found.title)
    title = title or single_line(plain_text(_first(tree, "//title/text()")))
    if not title and not body:
        raise SourceMalformed("It is a page without a title or text.")
    published, guess = _date(article, metas, found.date or "")
    language = _first(tree, "/html/@lang") or _word(article, "inLanguage")
    entry = RawEntry(
        title=title,
        url=url,
        summary=_chosen(metas.get("og:description"), metas.get("description")),
        text=body,
        author=_chosen(_names(article.get("author")), metas.get("author"), found.author),
        outlet=_chosen(metas.get("og:site_name"), _names(article.get("publisher"))),
        published=published,
        published_guess=guess,
        language=language.strip(),
        topics=_topics(article, metas),
        image=_image(article, metas, base),
        rating=_rating(article),
    )
    return Parsed(entries=(entry,), title=entry.outlet, language=entry.language)


class _Nothing:
    """What trafilatura found where it found nothing."""

    text = title = author = date = ""


def _tree(text: str) -> Any:
    parser = lxml.html.HTMLParser(encoding="utf-8", no_network=True)
    try:
        return lxml.html.document_fromstring(text.encode("utf-8", "ignore"), parser=parser)
    except (lxml.etree.LxmlError, ValueError):
        raise SourceMalformed("It is an empty page, or none at all.") from None


def _first(tree: Any, path: str) -> str:
    found = tree.xpath(path)
    return str(found[0]) if found else ""


def _metas(tree: Any) -> dict[str, str]:
    """Return the meta elements by lower-case name; the first of each name counts."""
    metas: dict[str, str] = {}
    for meta in tree.iter("meta"):
        name = meta.get("property") or meta.get("name") or meta.get("itemprop") or ""
        content = meta.get("content") or meta.get("value") or ""
        if name and content.strip():
            metas.setdefault(name.lower(), content.strip())
    return metas


def _main_article(tree: Any, url: str) -> Node:
    """Return the node of the page's main article, or {}.

    Only nodes that stand for themselves count, none inside another's properties. Of several, those
    that name this page's address; of a list of articles none is the main one.
    """
    nodes = [*_json_ld(tree), *_microdata(tree)]
    by_id = {node["@id"]: node for node in nodes if isinstance(node.get("@id"), str)}
    articles = [node for node in nodes if _types(node) & ARTICLE_TYPES]
    named = [node for node in articles if url and _same_page(url) in _addresses(node)]
    candidates = named or articles
    headlines = [single_line(_word(node, "headline")) for node in candidates]
    if not named and (len(set(headlines) - {""}) > 1 or headlines.count("") > 1):
        return {}
    # A page may state its article twice, once for search engines and once in its markup.
    merged: Node = {}
    for node in candidates:
        merged = {**node, **merged}
    rating = merged.get("aggregateRating")
    if isinstance(rating, dict) and set(rating) == {"@id"}:
        merged["aggregateRating"] = by_id.get(rating["@id"])
    return merged


def _json_ld(tree: Any) -> Iterator[Node]:
    """Yield the JSON-LD nodes that stand for themselves: top-level ones and those of @graph."""
    waiting: list[Any] = []
    for script in tree.xpath("//script[contains(@type, 'ld+json')]"):
        waiting.append(_extracted(script))
    seen = 0
    while waiting and seen < _MAX_NODES:
        node = waiting.pop(0)
        seen += 1
        if isinstance(node, list):
            waiting[:0] = node[:_MAX_NODES]
        elif isinstance(node, dict):
            waiting.append(node.get("@graph"))
            if _types(node) & {"WebPage", "ItemPage"}:
                waiting.append(node.get("mainEntity"))
            yield node


def _extracted(script: Any) -> list[Any]:
    """Read one script by itself, so that broken JSON in one does not hide the others."""
    try:
        return list(JsonLdExtractor().extract_items(script))
    except (ValueError, RecursionError):
        return []


def _microdata(tree: Any) -> Iterator[Node]:
    try:
        items = MicrodataExtractor(nested=True, strict=False).extract_items(tree, None)
    except (ValueError, RecursionError, KeyError):
        return
    for item in list(items)[:_MAX_NODES]:
        if isinstance(item, dict):
            yield _flat(item)


def _flat(item: Node) -> Node:
    """Give a microdata item the shape of JSON-LD: `@type` and properties side by side."""
    kinds = item.get("type") or ""
    node: Node = {"@type": kinds, "@id": item.get("id")}
    for name, value in (item.get("properties") or {}).items():
        node[name] = _flat(value) if isinstance(value, dict) else value
    return node


def _types(node: Any) -> set[str]:
    kinds = node.get("@type") if isinstance(node, dict) else None
    kinds = kinds if isinstance(kinds, list) else [kinds]
    return {re.split(r"[/#:]", kind)[-1] for kind in kinds if isinstance(kind, str)}


def _addresses(node: Node) -> set[str]:
    named = [node.get("url"), node.get("@id"), node.get("mainEntityOfPage")]
    named = [value.get("@id") if isinstance(value, dict) else value for value in named]
    return {_same_page(value) for value in named if isinstance(value, str)}


def _same_page(url: str) -> str:
    return urldefrag(url).url.partition("://")[2].rstrip("/")


def _rating(article: Node) -> RawRating | None:
    stars = article.get("aggregateRating")
    stars = stars[0] if isinstance(stars, list) and stars else stars
    if not isinstance(stars, dict):
        return None
    return stated_rating(
        _word(stars, "ratingValue"),
        _word(stars, "ratingCount") or _word(stars, "reviewCount"),
        best=_word(stars, "bestRating"),
        worst=_word(stars, "worstRating"),
        origin="page",
    )


def _date(article: Node, metas: dict[str, str], guess: str) -> tuple[str, dt.datetime | None]:
    stated: str = (
        _word(article, "datePublished")
        or metas.get("article:published_time")
        or metas.get("datepublished")
        or guess
    )
    return stated, stated_instant(stated)


def _topics(article: Node, metas: dict[str, str]) -> tuple[str, ...]:
    section = article.get("articleSection") or metas.get("article:section") or ()
    names = section if isinstance(section, list | tuple) else [section]
    plain = (single_line(plain_text(name)) for name in names if isinstance(name, str))
    return tuple(dict.fromkeys(name for name in plain if name))[:_MAX_TOPICS]


def _image(article: Node, metas: dict[str, str], base: str) -> Image | None:
    picture = article.get("image")
    pictures = picture[:_MAX_PICTURES] if isinstance(picture, list) else [picture]
    nodes = [node if isinstance(node, dict) else {"url": node} for node in pictures]
    shared: Node = {
        "url": metas.get("og:image") or metas.get("og:image:url"),
        "width": metas.get("og:image:width"),
        "height": metas.get("og:image:height"),
        "alt": metas.get("og:image:alt"),
    }
    return best_image(
        Image(
            url=url,
            width=pixels(_word(node, "width")),
            height=pixels(_word(node, "height")),
            alt=single_line(_word(node, "alt")),
        )
        for node in (shared, *nodes)
        if (url := web_url(_word(node, "url"), base))
    )


def _names(people: Any) -> str:
    listed = people if isinstance(people, list) else [people]
    names = [_word(one, "name") if isinstance(one, dict) else one for one in listed]
    return ", ".join(dict.fromkeys(name for name in names if isinstance(name, str) and name))


def _chosen(*candidates: str | None) -> str:
    """Return the first candidate that has text, plain and on one line."""
    plain = (single_line(plain_text(candidate)) for candidate in candidates if candidate)
    return next((candidate for candidate in plain if candidate), "")


def _word(node: Node, name: str) -> str:
    value = node.get(name)
    value = value[0] if isinstance(value, list) and value else value
    return whole(str(value)).strip() if isinstance(value, str | int | float) else ""
