"""Letters: asked for by anybody, decided later, sent once, and never to who does not want them."""

import datetime as dt
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from digest.errors import LinkEnded, UsageError
from digest.model.deliveries import Refused, Unavailable, Unknown
from digest.model.letters import LetterKind
from digest.model.subscribers import SubscriberState, Suppression, SuppressionReason
from digest.services.letters import LOST, NOBODY, OFTEN, SUPPRESSED
from digest.testing.factories import NOON
from digest.tokens import BadToken
from tests.letters import SLUG, Letterbox, day, letterbox, links, text
from tests.website import rows_of

HOUR, MINUTE = dt.timedelta(hours=1), dt.timedelta(minutes=1)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Letterbox]:
    with letterbox(tmp_path / "weekly") as opened:
        yield opened


def suppress(box: Letterbox, address: str) -> None:
    [found] = [
        Suppression(
            address=address,
            key=address,
            reason=SuppressionReason.COMPLAINED,
            origin="provider",
            since_at=NOON,
        )
    ]
    box.app.subscribers.suppress([found])


# Who gets what


def test_stranger_gets_a_link_to_confirm_and_nothing_that_was_typed(box: Letterbox) -> None:
    mail = box.mail("Ada.L@Example.COM")
    assert mail["To"] == "Ada.L@example.com"
    assert mail["Subject"] == "Confirm that you want App News Weekly"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert not any(name.startswith("List-") for name in mail)
    assert links(mail).keys() == {"confirm"}
    for part in (text(mail), text(mail, "html")):
        assert "ada" not in part.lower()
        assert "1 Example Street" in part
    assert box.app.subscribers.subscriber_counts(SLUG) == {}


def test_reader_who_signs_up_again_gets_their_own_links(box: Letterbox) -> None:
    reader = box.join()
    box.publish()
    box.ask("ADA@example.com")
    [mail] = box.send()
    assert "/archive/" not in text(mail)  # nobody has it yet
    box.clock.move(day(1.1))
    mail = box.mail("Ada@example.com")
    assert mail["To"] == "ada@example.com"
    found = links(mail)
    assert found.keys() == {"preferences", "u", "account"}
    assert box.app.tokens.read_reader(found["u"]) == (0, reader.id)
    assert box.app.tokens.read_account(found["account"], now=box.clock.now()) == reader.id
    assert f"https://news.example.com/archive/2026-W48/{found['u']}" in text(mail)


def test_who_has_left_comes_back_only_by_confirming(box: Letterbox) -> None:
    reader = box.join()
    assert reader.id is not None
    box.app.subscribers.set_left(reader.id, by="page", now=NOON)
    assert links(box.mail()).keys() == {"confirm"}
    assert box.reader().state is SubscriberState.LEFT
    box.clock.move(day(1.1))
    box.ask(kind=LetterKind.LINKS)
    [mail] = box.send()
    assert links(mail).keys() == {"confirm", "account"}
    assert box.reader().state is SubscriberState.LEFT
    box.service.confirm(links(mail)["confirm"], now=box.clock.now())
    assert box.reader().state is SubscriberState.ACTIVE


def test_who_comes_back_by_their_links_is_mailed_as_before_however_somebody_spelt_them(
    box: Letterbox,
) -> None:
    reader = box.join()
    box.app.subscribers.set_left(reader.id or 0, by="page", now=NOON)
    box.ask("ADA@example.com", LetterKind.LINKS)
    [mail] = box.send()
    assert mail["To"] == "ada@example.com"
    box.service.confirm(links(mail)["confirm"], now=box.clock.now())
    assert box.reader().address == "ada@example.com"


def test_links_of_nobody_and_letters_to_suppressed_addresses_are_dropped(box: Letterbox) -> None:
    suppress(box, "bob@example.com")
    box.ask(kind=LetterKind.LINKS)
    box.ask("bob@example.com")
    box.ask("Bob@example.com", LetterKind.LINKS)
    assert box.send() == []
    assert box.states() == [("dropped", NOBODY), ("dropped", SUPPRESSED), ("dropped", SUPPRESSED)]


def test_asking_does_the_same_whoever_the_address_belongs_to(box: Letterbox) -> None:
    box.join("reader@example.com")
    suppress(box, "bounced@example.com")
    box.app.subscriptions.erase("erased@example.com", now=NOON)
    before = {name: rows for name, rows in rows_of(box.app).items() if name != "letters"}
    for name in ("new", "reader", "bounced", "erased"):
        box.ask(f"{name}@example.com")
    after = {name: rows for name, rows in rows_of(box.app).items() if name != "letters"}
    before.pop("sqlite_sequence"), after.pop("sqlite_sequence")
    assert after == before
    assert [state for state, _ in box.states()] == ["waiting"] * 4


