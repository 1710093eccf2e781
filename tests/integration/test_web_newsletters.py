"""Which newsletters one server can tell apart by the paths of their addresses."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from digest.app import App
from digest.errors import ConfigError
from digest.project import CONFIG, NEWSLETTERS, load
from digest.testing.clock import FrozenClock
from digest.testing.factories import NOON
from digest.web.app import make_web


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def apps(root: Path, stack: ExitStack, *urls: str) -> list[App]:
    (root / NEWSLETTERS).mkdir(parents=True)
    (root / CONFIG).write_text("")
    slugs = [f"letter-{number}" for number in range(len(urls))]
    for slug, url in zip(slugs, urls, strict=True):
        text = f'[newsletter]\npublic_url = "{url}"\n'
        (root / NEWSLETTERS / f"{slug}.toml").write_text(text)
    return [stack.enter_context(App(load(root, {}, s), FrozenClock(NOON))) for s in slugs]


def test_hosts_do_not_tell_newsletters_apart(tmp_path: Path, opened: ExitStack) -> None:
    both = apps(tmp_path, opened, "https://a.example.com/x", "https://b.example.com/x/")
    with pytest.raises(ConfigError, match="letter-0 and letter-1 have the same path /x") as caught:
        make_web(*both)
    assert "digest serve --newsletter letter-1" in caught.value.hint
    for one in both:
        make_web(one)


@pytest.mark.parametrize("place", ["archive", "desk", "u"])
def test_newsletter_does_not_hide_pages_of_another(
    tmp_path: Path, opened: ExitStack, place: str
) -> None:
    both = apps(tmp_path, opened, "https://a.example.com", f"https://a.example.com/{place}")
    with pytest.raises(ConfigError, match=f"letter-1 ends in /{place}"):
        make_web(*both)
    make_web(both[1])


def test_longer_path_comes_first(tmp_path: Path, opened: ExitStack) -> None:
    paths = ("", "/news", "/news/games")
    web = make_web(*apps(tmp_path, opened, *(f"https://a.example.com{path}" for path in paths)))
    assert [route.path for route in web.routes] == [*reversed(paths)]  # type: ignore[attr-defined]
