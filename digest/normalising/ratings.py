"""Stars as sources state them, brought to the scale 1–5."""

import math
import re

from digest.model.articles import Rating, RawRating
from digest.normalising.text import clean_text

MAX_VOTES = 10_000_000
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_THOUSANDS = re.compile(r"[.,'’\s](?=[0-9]{3}(?![0-9]))")


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
    origin = clean_text(raw.origin, limit=40)
    return Rating(mean=round(mean, 4), votes=min(votes, MAX_VOTES), origin=origin)


def _number(text: str) -> float | None:
    text = text.strip().replace(",", ".")
    number = float(text) if _NUMBER.fullmatch(text) and len(text) < 20 else math.nan
    return number if math.isfinite(number) else None


def _count(text: str) -> int:
    """Read "1,204", "1.204", "1 204" and "95.0" (a number from JSON); 0 is what is none."""
    found = re.fullmatch(r"([0-9]{1,12})(?:\.0{1,2})?", _THOUSANDS.sub("", text.strip()))
    return int(found[1]) if found else 0