def test_what_is_no_address_is_refused_in_words_that_do_not_repeat_it(box: Letterbox) -> None:
    for address in (
        "",
        "nobody",
        "a@b",
        "a\r\nBcc: b@example.com@example.com",
        "a@example.com\r\nBcc: b@example.com",
        "a@example.com, b@example.com",
        "=?utf-8?q?a?=@example.com",
        "a\0@example.com",
        "xDIGESTaddressx@example.com",
        "<b>@example.com",
        "a" * 500 + "@example.com",
        "a@" + "example." * 60 + "com",
        "a\u202e@example.com",
    ):
        with pytest.raises(UsageError) as refused:
            box.ask(address)
        assert "Nothing was sent" in refused.value.message
        assert not address or address not in refused.value.message
    assert box.letters() == []


# Confirming


def test_who_confirms_is_a_reader_and_is_welcomed_once(box: Letterbox) -> None:
    token = box.token()
    assert box.service.pending(token, now=NOON).address == "ada@example.com"
    box.clock.move(47 * HOUR)
    reader = box.service.confirm(token, now=box.clock.now())
    assert (reader.state, reader.joined_at) == (SubscriberState.ACTIVE, box.clock.now())
    assert reader.origin == ("page, asked 2026-11-24 12:00 UTC, confirmed 2026-11-26 11:00 UTC")
    [mail] = box.send()
    assert mail["Subject"] == "Welcome to App News Weekly"
    assert "Monday, November 30, 2026 at 7:00" in " ".join(text(mail).split())
    assert links(mail).keys() == {"u", "preferences"}
    with pytest.raises(LinkEnded) as ended:
        box.service.confirm(token, now=box.clock.now())
    assert ended.value.is_used
    assert box.send() == []


def test_welcome_names_the_next_edition_that_is_still_to_go(box: Letterbox) -> None:
    token = box.token()
    box.publish()  # early: this week's is gone
    box.clock.move(HOUR)
    box.service.confirm(token, now=box.clock.now())
    [mail] = box.send()
    said = " ".join(text(mail).split())
    assert "Monday, December 7, 2026 at 7:00" in said
    assert "https://news.example.com/archive/2026-W48 " in said


def test_link_to_confirm_runs_out_and_is_good_for_one_letter_alone(box: Letterbox) -> None:
    token = box.token()
    before = rows_of(box.app)
    with pytest.raises(LinkEnded) as ended:
        box.service.confirm(token, now=NOON + 49 * HOUR)
    assert ended.value.at == NOON + 48 * HOUR
    with pytest.raises(LinkEnded):
        box.service.pending(box.app.tokens.confirm(10**6), now=NOON)
    for other in ("", "x", token[:-1] + "A", box.app.tokens.reader(1, 1)):
        with pytest.raises(BadToken):
            box.service.confirm(other, now=NOON)
    assert rows_of(box.app) == before


def test_link_to_confirm_dies_with_an_erased_address(box: Letterbox) -> None:
    token = box.token()
    box.app.subscriptions.erase("ada@example.com", now=NOON)
    for act in (box.service.confirm, box.service.disown, box.service.pending):
        with pytest.raises(LinkEnded):
            act(token, now=NOON)
    assert box.app.subscribers.subscriber_counts(SLUG) == {}


def test_erased_reader_can_sign_up_again(box: Letterbox) -> None:
    box.join()
    box.app.subscriptions.erase("ada@example.com", now=NOON)
    box.service.confirm(box.token(), now=NOON)
    assert box.reader().state is SubscriberState.ACTIVE
    assert not box.app.subscriptions.is_erased("ada@example.com")


def test_who_did_not_ask_is_never_mailed_again(box: Letterbox) -> None:
    token = box.token()
    assert box.service.disown(token, now=NOON)
    with pytest.raises(LinkEnded):
        box.service.disown(token, now=NOON)
    with pytest.raises(LinkEnded):
        box.service.confirm(token, now=NOON)
    box.clock.move(day(400))
    box.ask()
    assert box.send() == []
    assert box.states()[-1] == ("dropped", SUPPRESSED)


