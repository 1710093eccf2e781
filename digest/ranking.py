"""Ranking by rating: a Bayesian average with a prior per source, minus a small age penalty.

The formula, its constants and the alternatives that lose to it are in docs/ranking.md. Pure and
deterministic: the same articles, priors and instant give the same order and the same words.
"""

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from digest.model.articles import Article, RankedArticle, Rating, Reason, StoredArticle
from digest.model.votes import Tally
from digest.ports import RatedArticle
from digest.settings import RankingSettings

SOURCE_WEIGHT = 3  # how many well-rated articles the overall mean weighs in a source's prior
VOTES_FOR_MEAN = 200  # below so many votes in eight weeks the overall mean is the setting's
PRIOR_CEILING = 4.4  # above it, 5.0 from 2 votes would beat 4.6 from 400
MAX_AGE_DAYS = 8.0
HISTORY = dt.timedelta(weeks=8)


READERS = "readers"
"""The origin of a rating that readers' votes are in."""

NOBODY = Tally(votes=0, counted=0.0, mean=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behind:
    """What an origin's usual stars are from: its rated articles, and readers' votes on them."""

    articles: int
    votes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Priors:
    """What an article is worth before anybody voted: overall, and usual for each origin.

    `behind` says for each origin what it was measured from.
    """

    overall: float
    by_origin: Mapping[str, float]
    behind: Mapping[str, Behind] = field(default_factory=dict)

    def of(self, origin: str) -> float:
        """Return the stars at which an unrated article of `origin` stands."""
        return self.by_origin.get(origin, self.overall)


@dataclass(frozen=True, slots=True)
class _Opinion:
    """What is known of an article's worth: stars, and as how many votes they count.

    `stated` is how many votes its source states, and `capped` as how many those count.
    """

    mean: float
    stated: int
    capped: float
    readers: Tally

    @property
    def counted(self) -> float:
        return self.capped + self.readers.counted

    @property
    def votes(self) -> int:
        return self.stated + self.readers.votes


def origin(article: Article) -> str:
    """Return the outlet that wrote the article, or its source when none is stated."""
    return article.outlet or article.source


def counted_votes(votes: int, trust: float, settings: RankingSettings) -> float:
    """Return how many votes a source's own stars count as: trust × votes, capped."""
    return min(trust * votes, float(settings.source_votes_cap))


def _opinion(
    mean: float, votes: int, readers: Tally, trust: float, settings: RankingSettings
) -> _Opinion:
    """Join what the source states with what readers say, each as heavy as it counts."""
    capped = counted_votes(votes, trust, settings)
    if not readers.votes:
        return _Opinion(mean, votes, capped, readers)
    joined = (mean * capped + readers.mean * readers.counted) / (capped + readers.counted)
    return _Opinion(joined, votes, capped, readers)


def measure_priors(
    history: Sequence[RatedArticle],
    trust: Mapping[str, float],
    settings: RankingSettings,
    tallies: Mapping[int, Tally] | None = None,
) -> Priors:
    """Measure the priors from the rated articles of the last eight weeks.

    C is the mean star over all counted votes (`prior_rating` until there are 200), and an origin's
    prior is (Σ w·mean + 3·C) / (Σ w + 3) with w = n / (n + prior_votes). Neither is above 4.4.

    Args:
        history: The articles that their source or readers rated.
        trust: Weight of each source's own stars, by source name; 1.0 when not named.
        settings: The weights.
        tallies: What readers make of articles, by id; they count whatever the source's weight is.
    """
    by_readers = tallies or {}
    opinions = [
        _opinion(
            r.mean,
            r.votes,
            by_readers.get(r.article_id, NOBODY),
            trust.get(r.source, 1.0),
            settings,
        )
        for r in history
    ]
    total = sum(opinion.counted for opinion in opinions)
    overall = settings.prior_rating
    if total >= VOTES_FOR_MEAN:
        mean = sum(opinion.mean * opinion.counted for opinion in opinions) / total
        overall = min(mean, PRIOR_CEILING)
    sums: dict[str, tuple[float, float]] = {}
    behind: dict[str, Behind] = {}
    for rated, opinion in zip(history, opinions, strict=True):
        n = opinion.counted
        weight = n / (n + settings.prior_votes) if n else 0.0
        stars, weights = sums.get(rated.origin, (0.0, 0.0))
        sums[rated.origin] = (stars + weight * opinion.mean, weights + weight)
        known = behind.get(rated.origin, Behind(articles=0, votes=0))
        behind[rated.origin] = Behind(
            articles=known.articles + 1, votes=known.votes + opinion.readers.votes
        )
    by_origin = {
        name: min((stars + SOURCE_WEIGHT * overall) / (weights + SOURCE_WEIGHT), PRIOR_CEILING)
        for name, (stars, weights) in sums.items()
    }
    return Priors(overall=overall, by_origin=by_origin, behind=behind)


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
    readers: Tally = NOBODY,
) -> RankedArticle:
    """Score one article as it stands at the aware instant `at`; reasons add up to the score.

    The source's own stars are a capped part of its rating, and the votes of `readers` the other.
    """
    article = stored.article
    prior = priors.of(origin(article))
    parts: list[_Part] = []
    counted, rating = 0.0, article.rating
    if article.rating is None and not readers.votes:
        parts.append(_Part(*_unrated_words(article, priors), stars=prior))
    else:
        mean, stated = (article.rating.mean, article.rating.votes) if article.rating else (0.0, 0)
        opinion = _opinion(mean, stated, readers, trust, settings)
        counted, rating = opinion.counted, _rating(opinion, article.rating)
        weight = settings.prior_votes + counted
        average = (
            (settings.prior_votes * prior + opinion.mean * counted) / weight if weight else prior
        )
        parts.append(_Part("", f"★ from {_whose(opinion)}", stars=opinion.mean))
        why = f" because {_why(opinion)}{_beside(article, priors)}"
        parts.append(_Part("", why, stars=average - opinion.mean))
    days = age_days(stored, at=at)
    parts.append(_Part("", f" for {_age_words(days)}", stars=-settings.age_penalty_per_day * days))
    cents = _hundredths([part.stars for part in parts])
    reasons = tuple(
        Reason(text=part.before + _stars(value, signed=index > 0) + part.after, stars=value / 100)
        for index, (part, value) in enumerate(zip(parts, cents, strict=True))
        if value or index == 0
    )
    return RankedArticle(
        stored=stored, score=sum(cents) / 100, reasons=reasons, counted=counted, rating=rating
    )


