"""Readers' stars over a real server: links show, the button saves, and one reader has one vote."""

import datetime as dt
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlencode

import pytest

from digest.errors import TooMany
from digest.model.editions import Edition, EditionState, FrozenVariant, MergedArticle
from digest.model.sources import SourceState
from digest.model.subscribers import Frequency, Subscriber
from digest.ports import Placed
from digest.services.voting import Closed
from digest.testing.contracts.events import RELEASE, VARIANT
from digest.testing.contracts.subscribers import make_subscriber
from digest.testing.factories import NOON, make_article, make_edition, make_period, make_story
from digest.tokens import BadToken
from tests.website import FORM, Answer, Site, served

DAY = dt.timedelta(days=1)
STORIES, MERGED, ELSEWHERE = 3, 4, 5


@dataclass(frozen=True)
class Polls:
    """A site with an edition of three stories that its readers have."""

    site: Site
    edition: Edition

    def link(self, article: int = 1, reader: int = 0, *, edition: int | None = None) -> str:
        number = self.edition.id if edition is None else edition
        assert number is not None
        token = self.site.app.tokens.reader(number, self.site.sent.readers[reader])
        return f"/r/{token}/{article}"

    def form(self, path: str) -> str:
        """Open a link and return the token of its form, some seconds later."""
        [token] = re.findall(r'name="form" value="([\w-]+)"', self.site.ask("GET", path).text)
        self.site.clock.move(dt.timedelta(seconds=5))
        return token

    def press(self, path: str, stars: object, token: str | None = None) -> Answer:
        """Press the button with those stars chosen."""
        fields = {"form": token or self.form(path), "stars": stars}
        return self.site.ask("POST", path, urlencode(fields).encode(), FORM)

    def log(self) -> list[int]:
        """Return the stars of all rows of the log, oldest first."""
        with self.site.app.database.reading() as connection:
            found = connection.exec_driver_sql("SELECT stars FROM votes ORDER BY id")
            return [int(stars) for stars in found.scalars()]

    def stand(self, article: int = 1) -> list[tuple[int, int]]:
        """Return the stars that readers stand by, and how many do."""
        found = self.site.app.votes.ballots("app-news-weekly", [article])
        return [(ballots.stars, ballots.votes) for ballots in found]


def publish(site: Site) -> Edition:
    """Hand an edition over to the site's readers; article 5 is in none."""
    app, number = site.app, RELEASE + DAY
    articles = [make_article(n) for n in range(1, ELSEWHERE + 1)]
    placed = [Placed(article=article, belongs_at=NOON) for article in articles]
    app.store.record_fetch(SourceState(name="Example"), placed, now=NOON)
    also = MergedArticle(
        article_id=MERGED, headline="The same again", summary="", url="", source="", outlet="B"
    )
    stories = [make_story(n) for n in range(1, STORIES + 1)]
    stories[1] = replace(stories[1], also=(also,), headline="Fish & <chips>")
    start = make_period().end
    period = make_period(start=start, end=start + 7 * DAY, label="2026-W49")
    draft = make_edition(
        period=period, stories=tuple(stories), state=EditionState.APPROVED, sha256="0" * 64
    )
    edition = app.store.freeze(draft, [FrozenVariant(key="all", variant=VARIANT)])
    app.ledger.plan(edition, is_monthly=True, size=10, release_at=number)
    app.ledger.change_state(edition.id or 0, ["planned"], "sending")
    claim = app.ledger.claim(
        edition.id or 0,
        holder="test",
        reservation="r",
        release_at=number,
        now=site.clock.now(),
        lease=dt.timedelta(minutes=2),
    )
    assert claim is not None
    site.clock.move(DAY)
    found = app.store.edition("app-news-weekly", "2026-W49")
    assert found is not None
    return found


@pytest.fixture
def polls(tmp_path: Path) -> Iterator[Polls]:
    with served(tmp_path / "weekly") as site:
        yield Polls(site, publish(site))


# Opening and pressing


