"""`digest send --preview --serve`: a preview that follows its project until Ctrl-C."""

import http.client
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.acceptance.conftest import Digest, Process
from tests.acceptance.feeds import NOW

VIEWER = 'id="mail-title"'


def put(path: Path, text: str) -> None:
    """Write a file as editors do: nobody sees half of it."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    new.replace(path)


class Served:
    """A running preview, as a page that waits for changes sees it."""

    def __init__(self, process: Process, before: str, address: str) -> None:
        self.process, self.before = process, before
        self.connection = self._asked(address, "/changes")
        self.address = address
        self._changes = self.connection.getresponse()
        self._next()

    def page(self) -> str:
        connection = self._asked(self.address, "/")
        text = connection.getresponse().read().decode()
        connection.close()
        return text

    def page_after(self, change: Callable[[], object]) -> str:
        """Return the page that is served after the first change that `change` brings."""
        change()
        self._next()
        return self.page()

    def _next(self) -> str:
        while not (line := self._changes.readline()).startswith(b"data"):
            assert line, "the server hung up"
        return line.decode()

    @staticmethod
    def _asked(address: str, path: str) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
        connection.request("GET", path)
        return connection


@pytest.fixture
def serve(project: Path, start: Callable[..., Process]) -> Iterator[Callable[..., Served]]:
    """Start serving the project's preview, and wait for its address."""
    running: list[Served] = []

    def call(*arguments: object) -> Served:
        options = ("--preview", "--serve", "--no-open", "--now", NOW, *arguments)
        process = start("send", *options)
        lines = []
        for line in process.child.stdout or ():
            lines.append(line)
            if found := re.search(r"Served at +(http://\S+)", line):
                running.append(Served(process, "".join(lines), found[1]))
                return running[-1]
        pytest.fail("".join(lines) + process.result().err)

    yield call
    for served in running:
        served.connection.close()


def test_ctrl_c_ends_it_well_and_the_preview_stays(
    project: Path, serve: Callable[..., Served]
) -> None:
    served = serve()
    assert "Checks     ok" in served.before
    assert VIEWER in served.page()
    served.process.interrupt()
    told = served.process.result()
    assert (told.code, "Traceback" in told.err) == (0, False)
    assert "stays on disk" in told.err
    assert VIEWER in (project / "previews" / "2026-W48" / "index.html").read_text()


def test_template_theme_and_settings_are_followed(
    project: Path, serve: Callable[..., Served]
) -> None:
    served = serve()
    text = project / "templates" / "edition.txt.j2"
    served.page_after(lambda: put(text, text.read_text() + "Words & more\n"))
    assert "Words &amp; more" in served.page()
    theme = project / "templates" / "themes" / "plain" / "notes.md"
    served.page_after(lambda: put(theme, "A file of the theme."))
    config = project / "config" / "digest.toml"
    renamed = config.read_text().replace('"App News Weekly"', '"Renamed & Weekly"')
    assert "Renamed &amp; Weekly" in served.page_after(lambda: put(config, renamed))


def test_broken_template_shows_its_sentence_and_recovers(
    project: Path, serve: Callable[..., Served]
) -> None:
    served = serve()
    path = project / "templates" / "edition.html.j2"
    sound = path.read_text()
    before = (project / "previews" / "2026-W48" / "mail.html").read_bytes()
    broken = served.page_after(lambda: put(path, sound + "{% oops %}"))
    assert "templates/edition.html.j2, line" in broken
    assert VIEWER not in broken
    assert (project / "previews" / "2026-W48" / "mail.html").read_bytes() == before
    config = project / "config" / "digest.toml"
    settings = config.read_text()
    assert "is not valid TOML" in served.page_after(lambda: put(config, "oops"))
    put(config, settings)
    while VIEWER not in served.page_after(lambda: put(path, sound)):
        pass
    served.process.interrupt()
    told = served.process.result()
    assert told.code == 0
    assert "Not rendered: templates/edition.html.j2" in told.err
    assert "Rendered anew" in told.err


def test_template_that_is_broken_from_the_start_is_shown_and_can_be_mended(
    project: Path, serve: Callable[..., Served]
) -> None:
    path = project / "templates" / "edition.html.j2"
    sound = path.read_text()
    path.write_text("{% oops %}")
    served = serve()
    assert "Encountered unknown tag" in served.page()
    assert VIEWER in served.page_after(lambda: put(path, sound))
    served.process.interrupt()
    assert "Checks     ok" in served.process.result().out


def test_another_database_is_not_read_by_a_running_preview(
    project: Path, serve: Callable[..., Served]
) -> None:
    served = serve()
    config = project / "config" / "digest.toml"
    text = config.read_text().replace("sqlite:///var/digest.db", "sqlite:///var/other.db")
    assert "another database" in served.page_after(lambda: put(config, text))
    assert not (project / "var" / "other.db").exists()


def test_week_without_stories_ends_as_it_does_without_serving(
    digest: Digest, project: Path
) -> None:
    told = digest("send", "--preview", "--serve", "--no-open", "--no-collect", "--now", NOW)
    told.refuses(4, "2026-W48 has no stories")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--preview", "--serve", "--format", "html"), "--format"),
        (("--preview", "--port", "8000"), "--port needs --serve"),
        (("--preview", "--serve", "--port", "70000"), "--port"),
    ],
)
def test_options_that_contradict_are_refused(
    digest: Digest, arguments: tuple[str, ...], words: str
) -> None:
    told = digest("send", *arguments)
    told.refuses(2, words)
