"""The body of a request: each reader gets their own mail, nobody another's, and all is small."""

import datetime as dt
import html as escaping
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.merging import TOKENS, compile_variant, reader_links
from digest.model.deliveries import Addressee, Handover, Mail
from digest.model.editions import Variant
from digest.testing.factories import make_addressee, make_handover, make_mail
from digest.transports.sendgrid_body import MAX_FRAMES, MAX_READERS, BadReader, Bodies

URL = "https://news.example.com"


def handover_to(*readers: Addressee, **changes: Any) -> Handover:
    """Return the second try of batch 7 of edition 5."""
    values: dict[str, Any] = {"batch": 7, "attempt": 2, "edition_id": 5}
    return make_handover(readers=readers or (make_addressee(),), **(values | changes))


def read(handover: Handover) -> Any:
    return json.loads(Bodies().body(handover))


def sent(message: Any, number: int) -> tuple[str, str]:
    """Return HTML and text as the provider puts them together for one reader."""
    text, html = (part["value"] for part in message["content"])
    for tag, value in message["personalizations"][number]["substitutions"].items():
        text, html = text.replace(tag, value), html.replace(tag, value)
    return html, text


def merged(mail: Mail, reader: Addressee) -> tuple[str, str]:
    """Return HTML and text as a preview and every other transport make them."""
    variant = Variant(
        subject="", preheader="", html=mail.html, text=mail.text, tokens={}, sha256=""
    )
    links = reader_links(mail.public_url, mail.edition, reader.token)
    return compile_variant(variant).fill({"address": reader.address, **links})


LOCALS = st.text(st.sampled_from("abcXYZ019.!#$%&'*+/=?^_`{|}~-"), min_size=1, max_size=20)
ADDRESSES = st.builds("{}@{}".format, LOCALS, st.sampled_from(["example.com", "a.test"])).filter(
    lambda address: "=?" not in address
)
TEXTS = st.text(max_size=60) | st.sampled_from(
    [":a:", ":t:", ":h1:", "a:t:", "\\", '"', "\u2028", "a\r\nBcc: b@example.com", "\ud800", "😀"]
)
READERS = st.builds(
    Addressee,
    st.integers(1, 10**12),
    ADDRESSES,
    TEXTS,
    st.text(st.sampled_from("abcXYZ019-_"), min_size=1, max_size=40),
)
PIECES = st.lists(
    st.sampled_from(
        [*TOKENS.values(), ":", "a:", ":a", ":a:", ":A:", "t:", ":t:", ":t1:", "h:", " "]
    )
    | st.text(st.sampled_from("é<&'\"\\\n\u2028x"), max_size=3),
    max_size=20,
).map("-".join)


@given(PIECES, PIECES, st.lists(READERS, min_size=1, max_size=4))
def test_every_reader_gets_exactly_the_mail_that_a_preview_shows(
    html: str, text: str, readers: list[Addressee]
) -> None:
    mail = make_mail(html=html, text=text, subject=":a: :t1: and more")
    message = read(handover_to(*readers, mail=mail))
    assert len(message["personalizations"]) == len(readers)
    for number, reader in enumerate(readers):
        assert sent(message, number) == merged(mail, reader)


