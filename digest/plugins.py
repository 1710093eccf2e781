"""Plug-ins: what other packages offer as entry points, found by name and loaded when needed."""

from collections.abc import Callable, Collection, Mapping
from importlib.metadata import entry_points
from typing import Any

from digest.errors import ConfigError


def load_plugins(
    group: str, names: Collection[str], *, called: str
) -> Mapping[str, Callable[..., Any]]:
    """Return what makes each of the named things; imports only the plug-ins that are needed.

    Args:
        group: The group of entry points, e.g. "digest.sources".
        names: The entry points that are wanted.
        called: What a message calls one of them, e.g. "kind of source".

    Raises:
        ConfigError: No plug-in offers a name, several do, or one cannot be imported.
    """
    points = entry_points(group=group)
    installed = {point.name: point for point in points}
    found: dict[str, Callable[..., Any]] = {}
    for name in sorted(names):
        if name not in installed:
            raise ConfigError(
                f"There is no {called} named {name!r}; nothing was done.",
                hint=f"Installed: {', '.join(sorted(installed)) or 'none'}.",
            )
        offers = sorted({point.value for point in points if point.name == name})
        if len(offers) > 1:
            raise ConfigError(
                f"Two plug-ins offer the {called} {name!r}; nothing was done.",
                hint=f"Uninstall all but one of {', '.join(offers)}.",
            )
        try:
            found[name] = installed[name].load()
        except Exception as error:  # whatever a plug-in does when it is imported
            raise ConfigError(
                f"The plug-in for the {called} {name!r} cannot be loaded "
                f"({type(error).__name__}: {error}).",
                hint="Install it again, or take it out of the settings.",
            ) from error
    return found
