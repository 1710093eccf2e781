"""Which transports there are: the entry points of the group "digest.transports"."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from digest.plugins import load_plugins
from digest.ports import Transport
from digest.settings import Settings

GROUP = "digest.transports"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportContext:
    """Handed to a transport when it is made; a plug-in gets all it needs from here.

    `root` is the project's folder. `secrets` are those of the environment, by "section.key".
    """

    root: Path
    settings: Settings
    secrets: Mapping[str, str] = field(repr=False, default_factory=dict)


TransportFactory = Callable[[TransportContext], Transport]


def open_transport(context: TransportContext) -> Transport:
    """Make the transport that the settings name; imports its plug-in and no other. Close it.

    Raises:
        ConfigError: No plug-in has that name, it cannot be imported, or it misses a setting.
    """
    name = context.settings.delivery.transport
    make: TransportFactory = load_plugins(GROUP, {name}, called="transport")[name]
    return make(context)
