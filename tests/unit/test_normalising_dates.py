"""Dates are believed as far as they can be, and are never guessed into the wrong hour."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.normalising.dates import published

NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
PIECES = [
    *("Mon,", "14", "99", "Sep", "2020", "2020-09-14", "T", "10:00:00", ":", "PM", "24:00", "W38"),
    *("GMT", "+0200", "+3000", "-0000", "Z", "EST", "IST", "ET", "CEST", "/", "1600077600", "½"),
    *("0001-01-01", "9999-12-31", "T23:59:59-23:59", "T00:00:00+23:59", "年", "月"),
]
ANY_DATE = st.one_of(
    st.text(max_size=90),
    st.lists(st.sampled_from(PIECES), max_size=8).map(" ".join),
    st.lists(st.sampled_from([*PIECES, " "]), max_size=8).map("".join),
)
ANY_GUESS = st.none() | st.datetimes() | st.datetimes(timezones=st.just(dt.UTC))


def read(
    raw: str, guess: dt.datetime | None = None, *, timezone: str = "", language: str = "en"
) -> dt.datetime | None:
    return published(raw, guess, timezone=timezone, language=language, fetched_at=NOW)[0]


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


WRONG = utc("2021-01-01 00:00")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("Mon, 14 Sep 2020 10:00:00 GMT", "2020-09-14 10:00"),
        ("Mon, 14 Sep 2020 10:00:00 +0200", "2020-09-14 08:00"),
        ("14 Sep 20 10:00 EDT", "2020-09-14 14:00"),
        ("Mon, 14 Sep 2020 10:00:00 PST (Pacific)", "2020-09-14 18:00"),
        ("2020-09-14T10:00:00Z", "2020-09-14 10:00"),
        ("2020-09-14T10:00:00.123456789+05:30", "2020-09-14 04:30:00.123456"),
        ("2020-09-14 10:00:00", "2020-09-14 10:00"),
        ("Mon, 14 Sep 2020 10:00:00", "2020-09-14 10:00"),
        ("1600077600", "2020-09-14 10:00"),
        ("1600077600123", "2020-09-14 10:00"),
    ],
)
def test_strict_forms_are_read_whatever_the_parser_guesses(raw: str, expected: str) -> None:
    assert read(raw, WRONG) == utc(expected)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("Mon, 14 Sep 2020 10:00:00 BST", "2020-09-14 09:00"),
        ("Mon, 14 Sep 2020 10:00:00 CEST", "2020-09-14 08:00"),
        ("Mon, 14 Sep 2020 10:00:00 JST", "2020-09-14 01:00"),
        ("Mon, 14 Sep 2020 02:02:33 PM", "2020-09-14 14:02:33"),
        ("Mon, 14 Sep 2020 02:02:33 PM +0000", "2020-09-14 14:02:33"),
        ("Monday, September 14, 2020 3:00 PM ET", "2020-09-14 19:00"),
        ("Monday, December 14, 2020 3:00 PM PT", "2020-12-14 23:00"),
        ("2020/1/10", "2020-01-10 12:00"),
        ("14-09-2020", "2020-09-14 12:00"),
        ("2020/1/10 08:30", "2020-01-10 08:30"),
        ("Sep 14, 2020", "2020-09-14 12:00"),
    ],
)
def test_what_the_feed_parser_gets_wrong_is_read_in_words(raw: str, expected: str) -> None:
    assert read(raw, WRONG) == utc(expected)


@pytest.mark.parametrize(
    ("raw", "language", "expected"),
    [
        ("2020年09月14日", "ja", "2020-09-14 12:00"),
        ("2020年09月14日 10:30", "zh-Hant-TW", "2020-09-14 10:30"),
        ("14. September 2020", "de", "2020-09-14 12:00"),
        ("14 septembre 2020 10:30", "fr-CA", "2020-09-14 10:30"),
        ("lun., 14 sept. 2020 10:00:00 +0200", "fr", "2020-09-14 08:00"),
        ("14 сентября 2020, 10:00", "ru", "2020-09-14 10:00"),
        ("Sep 14, 2020", "de", "2020-09-14 12:00"),
        ("Sep 14, 2020", "tlh", "2020-09-14 12:00"),
        ("05/06/2020", "en-US", "2020-05-06 12:00"),
        ("05/06/2020", "en-GB", "2020-06-05 12:00"),
        ("05.06.2020", "de", "2020-06-05 12:00"),
        ("14/09/2020 10:00", "en", "2020-09-14 10:00"),
    ],
)
def test_dates_in_the_sources_language_are_read(raw: str, language: str, expected: str) -> None:
    assert read(raw, language=language) == utc(expected)


@pytest.mark.parametrize(
    ("raw", "timezone", "expected"),
    [
        ("2020-09-14T10:00:00", "Europe/Berlin", "2020-09-14 08:00"),
        ("2020-12-14 10:00", "Europe/Berlin", "2020-12-14 09:00"),
        ("2020-09-14", "Europe/Berlin", "2020-09-14 10:00"),
        ("Mon, 14 Sep 2020 10:00:00", "Asia/Tokyo", "2020-09-14 01:00"),
        ("14 September 2020 10:00", "America/New_York", "2020-09-14 14:00"),
        ("Mon, 14 Sep 2020 10:00:00 IST", "Asia/Kolkata", "2020-09-14 04:30"),
        ("Mon, 14 Sep 2020 10:00:00 CST", "Asia/Shanghai", "2020-09-14 02:00"),
        ("Mon Sep 14 10:00:00 CST 2020", "Asia/Shanghai", "2020-09-14 02:00"),
        ("Mon, 14 Sep 2020 10:00:00 CST", "", "2020-09-14 16:00"),
        ("Mon, 14 Sep 2020 10:00:00 GMT", "Europe/London", "2020-09-14 10:00"),
        ("Mon, 14 Sep 2020 10:00:00 +0000", "Europe/London", "2020-09-14 10:00"),
        ("Mon, 14 Sep 2020 10:00:00 BST", "Europe/London", "2020-09-14 09:00"),
    ],
)
def test_a_date_without_a_sure_zone_is_in_the_sources_own(
    raw: str, timezone: str, expected: str
) -> None:
    assert read(raw, WRONG, timezone=timezone) == utc(expected)


@pytest.mark.parametrize(
    "raw",
    [
        "2020-9-14T8:05:00Z",
        "Mon, 14 Sep 2020 10:00:00 GMT+0200",
        "Mon Sep 14 2020 10:00:00 GMT+0200 (CEST)",
        "14 9 2020 10:00:00 UTC",
    ],
)
def test_the_parsers_guess_counts_where_the_text_names_its_zone(raw: str) -> None:
    guess = utc("2020-09-14 08:05")
    assert read(raw, guess, timezone="Asia/Tokyo") == guess


def test_without_a_text_the_guess_is_all_there_is() -> None:
    assert read("", utc("2020-09-14 10:00")) == utc("2020-09-14 10:00")
    assert read("", None) is None


@pytest.mark.parametrize(
    "raw",
    [
        "yesterday", "12:30", "Sept 2020", "2020", "Thu, 31 Sep 2020 10:00:00", "14-09", "soon",
        "Fri, 11 Mar 2016 01:15:00 +3000", "2020-13-45", "0000-00-00 00:00:00", "20" * 60,
        "Thu, 01 Jan 1970 00:00:00 GMT", "0001-01-01T00:00:00+14:00", "1994-12-31T23:59:59Z",
        "9999-12-31T23:59:59-14:00", "14-09-2020 in words -2020 but not a date",
    ],
)  # fmt: skip
def test_what_is_no_believable_date_leaves_the_article_undated(raw: str) -> None:
    assert published(raw, WRONG, timezone="", language="en", fetched_at=NOW) in (
        (None, False),
        (None, True),
    )


@pytest.mark.parametrize(
    ("ahead", "expected"),
    [
        (dt.timedelta(seconds=-1), (NOW - dt.timedelta(seconds=1), False)),
        (dt.timedelta(), (NOW, False)),
        (dt.timedelta(hours=9), (NOW, False)),
        (dt.timedelta(days=1), (NOW, False)),
        (dt.timedelta(days=1, seconds=1), (None, True)),
        (dt.timedelta(days=4000), (None, True)),
    ],
)
def test_a_date_ahead_of_the_clock_is_now_and_one_far_ahead_is_none(
    ahead: dt.timedelta, expected: tuple[dt.datetime | None, bool]
) -> None:
    raw = (NOW + ahead).isoformat()
    assert published(raw, None, timezone="", language="en", fetched_at=NOW) == expected


@given(
    ANY_DATE,
    ANY_GUESS,
    st.sampled_from(["", "Europe/Berlin", "Asia/Kolkata", "Pacific/Apia"]),
    st.sampled_from(["", "en", "de-AT", "ru", "xx"]),
)
def test_no_date_is_naive_before_feeds_or_in_the_future(
    raw: str, guess: dt.datetime | None, timezone: str, language: str
) -> None:
    moment, is_ahead = published(raw, guess, timezone=timezone, language=language, fetched_at=NOW)
    assert moment is None or not is_ahead
    if moment is not None:
        assert moment.tzinfo is dt.UTC
        assert dt.datetime(1995, 1, 1, tzinfo=dt.UTC) <= moment <= NOW


@given(st.integers(0, 1_000_000_000), st.integers(-720, 840))
def test_an_instant_with_its_offset_is_read_to_the_second(seconds: int, minutes: int) -> None:
    offset = dt.timezone(dt.timedelta(minutes=minutes))
    instant = (utc("1995-01-02") + dt.timedelta(seconds=seconds)).astimezone(offset)
    for raw in (instant.isoformat(), f"{instant:%a, %d %b %Y %H:%M:%S %z}"):
        assert read(raw, WRONG, timezone="Asia/Tokyo") == instant