def test_link_shows_its_stars_chosen_and_one_button(polls: Polls) -> None:
    answer = polls.site.ask("GET", f"{polls.link()}/4")
    assert answer.status == 200
    assert re.findall(r'value="(\d)" checked', answer.text) == ["4"]
    assert answer.text.count("<button") == answer.text.count("<form") == 1
    assert "Headline number 1" in answer.text
    assert not re.search(r"<script|<link|<img|https?://|\bon[a-z]+=", answer.text)
    assert len(answer.body) < 15_000
    assert polls.link().split("/")[2] not in answer.text
    assert "checked" not in polls.site.ask("GET", polls.link()).text
    other = polls.site.ask("GET", f"{polls.link(2)}/4")
    assert "Fish &amp; &lt;chips&gt;" in other.text


def test_scanners_that_open_everything_cast_no_vote(polls: Polls) -> None:
    before = polls.site.rows()
    paths = [f"{polls.link(story)}/{stars}" for story in (1, 2, 3) for stars in range(1, 6)]
    methods = ("GET", "HEAD", "OPTIONS", "PROPFIND", "PUT", "DELETE")
    asked = [(method, path) for path in [*paths, polls.link()] for method in methods]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda request: polls.site.ask(*request), asked * 2))
    assert {answer.status for answer in answers} == {200, 405}
    assert polls.site.rows() == before


def test_press_saves_one_vote_that_can_be_changed(polls: Polls) -> None:
    answer = polls.press(f"{polls.link()}/4", 4)
    assert answer.status == 200
    assert "4 of 5. Thank you." in answer.text
    assert polls.stand() == [(4, 1)]
    assert re.findall(r'value="(\d)" checked', polls.site.ask("GET", polls.link()).text) == ["4"]
    assert "2 of 5. Thank you." in polls.press(f"{polls.link()}/4", 2).text
    assert polls.stand() == [(2, 1)]
    assert polls.log() == [4, 2]


def test_merged_article_is_rated_like_a_story_and_by_itself(polls: Polls) -> None:
    assert "The same again" in polls.site.ask("GET", f"{polls.link(MERGED)}/5").text
    assert polls.press(polls.link(MERGED), 5).status == 200
    assert (polls.stand(MERGED), polls.stand(2)) == ([(5, 1)], [])


def test_average_is_told_from_five_readers_on(polls: Polls) -> None:
    app = polls.site.app
    new = [
        Subscriber(
            newsletter="app-news-weekly",
            address=f"more{n}@example.com",
            key=f"more{n}@example.com",
            joined_at=NOON - DAY,
            origin="test",
        )
        for n in range(2)
    ]
    app.subscribers.add_subscribers(new)
    more = [app.subscribers.subscriber("app-news-weekly", reader.key) for reader in new]
    readers = [*polls.site.sent.readers, *(reader.id or 0 for reader in more if reader)]
    now = polls.site.clock.now()
    for number, reader in enumerate(readers, 1):
        token = app.tokens.reader(polls.edition.id or 0, reader)
        app.voting.vote(token, 1, 5 - number % 2, network=f"n{number}", now=now)
        page = polls.site.ask("GET", polls.link()).text
        assert ("readers so far" in page) is (number >= 5)
    assert "4.5 of 5 from 6 readers so far." in page


# Refusing


def test_only_stories_of_the_edition_and_one_to_five_stars(polls: Polls) -> None:
    form, place = polls.form(polls.link()), polls.link().rpartition("/")[0]
    stories = [f"{ELSEWHERE}/4", "0/4", "99/1", "x/4", "-1/4", "9" * 40, "9" * 5000, "%D9%A1"]
    stars = ["1/0", "1/6", "1/44", "1/x", "1/4/4", "1/-1", "1/%D9%A1", "1/"]
    for rest in [*stories, *stars]:
        assert polls.site.ask("GET", f"{place}/{rest}").status == 404, rest
        assert polls.press(f"{place}/{rest}", 4, form).status == 404, rest
    assert polls.log() == []


