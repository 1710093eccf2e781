"""Signing up over a real server: one answer for all addresses, and nobody is in without a press."""

import datetime as dt
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
import structlog

from digest.model.letters import Letter, LetterKind, LetterState
from digest.model.subscribers import SubscriberState, SuppressionReason
from digest.normalising.addresses import address_key
from tests.website import FORM, Answer, Site, served

NEW = "new@example.org"
SECONDS = dt.timedelta(seconds=1)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with served(tmp_path / "weekly") as running:
        yield running


def token_of(page: Answer) -> str:
    found = re.search(r'name="form" value="([\w-]+)"', page.text)
    assert found
    return found[1]


def post(site: Site, path: str, headers: dict[str, str] | None = None, /, **fields: str) -> Answer:
    return site.ask("POST", path, urlencode(fields).encode(), {**FORM, **(headers or {})})


def sign_up(site: Site, address: str, path: str = "/", **headers: str) -> Answer:
    """Fill in the form as a person does, in some seconds."""
    form = token_of(site.ask("GET", path))
    site.clock.move(10 * SECONDS)
    return post(site, path, headers, address=address, form=form, website="")


def letters(site: Site) -> list[tuple[str, str]]:
    """Return kind and address of the letters that were asked for."""
    with site.app.database.reading() as connection:
        rows = connection.exec_driver_sql("SELECT kind, address FROM letters ORDER BY id")
        return [(str(kind), str(address)) for kind, address in rows]


def sent_letter(site: Site, address: str = NEW) -> str:
    """Keep a letter that was sent to the address, and return the path of its link."""
    now = site.clock.now()
    letter = Letter(
        newsletter="app-news-weekly",
        kind=LetterKind.SIGN_UP,
        address=address,
        key=address_key(address),
        asked_at=now,
        state=LetterState.SENT,
        settled_at=now,
    )
    number = site.app.letters_store.ask(letter)
    return f"/confirm/{site.app.tokens.confirm(number)}"


def reader(site: Site, address: str = NEW) -> str:
    found = site.app.reader(address)
    return str(found.state) if found else "nobody"


def test_page_says_what_comes_and_when_and_asks_for_an_address(site: Site) -> None:
    answer = site.ask("GET", "/")
    assert answer.status == 200
    assert "every Monday at 7:00" in answer.text
    assert "(Berlin)" in answer.text
    assert "One mail a week" in answer.text
    assert 'href="/archive/2026-W48">Read the last edition' in answer.text
    assert answer.text.count("<button") == 1
    assert len(answer.body) < 15_000
    assert not re.search(r"<script|<link|<img|https?://|\bon[a-z]+=|Set-Cookie", answer.text)


def test_form_asks_for_one_letter_and_puts_nobody_on_the_list(site: Site) -> None:
    answer = sign_up(site, " New@Example.ORG ")
    assert answer.status == 200
    assert "Look into your inbox" in answer.text
    assert "example" not in answer.text.lower().replace("name@example.com", "")
    assert letters(site) == [("sign-up", "New@example.org")]
    assert reader(site) == "nobody"


def test_answer_is_the_same_whoever_the_address_belongs_to(site: Site) -> None:
    now = site.clock.now()
    site.app.subscriptions.suppress("bad@example.org", SuppressionReason.MANUAL, now=now)
    site.app.subscribers.set_left(site.sent.readers[1], by="page", now=now)
    gone = site.app.subscribers.subscriber_by_id(site.sent.readers[2])
    assert gone is not None
    site.app.subscriptions.erase(gone.address, now=now)
    addresses = [NEW, NEW, "bad@example.org", gone.address]
    for number in site.sent.readers[:2]:
        known = site.app.subscribers.subscriber_by_id(number)
        assert known is not None
        addresses.append(known.address)
    answers = []
    for address in addresses:
        answers.append(sign_up(site, address))
        site.clock.move(dt.timedelta(hours=1))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    heads = [sorted(h for h in a.headers.items() if h[0].lower() != "date") for a in answers]
    assert all(head == heads[0] for head in heads)
    assert len(letters(site)) == len(addresses)


WRONG = (
    "",
    "name",
    "name@",
    "a@b",
    "a@example.org\r\nBcc: x@example.com",
    "a@example.org, b@example.org",
    '"><script>alert(1)</script>@x',
    "a" * 300 + "@example.org",
    "x\x00@example.org",
)


