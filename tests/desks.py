"""A project with editors and a drafted edition, and its pages served on loopback."""

import datetime as dt
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from digest.app import App
from digest.model.editions import Edition
from digest.project import load
from digest.services.editors import EditorLinks
from digest.testing.clock import FrozenClock
from digest.web.server import serving
from tests.editing import LABEL, SUNDAY, add, rated
from tests.website import FORM, Answer, ask, rows_of

MARIA = '[[editor]]\nname = "Maria"\naddress = "maria@example.com"\n'
JO = '[[editor]]\nname = "Jo <b>"\naddress = "jo@example.org"\n'
HOUR = dt.timedelta(hours=1)


@dataclass(frozen=True)
class EditorsDesk:
    """A served project, an hour after the week of its drafted edition."""

    app: App
    address: str
    clock: FrozenClock

    @property
    def edition(self) -> Edition:
        """The edition as stored."""
        found = self.app.editions.stored(LABEL, now=self.clock.now())
        assert found is not None
        return found

    def token(self, editor: int = 0) -> str:
        """Return the token of an editor's link."""
        links = EditorLinks(self.app.project.settings, self.app.tokens, self.app.keys)
        link = links.link(self.edition, self.app.project.settings.editor[editor])
        return link.rpartition("/")[2]

    def path(self, editor: int = 0) -> str:
        """Return the path of an editor's page."""
        return f"/desk/edition/{self.token(editor)}"

    def open(self, path: str = "") -> Answer:
        """Open a page, the first editor's if no other is named."""
        return ask(self.address, "GET", path or self.path())

    def seen(self) -> dict[str, str]:
        """Return what the page's forms carry."""
        page = self.open().text
        return {
            name: re.findall(rf'name="{name}" value="(\w*)"', page)[0]
            for name in ("revision", "sha256")
        }

    def press(self, path: str = "", **fields: str) -> Answer:
        """Post a form, to the first editor's page if no other is named."""
        return ask(self.address, "POST", path or self.path(), urlencode(fields).encode(), FORM)

    def rows(self) -> dict[str, list[tuple[object, ...]]]:
        """Return all that is in the database."""
        return rows_of(self.app)


@contextmanager
def open_project(root: Path, settings: str = MARIA + JO, stories: int = 4) -> Iterator[App]:
    """Open a new project in `root` with a week's articles and its draft."""
    (root / "config").mkdir(parents=True)
    (root / "config" / "digest.toml").write_text(settings)
    with App(load(root, {}), FrozenClock(SUNDAY + HOUR)) as app:
        add_stories(app, stories)
        app.editions.draft(LABEL, now=app.clock.now())
        yield app


def add_stories(app: App, count: int) -> None:
    """Store articles of the week; the first has a headline that tries to be markup."""
    for number in range(1, count + 1):
        title = "<script>alert(1)</script> & more" if number == 1 else f"Article number {number}"
        add(app.store, rated(number, title=title))


@contextmanager
def editors_desk(root: Path, settings: str = MARIA + JO, stories: int = 4) -> Iterator[EditorsDesk]:
    """Serve the pages of a new project in `root`."""
    with open_project(root, settings, stories) as app:
        assert isinstance(app.clock, FrozenClock)
        with serving(app, "127.0.0.1:0", threading.Event()) as address:
            yield EditorsDesk(app, address, app.clock)
