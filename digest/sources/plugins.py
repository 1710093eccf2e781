"""Which kinds of sources there are: the entry points of the group "digest.sources"."""

from collections.abc import Callable, Collection, Mapping
from importlib.metadata import entry_points

from digest.errors import ConfigError
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
    points = entry_points(group=GROUP)
    installed = {point.name: point for point in points}
    found: dict[str, SourceFactory] = {}
    for kind in sorted(kinds):
        if kind not in installed:
            raise ConfigError(
                f"There is no kind of source named {kind!r}; nothing was done.",
                hint=f"Installed kinds: {', '.join(sorted(installed)) or 'none'}.",
            )
        offers = sorted({point.value for point in points if point.name == kind})
        if len(offers) > 1:
            raise ConfigError(
                f"Two plug-ins offer sources of kind {kind!r}; nothing was done.",
                hint=f"Uninstall all but one of {', '.join(offers)}.",
            )
        try:
            found[kind] = installed[kind].load()
        except Exception as error:  # whatever a plug-in does when it is imported
            raise ConfigError(
                f"The plug-in for sources of kind {kind!r} cannot be loaded "
                f"({type(error).__name__}: {error}).",
                hint="Install it again, or take its sources out of the settings.",
            ) from error
    return found
