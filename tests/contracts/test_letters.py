"""The promises about letters, on every database that `digest` runs on."""

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from typing import Any

import pytest

from digest.model.letters import Letter, LetterKind, LetterState
from digest.model.subscribers import Frequency, Subscriber, SubscriberState, SuppressionReason
from digest.ports import Letters
from digest.storage.choices import SqlChoices
from digest.storage.database import Database
from digest.storage.letters import SqlLetters
from digest.storage.subscribers import SqlSubscribers
from digest.testing.contracts.subscribers import WEEKLY, make_subscriber, make_suppression
from digest.testing.factories import NOON

HOUR = dt.timedelta(hours=1)
LATER = NOON + HOUR


@pytest.fixture
def letters(database: Database) -> SqlLetters:
    return SqlLetters(database)


@pytest.fixture
def readers(database: Database) -> SqlSubscribers:
    return SqlSubscribers(database)


def make_letter(number: int = 1, **changes: Any) -> Letter:
    """Return a sign-up by the reader of that number, who may be on no list."""
    values: dict[str, Any] = {
        "newsletter": WEEKLY,
        "kind": LetterKind.SIGN_UP,
        "address": f"Reader{number}@example.com",
        "key": f"reader{number}@example.com",
        "asked_at": NOON,
        "network": "a",
    }
    return Letter(**(values | changes))


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Do all of them at the same time; return their answers."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def waiting(letters: Letters) -> list[Letter]:
    """Claim all that wait and return them."""
    found = []
    while letter := letters.claim(WEEKLY, now=LATER):
        found.append(letter)
    return found


def confirm(letters: Letters, number: int, reader: Subscriber) -> int | None:
    return letters.confirm(number, reader, hashed="hash", now=LATER)


def by_page(number: int = 1) -> Subscriber:
    """Return what somebody is who confirms by a page."""
    plain = make_subscriber(number, first_name="", topics=(), language="", timezone="")
    return replace(plain, origin="page", joined_at=LATER)


def test_letter_comes_back_exactly_as_it_was_asked_for(letters: SqlLetters) -> None:
    plain = make_letter()
    dropped = make_letter(2, state=LetterState.DROPPED, reason="too many", settled_at=NOON)
    for letter in (plain, dropped):
        number = letters.ask(letter)
        assert letters.letter(number) == replace(letter, id=number)
    assert letters.letter(1_000) is None


def test_oldest_waiting_letter_of_the_newsletter_is_claimed_first(letters: SqlLetters) -> None:
    other = letters.ask(make_letter(newsletter="other"))
    letters.ask(make_letter(state=LetterState.DROPPED))
    assert not letters.waiting(WEEKLY)
    numbers = [letters.ask(make_letter(number)) for number in (3, 1, 2)]
    assert letters.waiting(WEEKLY)
    found = waiting(letters)
    assert [letter.id for letter in found] == numbers
    assert {(letter.state, letter.settled_at) for letter in found} == {("claimed", LATER)}
    assert not letters.waiting(WEEKLY)
    assert letters.waiting("other")
    claimed = letters.claim("other", now=LATER)
    assert claimed is not None
    assert claimed.id == other


def test_letter_is_claimed_by_one_of_many(letters: SqlLetters) -> None:
    numbers = [letters.ask(make_letter(number)) for number in range(24)]
    taken = at_once(*[lambda: [letter.id for letter in waiting(letters)]] * 6)
    assert sorted(chain.from_iterable(taken)) == numbers


def test_only_what_is_claimed_is_settled(letters: SqlLetters) -> None:
    number = letters.ask(make_letter())
    letters.settle(number, LetterState.SENT, reason="", now=LATER)
    assert letters.waiting(WEEKLY)
    waiting(letters)
    letters.settle(number, LetterState.WAITING, reason="busy", now=LATER)
    again = letters.letter(number)
    assert again == make_letter(reason="busy", id=number)
    waiting(letters)
    letters.settle(number, LetterState.SENT, reason="", now=LATER)
    letters.settle(number, LetterState.FAILED, reason="late", now=LATER + HOUR)
    assert letters.letter(number) == replace(
        again, state=LetterState.SENT, reason="", settled_at=LATER
    )


