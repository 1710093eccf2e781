"""Which kinds of sources there are: the entry points of the group "digest.sources"."""

from collections.abc import Callable, Collection, Mapping

from digest.plugins import load_plugins
from digest.ports import Source
from digest.settings import SourceSettings
from digest.sources.context import SourceContext

GROUP = "digest.sources"

SourceFactory = Callable[[SourceSettings, SourceContext], Source]


def factories(kinds: Collection[str]) -> Mapping[str, SourceFactory]:
    """Return what makes sources of these kinds; imports only the plug-ins that are needed.

    Raises:
        ConfigError: No plug-in has the name of a kind, or it cannot be imported.
    """
    return load_plugins(GROUP, kinds, called="kind of source")