def test_what_is_no_address_is_said_below_the_field(site: Site) -> None:
    for address in WRONG:
        answer = sign_up(site, address)
        assert answer.status == 422
        assert "<title>Error: Subscribe" in answer.text
        field = re.search(r"<input id=\"address\"[^>]*>", answer.text)
        assert field
        assert 'aria-describedby="wrong"' in field[0]
        assert 'aria-invalid="true"' in field[0]
        assert "autofocus" in field[0]
        assert "This is no mail address" in answer.text
        assert "<script" not in answer.text
    assert letters(site) == []
    mended = post(site, "/", address=NEW, form=token_of(answer))
    assert mended.status == 200
    assert letters(site) == [("sign-up", NEW)]


def test_form_filled_in_too_fast_sends_nothing_and_asks_to_press_once_more(site: Site) -> None:
    form = token_of(site.ask("GET", "/"))
    for seconds in (0, 2):
        site.clock.move(seconds * SECONDS)
        answer = post(site, "/", address=NEW, form=form)
        assert answer.status == 400
        assert "Nothing was sent yet. Press the button once more." in answer.text
        assert letters(site) == []
    site.clock.move(SECONDS)
    again = post(site, "/", address=NEW, form=token_of(answer))
    assert "Look into your inbox" in again.text
    assert letters(site) == [("sign-up", NEW)]


@pytest.mark.parametrize("path", ["/", "/link"])
def test_who_left_the_form_open_for_hours_is_asked_to_press_once_more(
    site: Site, path: str
) -> None:
    form = token_of(site.ask("GET", path))
    site.clock.move(3 * 3600 * SECONDS)
    answer = post(site, path, address=NEW, form=form, website="")
    assert answer.status == 400
    assert "Nothing was sent yet. Press the button once more." in answer.text
    assert f'value="{NEW}"' in answer.text
    assert letters(site) == []
    site.clock.move(5 * SECONDS)
    again = post(site, path, address=NEW, form=token_of(answer), website="")
    assert "Look into your inbox" in again.text
    assert [address for _, address in letters(site)] == [NEW]


def test_form_of_a_program_sends_nothing_and_does_not_say_so(site: Site) -> None:
    good = sign_up(site, "other@example.org")
    form = token_of(site.ask("GET", "/"))
    site.clock.move(10 * SECONDS)
    last = "A" if form[-1] != "A" else "B"
    tried: list[dict[str, str]] = [
        {},
        {"address": NEW},
        {"address": NEW, "form": form, "website": "https://spam.example"},
        {"address": NEW, "form": form[:-1] + last},
        {"address": NEW, "form": site.token()},
        {"address": NEW, "form": ""},
        {"form": "x", "address": "no address"},
    ]
    for fields in tried:
        answer = post(site, "/", **fields)
        assert (answer.status, answer.body) == (good.status, good.body)
    assert letters(site) == [("sign-up", "other@example.org")]


def test_network_that_asks_too_often_is_told_until_when(site: Site) -> None:
    for number in range(5):
        assert sign_up(site, f"reader{number}@example.org").status == 200
    answer = sign_up(site, NEW)
    assert answer.status == 429
    wait = int(answer.headers["Retry-After"])
    assert 0 < wait <= 3660
    site.clock.move(wait * SECONDS)
    assert sign_up(site, NEW).status == 200
    assert len(letters(site)) == 6


def test_forged_addresses_of_a_proxy_do_not_make_more_networks(site: Site) -> None:
    statuses = [
        sign_up(site, f"r{number}@example.org", **{"X-Forwarded-For": f"203.0.{number}.7"}).status
        for number in range(20)
    ]
    assert statuses == [200] * 5 + [429] * 15


def test_behind_a_proxy_its_own_word_counts_and_no_other(tmp_path: Path) -> None:
    with served(tmp_path / "weekly", "[web]\nbehind_proxy = true\n") as site:
        for number in range(8):
            told = f"198.51.{number}.1, 203.0.{number}.7"
            answer = sign_up(site, f"r{number}@example.org", **{"X-Forwarded-For": told})
            assert answer.status == 200
        forged = [
            sign_up(site, f"q{n}@example.org", **{"X-Forwarded-For": f"198.51.{n}.1, 192.0.2.9"})
            for n in range(6)
        ]
        assert [answer.status for answer in forged] == [200] * 5 + [429]