def test_form_with_other_stars_is_refused(polls: Polls) -> None:
    form = polls.form(polls.link())
    for stars in ("", "0", "6", "4.5", "-1", "٤", "44", "4 or 1=1"):
        assert polls.press(polls.link(), stars, form).status == 400, stars
    assert polls.site.ask("POST", polls.link(), b"", FORM).status == 400
    assert polls.log() == []


def test_link_of_nobody_and_of_another_purpose_rates_nothing(polls: Polls) -> None:
    app, form = polls.site.app, polls.form(polls.link())
    token = polls.link().split("/")[2]
    now = polls.site.clock.now()
    others = [app.tokens.editor(1, 1), app.tokens.confirm(1), app.tokens.account(1, now=now), form]
    for bad in [*others, "preview", "x", token[:-1], token.swapcase(), token + "A", "%00"]:
        path = f"/r/{bad}/1/4"
        assert polls.site.ask("GET", path).status == polls.press(path, 4, form).status == 404
    wrong = app.tokens.reader(99, polls.site.sent.readers[0])
    assert polls.press(f"/r/{wrong}/1", 4, form).status == 404
    assert polls.log() == []


def test_form_that_nobody_has_looked_at_saves_nothing_and_asks_again(polls: Polls) -> None:
    tokens, now = polls.site.app.tokens, polls.site.clock.now()
    made = [tokens.form(now=now + age) for age in (dt.timedelta(), -3 * dt.timedelta(hours=1), DAY)]
    for form in [*made, "x", polls.link().split("/")[2]]:
        answer = polls.press(polls.link(), 4, form)
        assert answer.status == 400
        assert "not saved yet" in answer.text
        assert re.findall(r'value="(\d)" checked', answer.text) == ["4"]
    assert polls.log() == []


def test_ratings_end_thirty_days_after_the_edition(polls: Polls) -> None:
    form = polls.form(polls.link())
    sent_at = RELEASE + DAY
    polls.site.clock.move(sent_at + 30 * DAY - dt.timedelta(seconds=1) - polls.site.clock.now())
    assert polls.press(polls.link(), 4).status == 410  # five seconds after it was shown
    for answer in (polls.site.ask("GET", polls.link()), polls.press(polls.link(), 4, form)):
        assert answer.status == 410
        assert "30 days" in answer.text
        assert "<button" not in answer.text
    assert polls.log() == []


def test_who_left_rates_nothing_and_what_they_gave_counts_no_more(polls: Polls) -> None:
    polls.press(polls.link(), 4)
    form = polls.form(polls.link())
    reader = polls.site.sent.readers[0]
    polls.site.app.subscribers.set_left(reader, by="page", now=polls.site.clock.now())
    for answer in (polls.site.ask("GET", polls.link()), polls.press(polls.link(), 5, form)):
        assert answer.status == 403
        assert "You are not on the list" in answer.text
    gone = polls.site.app.tokens.reader(polls.edition.id or 0, 10**9)
    assert polls.site.ask("GET", f"/r/{gone}/1").status == 403
    assert (polls.log(), polls.stand()) == ([4], [])


def test_who_asked_not_to_be_counted_is_told_so_and_one_who_pauses_rates(polls: Polls) -> None:
    app, reader = polls.site.app, polls.site.sent.readers
    app.choosing.choose(
        reader[0], topics=(), frequency=Frequency.WEEKLY, language="de", is_uncounted=True
    )
    assert "ändern keine Reihenfolge" in polls.press(polls.link(), 4).text
    assert polls.stand() == []
    app.choosing.pause(reader[1], polls.site.clock.now() + 28 * DAY)
    assert polls.press(polls.link(reader=1), 3).status == 200
    assert polls.stand() == [(3, 1)]


