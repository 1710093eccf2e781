"""Stars as sources state them, brought to the scale 1–5 (collecting research, 1.9)."""

import math
import re

from digest.model.articles import Rating, RawRating

MAX_VOTES = 10_000_000
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def to_rating(raw: RawRating | None) -> Rating | None:
    """Return the rating on the scale 1–5, or None where nothing sure is stated.

    A rating without votes, outside its own scale, or on an impossible scale is not believed.
    """
    if raw is None:
        return None
    value, best = _number(raw.value), _number(raw.best or "5")
    worst = _number(raw.worst or "1")
    votes = _count(raw.count)
    if value is None or best is None or worst is None or votes < 1:
        return None
    if not worst < best or not worst <= value <= best:
        return None
    mean = 1 + 4 * (value - worst) / (best - worst)
    return Rating(mean=round(mean, 4), votes=min(votes, MAX_VOTES), origin=raw.origin)


def _number(text: str) -> float | None:
    text = text.strip().replace(",", ".")
    number = float(text) if _NUMBER.fullmatch(text) and len(text) < 20 else math.nan
    return number if math.isfinite(number) else None


def _count(text: str) -> int:
    digits = re.sub(r"[.,'’\s](?=\d{3}(?!\d))", "", text.strip())
    return int(digits) if re.fullmatch(r"[0-9]{1,12}", digits) else 0
