"""What one run of handing over works with."""

import datetime as dt
import threading
from collections.abc import Callable
from dataclasses import dataclass

from digest.ports import Clock, Ledger, Transport
from digest.settings import DeliverySettings
from digest.tokens import Tokens

LONGEST_WAIT = dt.timedelta(seconds=5)  # between two looks at what others may have changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a run works with.

    `hold` is how long before its release a batch is handed over; with None the provider sends at
    once. `wait` waits so many seconds, or until `stop` is set, which ends the run after the
    batches in flight. `progress` is called with the readers of each batch that is accepted,
    and `waiting`, again and again while nothing can be done, with what is waited for.
    """

    ledger: Ledger
    transport: Transport
    tokens: Tokens
    clock: Clock
    settings: DeliverySettings
    hold: dt.timedelta | None
    stop: threading.Event
    wait: Callable[[float], object]
    progress: Callable[[int], None]
    waiting: Callable[[str], None] = lambda _what: None