def test_link_that_came_by_letter_rates_any_edition_since_the_reader_joined(polls: Polls) -> None:
    assert polls.press(polls.link(edition=0), 3).status == 200
    late = Subscriber(
        newsletter="app-news-weekly",
        address="late@example.com",
        key="late@example.com",
        joined_at=RELEASE + DAY,
        origin="test",
    )
    polls.site.app.subscribers.add_subscribers([late])
    found = polls.site.app.subscribers.subscriber("app-news-weekly", late.key)
    assert found is not None
    token = polls.site.app.tokens.reader(0, found.id or 0)
    answer = polls.press(f"/r/{token}/1", 1, polls.form(polls.link()))
    assert answer.status == 403
    assert "before you were on the list" in answer.text
    assert polls.stand() == [(3, 1)]


def test_reader_of_another_newsletter_rates_nothing_here(polls: Polls) -> None:
    form, store = polls.form(polls.link()), polls.site.app.subscribers
    store.add_subscribers([make_subscriber(newsletter="games")])
    [other] = store.subscribers("games")
    token = polls.site.app.tokens.reader(0, other.id or 0)
    for path in (f"/r/{token}/1", f"/archive/2026-W49/{token}"):
        assert polls.site.ask("GET", path).status == 404
    assert polls.press(f"/r/{token}/1", 5, form).status == 404
    assert polls.log() == []


def test_edition_that_readers_do_not_have_yet_cannot_be_rated(polls: Polls) -> None:
    polls.site.clock.move(-dt.timedelta(seconds=1) - (polls.site.clock.now() - RELEASE - DAY))
    for path in (polls.link(), polls.link(edition=0)):
        assert polls.site.ask("GET", path).status == 404


# Many


def test_presses_without_end_are_one_vote_and_end_in_a_wait(polls: Polls) -> None:
    form, path = polls.form(polls.link()), polls.link()
    polls.site.clock.move(DAY / 24)

    def vote(number: int) -> Answer:
        return polls.press(path, 1 + number % 5, form)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(vote, range(100)))
    assert sorted({answer.status for answer in answers}) == [200, 429]
    assert sum(answer.status == 200 for answer in answers) == len(polls.log()) == 10
    assert sum(votes for _, votes in polls.stand()) == 1
    [refused, *_] = [answer for answer in answers if answer.status == 429]
    assert int(refused.headers["Retry-After"]) > 0
    assert polls.press(polls.link(2), 4, form).status == 200  # another story
    assert polls.press(polls.link(reader=1), 4, form).status == 200  # another reader
    polls.site.clock.move(dt.timedelta(seconds=int(refused.headers["Retry-After"])))
    assert polls.press(path, 3).status == 200


def test_service_says_when_one_may_vote_again_and_knows_its_scale(polls: Polls) -> None:
    voting, now = polls.site.app.voting, polls.site.clock.now()
    token = polls.link().split("/")[2]
    for stars in (1, 2, 3, 4, 5) * 2:
        assert voting.vote(token, 1, stars, network="n", now=now).stars == stars
    with pytest.raises(TooMany) as caught:
        voting.vote(token, 1, 1, network="n", now=now)
    until = caught.value.until
    assert until is not None
    assert until - dt.timedelta(days=1) <= now < until
    assert voting.vote(token, 1, 1, network="n", now=until).tally is not None
    for stars in (0, 6):
        with pytest.raises(ValueError, match="from 1 to 5"):
            voting.vote(token, 1, stars, network="n", now=now)
    with pytest.raises(BadToken):
        voting.ballot("x", 1, now=now)
    assert voting.ballot(token, 1, now=now + 31 * DAY).closed is Closed.ENDED


def test_votes_from_one_network_are_many_in_the_log_and_few_in_the_mean(polls: Polls) -> None:
    form = polls.form(polls.link())
    for reader in range(4):
        assert polls.press(polls.link(reader=reader), 5, form).status == 200
    ballot = polls.site.app.voting.ballot(polls.link().split("/")[2], 1, now=polls.site.clock.now())
    assert ballot.tally is not None
    assert (ballot.tally.votes, ballot.tally.counted) == (4, 3)
    with polls.site.app.database.reading() as connection:
        kept = connection.exec_driver_sql("SELECT DISTINCT network FROM votes").scalars().all()
    assert len(kept) == 1
    assert "127" not in kept[0]