def test_two_who_confirm_at_once_by_one_link_make_one_reader(box: Letterbox) -> None:
    token = box.token()

    def confirm(_number: int) -> bool:
        try:
            return bool(box.service.confirm(token, now=NOON))
        except LinkEnded:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(confirm, range(16))) == 1
    assert len(box.send()) == 1


# Sending


def test_address_gets_one_letter_a_day_and_three_a_month_however_it_is_spelt(
    box: Letterbox,
) -> None:
    spellings = [
        "ada@example.com",
        "Ada@example.com",
        "ADA@EXAMPLE.COM",
        " ada@example.com ",
        "aDa@Example.com",
    ]
    for number in range(50):
        box.ask(spellings[number % 5])
    assert len(box.send()) == 1
    assert box.states()[1:] == [("dropped", OFTEN)] * 49
    sent = 1
    for _ in range(27):
        box.clock.move(day(1))
        box.ask()
        sent += len(box.send())
    assert sent == 3
    box.clock.move(day(5))
    box.ask()
    assert len(box.send()) == 1


def test_reader_gets_the_link_to_their_data_on_the_day_they_signed_up(box: Letterbox) -> None:
    box.service.confirm(box.token(), now=box.clock.now())
    assert len(box.send()) == 1  # the welcome
    box.ask(kind=LetterKind.LINKS)
    assert box.send() == []
    box.ask(kind=LetterKind.ACCOUNT)
    box.ask(kind=LetterKind.ACCOUNT)
    [mail] = box.send()
    assert "account" in links(mail)


def test_letter_that_the_provider_did_not_take_is_tried_again_for_an_hour(box: Letterbox) -> None:
    box.ask()
    box.ask("bob@example.com")
    box.transport.script(Unavailable(reason="it is down"))
    assert box.send() == []
    assert [state for state, _ in box.states()] == ["waiting", "waiting"]
    assert box.send() == []  # it is left alone for a while
    box.clock.move(MINUTE)
    assert [mail["To"] for mail in box.send()] == ["ada@example.com", "bob@example.com"]
    box.ask("cora@example.com")
    for _ in range(5):
        box.clock.move(15 * MINUTE)
        box.transport.script(Unavailable(reason="it is down"))
        assert box.send() == []
    assert box.states()[-1] == ("failed", "it is down")


@pytest.mark.parametrize("outcome", [Unknown(reason="no answer"), Refused(reason="no")])
def test_letter_of_which_nobody_knows_or_that_is_refused_is_not_sent_again(
    box: Letterbox, outcome: Unknown | Refused
) -> None:
    box.ask()
    box.transport.script(outcome)
    box.send()
    assert box.states() == [("failed", outcome.reason)]
    box.clock.move(HOUR)
    assert box.send() == []
    assert len(box.mail()["To"]) > 0  # they can ask again


def test_letter_of_a_process_that_was_killed_is_not_sent_twice(box: Letterbox) -> None:
    box.ask()
    claimed = box.app.letters_store.claim(SLUG, now=NOON)  # and here the process is killed
    assert claimed is not None
    assert claimed.id is not None
    assert box.send() == []
    box.ask("bob@example.com")
    assert len(box.send()) == 1
    assert box.states()[0] == ("claimed", "")
    box.clock.move(11 * MINUTE)
    box.ask("cora@example.com")
    assert len(box.send()) == 1
    assert box.states()[0] == ("failed", LOST)
    # It may have gone after all; who has its link confirms by it.
    token = box.app.tokens.confirm(claimed.id)
    assert box.service.confirm(token, now=box.clock.now()).address == "ada@example.com"


def test_many_who_send_at_once_send_each_letter_once(box: Letterbox) -> None:
    for number in range(30):
        box.ask(f"reader{number}@example.com")
        box.ask(f"Reader{number}@example.com")
    with ThreadPoolExecutor(4) as pool:
        sent = list(pool.map(lambda _: box.service.send_waiting(now=NOON), range(8)))
    sent.append(box.service.send_waiting(now=NOON))
    assert sum(sent) == len(box.transport.sent()) == 30
    assert [state for state, _ in box.states()].count("dropped") == 30


def test_letters_are_deleted_when_nobody_counts_them_any_more(box: Letterbox) -> None:
    box.mail()
    box.clock.move(day(31))
    assert box.service.tidy(now=box.clock.now()) == 0
    box.clock.move(day(1))
    assert box.service.tidy(now=box.clock.now()) == 1
    assert box.letters() == []
