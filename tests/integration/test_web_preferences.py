"""What readers decide behind their links: less, a pause, leaving, the way back, their topics."""

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from digest.model.subscribers import Frequency, Subscriber
from digest.web.leaving import WHYS
from tests.website import FORM, ONE_CLICK, Answer, Site, served

HOUR = dt.timedelta(hours=1)
SOURCES = """
[[source]]
name = "Feed"
url = "https://feed.example.com/rss"
topics = ["Android", "Games & <b>play</b>"]
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with served(tmp_path / "weekly", SOURCES) as running:
        yield running


def post(site: Site, place: str, **fields: str) -> Answer:
    return site.ask("POST", f"/{place}/{site.token()}", urlencode(fields).encode(), FORM)


def save(site: Site, **fields: str) -> Answer:
    return post(site, "preferences", save="yes", **fields)


def reader(site: Site) -> Subscriber:
    found = site.app.subscribers.subscriber_by_id(site.sent.readers[0])
    assert found
    return found


# Preferences


def test_page_shows_what_was_chosen_and_the_address_masked(site: Site) -> None:
    answer = site.ask("GET", f"/preferences/{site.token()}")
    assert answer.status == 200
    assert "R…@example.com" in answer.text
    assert "Reader0" not in answer.text
    assert re.search(r'value="weekly" checked', answer.text)
    assert "Games &amp; &lt;b&gt;play&lt;/b&gt;" in answer.text
    assert len(answer.body) < 15_000
    assert not re.search(r"<script|<link|<img|https?://|\bon[a-z]+=", answer.text)


def test_choices_are_kept_and_shown_again(site: Site) -> None:
    answer = save(
        site, frequency="monthly", language="de", uncounted="on", **{"topic:Android": "on"}
    )
    found = reader(site)
    assert found.frequency is Frequency.MONTHLY
    assert found.topics == ("Android",)
    assert found.is_uncounted
    assert found.language == "de"
    assert "gespeichert" in answer.text
    again = site.ask("GET", f"/preferences/{site.token()}").text
    assert '<html lang="de" dir="ltr">' in again
    assert re.search(r'value="monthly" checked', again)
    assert re.search(r'name="topic:Android" checked', again)
    assert re.search(r'name="uncounted" checked', again)
    save(site, frequency="weekly", language="en")
    found = reader(site)
    assert (found.frequency, found.topics, found.language) == (Frequency.WEEKLY, (), "")
    assert not found.is_uncounted


def test_what_was_never_offered_is_not_kept(site: Site) -> None:
    before = reader(site)
    answer = save(site, frequency="daily", language="../x", state="left", **{"topic:Other": "on"})
    assert answer.status == 200
    assert reader(site) == before


def test_saving_keeps_a_language_that_pages_do_not_speak(tmp_path: Path) -> None:
    own = SOURCES + '[newsletter]\nlanguage = "pt-BR"\n'
    with served(tmp_path / "weekly", own) as site:
        page = site.ask("GET", f"/preferences/{site.token()}").text
        assert '<html lang="pt-BR" dir="ltr">' in page
        assert re.search(r'value="pt-BR" lang="pt-BR" selected>português \(Brasil\)', page)
        save(site, language="pt-BR")
        assert reader(site).language == ""
        site.app.choosing.choose(
            site.sent.readers[0],
            topics=(),
            frequency=Frequency.WEEKLY,
            language="de-AT",
            is_uncounted=False,
        )
        assert '<html lang="de" dir="ltr">' in site.ask("GET", f"/preferences/{site.token()}").text
        save(site, language="de")
        assert reader(site).language == "de-AT"
        save(site, language="pt-BR")
        assert reader(site).language == ""


def test_one_who_is_not_on_the_list_chooses_nothing(site: Site) -> None:
    post(site, "u", leave="yes")
    before = reader(site)
    for answer in (
        save(site, frequency="monthly"),
        post(site, "preferences", pause="yes"),
        post(site, "u", monthly="yes"),
        site.ask("GET", f"/preferences/{site.token()}"),
    ):
        assert "You are not on the list" in answer.text
    assert reader(site) == before


def test_link_to_ones_data_comes_by_mail_only(site: Site) -> None:
    answer = post(site, "preferences", data="link")
    assert "Look into your inbox" in answer.text
    assert "/account/" not in answer.text
    with site.app.database.reading() as connection:
        [row] = connection.exec_driver_sql("SELECT kind, address FROM letters")
    assert tuple(row) == ("account", reader(site).address)
    asked = [post(site, "preferences", data="link").status for _ in range(5)]
    assert asked == [200] * 4 + [429]


# Leaving


def test_once_a_month_and_a_pause_keep_the_reader(site: Site) -> None:
    answer = post(site, "u", monthly="yes")
    assert "Once a month from now on" in answer.text
    answer = post(site, "u", pause="yes")
    assert "Paused for now" in answer.text
    found = reader(site)
    assert site.state() == "active"
    assert found.frequency is Frequency.MONTHLY
    assert found.paused_until_at == site.clock.now() + dt.timedelta(weeks=4)
    page = site.ask("GET", f"/u/{site.token()}").text
    assert 'name="monthly"' not in page
    assert 'name="pause"' not in page
    assert "no edition comes before" in site.ask("GET", f"/preferences/{site.token()}").text
    assert "The pause is over" in post(site, "preferences", resume="yes").text
    assert reader(site).paused_until_at is None


@pytest.mark.parametrize("way", ["page", "one-click"])
def test_leaving_is_undone_within_a_day_and_not_later(site: Site, way: str) -> None:
    def leave() -> None:
        if way == "page":
            post(site, "u", leave="yes")
        else:
            site.ask("POST", f"/u/{site.token()}", ONE_CLICK, FORM)
        assert site.state() == "left"

    leave()
    assert reader(site).left_edition_id == site.sent.edition.id
    site.clock.move(23 * HOUR)
    assert 'name="undo"' in site.ask("GET", f"/u/{site.token()}").text
    assert "back on the list" in post(site, "u", undo="yes").text
    assert site.state() == "active"
    leave()
    site.clock.move(25 * HOUR)
    assert 'name="undo"' not in site.ask("GET", f"/u/{site.token()}").text
    assert "You are not on the list" in post(site, "u", undo="yes").text
    assert site.state() == "left"


def test_who_comes_back_is_told_that_their_pause_goes_on(site: Site) -> None:
    post(site, "u", pause="yes")
    post(site, "u", leave="yes")
    back = post(site, "u", undo="yes")
    assert "back on the list" in back.text
    assert "No edition goes to" in back.text


def test_nobody_comes_back_by_a_link_whom_an_admin_took_off(site: Site) -> None:
    site.app.subscribers.set_left(site.sent.readers[0], by="admin", now=site.clock.now())
    page = site.ask("GET", f"/u/{site.token()}").text
    assert "<button" not in page
    assert "Subscribe again" in page
    post(site, "u", undo="yes")
    assert site.state() == "left"


def test_reason_is_kept_once_said(site: Site) -> None:
    page = post(site, "u", leave="yes").text
    for why in sorted(WHYS):
        assert f'value="{why}"' in page
        answer = post(site, "u", why=why)
        assert "Thank you for saying why" in answer.text
        assert reader(site).left_why == why
    assert 'name="why"' not in site.ask("GET", f"/u/{site.token()}").text


def test_reason_of_ones_own_making_is_refused(site: Site) -> None:
    post(site, "u", leave="yes")
    for why in ("", "because <b>", "x" * 1000):
        assert post(site, "u", why=why).status == 400
    assert reader(site).left_why == ""


def test_form_that_asks_for_two_things_does_neither(site: Site) -> None:
    before = reader(site)
    assert post(site, "u", leave="yes", pause="yes").status == 400
    assert post(site, "u", leave="no").status == 400
    assert reader(site) == before


def test_dead_link_offers_a_mail_with_new_ones(site: Site) -> None:
    for place in ("u", "preferences", "account"):
        for answer in (
            site.ask("GET", f"/{place}/x"),
            site.ask("POST", f"/{place}/x", b"save=yes", FORM),
            site.ask("POST", f"/{place}/x", b"data=link", FORM),
        ):
            if place == "u" and answer.status == 400:
                continue  # it asks for nothing that this page does
            assert answer.status == 404
            assert '<a class="button" href="/link">' in answer.text