def test_claim_that_nobody_settled_is_given_up(letters: SqlLetters) -> None:
    old, new = (letters.ask(make_letter(number)) for number in (1, 2))
    assert letters.claim(WEEKLY, now=NOON)
    assert letters.claim(WEEKLY, now=LATER)
    letters.ask(make_letter(3))
    assert letters.give_up(WEEKLY, before=LATER, reason="lost", now=LATER) == 1
    states = {n: letter.state for n in (old, new, new + 1) if (letter := letters.letter(n))}
    assert states == {old: "failed", new: "claimed", new + 1: "waiting"}
    assert letters.give_up("other", before=LATER + HOUR, reason="lost", now=LATER) == 0


ASKED = (LetterKind.SIGN_UP, LetterKind.LINKS)


def test_letters_are_counted_by_kind_address_network_and_newsletter(letters: SqlLetters) -> None:
    letters.ask(make_letter())
    letters.ask(make_letter(kind=LetterKind.WELCOME, network=""))
    letters.ask(make_letter(kind=LetterKind.ACCOUNT, network=""))
    letters.ask(make_letter(2))
    assert letters.sent_to(WEEKLY, make_letter().key, kinds=ASKED, since=NOON) == 0
    for letter in waiting(letters):
        letters.settle(letter.id or 0, LetterState.SENT, reason="", now=LATER)
    letters.ask(make_letter(network="b", asked_at=LATER))
    letters.ask(make_letter(newsletter="other"))
    assert letters.sent_to(WEEKLY, make_letter().key, kinds=ASKED, since=LATER) == 1
    assert letters.sent_to(WEEKLY, make_letter().key, kinds=ASKED, since=LATER + HOUR) == 0
    assert letters.sent_to("other", make_letter().key, kinds=ASKED, since=NOON) == 0
    assert [letters.asked_from(WEEKLY, n, since=NOON) for n in "abc"] == [2, 1, 0]
    assert letters.asked_from(WEEKLY, "a", since=LATER) == 0
    assert letters.asked(WEEKLY, since=NOON) == 3
    assert [letters.asked(WEEKLY, since=NOON, at_most=most) for most in (0, 2, 9)] == [0, 2, 3]
    assert letters.asked(WEEKLY, since=LATER) == 1


def test_who_confirms_is_a_reader_and_welcome(letters: SqlLetters, readers: SqlSubscribers) -> None:
    number = letters.ask(make_letter())
    waiting(letters)
    reader_id = confirm(letters, number, by_page())
    assert reader_id is not None
    assert readers.subscriber_by_id(reader_id) == replace(by_page(), id=reader_id)
    assert getattr(letters.letter(number), "used_at", None) == LATER
    [welcome] = waiting(letters)
    assert (welcome.kind, welcome.key, welcome.network) == ("welcome", make_letter().key, "")
    assert confirm(letters, number, by_page()) is None
    assert not letters.disown(number, now=LATER)
    assert confirm(letters, 1_000, by_page(2)) is None


