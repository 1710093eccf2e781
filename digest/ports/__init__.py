"""The seams: what services need from the outside, as protocols."""

from digest.ports.content import (
    AddReport,
    Clock,
    MessageBuilder,
    Placed,
    RatedArticle,
    Renderer,
    Source,
    Store,
    Words,
)
from digest.ports.delivery import (
    CHANGEABLE,
    Added,
    EventStore,
    Ledger,
    Marks,
    SubscriberStore,
    Transport,
)

__all__ = [
    "CHANGEABLE",
    "AddReport",
    "Added",
    "Clock",
    "EventStore",
    "Ledger",
    "Marks",
    "MessageBuilder",
    "Placed",
    "RatedArticle",
    "Renderer",
    "Source",
    "Store",
    "SubscriberStore",
    "Transport",
    "Words",
]
