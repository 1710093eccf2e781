"""From the cells of a list to readers: columns by their names, values by the rules."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.errors import UsageError
from digest.model.subscribers import Frequency
from digest.services.columns import choose_columns
from digest.services.importing import (
    MAX_NEWSLETTER_TOPICS,
    Topics,
    parse_frequency,
    parse_language,
    parse_name,
    parse_timezone,
)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("email,first_name,topics,frequency,language", (0, 1, 2, 3, 4)),
        ("Language,FREQUENCY,Topics,First Name,E-Mail", (4, 3, 2, 1, 0)),
        ("Email Address,First Name,Last Name,Address,TAGS", (0, 1, 4, 5, 5)),
        ("Name,E-Mail-Adresse", (1, 0, 2, 2, 2)),
        ("name,first name,mail,lang", (2, 1, 4, 4, 3)),
        ("\ufeffemail", (0, 1, 1, 1, 1)),
        ("address", (0, 1, 1, 1, 1)),
    ],
)
def test_columns_are_found_by_their_usual_names(header: str, found: tuple[int, ...]) -> None:
    columns = choose_columns(header.split(","), {}, ())
    fields = ("email", "first_name", "topics", "frequency", "language")
    assert tuple(columns.places[field] for field in fields) == found


def test_column_can_be_named_and_others_be_left_unread() -> None:
    header = ["Mail", "email", "Vorname", "id", "role", "is_admin", "token"]
    columns = choose_columns(header, {"email": "MAIL", "first_name": "vorname"}, ["email"])
    assert (columns.places["email"], columns.places["first_name"]) == (0, 2)
    assert columns.found == {"email", "first_name"}
    assert columns.unread == ("email", "id", "role", "is_admin", "token")


SAYS_WHO_LEFT = """
state, Status, UNSUBSCRIBED, left_at, Opted Out, UNSUB_TIME, Opt out, opt-in, Opt-in?, HasOptedOut,
Subscribed, isSubscribed, subscribed_to_emails, Un-subscribed on, Email Marketing Status, hs_optout,
Email Permission Status, consent, active, Is Active?, enabled, email_disabled, cleaned, CLEAN_TIME,
deleted, deleted_at, blacklisted, EMAIL_BLOCKLISTED, do not mail, DoNotBulkEmail, Abgemeldet am,
abgeméldet, désinscrit, Désabonnée, BAJA, Fecha de baja, Has left, Hard bounces, complaint,
inaktiv, Email Suppressions, Accepts Email Marketing, ＵＮＳＵＢ, 配信停止, إلغاء الاشتراك
"""  # noqa: RUF001  # wide letters are meant
SAYS_NOTHING = """
firstname_left, Interactive, last_active, active_campaigns, subscribed_at, Subscription date,
Country, Billing state, Statement, Leftover, OPTIN_TIME, OPTIN_IP, CONFIRM_TIME, Options,
Donot Street, role
"""


def listed(names: str) -> list[str]:
    return [name.strip() for name in names.split(",")]


@pytest.mark.parametrize("name", listed(SAYS_WHO_LEFT))
def test_column_that_says_who_left_is_refused_unless_it_is_named(name: str) -> None:
    with pytest.raises(UsageError, match="never read"):
        choose_columns(["email", name], {}, ())
    assert choose_columns(["email", name], {}, [name.lower()]).unread == (name,)
    assert choose_columns(["email", name], {"topics": name}, ()).places["topics"] == 1


@pytest.mark.parametrize("name", listed(SAYS_NOTHING))
def test_column_that_only_looks_like_one_of_those_is_left_unread(name: str) -> None:
    assert choose_columns(["email", name], {}, ()).unread == (name,)


def test_all_columns_that_say_who_left_are_named_at_once() -> None:
    header = ["email", "Status", "opt-out", "Status", "x" * 60 + " consent"]
    with pytest.raises(UsageError, match="Status, opt-out, xxx") as error:
        choose_columns(header, {}, ())
    ignored = re.findall(r'--ignore-column "([^"]*)"', error.value.hint)
    assert choose_columns(header, {}, ignored).found == {"email"}


@pytest.mark.parametrize(
    ("header", "maps", "words"),
    [
        (["name", "phone"], {}, "no column of addresses"),
        ([""], {}, "no column of addresses"),
        (["email", "E-Mail"], {}, "twice"),
        (["email"], {"first_name": "Vorname"}, "not in the file"),
        (["email", "x", "X"], {"first_name": "x"}, "twice or more"),
    ],
)
def test_header_that_leaves_a_doubt_is_refused(
    header: list[str], maps: dict[str, str], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        choose_columns(header, maps, ())


@given(st.lists(st.text(max_size=8), max_size=6))
def test_any_header_is_understood_or_refused(header: list[str]) -> None:
    try:
        columns = choose_columns(["email", *header], {}, ())
    except UsageError:
        return
    used = [place for place in columns.places.values() if place < columns.width]
    assert len(set(used)) == len(used)


def test_names_are_cleaned_and_advertisements_refused() -> None:
    assert parse_name(" Zoë\u202e  Ann\x00 ") == "Zoë Ann"
    assert parse_name("O'Hara-Smith") == "O'Hara-Smith"
    for bad in ("win at www.example.com", "http://x", "HTTPS:x", "a" * 101, "xDIGESTaddressx"):
        with pytest.raises(ValueError, match="first name"):
            parse_name(bad)


@pytest.mark.parametrize("name", ["timezone", "Time Zone", "TIMEZONE", "tz", "time_zone"])
def test_column_of_time_zones_is_found(name: str) -> None:
    assert choose_columns(["email", name], {}, ()).places["timezone"] == 1


def test_time_zone_is_an_iana_name_or_nothing() -> None:
    assert parse_timezone(" Asia/Kathmandu ") == "Asia/Kathmandu"
    assert parse_timezone(" ") == ""
    bad = ("Berlin", "+01:00", "localtime", "Europe", "../UTC", "/etc/localtime", "a\0b", "x" * 999)
    for cell in bad:
        with pytest.raises(ValueError, match="IANA"):
            parse_timezone(cell)


def test_frequency_and_language_have_defaults_and_are_checked() -> None:
    assert parse_frequency(" ") is Frequency.WEEKLY
    assert parse_frequency("Monthly ") is Frequency.MONTHLY
    assert parse_language("pt_br") == "pt-BR"
    assert parse_language(" ") == ""
    with pytest.raises(ValueError, match="weekly nor monthly"):
        parse_frequency("daily")
    with pytest.raises(ValueError, match="weekly nor monthly"):
        parse_frequency("often")


@pytest.mark.parametrize(
    ("cell", "tag"),
    [
        ("PT_br", "pt-BR"),
        ("zh-hant-tw", "zh-Hant-TW"),
        ("de-1996", "de"),
        ("en-US-x-home", "en-US"),
    ],
)
def test_language_is_a_tag(cell: str, tag: str) -> None:
    assert parse_language(f" {cell} ") == tag


@pytest.mark.parametrize(
    "cell", ["Deutsch!", "!!", "xx-yy-zz-!!", "en-US-", "en--US", "de-DE.UTF-8", "en US", "und"]
)
def test_language_that_is_no_tag_from_end_to_end_is_refused(cell: str) -> None:
    with pytest.raises(ValueError, match="no tag"):
        parse_language(cell)


def test_topic_keeps_the_spelling_in_which_it_was_first_seen() -> None:
    topics = Topics(["Games"])
    assert topics.parse("privacy;GAMES ; ;games;Photo  &\tVideo") == (
        "Games",
        "Photo & Video",
        "privacy",
    )
    assert topics.parse("Privacy") == ("privacy",)
    assert topics.parse(" ; ") == ()


def test_topics_have_limits() -> None:
    topics = Topics(str(number) for number in range(MAX_NEWSLETTER_TOPICS))
    assert topics.parse("1;2") == ("1", "2")
    for cell in ("one more", ";".join("1" * 51), "x" * 101):
        with pytest.raises(ValueError, match="topic"):
            topics.parse(cell)