@pytest.mark.parametrize("count", [1, 8])
def test_many_who_confirm_at_once_make_one_reader_and_one_welcome(
    letters: SqlLetters, readers: SqlSubscribers, count: int
) -> None:
    """By one letter or by several to the same address."""
    numbers = [letters.ask(make_letter()) for _ in range(count)]
    waiting(letters)
    calls = [lambda n=n: confirm(letters, n, by_page()) for n in numbers * (8 // count)]
    found = at_once(*calls)
    [reader] = readers.subscribers(WEEKLY)
    assert sorted(found, key=str) == [reader.id] * count + [None] * (8 - count)
    assert [letter.kind for letter in waiting(letters)] == ["welcome"]


def test_who_left_comes_back_to_what_they_chose(
    database: Database, letters: SqlLetters, readers: SqlSubscribers
) -> None:
    before = make_subscriber(frequency=Frequency.MONTHLY)
    readers.add_subscribers([before])
    [stored] = readers.subscribers(WEEKLY)
    choices = SqlChoices(database)
    assert choices.pause(stored.id or 0, LATER + HOUR)
    assert choices.leave(stored.id or 0, 7, by="page", now=NOON)
    assert choices.say_why(stored.id or 0, "too often")
    spelt = replace(by_page(), address="reader1@EXAMPLE.com")
    assert confirm(letters, letters.ask(make_letter()), spelt) == stored.id
    [now] = readers.subscribers(WEEKLY)
    back = replace(before, origin="page", joined_at=LATER, address=spelt.address)
    assert now == replace(back, id=stored.id)
    kinds = [letter.kind for letter in waiting(letters)]
    assert kinds == ["sign-up", "welcome"]


def test_active_reader_stays_as_they_are(letters: SqlLetters, readers: SqlSubscribers) -> None:
    readers.add_subscribers([make_subscriber()])
    [stored] = readers.subscribers(WEEKLY)
    assert confirm(letters, letters.ask(make_letter()), by_page()) == stored.id
    assert list(readers.subscribers(WEEKLY)) == [stored]
    assert len(waiting(letters)) == 1


def test_erased_person_may_come_back_by_themselves(
    letters: SqlLetters, readers: SqlSubscribers
) -> None:
    readers.add_subscribers([make_subscriber()])
    readers.erase(make_subscriber().key, hashed="hash", now=NOON)
    assert confirm(letters, letters.ask(make_letter()), by_page()) is not None
    assert readers.all_erased() == frozenset()
    assert [one.state for one in readers.subscribers(WEEKLY)] == [SubscriberState.ACTIVE]


def test_who_is_erased_while_they_confirm_stays_erased(
    letters: SqlLetters, readers: SqlSubscribers
) -> None:
    """Whichever is first: the other one either undoes it or is too late."""
    key = make_letter().key
    for _ in range(8):
        number = letters.ask(make_letter())
        at_once(
            lambda n=number: confirm(letters, n, by_page()),
            lambda: readers.erase(key, hashed="hash", now=LATER),
        )
        assert readers.subscriber(WEEKLY, key) is None
        assert readers.all_erased() == {"hash"}
        assert readers.letters(key) == []


def test_who_did_not_ask_is_never_mailed(letters: SqlLetters, readers: SqlSubscribers) -> None:
    number = letters.ask(make_letter())
    assert at_once(*[lambda: letters.disown(number, now=LATER)] * 4).count(True) == 1
    found = readers.suppression(make_letter().key)
    assert found is not None
    assert (found.reason, found.address) == (SuppressionReason.MANUAL, make_letter().address)
    assert confirm(letters, number, by_page()) is None
    assert list(readers.subscribers(WEEKLY)) == []


def test_earlier_reason_of_a_suppression_stays(
    letters: SqlLetters, readers: SqlSubscribers
) -> None:
    readers.suppress([make_suppression()])
    assert letters.disown(letters.ask(make_letter()), now=LATER)
    assert readers.suppression(make_letter().key) == make_suppression()


def test_old_letters_are_deleted_and_their_numbers_never_used_again(letters: SqlLetters) -> None:
    numbers = [letters.ask(make_letter(asked_at=at)) for at in (NOON, LATER, LATER + HOUR)]
    assert letters.tidy(before=LATER) == 1
    assert letters.letter(numbers[0]) is None
    assert letters.letter(numbers[1]) is not None
    assert letters.tidy(before=LATER + 2 * HOUR) == 2
    assert letters.ask(make_letter()) > numbers[-1]
