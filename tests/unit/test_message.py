import datetime as dt
import email
import email.policy
import re
from dataclasses import replace
from email.headerregistry import Address
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.errors import ConfigError, DigestError, UsageError
from digest.model.messages import Envelope
from digest.normalising.text import header_text
from digest.testing.contracts.transport import ATTACKS
from digest.transports.message import build_message

ENVELOPE = Envelope(
    sender="App News Weekly <news@example.com>",
    to="reader@example.com",
    subject="Ten apps worth your week",
    html="<!DOCTYPE html>\n<p>Grüße — 日本</p>\n",
    text="Grüße — 日本\n",
    date=dt.datetime(2026, 11, 23, 6, 0, tzinfo=dt.UTC),
    message_id="2026-W47.preview@news.example.com",
    list_unsubscribe="https://news.example.com/u/token",
    list_id="app-news-weekly.news.example.com",
)
HEADERS = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "List-Id",
    "MIME-Version",
    "Content-Type",
]
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


def parse(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert message.defects == []
    return message


def bodies(raw: bytes) -> list[str]:
    parts = list(parse(raw).iter_parts())
    assert all(part.defects == [] for part in parts)
    return [part.get_content().replace("\r\n", "\n") for part in parts]


def raw_header_names(raw: bytes) -> list[str]:
    head = raw.partition(b"\r\n\r\n")[0].decode("ascii")
    return [line.partition(":")[0] for line in head.split("\r\n") if line[0] not in " \t"]


def assert_well_formed(raw: bytes) -> None:
    assert raw_header_names(raw) == HEADERS
    assert parse(raw).keys() == HEADERS
    assert raw.isascii()
    assert not re.search(rb"[^\r]\n|\r[^\n]", raw)
    assert max(map(len, raw.split(b"\r\n"))) <= 998


def test_mail_has_both_bodies_with_text_first() -> None:
    raw = build_message(ENVELOPE)
    assert_well_formed(raw)
    message = parse(raw)
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert bodies(raw) == [ENVELOPE.text, ENVELOPE.html]
    assert message["subject"] == ENVELOPE.subject
    assert message["date"].datetime == ENVELOPE.date
    assert message["message-id"] == "<2026-W47.preview@news.example.com>"


def test_mail_can_be_left_with_one_click() -> None:
    raw = build_message(replace(ENVELOPE, unsubscribe_mailto="leave@example.com?subject=leave"))
    assert (
        b"List-Unsubscribe: <https://news.example.com/u/token>,\r\n"
        b" <mailto:leave@example.com?subject=leave>\r\n" in raw
    )
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in raw
    assert b"List-Id: <app-news-weekly.news.example.com>\r\n" in raw


def test_one_click_is_not_promised_where_the_link_is_not_https() -> None:
    raw = build_message(replace(ENVELOPE, list_unsubscribe="http://localhost:8000/u/token"))
    assert b"List-Unsubscribe: <http://localhost:8000/u/token>\r\n" in raw
    assert b"List-Unsubscribe-Post" not in raw


def test_same_envelope_gives_the_same_bytes_and_the_boundary_follows_the_bodies() -> None:
    assert build_message(ENVELOPE) == build_message(ENVELOPE)
    other = parse(build_message(replace(ENVELOPE, text="Other\n")))
    assert other.get_boundary() != parse(build_message(ENVELOPE)).get_boundary()


@pytest.mark.parametrize(
    ("sender", "name"),
    [
        ("news@example.com", ""),
        ("<news@example.com>", ""),
        ("App News <news@example.com>", "App News"),
        ('"News, Apps & Co." <news@example.com>', "News, Apps & Co."),
        ('"The \\"best\\" news" <news@example.com>', 'The "best" news'),
        ('"<news>" <news@example.com>', "<news>"),
        ("back\\slash <news@example.com>", "back\\slash"),
        ("Nützliche Apps, wöchentlich <news@example.com>", "Nützliche Apps, wöchentlich"),
        ("週刊アプリ🎉 <news@example.com>", "週刊アプリ🎉"),
        ("=?utf-8?q?a=2C_b?= <news@example.com>", "= ?utf-8?q?a=2C_b?="),
        ("A name of many words " * 4 + "<news@example.com>", ("A name of many words " * 4).strip()),
    ],
)
def test_display_names_arrive_as_written_but_for_encoded_words(sender: str, name: str) -> None:
    raw = build_message(replace(ENVELOPE, sender=sender))
    (address,) = parse(raw)["from"].addresses
    assert address == Address(name, addr_spec="news@example.com")


@pytest.mark.parametrize("subject", ["🎉 Größe " * 20, "word " * 39, "x" * 190, "日本語" * 60])
def test_long_subjects_arrive_whole_and_folded(subject: str) -> None:
    raw = build_message(replace(ENVELOPE, subject=subject))
    assert_well_formed(raw)
    assert str(parse(raw)["subject"]) == header_text(subject, limit=200)
    assert max(map(len, raw.partition(b"\r\nDate:")[0].split(b"\r\n"))) <= 78


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("place", ["subject", "sender", "text", "html"])
def test_no_text_becomes_a_header(attack: str, place: str) -> None:
    value = f'"{attack}" <news@example.com>' if place == "sender" else attack
    assert_well_formed(build_message(replace(ENVELOPE, **{place: value})))


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize(
    "place", ["to", "message_id", "list_unsubscribe", "list_id", "unsubscribe_mailto"]
)
def test_an_address_or_url_that_cannot_stand_in_a_header_is_refused(
    attack: str, place: str
) -> None:
    before = "https://example.com/" if place == "list_unsubscribe" else "a@example.com"
    for value in (attack, before + attack, attack + before):
        with pytest.raises(DigestError) as caught:
            build_message(replace(ENVELOPE, **{place: f"<{value}>" if place == "to" else value}))
        assert caught.value.hint
        assert "victim" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    "address",
    [
        "",
        "reader",
        "a@b@example.com",
        "a b@example.com",
        "a@example.com, b@example.com",
        "jürgen@example.com",
        "a@-example.com",
        "a..b@example.com",
        "x" * 65 + "@example.com",
    ],
)
def test_whoever_is_not_one_address_is_refused_unnamed(address: str) -> None:
    with pytest.raises(UsageError) as caught:
        build_message(replace(ENVELOPE, to=address))
    assert not address or address not in caught.value.message


def test_sender_that_is_no_address_is_a_fault_of_the_settings() -> None:
    with pytest.raises(ConfigError, match="From"):
        build_message(replace(ENVELOPE, sender="App News Weekly"))


def test_mail_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        build_message(replace(ENVELOPE, date=ENVELOPE.date.replace(tzinfo=None)))


@given(subject=ANY_TEXT, name=ANY_TEXT)
def test_whatever_the_subject_and_the_name_no_header_is_added(subject: str, name: str) -> None:
    name = name.replace("<", "").replace(">", "")
    raw = build_message(replace(ENVELOPE, subject=subject, sender=f"{name} <news@example.com>"))
    assert_well_formed(raw)
    assert parse(raw)["from"].addresses[0].addr_spec == "news@example.com"
    assert str(parse(raw)["subject"]).split() == header_text(subject, limit=200).split()


@given(text=ANY_TEXT, html=ANY_TEXT)
def test_bodies_arrive_as_they_were(text: str, html: str) -> None:
    raw = build_message(replace(ENVELOPE, text=text, html=html))
    assert_well_formed(raw)
    wanted = [re.sub(r"\r\n?", "\n", body) for body in (text, html)]
    assert bodies(raw) == wanted
