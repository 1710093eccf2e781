"""My data and being erased: behind a link of a day that came by mail, and two buttons."""

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.website import FORM, Answer, Site, served


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with served(tmp_path / "weekly") as running:
        yield running


def account(site: Site) -> str:
    token = site.app.tokens.account(site.sent.readers[0], now=site.clock.now())
    return f"/account/{token}"


def post(site: Site, path: str, body: bytes) -> Answer:
    return site.ask("POST", path, body, FORM)


def test_opening_shows_buttons_and_changes_nothing(site: Site) -> None:
    before, path = site.rows(), account(site)
    for method in ("GET", "HEAD", "GET"):
        answer = site.ask(method, path + "?erase=yes&data=file")
        assert answer.status == 200
    assert "R…@example.com" in answer.text
    assert "Reader0" not in answer.text
    assert path.rpartition("/")[2] not in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Robots-Tag"] == "noindex"
    assert site.rows() == before


def test_data_is_a_file_of_all_that_is_stored_without_tokens(site: Site) -> None:
    answer = post(site, account(site), b"data=file")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
    kind, _, name = answer.headers["Content-Disposition"].partition("; ")
    assert (kind, name) == ("attachment", 'filename="app-news-weekly-my-data.json"')
    assert "Reader0@example.com" in json.dumps(json.loads(answer.body))
    assert site.token() not in answer.text


def test_erasing_takes_two_presses(site: Site) -> None:
    path, before = account(site), site.rows()
    asked = post(site, path, b"erase=ask")
    assert "Erase everything about you?" in asked.text
    assert site.rows() == before
    done = post(site, path, b"erase=yes")
    assert "Nothing about you is stored here" in done.text
    assert site.state() == "gone"
    assert "Reader0" not in str(site.rows())
    for again in (site.ask("GET", path), post(site, path, b"data=file")):
        assert "Nothing about you is stored here" in again.text


def test_link_ends_after_a_day_and_then_does_nothing(site: Site) -> None:
    path = account(site)
    site.clock.move(dt.timedelta(hours=25))
    for answer in (site.ask("GET", path), post(site, path, b"erase=yes")):
        assert answer.status == 410
        assert "This link has run out" in answer.text
        assert '<a class="button" href="/link">' in answer.text
    assert site.state() == "active"


def test_link_of_an_edition_leads_to_no_data(site: Site) -> None:
    for token in (site.token(), "x", account(site)[9:-2] + "AA"):
        for answer in (
            site.ask("GET", f"/account/{token}"),
            post(site, f"/account/{token}", b"data=file"),
            post(site, f"/account/{token}", b"erase=yes"),
        ):
            assert answer.status == 404
            assert "example.com" not in answer.text
    assert site.state() == "active"


def test_post_without_the_words_does_nothing(site: Site) -> None:
    for body in (b"", b"erase=maybe", b"data=all", b"data=file&erase=yes"):
        assert post(site, account(site), body).status == 400
    assert site.state() == "active"
