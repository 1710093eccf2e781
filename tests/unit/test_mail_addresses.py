"""Which addresses can be mailed, and which two are one reader."""

import datetime as dt

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given
from hypothesis import strategies as st

from digest.model.messages import Envelope
from digest.normalising.addresses import address_key, parse_address
from digest.transports.message import build_message

LOCAL = st.text("aZ09._+-'!=?xDIGEST", min_size=1, max_size=70)
LABEL = st.text("aZ09-xn", min_size=1, max_size=12)
DOMAIN = st.lists(LABEL, min_size=1, max_size=4).map(".".join)
ENDING = st.sampled_from(["", ".com", ".test", ".local", ".localhost", ".invalid", ".ARPA", ".c0"])
ADDRESSES = st.builds("{}@{}{}".format, LOCAL, DOMAIN, ENDING)


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("ada@example.com", "ada@example.com"),
        (" Ada.B+x@EXAMPLE.Com\u00a0", "Ada.B+x@example.com"),
        ("ada@müller.example", "ada@xn--mller-kva.example"),
        ("ada@xn--mller-kva.example", "ada@xn--mller-kva.example"),
        ("POSTMASTER@example.com", "POSTMASTER@example.com"),
        ("o'hara@readers.test", "o'hara@readers.test"),
        ("a" * 64 + "@example.com", "a" * 64 + "@example.com"),
    ],
)
def test_address_is_kept_as_written_with_its_domain_in_small_letters(
    written: str, stored: str
) -> None:
    assert parse_address(written) == stored


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "ada", "@example.com", "ada@", "ada@example", "ada@test", "a..b@example.com",
        ".a@example.com", "ada@example..com", "ada@-a.example", "ada@example.com.",
        "ada@localhost", "ada@printer.local", "ada@[127.0.0.1]", "ada@127.0.0.1",
        '"ada b"@example.com', '"ada"@example.com', "Ada <ada@example.com>", "mailto:a@b@c.test",
        "ada@example.com, bo@example.com", "ada@example.com;bo@example.com", "ada b@example.com",
        "ada@exam ple.com", "ada\n@example.com", "ada@example.com\r\nBcc: bo@example.com",
        "ada\0@example.com", "\u200bada@example.com", "ада@example.com", "adä@example.com",
        "ada@ex\udc80mple.com", "a" * 65 + "@example.com", "a@" + "b" * 64 + ".example",
        "a@" + "b." * 130 + "example", "a=?utf-8?q?b?=@example.com", "xDIGESTaddressx@example.com",
    ],
)  # fmt: skip
def test_what_cannot_be_mailed_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"^the(re is no)? address") as caught:
        parse_address(text)
    assert "ada" not in str(caught.value)
    assert caught.value.__cause__ is None


@given(ADDRESSES)
def test_quick_look_and_the_close_one_agree(address: str) -> None:
    try:
        domain = validate_email(
            address,
            allow_smtputf8=False,
            check_deliverability=False,
            strict=True,
            test_environment=True,
        ).ascii_domain
    except EmailNotValidError:
        domain = ""
    local = address.rpartition("@")[0]
    is_good = "." in domain and "=?" not in address and "xDIGEST" not in local
    try:
        assert parse_address(address) == f"{local}@{domain}"
    except ValueError:
        assert not is_good
    else:
        assert is_good


@given(ADDRESSES)
def test_what_is_accepted_stays_as_it_is_and_makes_a_message(address: str) -> None:
    try:
        stored = parse_address(address)
    except ValueError:
        return
    assert parse_address(stored) == stored
    envelope = Envelope(
        sender="News <news@example.com>",
        to=stored,
        subject="Subject",
        html="<p>Text</p>",
        text="Text",
        date=dt.datetime(2026, 11, 24, tzinfo=dt.UTC),
        message_id="1@example.com",
        list_unsubscribe="https://news.example.com/u/1",
        list_id="weekly.example.com",
    )
    assert f"\r\nTo: {stored}\r\n".encode() in build_message(envelope)


def test_two_spellings_are_one_reader() -> None:
    spellings = ["Ada@MÜLLER.example", "ada@xn--mller-kva.example", "ADA@müller.EXAMPLE"]
    assert len({address_key(parse_address(spelling)) for spelling in spellings}) == 1
    assert address_key("ada@example.com") != address_key("a.da@example.com")