def _rating(opinion: _Opinion, stated: Rating | None) -> Rating | None:
    """Return the rating that readers see: the source's own until a reader has voted."""
    if not opinion.readers.votes:
        return stated
    votes = opinion.votes if opinion.capped else opinion.readers.votes
    return Rating(mean=opinion.mean, votes=votes, origin=READERS)


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


def _unrated_words(article: Article, priors: Priors) -> tuple[str, str]:
    name = origin(article)
    if priors.of(name) >= PRIOR_CEILING:
        return "No votes yet: stands at ", "★, the most that any article gets without votes"
    behind = priors.behind.get(name)
    source = f" of {_count(behind.articles, 'rated article')}" if behind else ""
    if behind and behind.votes:
        source += f", {_of_readers(behind.votes)} among them"
    return f"No votes yet: stands at {name}'s usual ", f"★{source}"


def _of_readers(votes: int) -> str:
    return f"{_count(votes, 'vote')} of your readers"


def _whose(opinion: _Opinion) -> str:
    """Return whose votes the stars are from."""
    readers = opinion.readers.votes
    if not readers:
        return _count(opinion.stated, "vote")
    stated = f" and {opinion.stated:,} stated by the source" if opinion.stated else ""
    return f"{_of_readers(readers)}{stated}"


def _why(opinion: _Opinion) -> str:
    """Return why the score is not the mean: some votes count as fewer, else they are few."""
    readers = opinion.readers
    damped = [
        (count, whose, shown)
        for count, counted, whose in (
            (opinion.stated, opinion.capped, "stated by the source"),
            (readers.votes, readers.counted, "of your readers"),
        )
        if (shown := _shown(counted)) != f"{count:,}"
    ]
    if damped:
        (votes, whose, shown), *more = damped
        verb = "counts" if votes == 1 else "count"
        words = f"{_count(votes, 'vote')} {whose} {verb} as {shown}"
        return words + "".join(f" and {votes:,} {whose} as {shown}" for votes, whose, shown in more)
    votes = opinion.votes
    return "there is only 1 vote" if votes == 1 else f"{votes:,} votes are few"


def _shown(counted: float) -> str:
    return f"{counted:,.2f}".rstrip("0").rstrip(".")


def _beside(article: Article, priors: Priors) -> str:
    """Return what else draws at the score, where readers have a hand in it; "" else."""
    name = origin(article)
    behind = priors.behind.get(name)
    if behind is None or not behind.votes:
        return ""
    return f", and {name} usually has {priors.of(name):.2f} ({_of_readers(behind.votes)} in it)"


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
    tallies: Mapping[int, Tally] | None = None,
) -> list[RankedArticle]:
    """Return the candidates best first.

    Args:
        candidates: Articles of one period.
        priors: From `measure_priors`.
        trust: Weight of each source's own stars, by source name; 1.0 when not named.
        settings: The weights.
        at: Aware instant at which ages are taken.
        tallies: What readers make of articles, by id.
    """
    by_readers = tallies or {}
    scored = (
        score(
            stored,
            priors,
            trust.get(stored.article.source, 1.0),
            settings,
            at=at,
            readers=by_readers.get(stored.id, NOBODY),
        )
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
