"""Ranking by rating: a Bayesian average with a prior per source, minus a small age penalty.

The formula, its constants and the alternatives that lose to it are in docs/ranking.md. Pure and
deterministic: the same articles, priors and instant give the same order and the same words.
"""

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from digest.model.articles import Article, RankedArticle, Reason, StoredArticle
from digest.ports import RatedArticle
from digest.settings import RankingSettings

SOURCE_WEIGHT = 3  # how many well-rated articles the overall mean weighs in a source's prior
VOTES_FOR_MEAN = 200  # below so many votes in eight weeks the overall mean is the setting's
PRIOR_CEILING = 4.4  # above it, 5.0 from 2 votes would beat 4.6 from 400
MAX_AGE_DAYS = 8.0
HISTORY = dt.timedelta(weeks=8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Priors:
    """What an article is worth before anybody voted: overall, and usual for each origin."""

    overall: float
    by_origin: Mapping[str, float]

    def of(self, origin: str) -> float:
        """Return the stars at which an unrated article of `origin` stands."""
        return self.by_origin.get(origin, self.overall)


def origin(article: Article) -> str:
    """Return the outlet that wrote the article, or its source when none is stated."""
    return article.outlet or article.source


def counted_votes(votes: int, trust: float, settings: RankingSettings) -> float:
    """Return how many votes a source's own stars count as: trust × votes, capped."""
    return min(trust * votes, float(settings.source_votes_cap))


def measure_priors(
    history: Sequence[RatedArticle], trust: Mapping[str, float], settings: RankingSettings
) -> Priors:
    """Measure the priors from the rated articles of the last eight weeks.

    C is the mean star over all counted votes (`prior_rating` until there are 200), and an origin's
    prior is (Σ w·mean + 3·C) / (Σ w + 3) with w = n / (n + prior_votes). Neither is above 4.4.
    """
    counts = [counted_votes(r.votes, trust.get(r.source, 1.0), settings) for r in history]
    total = sum(counts)
    overall = settings.prior_rating
    if total >= VOTES_FOR_MEAN:
        mean = sum(r.mean * n for r, n in zip(history, counts, strict=True)) / total
        overall = min(mean, PRIOR_CEILING)
    sums: dict[str, tuple[float, float]] = {}
    for rated, n in zip(history, counts, strict=True):
        weight = n / (n + settings.prior_votes) if n else 0.0
        stars, weights = sums.get(rated.origin, (0.0, 0.0))
        sums[rated.origin] = (stars + weight * rated.mean, weights + weight)
    by_origin = {
        name: min((stars + SOURCE_WEIGHT * overall) / (weights + SOURCE_WEIGHT), PRIOR_CEILING)
        for name, (stars, weights) in sums.items()
    }
    return Priors(overall=overall, by_origin=by_origin)


@dataclass(frozen=True, slots=True)
class _Part:
    """One part of a score: the words before its stars, the words after them, and the stars."""

    before: str
    after: str
    stars: float


def score(
    stored: StoredArticle,
    priors: Priors,
    trust: float,
    settings: RankingSettings,
    *,
    at: dt.datetime,
) -> RankedArticle:
    """Score one article as it stands at the aware instant `at`; reasons add up to the score."""
    article = stored.article
    prior = priors.of(origin(article))
    parts: list[_Part] = []
    counted = 0.0
    if article.rating is None:
        parts.append(_Part(*_unrated_words(article, prior), stars=prior))
    else:
        mean, votes = article.rating.mean, article.rating.votes
        counted = counted_votes(votes, trust, settings)
        weight = settings.prior_votes + counted
        average = (settings.prior_votes * prior + mean * counted) / weight if weight else prior
        parts.append(_Part("", f"★ from {_count(votes, 'vote')}", stars=mean))
        parts.append(_Part("", f" because {_why(votes, counted)}", stars=average - mean))
    days = age_days(stored, at=at)
    parts.append(_Part("", f" for {_age_words(days)}", stars=-settings.age_penalty_per_day * days))
    cents = _hundredths([part.stars for part in parts])
    reasons = tuple(
        Reason(text=part.before + _stars(value, signed=index > 0) + part.after, stars=value / 100)
        for index, (part, value) in enumerate(zip(parts, cents, strict=True))
        if value or index == 0
    )
    return RankedArticle(stored=stored, score=sum(cents) / 100, reasons=reasons, counted=counted)


def is_news(stored: StoredArticle, *, since: dt.datetime) -> bool:
    """Whether the article is from after `since`; an outage of its source does not make it old."""
    article = stored.article
    unseen = dt.timedelta(seconds=article.unseen_seconds)
    return (article.published_at or stored.first_seen_at) + unseen >= since


def age_days(stored: StoredArticle, *, at: dt.datetime) -> float:
    """Return the age in days, from 0 to 8; an undated article is as old as its first sight."""
    since = stored.article.published_at or stored.first_seen_at
    return min(max((at - since) / dt.timedelta(days=1), 0.0), MAX_AGE_DAYS)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _unrated_words(article: Article, prior: float) -> tuple[str, str]:
    if prior >= PRIOR_CEILING:
        return "No votes yet: stands at ", "★, the most that any article gets without votes"
    return f"No votes yet: stands at {origin(article)}'s usual ", "★"


def _why(votes: int, counted: float) -> str:
    shown = f"{counted:,.2f}".rstrip("0").rstrip(".")
    if shown != f"{votes:,}":
        verb = "counts" if votes == 1 else "count"
        return f"{_count(votes, 'vote')} stated by the source {verb} as {shown}"
    return "there is only 1 vote" if votes == 1 else f"{votes:,} votes are few"


def _age_words(days: float) -> str:
    if days < 1:
        return _count(max(1, round(days * 24)), "hour")
    more = " or more" if days >= MAX_AGE_DAYS else ""
    return _count(round(days), "day") + more


def _hundredths(stars: Sequence[float]) -> list[int]:
    """Round to hundredths so that the parts add up to the rounded sum (largest remainder)."""
    exact = [round(value * 100, 6) for value in stars]
    cents = [math.floor(value) for value in exact]
    missing = round(sum(exact)) - sum(cents)
    by_remainder = sorted(range(len(stars)), key=lambda i: (cents[i] - exact[i], i))
    for index in by_remainder[:missing]:
        cents[index] += 1
    return cents


def _stars(cents: int, *, signed: bool) -> str:
    sign = ("−" if cents < 0 else "+") if signed else ""
    return f"{sign}{abs(cents) / 100:.2f}"


def order_key(ranked: RankedArticle) -> tuple[float, float, float, str]:
    """Sort key: score, then the votes that count, then the newest, then the key.

    No two articles have one key, so no order is left open.
    """
    article = ranked.stored.article
    seen = article.published_at or ranked.stored.first_seen_at
    return (-ranked.score, -ranked.counted, -seen.timestamp(), article.key)


def rank(
    candidates: Iterable[StoredArticle],
    priors: Priors,
    trust: Mapping[str, float],
    settings: RankingSettings,
    *,
    at: dt.datetime,
) -> list[RankedArticle]:
    """Return the candidates best first.

    Args:
        candidates: Articles of one period.
        priors: From `measure_priors`.
        trust: Weight of each source's own stars, by source name; 1.0 when not named.
        settings: The weights.
        at: Aware instant at which ages are taken.
    """
    scored = (
        score(stored, priors, trust.get(stored.article.source, 1.0), settings, at=at)
        for stored in candidates
    )
    return sorted(scored, key=order_key)


def hold_back(
    ranked: Sequence[RankedArticle],
    max_per_source: int,
    *,
    hidden: AbstractSet[int] = frozenset(),
) -> list[RankedArticle]:
    """Mark, top-down, the articles beyond the cap of their origin; the order stays.

    Articles whose id is in `hidden` take no other one's place.
    """
    taken: dict[str, int] = {}
    result = []
    for item in ranked:
        note = ""
        if item.stored.id not in hidden:
            name = origin(item.stored.article)
            taken[name] = taken.get(name, 0) + 1
            if taken[name] > max_per_source:
                note = (
                    f"number {taken[name]} from {name} this week; more than {max_per_source} "
                    "appear only when nothing else is left"
                )
        result.append(replace(item, held_back=note))
    return result


def explain(ranked: RankedArticle) -> str:
    """Return the score in one sentence: "4.60★ from 120 votes; −0.12 for 4 days → 4.48."."""
    words = "; ".join(reason.text for reason in ranked.reasons)
    held = f" Held back: {ranked.held_back}." if ranked.held_back else ""
    return f"{words} → {ranked.score:.2f}.{held}"
