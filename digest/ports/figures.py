"""What became of editions, counted from what is stored."""

import datetime as dt
from collections.abc import Sequence
from typing import Protocol

from digest.model.figures import EditionCounts


class Figures(Protocol):
    """Counts of what is stored, with as many queries for one edition as for many.

    See `digest.ports.Store` for what holds for every method.
    """

    def counts(self, newsletter: str, *, limit: int, label: str = "") -> Sequence[EditionCounts]:
        """Return the counts of the newsletter's last planned editions, newest first.

        At most `limit` of them, or the one with this label, if it was planned.
        """

    def joined_and_left(
        self, newsletter: str, start: dt.datetime, end: dt.datetime
    ) -> tuple[int, int]:
        """Return how many readers of now joined in [start, end), and how many left in it."""
