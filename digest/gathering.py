"""Where a project's articles come from: its sources, and what asks them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from digest import __version__
from digest.services.collection import OpenSource
from digest.settings import SourceSettings
from digest.stores import Stores

if TYPE_CHECKING:
    from digest.sources.http import HttpClient


class Gathering(Stores):
    """The stores of one project, and its sources."""

    @property
    def sources(self) -> tuple[SourceSettings, ...]:
        """The sources that are collected: those of all the project's newsletters, each once."""
        letters = (self.project.settings, *self.project.others)
        return tuple({s.name: s for letter in letters for s in letter.taking_part}.values())

    def open_client(self) -> "HttpClient":
        """Return what asks hosts on the internet, and the private ones that a source names."""
        from digest.sources.http import HttpClient
        from digest.sources.targets import private_endpoints

        public = self.project.settings.newsletter.public_url.rstrip("/")
        agent = f"digest/{__version__} (+{public})"
        return HttpClient(user_agent=agent, allowed=private_endpoints(self.sources))

    @contextmanager
    def open_sources(self) -> Iterator[tuple[OpenSource, Callable[[], None]]]:
        """Yield what makes a Source of its settings, and what cuts all fetches under way.

        The parser processes live as long as the context.

        Raises:
            ConfigError: No installed plug-in makes a source of one of the kinds.
        """
        from digest.sources.context import SourceContext
        from digest.sources.parsing import ParserPool
        from digest.sources.plugins import factories

        settings, http = self.sources, self.open_client()
        makers = factories({source.kind for source in settings})
        with ParserPool() as parser:
            context = SourceContext(root=self.project.root, http=http, parser=parser)

            def stop() -> None:
                http.stop()
                parser.close()

            yield lambda source: makers[source.kind](source, context), stop
