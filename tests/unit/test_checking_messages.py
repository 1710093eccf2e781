"""A message as a file is read whatever it holds, and checked without knowing its edition."""

from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.checking import Finding, check_message, read_message
from digest.checking.mail import MESSAGE_RULES
from digest.merging import TOKENS

MAILS = Path(__file__).parent.parent / "fixtures" / "mails"
SUBJECT = "Notes that keep, and two more apps"
VALUES = {
    "unsubscribe_url": "https://news.example.com/u/1",
    "address": "reader@example.com",
    "preferences_url": "https://news.example.com/preferences/1",
    "rate_url": "https://news.example.com/r/1",
    "web_url": "https://news.example.com/archive/1",
}


def filled(name: str) -> str:
    text = (MAILS / name).read_text(encoding="utf-8")
    for token, value in VALUES.items():
        text = text.replace(TOKENS[token], value)
    return text


HTML, TEXT = filled("clean.html"), filled("clean.txt")


def message(subject: str = SUBJECT, html: str = HTML, text: str = TEXT) -> bytes:
    mail = EmailMessage()
    mail["Subject"] = subject
    mail["To"] = "reader@example.com"
    mail.set_content(text)
    mail.add_alternative(html, subtype="html")
    return mail.as_bytes()


def check(source: bytes) -> list[Finding]:
    parts = read_message(source)
    return check_message(parts.html, text=parts.text, subject=parts.subject)


def test_clean_message_is_silent() -> None:
    assert check(message()) == []


def test_message_is_taken_apart_as_it_was_put_together() -> None:
    parts = read_message(message("Notizen, die bleiben – und Ähnliches" * 4))
    assert parts.subject == "Notizen, die bleiben – und Ähnliches" * 4
    assert parts.html == HTML
    assert parts.text == TEXT


LINE = "The week in apps, told in three short stories."

# Each is the least change to the clean message that breaks one rule.
FAULTS = (
    ("subject-signs", message(subject="")),
    ("subject-signs", message(subject="Notes \u202e that keep")),
    ("leftover-words", message(subject="Notes of {{ week }}")),
    ("leftover-words", message(text=TEXT.replace(LINE, "None"))),
    ("token-unknown", message(html=HTML.replace("Unsubscribe", TOKENS["address"]))),
    ("token-unknown", message(text=TEXT.replace(LINE, TOKENS["web_url"]))),
    ("text-part", message(text="\n")),
    ("text-markup", message(text=TEXT.replace(LINE, "<p>The week</p>"))),
    ("text-width", message(text=TEXT.replace(LINE, LINE + " It is all here, and worth a read."))),
    ("subject-length", message(subject=SUBJECT * 3)),
    ("image-alt", message(html=HTML.replace(' alt="A page of notes"', ""))),
)  # fmt: skip


@pytest.mark.parametrize(("rule", "source"), FAULTS, ids=[rule for rule, _source in FAULTS])
def test_planted_fault_is_found_by_its_rule_alone(rule: str, source: bytes) -> None:
    assert {finding.rule for finding in check(source)} == {rule}


def test_every_rule_for_messages_has_a_planted_fault() -> None:
    assert {rule.id for rule in MESSAGE_RULES} <= {rule for rule, _source in FAULTS}


def test_words_that_the_html_shows_may_stand_in_the_text() -> None:
    html = HTML.replace(LINE, "How &lt;b&gt; and &amp;amp; work")
    assert check(message(html=html, text=TEXT.replace(LINE, "How <b> and &amp; work"))) == []


def test_attachment_is_not_taken_for_the_mail() -> None:
    mail = EmailMessage()
    mail["Subject"] = SUBJECT
    mail.set_content(TEXT)
    mail.add_attachment("<p>Not the mail</p>", subtype="html", filename="a.html")
    assert read_message(mail.as_bytes()).html == ""


@pytest.mark.parametrize(
    ("head", "body", "subject", "html"),
    [
        ("Subject: =?no-such?q?a?=\n", "x", "=?no-such?q?a?=", "x"),
        ("Subject: =?utf-8?b?w?=\n", "x", "=?utf-8?b?w?=", "x"),
        ("Subject: a\n b\n", "x", "a b", "x"),
        ("", "\r\nx\r\n", "", "\nx\n"),
    ],
)
def test_broken_headers_are_read_as_far_as_they_go(
    head: str, body: str, subject: str, html: str
) -> None:
    source = f"{head}Content-Type: text/html; charset=no-such\n\n{body}".encode()
    parts = read_message(source)
    assert (parts.subject, parts.html) == (subject, html)


def test_message_of_parts_without_end_has_no_html() -> None:
    parts = (f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(5_000))
    source = "".join(parts) + "Content-Type: text/html\n\nx"
    assert read_message(source.encode()).html == ""


PIECES = [
    b"Subject: ", b"=?utf-8?q?=C3?=", b"=?utf-8?b?w?=", b"Content-Type: ", b"text/html", b"=3D",
    b"text/plain", b"multipart/mixed", b"; boundary=x", b"; charset=", b"utf-16", b"base64",
    b"idna", b"unicode_escape", b"Content-Transfer-Encoding: ", b"quoted-printable", b"uuencode",
    b"Content-Disposition: ", b"--x\n", b"--x--\n", b"\n", b"\r\n", b"\n\n", b"=", b"\xff", b"\0",
    b"<p>",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=9), max_size=30).map(b"".join))
def test_any_bytes_can_be_read_as_a_message(source: bytes) -> None:
    assert all(finding.message.isprintable() for finding in check(source))
