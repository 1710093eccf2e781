"""What strangers try at the readers' pages: links of another kind, changed ones, ways elsewhere."""

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest
import structlog

from digest.model.letters import Letter, LetterKind, LetterState
from digest.services.editors import EditorLinks
from tests.archives import ArchiveSite, archive_site, put
from tests.website import FORM, Answer, ask, rows_of

READER, NEW = "reader@example.com", "new@example.org"
EDITOR = '[[editor]]\nname = "Maria"\naddress = "maria@example.com"\n'
KINDS = ("reader", "confirm", "account", "editor", "form")
GONE, METHOD = 404, 405


@dataclass(frozen=True)
class Page:
    """A page behind a link: its path around the token, whose kind it is, and a POST that acts."""

    path: str
    kind: str
    acts: Mapping[str, str]

    def at(self, token: str) -> str:
        return self.path.format(token)


PAGES = (
    Page("/r/{}/1", "reader", {"stars": "4"}),
    Page("/r/{}/1/3", "reader", {"stars": "3"}),
    Page("/archive/2026-W48/{}", "reader", {}),
    Page("/preferences/{}", "reader", {"save": "yes", "frequency": "monthly"}),
    Page("/u/{}", "reader", {"leave": "yes"}),
    Page("/confirm/{}", "confirm", {"confirm": "yes"}),
    Page("/account/{}", "account", {"erase": "yes"}),
    Page("/desk/edition/{}", "editor", {"act": "hold"}),
)
READ_ONLY = {"archive", "desk"}  # an edition that went out is decided about no more


@dataclass(frozen=True)
class Target:
    """A site with an edition, a reader, an editor and a letter, and a link of each kind."""

    site: ArchiveSite
    tokens: Mapping[str, str]

    def ask(self, method: str, path: str, **fields: str) -> Answer:
        return ask(self.site.address, method, path, urlencode(fields).encode(), FORM)

    def act(self, page: Page, token: str) -> Answer:
        """Post what acts, as from a form that somebody has looked at."""
        return self.ask("POST", page.at(token), **page.acts, form=self.tokens["form"])


def target_at(site: ArchiveSite) -> Target:
    app, now = site.app, site.clock.now()
    edition = put(app)
    letter = app.letters_store.ask(
        Letter(
            newsletter="app-news-weekly",
            kind=LetterKind.SIGN_UP,
            address=NEW,
            key=NEW,
            asked_at=now,
            network="n",
            state=LetterState.SENT,
            settled_at=now,
        )
    )
    links = EditorLinks(app.project.settings, app.tokens, app.keys)
    [editor] = app.project.settings.editor
    tokens = {
        "reader": site.token(edition),
        "confirm": app.tokens.confirm(letter),
        "account": app.tokens.account(1, now=now),
        "editor": links.link(edition, editor).rpartition("/")[2],
        "form": app.tokens.form(now=now - dt.timedelta(minutes=1)),
    }
    assert tokens.keys() == set(KINDS)
    return Target(site, tokens)


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    with archive_site(tmp_path / "weekly", EDITOR) as site:
        yield target_at(site)


def test_link_opens_its_own_pages_and_no_others(target: Target) -> None:
    before = rows_of(target.site.app)
    for page in PAGES:
        for kind, token in target.tokens.items():
            opened = target.ask("GET", page.at(token))
            assert opened.status == (200 if kind == page.kind else GONE), (page, kind)
            if kind != page.kind:
                assert target.act(page, token).status in (GONE, METHOD), (page, kind)
    assert rows_of(target.site.app) == before
    for page in PAGES:  # and with its own token each of these does something
        if page.path.split("/")[1] not in READ_ONLY:
            before = rows_of(target.site.app)
            assert target.act(page, target.tokens[page.kind]).status == 200
            assert rows_of(target.site.app) != before


def test_form_is_good_with_a_token_of_forms_alone(target: Target) -> None:
    before = rows_of(target.site.app)
    for kind in set(KINDS) - {"form"}:
        for path in ("/", "/link"):
            answer = target.ask("POST", path, address=READER, form=target.tokens[kind])
            assert answer.status == 200
        rating = f"/r/{target.tokens['reader']}/1"
        assert target.ask("POST", rating, stars="4", form=target.tokens[kind]).status == 400
    assert rows_of(target.site.app) == before


def test_link_with_a_changed_sign_does_nothing_anywhere(target: Target) -> None:
    before = rows_of(target.site.app)
    for page in PAGES:
        token = target.tokens[page.kind]
        wrong = [
            token[:place] + ("B" if token[place] == "A" else "A") + token[place + 1 :]
            for place in range(0, len(token), 5)
        ]
        wrong += [f"{token}=", f"{token}%0A", f"{token}&form=x", token.swapcase(), token[:-1]]
        for text in wrong:
            assert target.ask("GET", page.at(text)).status == GONE
            assert target.act(page, text).status in (GONE, METHOD)
    assert rows_of(target.site.app) == before


def test_pages_of_links_stay_with_the_one_who_has_them(target: Target) -> None:
    for page in PAGES:
        answer = target.ask("GET", page.at(target.tokens[page.kind]))
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Robots-Tag"] == "noindex"
        assert not answer.headers.get_all("Set-Cookie")
        assert not re.search(r'src="|<link[^>]+stylesheet|@import|url\(', answer.text)
        assert not [address for address in (READER, NEW) if address in answer.text]
    for place, kind, shown in (
        ("u", "reader", "r…@example.com"),
        ("preferences", "reader", "r…@example.com"),
        ("account", "account", "r…@example.com"),
        ("confirm", "confirm", "n…@example.org"),
    ):
        assert shown in target.ask("GET", f"/{place}/{target.tokens[kind]}").text


ELSEWHERE = ("//evil.example", "/\\evil.example", "https:evil.example", "/%2f%2fevil.example")


def test_no_answer_sends_anybody_elsewhere(target: Target) -> None:
    places = [page.at(target.tokens[page.kind]) for page in PAGES]
    for path in (*places, "/", "/link", "/archive", "/nothing", "/u", "//evil.example/u"):
        for where in ELSEWHERE:
            asked = urlencode(dict.fromkeys(("next", "url", "return_to"), f"{where}\r\nX-Evil: 1"))
            for method in ("GET", "POST"):
                answer = target.ask(method, f"{path}?{asked}", next=where, url=where)
                assert answer.status in (200, 400, GONE, METHOD), (method, path)
                assert not {"Location", "Refresh", "X-Evil"} & set(answer.headers)
                assert "evil" not in answer.text


def test_log_of_all_that_readers_do_names_nobody(tmp_path: Path) -> None:
    with (
        structlog.testing.capture_logs() as logged,
        archive_site(tmp_path / "weekly", EDITOR) as site,
    ):
        target = target_at(site)
        for path in ("/", "/link"):
            target.ask("POST", path, address=READER, form=target.tokens["form"])
        site.app.letters.send_waiting(now=site.clock.now())
        for page in PAGES:
            for token in target.tokens.values():
                target.ask("GET", page.at(token))
                target.act(page, token)
    assert len(logged) > 2 * len(PAGES)
    said = str(logged)
    secrets = [*target.tokens.values(), READER, NEW, "maria@example.com"]
    assert not [secret for secret in secrets if secret in said]