def test_reader_asks_for_their_links_in_the_same_way(site: Site) -> None:
    answers = [sign_up(site, address, "/link") for address in (NEW, "reader0@example.com")]
    assert answers[0].body == answers[1].body
    assert [kind for kind, _ in letters(site)] == ["links", "links"]
    assert sign_up(site, "nonsense", "/link").status == 422


def test_link_of_the_letter_shows_two_buttons_and_one_makes_a_reader(site: Site) -> None:
    path = sent_letter(site)
    before = site.rows()
    for method in ("GET", "HEAD", "GET"):
        answer = site.ask(method, path)
        assert answer.status == 200
    assert site.rows() == before
    assert answer.text.count("<button") == 2
    assert "n…@example.org" in answer.text
    assert NEW not in answer.text
    assert path.rpartition("/")[2] not in answer.text
    done = post(site, path, confirm="yes")
    assert done.status == 200
    assert "You are subscribed" in done.text
    assert "Monday, " in done.text
    assert reader(site) == SubscriberState.ACTIVE
    again = post(site, path, confirm="yes")
    assert again.status == 410
    assert "used already" in again.text
    assert "used already" in site.ask("GET", path).text


def test_page_promises_no_edition_that_went_out_before_its_time(site: Site) -> None:
    done = post(site, sent_letter(site), confirm="yes")
    week_after = dt.datetime(2026, 12, 7, 6, tzinfo=dt.UTC)
    assert site.app.letters.next_at(site.clock.now()) == week_after  # what the welcome says
    assert "comes on Monday, December 7, 2026" in done.text


def test_it_was_not_me_keeps_the_address_from_every_mail(site: Site) -> None:
    path = sent_letter(site)
    answer = post(site, path, disown="yes")
    assert "no mail from here any more" in answer.text
    assert site.app.subscriptions.suppression(NEW)
    assert post(site, path, confirm="yes").status == 410
    assert reader(site) == "nobody"


def test_link_that_has_run_out_says_since_when_and_offers_another(site: Site) -> None:
    path = sent_letter(site)
    site.clock.move(dt.timedelta(hours=49))
    for answer in (site.ask("GET", path), post(site, path, confirm="yes")):
        assert answer.status == 410
        assert "This link has run out" in answer.text
        assert "2026" in answer.text
        assert '<a class="button" href="/">' in answer.text
    assert reader(site) == "nobody"


def test_link_of_no_letter_is_told_so(site: Site) -> None:
    path = sent_letter(site)
    for token in (
        "x",
        path[9:-1],
        path[9:] + "=",
        site.token(),
        site.app.tokens.form(now=site.clock.now()),
    ):
        for answer in (
            site.ask("GET", f"/confirm/{token}"),
            post(site, f"/confirm/{token}", confirm="yes"),
        ):
            assert answer.status == 404
            assert "This link does not work" in answer.text
    assert post(site, path).status == 400
    assert reader(site) == "nobody"


def test_pages_speak_the_language_of_the_newsletter(tmp_path: Path) -> None:
    with served(tmp_path / "weekly", '[newsletter]\nlanguage = "ar"\n') as site:
        page, missing = site.ask("GET", "/"), site.ask("GET", "/nothing")
        assert '<html lang="ar" dir="rtl">' in page.text
        assert '<html lang="ar" dir="rtl">' in missing.text
        assert "الاشتراك" in page.text
        assert missing.status == 404


def test_newsletter_below_a_path_signs_up_there(tmp_path: Path) -> None:
    settings = '[newsletter]\npublic_url = "https://news.example.com/weekly"\n'
    with served(tmp_path / "weekly", settings) as site:
        for path in ("/weekly", "/weekly/"):
            page = site.ask("GET", path)
            assert page.status == 200
            assert 'href="/weekly/link"' in page.text
        site.clock.move(10 * SECONDS)
        assert post(site, "/weekly", address=NEW, form=token_of(page)).status == 200
        assert letters(site) == [("sign-up", NEW)]


def test_log_holds_neither_the_address_nor_the_token(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as logged, served(tmp_path / "weekly") as site:
        sign_up(site, NEW)
        sign_up(site, "wrong@wrong")
        path = sent_letter(site)
        site.ask("GET", path)
        post(site, path, confirm="yes")
    assert NEW not in str(logged)
    assert "wrong" not in str(logged)
    assert path.rpartition("/")[2] not in str(logged)
    assert {line["place"] for line in logged if "place" in line} == {"other", "confirm"}