@given(st.lists(READERS, min_size=1, max_size=5), TEXTS, st.booleans())
def test_the_quick_bytes_are_those_of_the_plain_structure(
    readers: list[Addressee], subject: str, is_test: bool
) -> None:
    handover = handover_to(*readers, mail=make_mail(subject=subject), is_test=is_test)
    body = Bodies().body(handover)
    assert body.decode("ascii") == json.dumps(json.loads(body), separators=(",", ":"))
    for reader, each in zip(readers, json.loads(body)["personalizations"], strict=True):
        link = f"<{URL}/u/{reader.token}>"
        values = each["substitutions"].values()
        assert set(values) <= {reader.address, escaping.escape(reader.address), reader.token}
        assert each.pop("to")[0]["email"] == reader.address
        assert each.pop("headers") == {
            "List-Unsubscribe": link,
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
        assert each.pop("custom_args", None) == (
            None if is_test else {"rid": str(reader.subscriber_id)}
        )
        assert each.keys() == {"substitutions"}


def test_hundred_readers_are_hundred_personalizations_with_one_address_each() -> None:
    readers = [make_addressee(number) for number in range(100)]
    message = read(handover_to(*readers))
    assert [[to["email"] for to in each["to"]] for each in message["personalizations"]] == [
        [reader.address] for reader in readers
    ]
    for reader, each in zip(readers, message["personalizations"], strict=True):
        assert json.dumps(each).count("@") == 2
        assert json.dumps(each).count(f"{reader.address}") == 2
    rest = {key: value for key, value in message.items() if key != "personalizations"}
    assert "reader" not in json.dumps(rest).replace("xDIGEST", "")
    assert not message.keys() & {"cc", "bcc", "reply_to", "template_id", "mail_settings"}


def test_nothing_is_tracked_and_one_click_is_offered() -> None:
    message = read(handover_to())
    for kind in ("click_tracking", "open_tracking", "subscription_tracking", "ganalytics"):
        assert message["tracking_settings"][kind]["enable"] is False
    assert message["headers"] == {"List-Id": "<app-news-weekly.news.example.com>"}
    plain = read(handover_to(mail=make_mail(public_url="http://127.0.0.1:8000")))
    assert plain["personalizations"][0]["headers"] == {
        "List-Unsubscribe": f"<http://127.0.0.1:8000/u/{make_addressee().token}>"
    }


def test_a_try_is_named_by_ids_and_released_on_its_second() -> None:
    release_at = dt.datetime(2026, 11, 30, 6, 0, 0, 1, tzinfo=dt.UTC)
    message = read(handover_to(reservation="R-1", release_at=release_at, mark="m-1"))
    assert message["custom_args"] == {"edition": "5", "batch": "7", "try": "2", "mark": "m-1"}
    assert message["personalizations"][0]["custom_args"] == {"rid": "1"}
    assert message["batch_id"] == "R-1"
    assert message["send_at"] == 1_796_018_401  # never before
    assert message["categories"] == ["digest"]
    assert not {"batch_id", "send_at"} & read(handover_to()).keys()


def test_a_test_mail_is_no_delivery_and_goes_at_once() -> None:
    release_at = dt.datetime(2026, 11, 30, 6, tzinfo=dt.UTC)
    message = read(handover_to(is_test=True, reservation="R-1", release_at=release_at))
    assert message["categories"] == ["digest-test"]
    assert not {"custom_args", "batch_id", "send_at"} & message.keys()
    assert "custom_args" not in message["personalizations"][0]


@pytest.mark.parametrize(
    "text",
    [
        "a\r\nBcc: x@example.com",
        "=?utf-8?q?x=0D=0ABcc=3A_v=40example.com?=",
        "a\u2028Bcc: x@example.com",
        "a\u0085Bcc: x@example.com",
        "a\vBcc: x@example.com",
        'a" <x@example.com>, b',
    ],
)
def test_no_name_and_no_subject_becomes_a_header(text: str) -> None:
    mail = make_mail(subject=text, sender=f'"{text}" <news@example.com>')
    message = read(handover_to(make_addressee(first_name=text), mail=mail))
    to = message["personalizations"][0]["to"]
    assert [each["email"] for each in to] == ["reader1@example.com"]
    for line in (message["subject"], to[0]["name"]):
        assert "=?" not in line
        assert line.splitlines() == [line]
    assert not set(to[0]["name"]) & set('<>";,\\')
    assert "=?" not in message["from"].get("name", "")
    assert message["personalizations"][0]["headers"].keys() == {
        "List-Unsubscribe",
        "List-Unsubscribe-Post",
    }


@pytest.mark.parametrize(
    "address",
    [
        "",
        "reader",
        "a@example.com\r\nBcc: b@example.com",
        "a@example.com,b@example.com",
        "A <a@example.com>",
        '"a b"@example.com',
        "a@b@example.com",
        "=?utf-8?q?a?=@example.com",
        "a\u2028@example.com",
        "a@example.com\n",
        "a@example.com\nb@example.com",
        "a:t:@example.com",
    ],
)
def test_what_is_not_one_address_is_refused_without_being_repeated(address: str) -> None:
    readers = [make_addressee(1), make_addressee(2, address=address), make_addressee(3)]
    with pytest.raises(BadReader) as caught:
        Bodies().body(handover_to(*readers))
    assert not address or address not in str(caught.value)


@pytest.mark.parametrize("token", ["a b", "a/b", ":t:", 'a"', "é", "a\n", "a\nb"])
def test_a_token_that_is_not_url_safe_is_a_fault(token: str) -> None:
    with pytest.raises(ValueError, match="token"):
        Bodies().body(handover_to(make_addressee(token=token)))


@pytest.mark.parametrize("count", [0, MAX_READERS + 1])
def test_a_batch_has_some_readers_and_not_too_many(count: int) -> None:
    readers = [make_addressee(number) for number in range(count)]
    with pytest.raises(ValueError, match="readers"):
        Bodies().body(Handover(mail=make_mail(), batch=1, attempt=1, readers=readers))


def test_names_stand_in_the_mail_as_people_write_them() -> None:
    names = {
        "Ada": "Ada",
        "Anne-Marie O'Neil": "Anne-Marie O'Neil",
        "Đặng": "Đặng",
        "李": "李",
        '"Bob"; DROP, <b>': "Bob DROP b",
        "\u202eevil": "evil",
        "x" * 50: "x" * 39 + "…",
    }
    readers = [make_addressee(number, first_name=name) for number, name in enumerate(names)]
    message = read(handover_to(*readers))
    found = [each["to"][0].get("name") for each in message["personalizations"]]
    assert found == list(names.values())
    nameless = read(handover_to(make_addressee(first_name='";\n')))
    assert nameless["personalizations"][0]["to"] == [{"email": "reader1@example.com"}]


def test_a_reader_costs_at_most_350_bytes() -> None:
    first = ["", "Ada", "Benedikt", "Christina", "", "Dmitri", "Elisabeth", ""]
    readers = [
        Addressee(
            1_000_000 + number,
            f"{(name or 'jo').lower()}.name{number}@example.com",
            name,
            f"{number:039d}",
        )
        for number, name in zip(range(1_000), first * 125, strict=True)
    ]
    bodies = Bodies()
    one, all_of_them = (len(bodies.body(handover_to(*some))) for some in (readers[:1], readers))
    assert (all_of_them - one) / 999 <= 350


def test_a_mail_with_a_token_that_nobody_fills_is_a_fault() -> None:
    with pytest.raises(ValueError, match="nobody fills"):
        Bodies().body(handover_to(mail=make_mail(html="xDIGESTnothingx")))


def test_many_mails_are_kept_apart() -> None:
    bodies = Bodies()
    for number in [*range(MAX_FRAMES + 2), 0, 3]:
        mail = make_mail(html=f"<p>Number {number} for {TOKENS['address']}")
        message = json.loads(bodies.body(handover_to(mail=mail)))
        assert f"Number {number} for" in message["content"][1]["value"]


@pytest.mark.parametrize(
    ("sender", "expected"),
    [
        ("news@example.com", {"email": "news@example.com"}),
        ("<news@example.com>", {"email": "news@example.com"}),
        ("News <news@example.com>", {"email": "news@example.com", "name": "News"}),
        (
            ' "News, weekly" <news@example.com>',
            {"email": "news@example.com", "name": "News weekly"},
        ),
        ("a@b.test <news@example.com>", {"email": "news@example.com", "name": "a@b.test"}),
    ],
)
def test_sender_is_one_address_and_a_name(sender: str, expected: dict[str, str]) -> None:
    assert read(handover_to(mail=make_mail(sender=sender)))["from"] == expected


@pytest.mark.parametrize("sender", ["", "News", "News <news@example.com", "<a@b.test, c@d.test>"])
def test_sender_without_an_address_is_a_fault(sender: str) -> None:
    with pytest.raises(ValueError, match="sender"):
        Bodies().body(handover_to(mail=make_mail(sender=sender)))
