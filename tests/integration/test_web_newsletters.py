"""Which newsletters one server can tell apart by the paths of their addresses."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from digest.app import App
from digest.errors import ConfigError
from digest.project import CONFIG, NEWSLETTERS, load
from digest.testing.clock import FrozenClock
from digest.testing.contracts.subscribers import make_subscriber
from digest.testing.factories import NOON
from digest.web.app import make_web
from digest.web.server import serving
from tests.website import FORM, ONE_CLICK, ask, rows_of


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
    found = [route.path for route in web.routes]  # type: ignore[attr-defined]
    assert list(dict.fromkeys(found)) == [*reversed(paths)]


def test_link_of_one_newsletter_is_worth_nothing_at_the_pages_of_another(
    tmp_path: Path, opened: ExitStack
) -> None:
    news, games = apps(
        tmp_path, opened, "https://a.example.com/news", "https://a.example.com/games"
    )
    games.subscribers.add_subscribers([make_subscriber(newsletter="letter-1")])
    [reader] = games.subscribers.subscribers("letter-1")
    assert reader.id is not None
    account = games.tokens.account(reader.id, now=NOON)
    links = [f"{place}/{games.tokens.reader(0, reader.id)}" for place in ("u", "preferences")]
    before = rows_of(games)
    address = opened.enter_context(serving(news, "127.0.0.1:0", threading.Event(), [games]))
    for link in (*links, f"account/{account}"):
        assert ask(address, "GET", f"/games/{link}").status == 200
        assert ask(address, "GET", f"/news/{link}").status == 404
        for body in (b"leave=yes", b"pause=yes", b"save=yes", b"data=link", b"data=file"):
            assert ask(address, "POST", f"/news/{link}", body, FORM).status in (400, 404)
    assert ask(address, "POST", f"/news/{links[0]}", ONE_CLICK, FORM).status == 200
    assert ask(address, "POST", f"/news/account/{account}", b"erase=yes", FORM).status == 404
    assert rows_of(games) == before
