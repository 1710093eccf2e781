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
from digest.ports.figures import Figures
from digest.ports.readers import Archive, Choosing, Corrections, Letters, Votes

__all__ = [
    "CHANGEABLE",
    "AddReport",
    "Added",
    "Archive",
    "Choosing",
    "Clock",
    "Corrections",
    "EventStore",
    "Figures",
    "Ledger",
    "Letters",
    "Marks",
    "MessageBuilder",
    "Placed",
    "RatedArticle",
    "Renderer",
    "Source",
    "Store",
    "SubscriberStore",
    "Transport",
    "Votes",
    "Words",
]
